//! Comments ask of workers that whoever is called in one hears of it; the sending is that of all notifications.

mod mentions;

use crate::runtime::Jobs;

pub(crate) use mentions::{comment, heard_by, is_news};

/// What workers do for comments.
pub(crate) fn jobs() -> Jobs {
    Jobs::none()
}
