//! The examples of crontab(5), and of the page of crontab in POSIX.

use super::*;

#[track_caller]
fn runs(expression: &str, after: &str, expected: &[&str]) {
    let expected: Vec<DateTime> = expected.iter().map(|time| time.parse().unwrap()).collect();
    let found = local(&schedule(cron(expression), modifiers("UTC")), "UTC", after, expected.len());
    assert_eq!(found, expected, "{expression}");
}

const NEW_YEAR: &str = "2026-01-01T00:00:00Z"; // a Thursday

#[test]
fn the_examples_of_crontab_5() {
    runs("5 0 * * *", NEW_YEAR, &["2026-01-01T00:05", "2026-01-02T00:05", "2026-01-03T00:05"]);
    runs("15 14 1 * *", NEW_YEAR, &["2026-01-01T14:15", "2026-02-01T14:15", "2026-03-01T14:15"]);
    runs("0 22 * * 1-5", NEW_YEAR, &["2026-01-01T22:00", "2026-01-02T22:00", "2026-01-05T22:00"]);
    runs(
        "23 0-23/2 * * *",
        NEW_YEAR,
        &["2026-01-01T00:23", "2026-01-01T02:23", "2026-01-01T04:23"],
    );
    runs("5 4 * * sun", NEW_YEAR, &["2026-01-04T04:05", "2026-01-11T04:05"]);
    // On the first of the month, and on every Monday.
    runs(
        "0 */8 1 * mon",
        NEW_YEAR,
        &["2026-01-01T08:00", "2026-01-01T16:00", "2026-01-05T00:00", "2026-01-05T08:00"],
    );
}

#[test]
fn the_examples_of_posix() {
    runs(
        "0 0 1,15 * 1",
        "2025-12-31T12:00:00Z",
        &["2026-01-01T00:00", "2026-01-05T00:00", "2026-01-12T00:00", "2026-01-15T00:00"],
    );
    runs("0 0 * * 1", NEW_YEAR, &["2026-01-05T00:00", "2026-01-12T00:00"]);
}

#[test]
fn names_for_the_usual_ones() {
    runs("@yearly", NEW_YEAR, &["2027-01-01T00:00", "2028-01-01T00:00"]);
    runs("@monthly", NEW_YEAR, &["2026-02-01T00:00", "2026-03-01T00:00"]);
    runs("@weekly", NEW_YEAR, &["2026-01-04T00:00", "2026-01-11T00:00"]);
    runs("@daily", NEW_YEAR, &["2026-01-02T00:00", "2026-01-03T00:00"]);
    runs("@hourly", NEW_YEAR, &["2026-01-01T01:00", "2026-01-01T02:00"]);
}

#[test]
fn a_leap_day_is_waited_for() {
    runs("0 12 29 2 *", NEW_YEAR, &["2028-02-29T12:00", "2032-02-29T12:00"]);
    // 2100 is no leap year.
    runs("0 12 29 2 *", "2096-03-01T00:00:00Z", &["2104-02-29T12:00"]);
}
