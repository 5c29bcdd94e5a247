//! Days of weeks and of months.

use super::*;

#[test]
fn a_day_that_a_month_lacks_is_its_last_or_is_left_out() {
    let monthly = |day, overflow| {
        schedule(Spec::MonthlyDay { day, time: time(6, 0), overflow }, modifiers("UTC"))
    };
    let found = local(&monthly(31, Overflow::Clamp), "UTC", "2027-12-31T12:00:00Z", 4);
    assert_eq!(found, days("2028-01 31, 2028-02 29, 2028-03 31, 2028-04 30", time(6, 0)));
    let left_out = monthly(31, Overflow::Skip);
    let found = local(&left_out, "UTC", "2027-12-31T12:00:00Z", 3);
    assert_eq!(found, days("2028-01 31, 2028-03 31, 2028-05 31", time(6, 0)));
    let outcomes = left_out.preview(at("2028-02-01T00:00:00Z"), 1);
    let skipped = Outcome::Skipped {
        at: at("2028-02-29T06:00:00Z"),
        planned: "2028-02-29T06:00:00".parse().unwrap(),
        reason: Reason::NonexistentDay { day: 31 },
    };
    assert_eq!(outcomes, [skipped]);
}

#[test]
fn leap_years_are_those_of_gregory() {
    let spec = Spec::MonthlyDay { day: 29, time: time(6, 0), overflow: Overflow::Skip };
    let schedule = schedule(spec, modifiers("UTC"));
    for (year, is_leap) in [(1900, false), (2000, true), (2024, true), (2026, false), (2100, false)]
    {
        let found = local(&schedule, "UTC", &format!("{year}-01-30T00:00:00Z"), 1);
        let month = if is_leap { 2 } else { 3 };
        assert_eq!(found, days(&format!("{year}-{month:02} 29"), time(6, 0)));
    }
}

#[test]
fn once_and_every_so_often() {
    let once = schedule(Spec::Once { at: at("2026-05-05T05:05:05Z") }, modifiers("UTC"));
    assert_eq!(moments(&once, "2026-01-01T00:00:00Z", 9), ["2026-05-05T05:05:05Z"]);
    assert_eq!(moments(&once, "2026-05-05T05:05:05Z", 9), Vec::<String>::new());
    let from = Some(at("2026-01-01T00:10:00Z"));
    let spec = Spec::Interval { every: "PT1H30M".parse().unwrap(), from };
    let every = schedule(spec, modifiers("UTC"));
    let expected = ["2026-01-01T00:10:00Z", "2026-01-01T01:40:00Z", "2026-01-01T03:10:00Z"];
    assert_eq!(moments(&every, "2025-12-31T00:00:00Z", 3), expected);
    assert_eq!(moments(&every, "2026-01-01T01:40:00Z", 1), ["2026-01-01T03:10:00Z"]);
}

#[test]
fn usage_has_no_times() {
    let subject = Subject { kind: "assets.asset".into(), id: id(3) };
    let spec = Spec::Usage { subject, counter: "hours".into(), every: 250, first_at: None };
    assert_eq!(schedule(spec, modifiers("UTC")).next(Timestamp::UNIX_EPOCH), None);
}
