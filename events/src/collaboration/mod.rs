//! What people say to one another about records: comments, and who is called by name in them.

pub mod mention;
pub mod thread;
