//! The machinery that is the same for every projection: feeding, parking, rebuilding, proving.

pub mod admin;
mod checkpoints;
mod fields;
pub(crate) mod log;
mod members;
mod pack;
pub mod projection;
mod prove;
mod rebuild;
mod retry;
mod runner;
mod shadow;
mod source;
mod statements;
pub(crate) mod tuples;

pub use prove::{Proof, TableDigest, WrongRow};
pub use rebuild::Rebuilt;
pub use runner::Runner;
