//! The rules of a clean-up, by example.

use super::*;
use crate::aggregate::Context;
use crate::testing::{at, context, frozen, given};

fn request(days_to_keep: u32) -> Command {
    Command::Request { days_to_keep }
}

fn requested() -> Event {
    Event::Requested { days_to_keep: 30, made_before: at("2026-01-01T12:00:00Z") }
}

#[test]
fn samples_are_frozen() {
    frozen::<Cleanup>([requested()]);
}

#[test]
fn what_goes_is_counted_back_from_the_moment_it_is_asked() {
    let on = |time| Context { now: at(time), ..context() };
    given::<Cleanup>([]).context(on("2026-01-31T12:00:00Z")).when(request(30)).then([requested()]);
    given::<Cleanup>([]).when(request(DAYS_MAX_COUNT + 1)).refused(Rejection::DaysInvalid);
    given::<Cleanup>([requested()]).when(request(30)).refused(Rejection::Exists);
}
