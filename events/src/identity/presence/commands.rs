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
    /// A digest of where from, by which the same place is known again; nothing where that is not known.
    pub place_sha256: Option<String>,
}
