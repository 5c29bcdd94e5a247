//! Identity asks nothing of workers.

use crate::runtime::Jobs;

/// What workers do for identity.
pub(crate) fn jobs() -> Jobs {
    Jobs::none()
}
