//! What a sign-in opens, and a chain of refresh tokens keeps open.
//!
//! Each refresh token is used once: it is exchanged for the next. Presenting one that was exchanged
//! already means that somebody has a copy; the session is then revoked. That revocation is a
//! success of the command, because it must be kept: whoever asked to refresh sees from the events
//! ([`refreshed`]) that there is no new token.

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
    &[(EXCHANGED, "SESSION_TOKEN_SPENT", "the token was exchanged before: get another")];

/// Whether the events that answered a `Refresh` gave a new token; otherwise they revoked the
/// session.
pub fn refreshed(events: &[Event]) -> bool {
    events.iter().any(|event| matches!(event, Event::Refreshed { .. }))
}
