//! The trail of what happened and what was refused.
//!
//! What happened is trailed by itself, since every event is in the log; what was refused leaves no
//! trace but its refusal, which is kept here, as is that somebody read what is sensitive.

pub mod ledger;
pub mod security_log;
mod sensitive;

pub use sensitive::{MASK, MEMBERS as SENSITIVE_MEMBERS, is_secret, is_sensitive};
