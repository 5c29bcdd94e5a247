//! Routes of audit.

use crate::registry::Registry;

pub(crate) fn routes(_: &mut Registry) {}
