//! Routes of what recurs: triggers, and the calendars of days on which nothing is to happen.

mod blackout_calendars;
mod carry_out;
mod facts;
mod triggers;

use crate::registry::Registry;

pub(crate) fn routes(registry: &mut Registry) {
    triggers::routes(registry);
    carry_out::routes(registry);
    blackout_calendars::routes(registry);
}
