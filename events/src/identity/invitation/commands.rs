//! What can be asked of an invitation.

use crate::ids::UserId;
use crate::rbac::Assignment;

/// An intent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Invites somebody.
    Issue(Issue),
    /// Sends the invitation again, with a new token and a new expiry.
    Resend,
    /// Makes the invitee a user.
    Accept(Accept),
    /// Records that the invitation has reached its end.
    Expire,
    /// Takes the invitation back.
    Revoke,
    /// Forgets the invitee for good.
    Erase,
}

/// Invites somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// Where the invitation goes.
    pub email: String,
    /// The roles that the invitee will have.
    pub roles: Vec<Assignment>,
    /// What the sender adds.
    pub message: Option<String>,
}

/// Makes the invitee a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accept {
    /// SHA-256 of the token that was presented.
    pub presented_sha256: String,
    /// The user whom the invitee becomes, in the same append.
    pub user_id: UserId,
}
