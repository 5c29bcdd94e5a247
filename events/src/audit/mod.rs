//! The trail of what happened and what was refused.
//!
//! What happened is trailed by itself, since every event is in the log; what was refused leaves no
//! trace but its refusal, which is kept here.

pub mod security_log;
