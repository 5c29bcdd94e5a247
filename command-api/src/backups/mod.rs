//! Routes of backups.

use crate::registry::Registry;

pub(crate) fn routes(_: &mut Registry) {}
