//! What can have happened to an invitation.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aggregate::Claim;
use crate::ids::UserId;
use crate::personal::Personal;
use crate::rbac::Assignment;
use crate::text::fold;

/// The namespace of addresses with an open invitation, unique in the organisation.
pub const EMAIL: &str = "identity.invitation.email";

/// A fact about an invitation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
pub enum Event {
    /// Somebody was invited.
    #[serde(rename = "identity.invitation.issued")]
    Issued {
        /// Where the invitation goes.
        email: String,
        /// The roles that the invitee will have.
        roles: Vec<Assignment>,
        /// What the sender adds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
        /// Whoever answers for the roles.
        invited_by: UserId,
        /// SHA-256 of the token, in hexadecimal digits.
        token_sha256: String,
        /// From when on it can no longer be accepted.
        expires_at: Timestamp,
    },
    /// The invitation was sent again, and the token before is dead.
    #[serde(rename = "identity.invitation.resent")]
    Resent {
        /// Whoever answers for the roles from now on.
        invited_by: UserId,
        /// SHA-256 of the new token, in hexadecimal digits.
        token_sha256: String,
        /// From when on it can no longer be accepted.
        expires_at: Timestamp,
        /// Where it goes, if the address had become free since.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        email: Option<String>,
    },
    /// The invitation has reached its end; it can be sent again.
    #[serde(rename = "identity.invitation.expired")]
    Expired {
        /// The address, which can be invited again.
        email: String,
    },
    /// The invitee became a user.
    #[serde(rename = "identity.invitation.accepted")]
    Accepted {
        /// The user.
        user_id: UserId,
        /// The address, which can be invited again.
        email: String,
    },
    /// The invitation was taken back.
    #[serde(rename = "identity.invitation.revoked")]
    Revoked {
        /// The address, which can be invited again.
        email: String,
    },
    /// What is known of the invitee was forgotten for good.
    #[serde(rename = "identity.invitation.erased")]
    Erased {
        /// The address, which can be invited again.
        email: String,
    },
}

impl crate::aggregate::Event for Event {
    const PERSONAL: &'static [Personal] = &[
        Personal::of_stream("identity.invitation.issued", &["email", "message"]),
        Personal::of_stream("identity.invitation.resent", &["email"]),
        Personal::of_stream("identity.invitation.expired", &["email"]),
        Personal::of_stream("identity.invitation.accepted", &["email"]),
        Personal::of_stream("identity.invitation.revoked", &["email"]),
        Personal::of_stream("identity.invitation.erased", &["email"]),
    ];

    fn claims(&self, _: &str) -> Vec<Claim> {
        match self {
            Self::Issued { email, .. } => vec![Claim::take(EMAIL, fold(email))],
            Self::Resent { email, .. } => {
                email.iter().map(|email| Claim::take(EMAIL, fold(email))).collect()
            }
            Self::Expired { email }
            | Self::Accepted { email, .. }
            | Self::Revoked { email }
            | Self::Erased { email } => {
                vec![Claim::release(EMAIL, fold(email))]
            }
        }
    }
}
