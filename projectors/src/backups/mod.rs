//! The backups.

mod archives;

use crate::runtime::projection::{Keyed, Projection};

pub(crate) fn projections() -> Vec<Box<dyn Projection>> {
    vec![Keyed::<archives::Backups>::boxed()]
}
