//! The files that people asked for.

mod requests;

use crate::runtime::projection::{Keyed, Projection};

pub(crate) fn projections() -> Vec<Box<dyn Projection>> {
    vec![Keyed::<requests::Exports>::boxed()]
}
