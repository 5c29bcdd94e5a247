//! What a program acts by in the name of a user: a secret that is shown once, a scope, and an end.
//!
//! A key does what its owner may do at the time, as far as its scope reaches, and never what a user
//! proves themselves by. Rotating it makes another secret, and the one before is dead at once, or
//! after a short overlap in which programs change over. Events know a secret by its SHA-256 only.

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
