//! The addresses that hear of events.

mod endpoints;

use crate::runtime::projection::{Keyed, Projection};

pub(crate) fn projections() -> Vec<Box<dyn Projection>> {
    vec![Keyed::<endpoints::Endpoints>::boxed()]
}
