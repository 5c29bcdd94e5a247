//! What can have happened to an organisation's trail as a whole.

use jiff::Timestamp;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::ids::FileId;

/// A fact about the trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
pub enum Event {
    /// Somebody asked for old months to be archived.
    #[serde(rename = "audit.ledger.archive_requested")]
    ArchiveRequested {
        /// The first day of the first month that stays.
        #[schemars(with = "String")]
        older_than: Date,
    },
    /// A month is in a file that was read back.
    #[serde(rename = "audit.ledger.archived")]
    Archived(Archive),
    /// An archived month is no longer in the trail.
    #[serde(rename = "audit.ledger.month_dropped")]
    MonthDropped {
        /// Its first day.
        #[schemars(with = "String")]
        month: Date,
    },
    /// The notary refuses to sign the organisation's log: it is not what was recorded.
    #[serde(rename = "audit.ledger.signing_refused")]
    SigningRefused(SigningRefusal),
}

/// Why the notary does not sign an organisation's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SigningRefusal {
    /// The epoch of the log.
    pub epoch: u32,
    /// When it began to refuse.
    pub since: Timestamp,
    /// The first event that is not as it was recorded, by its number within the organisation, where that can be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant_seq: Option<u64>,
    /// Its id, if it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<Uuid>,
    /// What is wrong.
    pub reason: String,
}

/// One month of the trail in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Archive {
    /// Its first day.
    #[schemars(with = "String")]
    pub month: Date,
    /// The file.
    pub file_id: FileId,
    /// SHA-256 of the file, in hexadecimal digits.
    pub sha256: String,
    /// Its size as stored.
    pub size_bytes: u64,
    /// The entries in it.
    pub rows: u64,
    /// The first entry, by its number within the organisation.
    pub first_seq: u64,
    /// The last entry.
    pub last_seq: u64,
    /// Of how many events the checkpoint is that covers them.
    pub checkpoint_size: u64,
    /// The root that was signed for them, in base64.
    pub checkpoint_root: String,
}

impl crate::aggregate::Event for Event {}
