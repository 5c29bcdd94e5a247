//! Events in, effects out: files, messages and backups, reported back as commands.

pub mod audit;
pub mod backups;
mod collaboration;
pub mod exports;
mod files;
mod identity;
mod mail;
mod maintenance;
mod making;
mod notifications;
mod rbac;
mod runtime;
mod scheduling;
mod settings;
#[cfg(test)]
mod testing;
mod webhooks;

pub use runtime::{admin, run};
