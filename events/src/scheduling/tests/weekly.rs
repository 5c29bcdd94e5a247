//! Days of the week: several of them, in zones with and without changes of their clocks, over both nights of these, and beside the rule
//! of RFC 5545 that says the same.

use strum::VariantArray as _;

use super::*;

fn weekly(days: &[Day], at: Time, zone: &str) -> Schedule {
    schedule(Spec::Weekly { days: days.to_vec(), time: at }, modifiers(zone))
}

/// The same as a rule that begins on a Monday.
fn as_rule(days: &[Day], at: Time, zone: &str) -> Schedule {
    let day = |day: &Day| match day {
        Day::Monday => "MO",
        Day::Tuesday => "TU",
        Day::Wednesday => "WE",
        Day::Thursday => "TH",
        Day::Friday => "FR",
        Day::Saturday => "SA",
        Day::Sunday => "SU",
    };
    let days: Vec<&str> = days.iter().map(day).collect();
    let spec = Spec::Rrule {
        starts: date("2025-12-29").to_datetime(at),
        rule: format!("FREQ=WEEKLY;BYDAY={}", days.join(",")),
        except: vec![],
    };
    schedule(spec, modifiers(zone))
}

#[test]
fn it_says_what_the_rule_of_rfc_5545_says_for_a_year_with_both_nights() {
    let sets: [&[Day]; 5] = [
        &[Day::Sunday],
        &[Day::Monday, Day::Thursday],
        &[Day::Thursday, Day::Monday],
        &[Day::Saturday, Day::Sunday, Day::Monday],
        Day::VARIANTS,
    ];
    for zone in ["UTC", BERLIN, NEW_YORK, LORD_HOWE, "Asia/Kolkata", "America/Santiago"] {
        for days in sets {
            for at in [time(0, 0), time(1, 45), time(2, 15), time(2, 30), time(23, 59)] {
                let year = |schedule: &Schedule| {
                    moments(schedule, "2025-12-31T12:00:00Z", 53 * days.len())
                };
                let found = year(&weekly(days, at, zone));
                assert_eq!(found.len(), 53 * days.len(), "it never ends");
                assert_eq!(found, year(&as_rule(days, at, zone)), "{days:?} {at} {zone}");
            }
        }
    }
}

#[test]
fn of_several_days_each_comes_in_its_turn_however_they_are_written() {
    let expected = days("2026-01 1 5 7 8 12 14 15", time(7, 30));
    for days in
        [[Day::Monday, Day::Wednesday, Day::Thursday], [Day::Thursday, Day::Monday, Day::Wednesday]]
    {
        let found = local(&weekly(&days, time(7, 30), BERLIN), BERLIN, "2025-12-31T12:00:00Z", 7);
        assert_eq!(found, expected, "{days:?}");
    }
    let all =
        local(&weekly(Day::VARIANTS, time(7, 30), BERLIN), BERLIN, "2025-12-31T12:00:00Z", 31);
    assert_eq!(all, days("2026-01 1-31", time(7, 30)), "every day is daily");
}

#[test]
fn the_days_are_those_of_the_zone_and_not_of_greenwich() {
    // When Sunday begins on Lord Howe, it is Saturday in Greenwich; when it ends in New York, it is Monday there.
    let sunday = |at, zone| moments(&weekly(&[Day::Sunday], at, zone), "2026-06-01T12:00:00Z", 2);
    let expected = ["2026-06-06T13:30:00Z", "2026-06-13T13:30:00Z"];
    assert_eq!(sunday(time(0, 0), LORD_HOWE), expected);
    let expected = ["2026-06-08T03:59:00Z", "2026-06-15T03:59:00Z"];
    assert_eq!(sunday(time(23, 59), NEW_YORK), expected);
}

#[test]
fn in_the_night_that_lacks_an_hour_the_offset_before_it_counts() {
    for (zone, days, at, after, expected) in [
        (
            BERLIN,
            [Day::Saturday, Day::Sunday],
            time(2, 30),
            "2026-03-27T12:00:00Z",
            ["2026-03-28T01:30:00Z", "2026-03-29T01:30:00Z", "2026-04-04T00:30:00Z"],
        ),
        (
            NEW_YORK,
            [Day::Wednesday, Day::Sunday],
            time(2, 30),
            "2026-03-03T12:00:00Z",
            ["2026-03-04T07:30:00Z", "2026-03-08T07:30:00Z", "2026-03-11T06:30:00Z"],
        ),
        (
            LORD_HOWE,
            [Day::Friday, Day::Sunday],
            time(2, 15),
            "2026-10-01T12:00:00Z",
            ["2026-10-01T15:45:00Z", "2026-10-03T15:45:00Z", "2026-10-08T15:15:00Z"],
        ),
    ] {
        let weekly = weekly(&days, at, zone);
        assert_eq!(moments(&weekly, after, 3), expected, "{zone}");
        let told = weekly.preview(super::at(expected[0]), 2);
        let planned = [&told[0], &told[1]].map(|outcome| match outcome {
            Outcome::Runs {
                shift: Some(Shift { planned, reason: Reason::NonexistentTime }),
                ..
            } => Some(planned.time()),
            Outcome::Runs { .. } | Outcome::Skipped { .. } => None,
        });
        assert_eq!(planned, [Some(at), None], "{zone}: it says that the time was lacking");
    }
}

#[test]
fn in_the_night_that_has_an_hour_twice_the_first_counts_and_only_that() {
    for (zone, days, at, after, expected) in [
        (
            BERLIN,
            [Day::Saturday, Day::Sunday],
            time(2, 30),
            "2026-10-23T12:00:00Z",
            ["2026-10-24T00:30:00Z", "2026-10-25T00:30:00Z", "2026-10-31T01:30:00Z"],
        ),
        (
            NEW_YORK,
            [Day::Wednesday, Day::Sunday],
            time(1, 30),
            "2026-10-27T12:00:00Z",
            ["2026-10-28T05:30:00Z", "2026-11-01T05:30:00Z", "2026-11-04T06:30:00Z"],
        ),
        (
            LORD_HOWE,
            [Day::Friday, Day::Sunday],
            time(1, 45),
            "2026-04-02T12:00:00Z",
            ["2026-04-02T14:45:00Z", "2026-04-04T14:45:00Z", "2026-04-09T15:15:00Z"],
        ),
    ] {
        let weekly = weekly(&days, at, zone);
        assert_eq!(moments(&weekly, after, 3), expected, "{zone}");
        // Asked between the two, the next is of another day.
        assert_eq!(moments(&weekly, expected[1], 1), [expected[2]], "{zone}");
    }
}
