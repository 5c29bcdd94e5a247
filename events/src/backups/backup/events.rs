//! What can have happened to a backup.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aggregate::Claim;

/// The namespace of scopes with a backup under way.
pub const UNDER_WAY: &str = "backups.backup.under_way";

/// A fact about a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
pub enum Event {
    /// Somebody asked for a backup.
    #[serde(rename = "backups.backup.requested")]
    Requested {
        /// What to call it.
        name: String,
        /// How much it covers.
        scope: Scope,
    },
    /// A worker began to make it.
    #[serde(rename = "backups.backup.started")]
    Started {
        /// How many times it was begun, this one included.
        attempt: u32,
        /// The worker.
        worker: String,
    },
    /// The backup is complete.
    #[serde(rename = "backups.backup.completed")]
    Completed(Archive),
    /// It was kept long enough, and its file goes.
    #[serde(rename = "backups.backup.expired")]
    Expired,
    /// The backup could not be made.
    #[serde(rename = "backups.backup.failed")]
    Failed {
        /// What went wrong, for programs.
        code: String,
        /// What went wrong, for people.
        message: String,
    },
    /// The backup is no longer wanted, and its worker is to let go of it.
    #[serde(rename = "backups.backup.cancel_requested")]
    CancelRequested,
    /// The backup is not made, because nobody wants it any more.
    #[serde(rename = "backups.backup.cancelled")]
    Cancelled,
    /// The backup shall be tried again after a failure.
    #[serde(rename = "backups.backup.retried")]
    Retried {
        /// The attempts so far; the next is one more.
        attempts: u32,
        /// How much it covers.
        scope: Scope,
    },
    /// Somebody asked whether the backup can be read.
    #[serde(rename = "backups.backup.verification_requested")]
    VerificationRequested,
    /// The backup can be read, and is what was written.
    #[serde(rename = "backups.backup.verified")]
    Verified {
        /// How many things were checked.
        checks: u64,
    },
    /// The backup cannot be read, or is not what was written.
    #[serde(rename = "backups.backup.verification_failed")]
    VerificationFailed {
        /// How many things were checked.
        checks: u64,
        /// What is wrong, as far as it was kept.
        errors: Vec<String>,
    },
}

/// How much a backup covers.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    strum::IntoStaticStr,
    strum::EnumString,
    strum::VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Scope {
    /// The records of the organisation.
    #[default]
    Tenant,
    /// The whole log.
    Everything,
}

/// A finished backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Archive {
    /// The last position of the log that it covers.
    pub to_position: i64,
    /// The events in it.
    pub events: u64,
    /// Its size as stored.
    pub size_bytes: u64,
    /// Where it is stored.
    pub location: String,
    /// SHA-256 of its manifest, in hexadecimal digits.
    pub manifest_sha256: String,
    /// The key that opens it.
    pub key_id: String,
}

impl crate::aggregate::Event for Event {
    fn claims(&self, _: &str) -> Vec<Claim> {
        let tenant: &str = Scope::Tenant.into();
        let everything: &str = Scope::Everything.into();
        match self {
            Self::Requested { scope: Scope::Tenant, .. }
            | Self::Retried { scope: Scope::Tenant, .. } => vec![Claim::take(UNDER_WAY, tenant)],
            Self::Requested { scope: Scope::Everything, .. }
            | Self::Retried { scope: Scope::Everything, .. } => {
                vec![Claim::take(UNDER_WAY, everything).global()]
            }
            // The stream holds the one that it took; giving back the other has no effect.
            Self::Completed(_) | Self::Failed { .. } | Self::Cancelled => vec![
                Claim::release(UNDER_WAY, tenant),
                Claim::release(UNDER_WAY, everything).global(),
            ],
            Self::Expired
            | Self::CancelRequested
            | Self::Started { .. }
            | Self::VerificationRequested
            | Self::Verified { .. }
            | Self::VerificationFailed { .. } => Vec::new(),
        }
    }
}
