//! Access: which roles there are, what they may do, and who holds them.

pub mod policy;
pub mod user_access;
