//! What can have happened to an API key.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::UserId;

/// A fact about an API key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
pub enum Event {
    /// A key was made.
    #[serde(rename = "identity.api_key.created")]
    Created {
        /// In whose name it acts.
        owner_id: UserId,
        /// What people call it.
        name: String,
        /// The permissions that it may use, names or patterns, in order.
        scope: Vec<String>,
        /// SHA-256 of the secret, in hexadecimal digits.
        secret_sha256: String,
        /// From when on it is of no use.
        expires_at: Timestamp,
    },
    /// It is called something else.
    #[serde(rename = "identity.api_key.renamed")]
    Renamed {
        /// What people call it.
        name: String,
    },
    /// It has another secret.
    #[serde(rename = "identity.api_key.rotated")]
    Rotated {
        /// SHA-256 of the secret, in hexadecimal digits.
        secret_sha256: String,
        /// From when on it is of no use.
        expires_at: Timestamp,
        /// Until when the secret before is good as well; dead at once when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        overlap_ends_at: Option<Timestamp>,
    },
    /// Its end, which is near, was announced to whom it concerns.
    #[serde(rename = "identity.api_key.end_announced")]
    EndAnnounced {
        /// From when on it is of no use.
        expires_at: Timestamp,
    },
    /// It was ended for good.
    #[serde(rename = "identity.api_key.revoked")]
    Revoked {
        /// Why.
        reason: RevocationReason,
    },
}

/// Why a key was ended before its time.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
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
    /// Nothing uses it any more.
    #[default]
    Unneeded,
    /// Somebody else has seen its secret.
    Leaked,
    /// Another key does its work.
    Replaced,
}

impl crate::aggregate::Event for Event {}
