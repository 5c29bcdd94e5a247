//! What one scope has chosen: the organisation, one of its units, or a user for themselves.
//!
//! One stream per scope: that of the organisation has the tenant's id, that of a unit the unit's, and
//! that of a user `user:` and theirs.
//! It holds settings, and for the organisation also the switches of feature flags. What is not
//! chosen is not in it, so that a new default reaches whoever never said otherwise.

mod commands;
mod decide;
mod events;
mod scope;
mod state;
#[cfg(test)]
mod tests;

pub use commands::*;
pub use decide::*;
pub use events::*;
pub use scope::*;
pub use state::*;
