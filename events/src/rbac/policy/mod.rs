//! The access policy of one organisation: its roles, permissions, inheritance and protected grants.
//!
//! One stream per organisation, its id the tenant's. Being one aggregate makes it strict that names
//! are unique, inheritance has no cycle and an administrator remains.

mod commands;
mod decide;
mod events;
mod exclusive;
mod grants;
mod permissions;
mod protected;
mod rejections;
mod roles;
mod snapshot;
mod state;
mod templates;
#[cfg(test)]
mod tests;

pub use commands::*;
pub use decide::{Facts, Touched};
pub use events::{Event, RoleCreated};
pub use grants::Grants;
pub(crate) use grants::Key;
pub use rejections::Rejection;
pub(crate) use state::CustomPermissions;
pub use state::{CustomPermission, Policy, Role};
