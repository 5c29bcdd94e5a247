//! A backup as its rules see it.

use serde::{Deserialize, Serialize};

use super::{Archive, Event, Scope};

/// A backup that was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backup {
    /// Where it stands.
    pub status: Status,
    /// What it is called.
    pub name: String,
    /// How much it covers.
    pub scope: Scope,
    /// How many times a worker began to make it.
    pub attempts: u32,
    /// What the latest verification found.
    pub verification: Verification,
}

/// Where a backup stands in its life.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It does not exist.
    #[default]
    Absent,
    /// No worker has begun.
    Queued,
    /// The worker of the latest attempt is at it.
    Running,
    /// It can be verified and restored.
    Completed(Archive),
    /// There is no backup.
    Failed,
    /// There is none any more.
    Expired(Archive),
}

/// What the latest verification found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verification {
    /// There was none.
    #[default]
    None,
    /// One was asked for.
    Requested,
    /// The backup is what was written.
    Passed,
    /// It is not.
    Failed,
}

impl Status {
    /// The status as one word.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Completed(_) => "completed",
            Self::Failed => "failed",
            Self::Expired(_) => "expired",
        }
    }
}

impl Backup {
    pub(super) fn evolve(&mut self, event: &Event) {
        match event {
            Event::Requested { name, scope } => {
                let status = Status::Queued;
                *self = Self { status, name: name.clone(), scope: *scope, ..Self::default() };
            }
            Event::Started { attempt, .. } => {
                self.status = Status::Running;
                self.attempts = *attempt;
            }
            Event::Completed(archive) => self.status = Status::Completed(archive.clone()),
            Event::Failed { .. } => self.status = Status::Failed,
            Event::Expired => {
                if let Status::Completed(archive) = std::mem::take(&mut self.status) {
                    self.status = Status::Expired(archive);
                }
            }
            Event::VerificationRequested => self.verification = Verification::Requested,
            Event::Verified { .. } => self.verification = Verification::Passed,
            Event::VerificationFailed { .. } => self.verification = Verification::Failed,
        }
    }
}
