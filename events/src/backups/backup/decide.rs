//! The rules of a backup.

use super::{
    Archive, Backup, Command, Complete, Event, Fail, RecordVerification, Request, Start, Status,
};
use crate::aggregate::{Class, Context, Decider};
use crate::modules::Module;
use crate::text::{self, Fault};

/// Longest name of a backup.
pub const NAME_MAX_CHARS: usize = 200;
/// Longest name of a worker.
pub const WORKER_MAX_CHARS: usize = 128;
/// Longest name of a place.
pub const LOCATION_MAX_CHARS: usize = 1_024;
/// Longest name of a key.
pub const KEY_ID_MAX_CHARS: usize = 128;
/// Longest code of a failure.
pub const FAILURE_CODE_MAX_CHARS: usize = 64;
/// How much of the message of a failure, or of an error of a verification, is kept.
pub const MESSAGE_MAX_CHARS: usize = 1_000;
/// How many errors of a verification are kept.
pub const ERRORS_MAX_COUNT: usize = 100;

/// Why a backup refuses.
#[derive(
    Debug,
    Clone,
    PartialEq,
    Eq,
    serde::Serialize,
    thiserror::Error,
    strum::IntoStaticStr,
    strum::VariantNames,
    strum::EnumIter,
    strum::EnumMessage,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE", prefix = "BACKUP_")]
pub enum Rejection {
    /// There is no such backup.
    #[error("there is no such backup: request one")]
    Unknown,
    /// The backup exists already.
    #[error("the backup exists already: request another")]
    Exists,
    /// The name cannot be used.
    #[error("name {0}")]
    NameInvalid(Fault),
    /// The worker's name cannot be used.
    #[error("worker {0}")]
    WorkerInvalid(Fault),
    /// The attempt is not the latest.
    #[error("attempt is not the latest, which is {0}: leave the backup to its worker")]
    AttemptStale(u32),
    /// No worker is at it.
    #[error("the backup is {0}, not running: start an attempt first")]
    NotRunning(&'static str),
    /// The backup came to its end.
    #[error("the backup is {0} already: request another")]
    Finished(&'static str),
    /// The position is before the log's first.
    #[error("to_position must not be negative: send the last position that is covered")]
    PositionInvalid,
    /// The place cannot be used.
    #[error("location {0}")]
    LocationInvalid(Fault),
    /// The digest is not one.
    #[error(
        "manifest_sha256 must be 64 lower-case hexadecimal digits: send the digest of the manifest"
    )]
    DigestInvalid,
    /// The name of the key cannot be used.
    #[error("key_id {0}")]
    KeyInvalid(Fault),
    /// The code of the failure is not one.
    #[error("code must be a name of a-z, digits, dots and underscores: correct it")]
    FailureCodeInvalid,
    /// There is nothing to verify.
    #[error("the backup is {0}, not completed: verify only what is completed")]
    NotCompleted(&'static str),
    /// A verification says both, or neither.
    #[error(
        "errors must say what is wrong if ok is false, and be empty if it is true: correct one"
    )]
    VerificationInvalid,
}

impl crate::aggregate::Rejection for Rejection {
    fn code(&self) -> &'static str {
        self.into()
    }

    fn every() -> Vec<crate::aggregate::Refusal> {
        crate::aggregate::refusals::<Self>()
    }

    fn class(&self) -> Class {
        match self {
            Self::Unknown => Class::Absent,
            Self::NameInvalid(_)
            | Self::WorkerInvalid(_)
            | Self::PositionInvalid
            | Self::LocationInvalid(_)
            | Self::DigestInvalid
            | Self::KeyInvalid(_)
            | Self::FailureCodeInvalid
            | Self::VerificationInvalid => Class::Invalid,
            Self::Exists
            | Self::AttemptStale(_)
            | Self::NotRunning(_)
            | Self::Finished(_)
            | Self::NotCompleted(_) => Class::Conflict,
        }
    }

    fn pointer(&self) -> Option<&'static str> {
        match self {
            Self::NameInvalid(_) => Some("/name"),
            Self::WorkerInvalid(_) => Some("/worker"),
            Self::AttemptStale(_) => Some("/attempt"),
            Self::PositionInvalid => Some("/to_position"),
            Self::LocationInvalid(_) => Some("/location"),
            Self::DigestInvalid => Some("/manifest_sha256"),
            Self::KeyInvalid(_) => Some("/key_id"),
            Self::FailureCodeInvalid => Some("/code"),
            Self::VerificationInvalid => Some("/errors"),
            Self::Unknown
            | Self::Exists
            | Self::NotRunning(_)
            | Self::Finished(_)
            | Self::NotCompleted(_) => None,
        }
    }
}

impl Decider for Backup {
    const TYPE: &'static str = "backups.backup";
    const MODULE: Module = Module::Backups;
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;
    type Facts = ();

    fn decide(&self, command: Command, (): &(), _: &Context) -> Result<Vec<Event>, Rejection> {
        if let Command::Request(request) = command {
            return self.request(&request);
        }
        match self.status {
            Status::Absent => return Err(Rejection::Unknown),
            Status::Queued
            | Status::Running
            | Status::Completed(_)
            | Status::Failed
            | Status::Expired(_) => {}
        }
        match command {
            Command::Request(_) => Err(Rejection::Exists),
            Command::Start(start) => self.start(&start),
            Command::Complete(complete) => self.complete(complete),
            Command::Fail(fail) => self.fail(fail),
            Command::Expire if matches!(self.status, Status::Expired(_)) => Ok(vec![]),
            Command::Expire => {
                self.archive()?;
                Ok(vec![Event::Expired])
            }
            Command::RequestVerification => {
                self.archive()?;
                Ok(vec![Event::VerificationRequested])
            }
            Command::RecordVerification(result) => self.record_verification(&result),
        }
    }

    fn evolve(&mut self, event: &Event) {
        self.evolve(event);
    }
}

impl Backup {
    /// The backup itself, if it is complete.
    pub fn archive(&self) -> Result<&Archive, Rejection> {
        match &self.status {
            Status::Completed(archive) => Ok(archive),
            Status::Absent => Err(Rejection::Unknown),
            Status::Queued | Status::Running | Status::Failed | Status::Expired(_) => {
                Err(Rejection::NotCompleted(self.status.name()))
            }
        }
    }

    fn request(&self, request: &Request) -> Result<Vec<Event>, Rejection> {
        if self.status != Status::Absent {
            return Err(Rejection::Exists);
        }
        let name = text::line(&request.name, NAME_MAX_CHARS).map_err(Rejection::NameInvalid)?;
        Ok(vec![Event::Requested { name, scope: request.scope }])
    }

    fn start(&self, start: &Start) -> Result<Vec<Event>, Rejection> {
        self.unfinished()?;
        if start.attempt <= self.attempts {
            return Err(Rejection::AttemptStale(self.attempts));
        }
        let worker =
            text::line(&start.worker, WORKER_MAX_CHARS).map_err(Rejection::WorkerInvalid)?;
        Ok(vec![Event::Started { attempt: start.attempt, worker }])
    }

    fn complete(&self, complete: Complete) -> Result<Vec<Event>, Rejection> {
        self.latest(complete.attempt)?;
        if self.status != Status::Running {
            return Err(Rejection::NotRunning(self.status.name()));
        }
        let archive = complete.archive;
        if archive.to_position < 0 {
            return Err(Rejection::PositionInvalid);
        }
        text::line(&archive.location, LOCATION_MAX_CHARS).map_err(Rejection::LocationInvalid)?;
        text::line(&archive.key_id, KEY_ID_MAX_CHARS).map_err(Rejection::KeyInvalid)?;
        text::sha256(&archive.manifest_sha256).ok_or(Rejection::DigestInvalid)?;
        Ok(vec![Event::Completed(archive)])
    }

    /// Also a backup that no worker began can fail, or its scope would be claimed for good.
    fn fail(&self, fail: Fail) -> Result<Vec<Event>, Rejection> {
        self.latest(fail.attempt)?;
        if !text::is_identifier(&fail.code, FAILURE_CODE_MAX_CHARS) {
            return Err(Rejection::FailureCodeInvalid);
        }
        let message = text::cut(&fail.message, MESSAGE_MAX_CHARS);
        Ok(vec![Event::Failed { code: fail.code, message }])
    }

    fn record_verification(&self, result: &RecordVerification) -> Result<Vec<Event>, Rejection> {
        self.archive()?;
        if result.ok != result.errors.is_empty() {
            return Err(Rejection::VerificationInvalid);
        }
        let checks = result.checks;
        if result.ok {
            return Ok(vec![Event::Verified { checks }]);
        }
        let errors = result.errors.iter().take(ERRORS_MAX_COUNT);
        let errors = errors.map(|error| text::cut(error, MESSAGE_MAX_CHARS)).collect();
        Ok(vec![Event::VerificationFailed { checks, errors }])
    }

    /// Whether a worker may still begin.
    fn unfinished(&self) -> Result<(), Rejection> {
        match self.status {
            Status::Queued | Status::Running => Ok(()),
            Status::Absent | Status::Completed(_) | Status::Failed | Status::Expired(_) => {
                Err(Rejection::Finished(self.status.name()))
            }
        }
    }

    /// Whether this attempt may report.
    fn latest(&self, attempt: u32) -> Result<(), Rejection> {
        self.unfinished()?;
        if attempt == self.attempts { Ok(()) } else { Err(Rejection::AttemptStale(self.attempts)) }
    }
}
