//! Which sessions a user has open: one stream per user, under their id.
//!
//! A session that opens takes its place here in the same append. When there are as many as the organisation lets one user have,
//! the oldest gives up its place and ends with it, so that there are never more, whoever asks at the same time.
//!
//! Where sessions open from is known by digests only. A place that is new makes a fact of its own, of
//! which the user is told, unless it is the first.

mod commands;
mod decide;
mod events;
mod place;
mod state;
#[cfg(test)]
mod tests;

pub use commands::*;
pub use decide::*;
pub use events::*;
pub use place::*;
pub use state::*;
