//! The `annals` command: starts everything, changes the schema, looks inside.

pub mod commands;
pub mod engines;
pub mod preflight;
