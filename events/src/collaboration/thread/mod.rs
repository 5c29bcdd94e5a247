//! The comments on one record: posted by whoever may see it, answered one level deep, edited for a quarter of an hour.
//!
//! Whoever wrote a comment edits it for a while and deletes it whenever; moderators do both at any time. A deleted comment keeps its
//! place, so that the answers to it stay. Who is called by name hears of it once for each comment, however often it is edited.

mod commands;
mod decide;
mod events;
mod rejection;
mod state;
#[cfg(test)]
mod tests;

pub use commands::*;
pub use decide::*;
pub use events::*;
pub use rejection::*;
pub use state::*;

/// In which thread each comment is: one claim per comment, which is never given back.
pub const COMMENT: &str = "collaboration.thread.comment";

/// What each claim means to whoever is refused it: namespace, code, detail.
pub const CLAIMS: &[(&str, &str, &str)] =
    &[(COMMENT, "COMMENT_TAKEN", "another record has a comment of this id: give it another")];
