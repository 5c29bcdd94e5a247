//! Who there is: organisations with their units, the users in them, and their sessions.

pub mod organization;
pub mod session;
pub mod user;
