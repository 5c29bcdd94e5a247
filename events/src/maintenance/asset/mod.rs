//! Something that is kept up: a machine, a vehicle, a room, under a tag that no other of the organisation has.
//!
//! It belongs to a unit, or to the organisation as a whole, and whoever holds a permission there may deal with it so far. Its visibility
//! and its shares only ever let more people in. What it was used is counted by counters that grow; one is set to zero by a reset
//! alone, and what it counted in all stays known. What is retired stays as it is.

mod commands;
mod decide;
mod events;
mod rejection;
mod sharing;
mod state;
#[cfg(test)]
mod tests;
mod usage;
mod warranty;

pub use commands::*;
pub use decide::*;
pub use events::*;
pub use rejection::*;
pub use sharing::*;
pub use state::*;
pub use usage::*;
pub use warranty::*;

/// What each claim means to whoever is refused it: namespace, code, detail.
pub const CLAIMS: &[(&str, &str, &str)] =
    &[(TAG, "ASSET_TAG_TAKEN", "another asset has that tag: choose another")];
