//! A file made from a data set: requested, made by a worker, fetched until it expires.
//!
//! Its making is background work, whose life `crate::job` tells. Only an export that succeeded and
//! has not expired can be downloaded.

mod commands;
mod decide;
mod events;
mod facts;
mod options;
mod rejections;
mod state;
#[cfg(test)]
mod tests;

pub use commands::*;
pub use decide::*;
pub use events::*;
pub use facts::*;
pub use options::*;
pub use rejections::*;
pub use state::*;

/// What each claim means to whoever is refused it: namespace, code, detail.
pub const CLAIMS: &[(&str, &str, &str)] = &[];
