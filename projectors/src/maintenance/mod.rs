//! Assets, what their counters show, and who besides their units is let in; tasks, and who is to do them.

mod assets;
mod assignees;
mod shares;
mod tasks;
mod usage;

use crate::runtime::projection::{Keyed, Projection};

pub(crate) fn projections() -> Vec<Box<dyn Projection>> {
    vec![
        Keyed::<assets::Assets>::boxed(),
        Keyed::<usage::Usage>::boxed(),
        Keyed::<shares::Shares>::boxed(),
        Keyed::<tasks::Tasks>::boxed(),
        Keyed::<assignees::Assignees>::boxed(),
    ]
}
