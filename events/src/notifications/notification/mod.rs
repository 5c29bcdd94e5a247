//! A message to one person, in their inbox until they delete it.
//!
//! Whoever sends may name what the message is about by a key (`dedupe_key`): the same person is
//! then told once, however often the sender repeats itself, also after the message was deleted.
//! Only its recipient reads or deletes it.

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
pub const CLAIMS: &[(&str, &str, &str)] = &[(
    DEDUPE,
    "NOTIFICATION_SENT_BEFORE",
    "dedupe_key was used for this user before: they know; use another key for other news",
)];
