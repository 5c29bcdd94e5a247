//! A person in one organisation.
//!
//! A user is known by a handle, and where there is one by an e-mail address; both are unique in the
//! organisation whatever the case. The password itself is in `secrets`; the user only names the
//! row. Ten failed sign-ins within a quarter of an hour lock the user for as long. A deactivated
//! user can only be reactivated. Whoever reads a user's e-mail can set a forgotten password; a new
//! address has to be confirmed by whoever reads it. Nobody takes over an account with roles that
//! they may not give, be it by its password or by its address, nor closes, opens or unlocks it. What
//! an issuer calls a user can be linked to them; then its word is enough to sign in.

mod commands;
mod credentials;
mod decide;
mod events;
mod profile;
mod state;
#[cfg(test)]
mod tests;

pub use commands::*;
pub use credentials::*;
pub use decide::*;
pub use events::*;
pub use profile::*;
pub use state::*;

/// What each claim means to whoever is refused it: namespace, code, detail.
pub const CLAIMS: &[(&str, &str, &str)] = &[
    (HANDLE, "USER_HANDLE_TAKEN", "handle is taken by another user: choose another"),
    (EMAIL, "USER_EMAIL_TAKEN", "email is used by another user: give another or leave it out"),
    (
        IDENTITY,
        "USER_IDENTITY_TAKEN",
        "the identity is another user's: have it unlinked there first",
    ),
];
