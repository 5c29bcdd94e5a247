//! An invitation of somebody to become a user, with the roles that they will then have.
//!
//! It goes to an e-mail address, and there is one open invitation for an address. Whoever has its
//! token accepts it, once and until it expires; sending it again makes a new token, and the one
//! before is dead. Events know a token by its SHA-256 only. Whoever sends an invitation must be
//! allowed to give each of its roles, when they send it and still when it is accepted.

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

/// What each claim means to whoever is refused it: namespace, code, detail.
pub const CLAIMS: &[(&str, &str, &str)] =
    &[(EMAIL, "INVITATION_OPEN", "email has an open invitation: resend or revoke that one")];
