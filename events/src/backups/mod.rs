//! Backups of one organisation or of the whole log, and the proof that they can be read.

pub mod backup;
