//! A backup of one organisation or of the whole log, and what its verifications found.
//!
//! Its making is background work, whose life `crate::job` tells. One backup per scope is under way
//! at a time: the request claims the scope and the end gives it back. A backup that succeeded can
//! be verified any number of times; the latest result stands.

mod commands;
mod decide;
mod events;
mod state;
#[cfg(test)]
mod tests;

pub use commands::*;
pub use decide::*;
pub use events::*;
pub use state::*;

/// What each claim means to whoever is refused it: namespace, code, detail.
pub const CLAIMS: &[(&str, &str, &str)] = &[(
    UNDER_WAY,
    "BACKUP_UNDER_WAY",
    "another backup of this scope is under way: wait until it has ended",
)];
