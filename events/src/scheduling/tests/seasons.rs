//! Seasons, against what Meeus and the U.S. Naval Observatory publish.

use super::*;

#[test]
fn the_example_of_meeus() {
    // Example 27.a: the solstice of June 1962 is at JDE 2437837.39245.
    let found = Turn::June.ephemeris_day(1962);
    assert!((found - 2_437_837.392_45).abs() < 0.000_01, "{found}");
}

#[test]
fn published_equinoxes_and_solstices() {
    // U.S. Naval Observatory, Earth's Seasons: universal time, to the minute.
    for (turn, year, published) in [
        (Turn::March, 2000, "2000-03-20T07:35:00Z"),
        (Turn::June, 2000, "2000-06-21T01:48:00Z"),
        (Turn::September, 2000, "2000-09-22T17:28:00Z"),
        (Turn::December, 2000, "2000-12-21T13:37:00Z"),
        (Turn::March, 2020, "2020-03-20T03:50:00Z"),
        (Turn::June, 2020, "2020-06-20T21:44:00Z"),
        (Turn::September, 2020, "2020-09-22T13:31:00Z"),
        (Turn::December, 2020, "2020-12-21T10:02:00Z"),
        (Turn::March, 2024, "2024-03-20T03:06:00Z"),
        (Turn::June, 2024, "2024-06-20T20:51:00Z"),
        (Turn::September, 2024, "2024-09-22T12:44:00Z"),
        (Turn::December, 2024, "2024-12-21T09:20:00Z"),
        (Turn::March, 2025, "2025-03-20T09:01:00Z"),
        (Turn::June, 2025, "2025-06-21T02:42:00Z"),
        (Turn::September, 2025, "2025-09-22T18:19:00Z"),
        (Turn::December, 2025, "2025-12-21T15:03:00Z"),
    ] {
        let found = turn.moment(year).unwrap();
        let off = found.duration_since(at(published)).abs();
        assert!(off.as_secs() <= 90, "{turn:?} {year}: {found}, published {published}");
    }
}

fn seasonal(hemisphere: Hemisphere, basis: Basis, offset_days: i16, zone: &str) -> Schedule {
    let seasons = vec![Season::Spring, Season::Summer, Season::Fall, Season::Winter];
    let spec = Spec::Seasonal { seasons, offset_days, hemisphere, basis, time: time(8, 0) };
    schedule(spec, modifiers(zone))
}

#[test]
fn seasons_of_the_calendar_on_both_halves_of_the_earth() {
    let year = days("2026-03 1, 2026-06 1, 2026-09 1, 2026-12 1", time(8, 0));
    for hemisphere in [Hemisphere::North, Hemisphere::South] {
        let all = seasonal(hemisphere, Basis::Meteorological, 0, "UTC");
        assert_eq!(local(&all, "UTC", "2026-01-01T00:00:00Z", 4), year);
    }
    let spring = |hemisphere| {
        let (seasons, basis) = (vec![Season::Spring], Basis::Meteorological);
        let spec = Spec::Seasonal { seasons, offset_days: 0, hemisphere, basis, time: time(8, 0) };
        local(&schedule(spec, modifiers("UTC")), "UTC", "2026-01-01T00:00:00Z", 2)
    };
    assert_eq!(spring(Hemisphere::North), days("2026-03 1, 2027-03 1", time(8, 0)));
    assert_eq!(spring(Hemisphere::South), days("2026-09 1, 2027-09 1", time(8, 0)));
}

#[test]
fn seasons_of_the_sun_begin_on_the_day_that_it_is_there() {
    // 2025-06-21T02:42Z is still the 20th in New York.
    let utc = seasonal(Hemisphere::North, Basis::Astronomical, 0, "UTC");
    let expected = days("2025-03 20, 2025-06 21, 2025-09 22, 2025-12 21", time(8, 0));
    assert_eq!(local(&utc, "UTC", "2025-01-01T00:00:00Z", 4), expected);
    let there = seasonal(Hemisphere::North, Basis::Astronomical, 0, NEW_YORK);
    let expected = days("2025-03 20, 2025-06 20, 2025-09 22, 2025-12 21", time(8, 0));
    assert_eq!(local(&there, NEW_YORK, "2025-01-01T00:00:00Z", 4), expected);
}

#[test]
fn an_offset_reaches_over_the_new_year() {
    let early = seasonal(Hemisphere::North, Basis::Meteorological, -70, "UTC");
    let found = local(&early, "UTC", "2025-12-01T00:00:00Z", 2);
    assert_eq!(found, days("2025-12 21, 2026-03 23", time(8, 0)));
    let late = seasonal(Hemisphere::North, Basis::Meteorological, 31, "UTC");
    let found = local(&late, "UTC", "2026-01-01T00:00:00Z", 2);
    assert_eq!(found, days("2026-01 1, 2026-04 1", time(8, 0)));
}
