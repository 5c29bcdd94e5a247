//! An address elsewhere that hears of events of its organisation, from when it was registered on.
//!
//! What it hears is signed with its secret, which events know by the id of a row only. It is told in the name of whoever
//! registered or last enabled it, as long as they may see the events themselves. An address that does not answer is told of
//! nothing any more after a while, and so is one that says it is gone.

mod commands;
mod decide;
mod events;
mod rejection;
mod state;
#[cfg(test)]
mod tests;

pub use commands::*;
pub use decide::*;
pub use events::*;
pub use rejection::*;
pub use state::*;
