//! An organisation and the tree of its units.
//!
//! One stream per organisation, whose id is the tenant's. The organisation has a name, a slug that
//! is unique in the installation, and a home time zone, locale and currency. Units (branches,
//! plants, departments, sites) form a tree; each has a code that is unique in the organisation and
//! never used again, also after the unit has closed. While an organisation is suspended nobody can
//! work in it, and nothing in it changes. A purge is asked for by one person, confirmed by another,
//! and happens after a delay; after it the organisation is no more.

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
    &[(SLUG, "ORGANIZATION_SLUG_TAKEN", "slug is taken by another organisation: choose another")];
