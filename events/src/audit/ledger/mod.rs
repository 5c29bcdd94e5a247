//! What of an organisation's trail is kept elsewhere: one stream per organisation, under its id.
//!
//! Somebody asks for all months before a date to be archived. A worker writes each month that is sealed, that is covered by
//! a signed checkpoint, into a file, reads it back, and reports it. A month that is archived can be dropped from the trail;
//! what is dropped stays in the file and in the log. When the notary refuses to sign the log, the ledger says so, once for
//! each time that it begins to.

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
