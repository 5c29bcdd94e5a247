//! Assets, what their counters show, and who besides their units is let in.

mod assets;
mod shares;
mod usage;

use crate::runtime::projection::{Keyed, Projection};

pub(crate) fn projections() -> Vec<Box<dyn Projection>> {
    vec![
        Keyed::<assets::Assets>::boxed(),
        Keyed::<usage::Usage>::boxed(),
        Keyed::<shares::Shares>::boxed(),
    ]
}
