//! Several files that are asked for as one: now or at a moment, each made as its requester, fetched together.
//!
//! A batch makes no file of its own. It asks for its items, learns what became of each, and is over when all of them are; its
//! archive is written from their files whenever somebody fetches it, so what has expired or was erased is not in it.

mod commands;
mod decide;
mod events;
mod rejections;
mod state;
#[cfg(test)]
mod tests;

pub use commands::*;
pub use decide::*;
pub use events::*;
pub use rejections::*;
pub use state::*;

/// What each claim means to whoever is refused it: namespace, code, detail.
pub const CLAIMS: &[(&str, &str, &str)] = &[];
