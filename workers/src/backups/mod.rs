//! Backups: made, verified and restored.

pub mod archive;
