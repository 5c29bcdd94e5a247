//! That the files of an organisation go which are older than so many days; those that are archived stay.

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
