//! Closed days: published values of WORKDAY and NETWORKDAYS, the conventions of ISDA, blackouts.

use super::*;

fn weekdays(holidays: &[&str], weekend: &[Day]) -> Days {
    let modifiers = Modifiers { weekend: weekend.to_vec(), ..rolling("UTC", Roll::Following) };
    let closed = holidays.iter().map(|day| (id(50), blackout(day, day, "holiday")));
    Days::new(&modifiers, closed.collect())
}

#[test]
fn workday_as_microsoft_publishes_it() {
    let workday = |days: &Days, start: &str, count| days.workday(date(start), count).unwrap();
    let plain = weekdays(&[], &[]);
    assert_eq!(workday(&plain, "2008-10-01", 151), date("2009-04-30"));
    let holidays = weekdays(&["2008-11-26", "2008-12-04", "2009-01-21"], &[]);
    assert_eq!(workday(&holidays, "2008-10-01", 151), date("2009-05-05"));
    // WORKDAY.INTL with weekend 11 (Sunday) and 17 (Saturday).
    let sunday = weekdays(&[], &[Day::Sunday]);
    assert_eq!(workday(&sunday, "2012-01-01", 90), date("2012-04-14"));
    let saturday = weekdays(&[], &[Day::Saturday]);
    assert_eq!(workday(&saturday, "2012-01-01", 30), date("2012-02-05"));
    assert_eq!(workday(&plain, "2009-04-30", -151), date("2008-10-01"));
}

#[test]
fn networkdays_as_microsoft_publishes_it() {
    let count = |days: &Days, start: &str, end: &str| days.networkdays(date(start), date(end));
    assert_eq!(count(&weekdays(&[], &[]), "2012-10-01", "2013-03-01"), 110);
    let one = weekdays(&["2012-11-22"], &[]);
    assert_eq!(count(&one, "2012-10-01", "2013-03-01"), 109);
    let three = weekdays(&["2012-11-22", "2012-12-04", "2013-01-21"], &[]);
    assert_eq!(count(&three, "2012-10-01", "2013-03-01"), 107);
    // NETWORKDAYS.INTL.
    assert_eq!(count(&weekdays(&[], &[]), "2006-01-01", "2006-01-31"), 22);
    assert_eq!(count(&weekdays(&[], &[]), "2006-02-28", "2006-01-31"), -21);
    let friday = weekdays(&["2006-01-02", "2006-01-16"], &[Day::Friday, Day::Saturday]);
    assert_eq!(count(&friday, "2006-01-01", "2006-02-01"), 22);
    let odd = weekdays(&["2006-01-02", "2006-01-16"], &[Day::Wednesday, Day::Sunday]);
    assert_eq!(count(&odd, "2006-01-01", "2006-02-01"), 20);
}

/// Where an occurrence at noon of a day goes under a convention.
fn rolled(day: &str, roll: Roll, holidays: &[&str]) -> Option<Date> {
    let at = date(day).to_datetime(time(12, 0)).to_zoned(jiff::tz::TimeZone::UTC).unwrap();
    let spec = Spec::Once { at: at.timestamp() };
    let closed = holidays.iter().map(|day| blackout(day, day, "holiday"));
    let schedule = closed_on(spec, rolling("UTC", roll), closed);
    local(&schedule, "UTC", "2000-01-01T00:00:00Z", 1).first().map(|time| time.date())
}

#[test]
fn the_conventions_of_isda() {
    // 2006 ISDA Definitions, section 4.12. Saturday 2012-06-30 is the last day of its month.
    assert_eq!(rolled("2012-06-30", Roll::Following, &[]), Some(date("2012-07-02")));
    assert_eq!(rolled("2012-06-30", Roll::ModifiedFollowing, &[]), Some(date("2012-06-29")));
    assert_eq!(rolled("2012-06-30", Roll::Preceding, &[]), Some(date("2012-06-29")));
    assert_eq!(rolled("2012-06-30", Roll::Skip, &[]), None);
    // Sunday in the middle of a month.
    assert_eq!(rolled("2012-06-17", Roll::ModifiedFollowing, &[]), Some(date("2012-06-18")));
    // A business day stays.
    for roll in [Roll::Following, Roll::ModifiedFollowing, Roll::Preceding, Roll::Skip] {
        assert_eq!(rolled("2012-06-29", roll, &[]), Some(date("2012-06-29")));
    }
    // Easter 2013: Good Friday, the weekend, Easter Monday over the end of March.
    let easter = ["2013-03-29", "2013-04-01"];
    assert_eq!(rolled("2013-03-29", Roll::Following, &easter), Some(date("2013-04-02")));
    assert_eq!(rolled("2013-03-29", Roll::ModifiedFollowing, &easter), Some(date("2013-03-28")));
    assert_eq!(rolled("2013-04-01", Roll::Preceding, &easter), Some(date("2013-03-28")));
    assert_eq!(rolled("2013-04-01", Roll::ModifiedFollowing, &easter), Some(date("2013-04-02")));
}

#[test]
fn a_blackout_leaves_out_and_says_why() {
    let spec = Spec::Daily { time: time(9, 0) };
    let christmas = blackout("2026-12-24", "2026-12-26", "Christmas");
    let schedule = closed_on(spec, modifiers("UTC"), [christmas]);
    let outcomes = schedule.preview(at("2026-12-23T10:00:00Z"), 4);
    let reason = Reason::Blackout { calendar_id: id(50), label: "Christmas".into() };
    for (outcome, day) in outcomes.iter().zip(["2026-12-24", "2026-12-25", "2026-12-26"]) {
        let planned = date(day).to_datetime(time(9, 0));
        let at = at(&format!("{day}T09:00:00Z"));
        assert_eq!(*outcome, Outcome::Skipped { at, planned, reason: reason.clone() });
    }
    assert_eq!(outcomes[3], Outcome::Runs { at: at("2026-12-27T09:00:00Z"), shift: None });
}

#[test]
fn what_is_moved_says_from_where_and_why() {
    let spec = Spec::MonthlyDay { day: 1, time: time(8, 0), overflow: Overflow::Clamp };
    let schedule = schedule(spec, rolling("UTC", Roll::Following));
    // 2026-02-01 is a Sunday.
    let shift = Shift { planned: "2026-02-01T08:00:00".parse().unwrap(), reason: Reason::Weekend };
    let moved = Outcome::Runs { at: at("2026-02-02T08:00:00Z"), shift: Some(shift) };
    assert_eq!(schedule.preview(at("2026-01-15T00:00:00Z"), 1), [moved]);
}

#[test]
fn days_that_come_again_do_so_over_the_new_year() {
    let mut holidays = blackout("2026-12-24", "2027-01-02", "works closed");
    holidays.recurring = Recurring::Yearly;
    for (day, closed) in [
        ("2025-12-25", false),
        ("2026-12-23", false),
        ("2026-12-24", true),
        ("2027-01-02", true),
        ("2027-01-03", false),
        ("2031-12-31", true),
        ("2032-01-01", true),
    ] {
        assert_eq!(holidays.covers(date(day)), closed, "{day}");
    }
}

#[test]
fn without_an_open_day_nothing_runs_and_the_search_ends() {
    let closed = blackout("2026-01-01", "2999-12-31", "never again");
    for roll in [Roll::None, Roll::Skip, Roll::Following] {
        let modifiers = Modifiers { roll, ..modifiers("UTC") };
        let schedule = closed_on(Spec::Daily { time: time(9, 0) }, modifiers, [closed.clone()]);
        let mut occurrences = schedule.after(at("2026-01-01T00:00:00Z"));
        assert!(occurrences.all(|outcome| outcome.runs().is_none()));
        assert!(occurrences.gave_up());
    }
}

#[test]
fn every_minute_through_a_blackout_takes_one_step_a_day() {
    let closed = blackout("2026-01-01", "2027-12-31", "rebuilding");
    let schedule = closed_on(cron("* * * * *"), modifiers("UTC"), [closed]);
    assert_eq!(moments(&schedule, "2026-01-01T00:00:00Z", 1), ["2028-01-01T00:00:00Z"]);
}
