//! The end of a warranty: when it is announced, once each time, and not of what has none.

use super::*;
use crate::testing::{Then, context};

/// The asset has a warranty until 29 February 2028.
fn told(past: impl IntoIterator<Item = Event>, now: &str) -> Then<Asset> {
    let past = [registered()].into_iter().chain(past);
    let context = crate::aggregate::Context { now: at(now), ..context() };
    given::<Asset>(past).context(context).when(Command::AnnounceWarrantyEnd)
}

fn announced(days: u16) -> Event {
    Event::WarrantyEndAnnounced { warranty_until: day("2028-02-29"), days }
}

fn amended(warranty_until: Option<&str>) -> Event {
    let warranty_until = Some(warranty_until.map(day));
    Event::Amended(Amended { warranty_until, ..Amended::default() })
}

#[test]
fn it_is_announced_ninety_thirty_and_seven_days_before_and_on_the_last_day() {
    for (now, days) in [
        ("2027-12-01T00:00:00Z", 90),
        ("2028-01-30T00:00:00Z", 30),
        ("2028-02-22T00:00:00Z", 7),
        ("2028-02-29T00:00:00Z", 0),
    ] {
        told([], now).then([announced(days)]);
    }
    told([], "2027-11-30T23:59:59Z").then([]);
}

#[test]
fn each_notice_comes_once_and_what_was_missed_is_not_made_up_for() {
    told([announced(90)], "2028-01-29T23:59:59Z").then([]);
    told([announced(90)], "2028-01-30T00:00:00Z").then([announced(30)]);
    told([announced(90)], "2028-02-25T09:00:00Z").then([announced(7)]);
    told([announced(90), announced(7)], "2028-02-26T09:00:00Z").then([]);
    told([announced(0)], "2028-02-29T23:59:59Z").then([]);
    told([announced(7)], "2028-03-01T00:00:00Z").then([]);
}

#[test]
fn another_warranty_is_announced_anew_and_none_never() {
    let longer = Event::WarrantyEndAnnounced { warranty_until: day("2028-03-31"), days: 90 };
    told([announced(30), amended(Some("2028-03-31"))], "2028-02-01T00:00:00Z").then([longer]);
    told([amended(None)], "2028-02-29T00:00:00Z").then([]);
    told([Event::Retired], "2028-02-29T00:00:00Z").then([]);
    given::<Asset>([]).when(Command::AnnounceWarrantyEnd).refused(Rejection::Unknown);
}

#[test]
fn the_next_notice_is_the_first_after_a_moment() {
    let next = |after| next_warranty_notice(day("2028-02-29"), at(after));
    assert_eq!(next("2026-01-01T00:00:00Z"), Some(at("2027-12-01T00:00:00Z")));
    assert_eq!(next("2027-12-01T00:00:00Z"), Some(at("2028-01-30T00:00:00Z")));
    assert_eq!(next("2028-02-22T00:00:01Z"), Some(at("2028-02-29T00:00:00Z")));
    assert_eq!(next("2028-02-29T00:00:00Z"), None);
    assert_eq!(next_warranty_notice(jiff::civil::Date::MIN, at("2028-02-22T00:00:00Z")), None);
}
