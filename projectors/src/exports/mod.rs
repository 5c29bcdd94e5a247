//! The files that people asked for, and background work of every kind.

mod jobs;
mod requests;

use crate::runtime::projection::{Keyed, Projection};

pub(crate) fn projections() -> Vec<Box<dyn Projection>> {
    vec![Keyed::<requests::Exports>::boxed(), Keyed::<jobs::Jobs>::boxed()]
}
