//! What recurs: triggers with when they are due next, and the calendars of days on which nothing is to happen.

mod blackout_calendars;
mod triggers;

use crate::runtime::projection::{Keyed, Projection};

pub(crate) fn projections() -> Vec<Box<dyn Projection>> {
    vec![
        Keyed::<triggers::Triggers>::boxed(),
        Keyed::<blackout_calendars::BlackoutCalendars>::boxed(),
    ]
}
