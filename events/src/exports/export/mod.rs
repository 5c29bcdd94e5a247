//! A file made from a data set: requested, made by a worker, fetched until it expires.
//!
//! `queued -> running -> completed -> expired`, or `failed` or `cancelled` on the way. A worker
//! names the attempt it is at, counting from 1; only the latest attempt may report, so a worker
//! that was thought dead cannot spoil the file of its successor. A failed export can be retried if
//! the worker said so; attempts go on counting from the number that `retried` carries. Only a
//! completed export that has not expired can be downloaded.

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
pub const CLAIMS: &[(&str, &str, &str)] = &[];
