//! What people say to one another about records.

mod comments;

use crate::runtime::projection::{Keyed, Projection};

pub(crate) fn projections() -> Vec<Box<dyn Projection>> {
    vec![Keyed::<comments::Comments>::boxed()]
}
