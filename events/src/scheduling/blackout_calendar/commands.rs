//! What can be asked of a calendar of blackouts.

use crate::ids::BlackoutId;
use crate::scheduling::Blackout;

/// An intent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Begins a calendar.
    Define {
        /// What people call it.
        name: String,
    },
    /// Calls it something else.
    Rename {
        /// What people call it.
        name: String,
    },
    /// Closes days.
    Add {
        /// Which entry it is.
        blackout_id: BlackoutId,
        /// The days.
        blackout: Blackout,
    },
    /// Opens days again.
    Remove {
        /// Which entry.
        blackout_id: BlackoutId,
    },
    /// Closes no day any more.
    Retire,
}
