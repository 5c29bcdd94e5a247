//! Assets, what their counters show, who besides their units is let in, and when something of them is to be done.

mod assets;
mod dependencies;
mod occurrences;
#[cfg(test)]
mod plan_events;
mod schedules;
mod shares;
mod usage;

use crate::runtime::projection::{Keyed, Projection};

pub(crate) fn projections() -> Vec<Box<dyn Projection>> {
    vec![
        Keyed::<assets::Assets>::boxed(),
        Keyed::<usage::Usage>::boxed(),
        Keyed::<shares::Shares>::boxed(),
        Keyed::<schedules::Schedules>::boxed(),
        Keyed::<dependencies::Dependencies>::boxed(),
        Keyed::<occurrences::Occurrences>::boxed(),
    ]
}
