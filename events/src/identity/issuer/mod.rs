//! An OpenID Connect issuer whose word an organisation takes for who somebody is.
//!
//! What it signs is exchanged for a session of ours; it never opens anything by itself. Which
//! algorithms it may sign with, and for whom, is pinned when it is trusted. A token's subject is
//! linked to a user once, and from then on it is the subject that counts, so that an e-mail address
//! which is given to somebody else does not hand over the account. Suspending an issuer ends every
//! session that began with one of its tokens, for good.

mod claims;
mod commands;
mod decide;
mod events;
mod state;
#[cfg(test)]
pub(in crate::identity) mod tests;

pub use claims::*;
pub use commands::*;
pub use decide::*;
pub use events::*;
pub use state::*;

/// What each claim means to whoever is refused it: namespace, code, detail.
pub const CLAIMS: &[(&str, &str, &str)] =
    &[(URL, "ISSUER_TRUSTED_ALREADY", "issuer is trusted already: change that one")];
