//! The pure domain of Annals: per module its facts, intents, state and rules. No I/O, no clock, no chance.
#![warn(missing_docs)]

mod address;
pub mod aggregate;
pub mod catalogue;
pub mod decimal;
pub mod envelope;
pub mod ids;
pub mod job;
mod lists;
pub mod modules;
pub mod money;
pub mod notice;
pub mod permission;
pub mod personal;
pub mod subject;
pub mod testing;
pub mod text;

pub mod audit;
pub mod backups;
pub mod collaboration;
pub mod exports;
pub mod files;
pub mod identity;
pub mod maintenance;
pub mod notifications;
pub mod rbac;
pub mod scheduling;
pub mod settings;
pub mod webhooks;

pub use aggregate::{Actor, ActorKind, Claim, Class, Context, Decider, Event, Rejection};
pub use ids::*;
pub use modules::Module;
pub use permission::Permission;
