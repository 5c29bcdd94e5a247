//! The schema's history, embedded, and the check that a process meets the schema it was built for.

use sqlx::migrate::Migrator;

/// Every migration, up and down.
pub static MIGRATOR: Migrator = sqlx::migrate!("./sql");
