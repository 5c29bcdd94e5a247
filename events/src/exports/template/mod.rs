//! A report that is asked for again and again: its data set, columns, rows, order and looks, under a name.
//!
//! What a request takes from a template is stored in the request, so a template that is revised or
//! retired changes no file. Its data set never changes: whoever needs another defines another.

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
    &[(NAME, "TEMPLATE_NAME_TAKEN", "another template has that name: choose another")];
