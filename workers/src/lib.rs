//! Events in, effects out: files, messages and backups, reported back as commands.

pub mod backups;
pub mod exports;
#[cfg(test)]
mod testing;
