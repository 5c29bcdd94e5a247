//! What recurs: triggers, the calendars of days on which nothing is to happen, and the pure engine that says when.
//!
//! A recurrence ([`Spec`]) names local times or a stretch of time; [`Modifiers`] say in which zone, which days are closed and
//! what becomes of an occurrence on one of them. [`Schedule`] answers what happens next, and for whatever is moved or left out,
//! why. Everything is bounded: a search that finds nothing ends.

pub mod blackout_calendar;
mod check;
mod cron;
mod days;
mod local;
mod rule;
mod schedule;
mod seasons;
mod spec;
#[cfg(test)]
mod tests;
pub mod trigger;

pub(crate) use check::zone;
pub use check::{
    CALENDARS_MAX_COUNT, CATCH_UP_MAX, COUNTER_MAX_CHARS, Fault, INTERVAL_MAX, INTERVAL_MIN,
    OFFSET_MAX_DAYS, checked,
};
pub use cron::EXPRESSION_MAX_CHARS;
pub use days::{Blackout, Closed, Days, Place, Recurring, STEPS_MAX as OPEN_DAY_MAX_STEPS};
pub use rule::{COUNT_MAX, EXCEPT_MAX_COUNT, RULE_MAX_CHARS};
pub use schedule::{Occurrences, Outcome, Reason, STEPS_MAX, Schedule, Shift};
pub use seasons::Turn;
pub use spec::*;
