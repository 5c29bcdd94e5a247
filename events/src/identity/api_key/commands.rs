//! What can be asked of an API key.

use jiff::Timestamp;

use super::RevocationReason;
use crate::ids::UserId;

/// An intent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Makes the key.
    Create(Create),
    /// Calls it something else.
    Rename(Rename),
    /// Gives it another secret.
    Rotate(Rotate),
    /// Ends it for good.
    Revoke(Revoke),
    /// Whom its end concerns is told of it.
    AnnounceEnd,
}

/// Makes a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Create {
    /// In whose name it acts.
    pub owner_id: UserId,
    /// What people call it.
    pub name: String,
    /// The permissions that it may use, names or patterns.
    pub scope: Vec<String>,
    /// SHA-256 of the secret, as 64 lower-case hexadecimal digits.
    pub secret_sha256: String,
    /// From when on it is of no use.
    pub expires_at: Timestamp,
}

/// Calls a key something else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rename {
    /// What people call it.
    pub name: String,
}

/// Gives a key another secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotate {
    /// SHA-256 of the next secret, as 64 lower-case hexadecimal digits.
    pub secret_sha256: String,
    /// From when on the key is of no use; as before when absent.
    pub expires_at: Option<Timestamp>,
    /// How long the present secret goes on beside the next.
    pub overlap_minutes: u32,
}

/// Ends a key for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revoke {
    /// Why.
    pub reason: RevocationReason,
}
