//! The trail of what happened and what was refused.

pub mod security_log;
