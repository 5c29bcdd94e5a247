//! The bus: a rebuildable transport between the log and its readers, and the queue of jobs. Never a store of truth.
//!
//! Every stream and every consumer may vanish at any time; whoever uses this crate reads what is missing from the log.

pub mod envelope;
pub mod events;
pub mod jobs;
pub mod tail;
pub mod topology;

mod bus;
mod error;

pub use bus::{Bus, connect};
pub use envelope::{LogId, Message};
pub use error::Error;
