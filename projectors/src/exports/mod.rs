//! The files that people asked for, the templates of reports, and background work of every kind.

mod batches;
mod jobs;
mod requests;
mod templates;

use crate::runtime::projection::{Keyed, Projection};

pub(crate) fn projections() -> Vec<Box<dyn Projection>> {
    vec![
        Keyed::<requests::Exports>::boxed(),
        Keyed::<batches::Batches>::boxed(),
        Keyed::<jobs::Jobs>::boxed(),
        Keyed::<templates::Templates>::boxed(),
    ]
}
