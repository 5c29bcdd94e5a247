//! Settings ask nothing of workers: whoever needs one reads it.

use crate::runtime::Jobs;

/// What workers do for settings.
pub(crate) fn jobs() -> Jobs {
    Jobs::none()
}
