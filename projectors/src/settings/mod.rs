//! What organisations and their units have set, and how features are switched.

mod chosen;
mod flags;

use crate::runtime::projection::{Keyed, Projection};

pub(crate) fn projections() -> Vec<Box<dyn Projection>> {
    vec![Keyed::<chosen::Settings>::boxed(), Keyed::<flags::Flags>::boxed()]
}
