//! Both nights on which clocks are changed, in three zones. The changes are those of the IANA time zone database.

use super::*;

fn daily(hour: i8, minute: i8, zone: &str) -> Schedule {
    schedule(Spec::Daily { time: time(hour, minute) }, modifiers(zone))
}

#[test]
fn a_time_in_the_gap_is_taken_by_the_offset_before_it() {
    // 2026-03-29: 02:00 becomes 03:00 in Berlin, at 01:00 UTC.
    let berlin = daily(2, 30, BERLIN);
    let expected = ["2026-03-28T01:30:00Z", "2026-03-29T01:30:00Z", "2026-03-30T00:30:00Z"];
    assert_eq!(moments(&berlin, "2026-03-28T00:00:00Z", 3), expected);
    let outcomes = berlin.preview(at("2026-03-28T02:00:00Z"), 2);
    let shift =
        Shift { planned: "2026-03-29T02:30:00".parse().unwrap(), reason: Reason::NonexistentTime };
    let gap = Outcome::Runs { at: at("2026-03-29T01:30:00Z"), shift: Some(shift) };
    assert_eq!(outcomes[0], gap);
    assert_eq!(outcomes[1], Outcome::Runs { at: at("2026-03-30T00:30:00Z"), shift: None });
    // 2026-03-08: 02:00 becomes 03:00 in New York, at 07:00 UTC.
    let expected = ["2026-03-07T07:30:00Z", "2026-03-08T07:30:00Z", "2026-03-09T06:30:00Z"];
    assert_eq!(moments(&daily(2, 30, NEW_YORK), "2026-03-07T00:00:00Z", 3), expected);
    // 2026-10-04: 02:00 becomes 02:30 on Lord Howe, at 15:30 UTC the day before.
    let lord_howe = daily(2, 15, LORD_HOWE);
    let expected = ["2026-10-02T15:45:00Z", "2026-10-03T15:45:00Z", "2026-10-04T15:15:00Z"];
    assert_eq!(moments(&lord_howe, "2026-10-02T15:00:00Z", 3), expected);
    let shown = local(&lord_howe, LORD_HOWE, "2026-10-03T00:00:00Z", 1);
    assert_eq!(shown, ["2026-10-04T02:45:00".parse().unwrap()]);
}

#[test]
fn of_a_time_that_comes_twice_the_first_counts() {
    // 2026-10-25: 03:00 becomes 02:00 in Berlin, at 01:00 UTC.
    let expected = ["2026-10-24T00:30:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"];
    assert_eq!(moments(&daily(2, 30, BERLIN), "2026-10-24T00:00:00Z", 3), expected);
    // 2026-11-01: 02:00 becomes 01:00 in New York, at 06:00 UTC.
    let expected = ["2026-10-31T05:30:00Z", "2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"];
    assert_eq!(moments(&daily(1, 30, NEW_YORK), "2026-10-31T00:00:00Z", 3), expected);
    // 2026-04-05: 02:00 becomes 01:30 on Lord Howe, at 15:00 UTC the day before.
    let expected = ["2026-04-03T14:45:00Z", "2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z"];
    assert_eq!(moments(&daily(1, 45, LORD_HOWE), "2026-04-03T14:00:00Z", 3), expected);
}

#[test]
fn asked_within_the_hour_that_comes_twice_the_next_is_tomorrow() {
    let berlin = daily(2, 30, BERLIN);
    for after in ["2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z", "2026-10-25T01:29:59Z"] {
        assert_eq!(moments(&berlin, after, 1), ["2026-10-26T01:30:00Z"], "{after}");
    }
}

#[test]
fn what_runs_every_hour_runs_in_every_hour_of_both_nights() {
    let hourly = schedule(cron("15 * * * *"), modifiers(BERLIN));
    for day in ["2026-03-29", "2026-10-25"] {
        let found = moments(&hourly, &format!("{day}T00:00:00Z"), 6);
        let expected: Vec<_> = (0..6).map(|hour| format!("{day}T{hour:02}:15:00Z")).collect();
        assert_eq!(found, expected);
    }
    let every = Spec::Interval { every: "PT45M".parse().unwrap(), from: None };
    let found = moments(&schedule(every, modifiers(BERLIN)), "2026-03-29T00:00:00Z", 4);
    let expected = ["00:45", "01:30", "02:15", "03:00"].map(|it| format!("2026-03-29T{it}:00Z"));
    assert_eq!(found, expected);
}

#[test]
fn times_in_the_gap_and_after_it_come_in_their_order_and_once() {
    // 02:15 and 02:45 are taken as 03:15 and 03:45, among 03:00 and 03:15 themselves.
    let rule = schedule(cron("0,15,45 2,3 * * *"), modifiers(BERLIN));
    let found = moments(&rule, "2026-03-28T23:00:00Z", 4);
    let expected = ["01:00", "01:15", "01:45", "00:00"];
    let days = ["29", "29", "29", "30"];
    let expected: Vec<_> =
        days.iter().zip(expected).map(|(day, it)| format!("2026-03-{day}T{it}:00Z")).collect();
    assert_eq!(found, expected);
}

#[test]
fn a_rule_of_rfc_5545_keeps_its_local_time_over_both_nights() {
    let spec = Spec::Rrule {
        starts: "2026-03-28T02:30:00".parse().unwrap(),
        rule: "FREQ=DAILY;COUNT=3".into(),
        except: vec![],
    };
    let found = moments(&schedule(spec, modifiers(BERLIN)), "2026-01-01T00:00:00Z", 9);
    assert_eq!(found, ["2026-03-28T01:30:00Z", "2026-03-29T01:30:00Z", "2026-03-30T00:30:00Z"]);
}

#[test]
fn a_day_that_was_left_out_altogether_is_not_lost() {
    // Samoa had no 2011-12-30.
    let found = moments(&daily(12, 0, "Pacific/Apia"), "2011-12-29T00:00:00Z", 3);
    assert_eq!(found, ["2011-12-29T22:00:00Z", "2011-12-30T22:00:00Z", "2011-12-31T22:00:00Z"]);
}
