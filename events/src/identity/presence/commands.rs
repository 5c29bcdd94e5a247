//! What can be asked of a user's presence.

use crate::ids::SessionId;

/// An intent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// A session opens.
    Open(Open),
}

/// A session opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// The session.
    pub session_id: SessionId,
}
