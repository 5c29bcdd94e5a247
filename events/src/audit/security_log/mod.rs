//! What was refused on one day, and what was read that is sensitive: one stream per organisation and UTC date, its id `YYYY-MM-DD`.

mod commands;
mod decide;
mod events;
mod state;
#[cfg(test)]
mod tests;

pub use commands::{Command, Never};
pub use decide::stream_id;
pub use events::{AccessDenied, Caller, CommandRefused, DataRead, Event};
pub use state::SecurityLog;
