//! Events in, rows out: read models and the audit trail, each a pure fold of the log that can be rebuilt and proved.

pub mod model;
pub mod runtime;
