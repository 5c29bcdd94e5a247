//! What can be asked of a backup.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Archive, Scope};

/// An intent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Asks for a backup.
    Request(Request),
    /// A worker begins to make it.
    Start(Start),
    /// The backup is complete.
    Complete(Complete),
    /// The backup could not be made.
    Fail(Fail),
    /// The backup is no longer wanted.
    Cancel,
    /// The worker has let go of it.
    ConfirmCancel,
    /// The backup shall be tried again.
    Retry,
    /// The backup was kept long enough.
    Expire,
    /// Asks whether the backup can be read.
    RequestVerification,
    /// Says whether it can.
    RecordVerification(RecordVerification),
}

/// Asks for a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// What to call it.
    pub name: String,
    /// How much it covers.
    #[serde(default)]
    pub scope: Scope,
}

/// A worker begins to make the backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// How many times it was begun, this one included; more than at any start before.
    pub attempt: u32,
    /// The worker's name.
    pub worker: String,
}

/// The backup is complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complete {
    /// The attempt that reports.
    pub attempt: u32,
    /// The backup.
    pub archive: Archive,
}

/// The backup could not be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fail {
    /// The attempt that reports; 0 ends a backup that no worker began.
    pub attempt: u32,
    /// What went wrong, for programs.
    pub code: String,
    /// What went wrong, for people; cut to what fits.
    pub message: String,
}

/// Says whether a backup can be read and is what was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordVerification {
    /// Whether it is.
    pub ok: bool,
    /// How many things were checked.
    pub checks: u64,
    /// What is wrong, if it is not; cut to what fits.
    pub errors: Vec<String>,
}
