//! The backup file: what happened, in chunks sealed one by one, and a manifest that ties them together. Any flipped, missing,
//! swapped or added byte is found without a database.
//!
//! ```text
//! file     = magic(16) backup-id(16) key-id(8) frame* manifest-frame offset-of-manifest-frame(8)
//! frame    = kind(1) number(4) length(4) nonce(12) AES-256-GCM(zstd(body)) with AAD file-header | kind | number
//! body     = lines of JSON; of a file's frame: one line of JSON, then the bytes
//! manifest = JSON with the SHA-256 and size of every frame, and the head of every organisation's chain
//! ```
//! Numbers are big-endian. The key of a file is derived from the master key and the backup's id.

mod frames;
mod lines;
mod restore;
#[cfg(test)]
mod tests;
mod verify;
mod write;

use std::collections::BTreeMap;

use events::{BackupId, TenantId};
use jiff::Timestamp;
use platform::secrets::MasterKey;
use serde::{Deserialize, Serialize};

pub use frames::{FrameError, manifest};
pub use restore::{Restored, restore};
pub use verify::{Report, verify};
pub use write::{Source, write};

/// The version of the format, in the magic bytes and in the manifest.
pub const FORMAT: u32 = 1;

/// What a backup covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "of", content = "tenant_id")]
pub enum Scope {
    /// Every organisation.
    Installation,
    /// One organisation.
    Tenant(TenantId),
}

impl Scope {
    /// The one organisation, if it is one.
    pub fn tenant(self) -> Option<TenantId> {
        match self {
            Self::Installation => None,
            Self::Tenant(tenant) => Some(tenant),
        }
    }
}

/// What a chunk holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Kind {
    /// Events, one per line.
    Events = 1,
    /// Idempotency keys and where their events are, one per line.
    Keys = 2,
    /// Secrets as stored, sealed under the master key, one per line.
    Secrets = 3,
    /// A piece of a stored file.
    File = 4,
    /// Keys of personal data, sealed; they come before the events that need them.
    SubjectKeys = 5,
    /// The manifest.
    Manifest = 255,
}

impl Kind {
    fn of(byte: u8) -> Option<Self> {
        [Self::Events, Self::Keys, Self::Secrets, Self::File, Self::SubjectKeys, Self::Manifest]
            .into_iter()
            .find(|kind| *kind as u8 == byte)
    }
}

/// What a backup says about itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of the format.
    pub format: u32,
    /// The backup.
    pub backup_id: BackupId,
    /// What it covers.
    pub scope: Scope,
    /// The epoch that the positions belong to.
    pub epoch: i32,
    /// The first position looked at.
    pub from_position: i64,
    /// The last position looked at.
    pub to_position: i64,
    /// When the first event was recorded.
    pub first_recorded_at: Option<Timestamp>,
    /// When the last event was recorded.
    pub last_recorded_at: Option<Timestamp>,
    /// How many events.
    pub events: u64,
    /// How many stored files.
    pub files: u64,
    /// Events by stream name.
    pub streams: BTreeMap<String, u64>,
    /// Every organisation's last sequence number and chain head.
    pub tenants: BTreeMap<TenantId, ChainHead>,
    /// Every chunk, in order.
    pub chunks: Vec<Chunk>,
    /// Which master key it needs.
    pub key_id: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Where an organisation's chain stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainHead {
    /// Its last sequence number.
    pub seq: i64,
    /// Its chain after that event, in hex.
    pub chain: String,
}

/// One chunk, as the manifest knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// What it holds.
    pub kind: Kind,
    /// The first position of a chunk of events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<i64>,
    /// The last position of a chunk of events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<i64>,
    /// Lines, or 1 for a piece of a file.
    pub items: u64,
    /// Bytes of the frame.
    pub size_bytes: u64,
    /// SHA-256 of the frame, in hex.
    pub sha256: String,
}

/// The keys of backups.
#[derive(Clone)]
pub struct Key(MasterKey);

impl Key {
    /// The keys that follow from the installation's master key.
    pub fn new(master: MasterKey) -> Self {
        Self(master)
    }

    /// Names the master key without telling it.
    pub fn id(&self) -> [u8; 8] {
        let digest = self.0.derive("backup/key-id/v1");
        let mut id = [0; 8];
        id.copy_from_slice(&digest[..8]);
        id
    }

    /// One key per backup, so that random nonces never come near their limit.
    fn of(&self, backup: BackupId) -> [u8; 32] {
        self.0.derive(&format!("backup/v1/{backup}"))
    }
}
