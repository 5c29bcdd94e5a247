//! The messages to people.

mod inbox;

use crate::runtime::projection::{Keyed, Projection};

pub(crate) fn projections() -> Vec<Box<dyn Projection>> {
    vec![Keyed::<inbox::Notifications>::boxed()]
}
