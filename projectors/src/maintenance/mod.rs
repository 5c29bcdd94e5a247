//! Assets, what their counters show, and who besides their units is let in; tasks, and who is to do them; schedules, and what came of them.

mod assets;
mod assignees;
mod dependencies;
mod occurrences;
#[cfg(test)]
mod plan_events;
mod schedules;
mod shares;
mod tasks;
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
        Keyed::<tasks::Tasks>::boxed(),
        Keyed::<assignees::Assignees>::boxed(),
    ]
}
