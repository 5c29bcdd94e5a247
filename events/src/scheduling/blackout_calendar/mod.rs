//! Days on which nothing is to happen, which triggers name: holidays, works shutdowns, stock-taking.
//!
//! What a calendar holds counts for every occurrence that has not run yet. A calendar that is retired closes no day any more,
//! and no further trigger may name it.

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
