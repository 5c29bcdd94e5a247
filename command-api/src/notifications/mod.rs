//! Routes of notifications.

use crate::registry::Registry;

pub(crate) fn routes(_: &mut Registry) {}
