//! The trail of everything that happened and everything that was refused: one row per event, whatever module it is of.

mod archives;
mod changes;
mod trail;

use crate::runtime::projection::{Keyed, Projection};

/// The trail follows what the other modules' projections make of each event, to tell before from after.
pub(crate) fn projections() -> Vec<Box<dyn Projection>> {
    vec![Box::new(trail::Trail::new()), Keyed::<archives::Archives>::boxed()]
}
