//! What can have happened to a session.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aggregate::Claim;
use crate::ids::{IssuerId, UserId};
use crate::personal::{Personal, Subject};

/// The namespace of tokens of issuers that were exchanged, each of which is good once.
pub const EXCHANGED: &str = "identity.session.exchanged";

/// A fact about a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
pub enum Event {
    /// A user signed in.
    #[serde(rename = "identity.session.started")]
    Started {
        /// The user.
        user_id: UserId,
        /// SHA-256 of the first refresh token, in hexadecimal digits.
        refresh_sha256: String,
        /// When the session ends unless it is refreshed.
        expires_at: Timestamp,
        /// How the user proved who they are (RFC 8176), for example `pwd`.
        amr: Vec<String>,
        /// From where.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ip: Option<String>,
        /// With which program.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user_agent: Option<String>,
        /// How often all sessions of the user had been ended before.
        #[serde(default, skip_serializing_if = "is_zero")]
        began_after: u32,
        /// The issuer whose token was exchanged for it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        issuer_id: Option<IssuerId>,
        /// How often the sessions that rest on that issuer had been ended before.
        #[serde(default, skip_serializing_if = "is_zero")]
        issuer_endings: u32,
        /// SHA-256 of what the issuer signed, in hexadecimal digits.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token_sha256: Option<String>,
    },
    /// The refresh token was exchanged for the next.
    #[serde(rename = "identity.session.refreshed")]
    Refreshed {
        /// How many times so far.
        rotation: u32,
        /// SHA-256 of the next refresh token, in hexadecimal digits.
        refresh_sha256: String,
        /// When the session ends unless it is refreshed again.
        expires_at: Timestamp,
    },
    /// A refresh token was presented that had been exchanged before: somebody has a copy.
    #[serde(rename = "identity.session.refresh_reuse_detected")]
    RefreshReuseDetected {
        /// The rotation that the session stood at.
        rotation: u32,
    },
    /// The session was ended.
    #[serde(rename = "identity.session.revoked")]
    Revoked {
        /// Why.
        reason: RevocationReason,
    },
}

/// Why a session was ended before its time.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    JsonSchema,
    strum::IntoStaticStr,
    strum::EnumString,
    strum::VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum RevocationReason {
    /// The user signed out.
    Logout,
    /// An administrator ended it.
    Admin,
    /// The password was replaced.
    Password,
    /// A refresh token was presented twice.
    Reuse,
    /// The user was deactivated.
    Deactivated,
    /// An identity was unlinked from the user.
    Unlinked,
    /// The user opened another session and had as many as may be.
    Displaced,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it so")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl crate::aggregate::Event for Event {
    const PERSONAL: &'static [Personal] = &[Personal {
        event_type: "identity.session.started",
        members: &["ip", "user_agent"],
        subject: Subject::Member("user_id"),
    }];

    fn claims(&self, _: &str) -> Vec<Claim> {
        match self {
            Self::Started { token_sha256: Some(token), .. } => vec![Claim::take(EXCHANGED, token)],
            Self::Started { token_sha256: None, .. }
            | Self::Refreshed { .. }
            | Self::RefreshReuseDetected { .. }
            | Self::Revoked { .. } => Vec::new(),
        }
    }
}
