//! The files that people upload, and which records they are about.

mod links;
mod uploads;

use crate::runtime::projection::{Keyed, Projection};

pub(crate) fn projections() -> Vec<Box<dyn Projection>> {
    vec![Keyed::<uploads::Uploads>::boxed(), Keyed::<links::Links>::boxed()]
}
