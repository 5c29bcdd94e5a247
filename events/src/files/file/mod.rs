//! One uploaded file: announced, sent, checked and stored, linked to what it is about, deleted when nothing is.
//!
//! What it holds never changes. Whoever may read one of the records that it is linked to may read it, and while there is such a
//! record it cannot be deleted. A flagged file is fetched by nobody but those who look after files.

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

/// Which content is whose and how large: one claim per stored file, which tells whether bytes are still needed and how much room
/// somebody takes. Its key holds the id of the file, so nobody is ever refused it.
pub const CONTENT: &str = "files.file.content";

/// What each claim means to whoever is refused it: namespace, code, detail.
pub const CLAIMS: &[(&str, &str, &str)] =
    &[(CONTENT, "FILE_CONTENT_TAKEN", "the file has its content already: upload another")];
