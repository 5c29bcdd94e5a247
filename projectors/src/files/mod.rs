//! The files that people upload.

mod uploads;

use crate::runtime::projection::{Keyed, Projection};

pub(crate) fn projections() -> Vec<Box<dyn Projection>> {
    vec![Keyed::<uploads::Uploads>::boxed()]
}
