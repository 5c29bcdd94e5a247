//! The roles of one user: one stream per user, its id the user's.

mod commands;
mod decide;
mod events;
mod state;
#[cfg(test)]
mod tests;

pub use commands::*;
pub use decide::Facts;
pub use events::Event;
pub use state::UserAccess;
