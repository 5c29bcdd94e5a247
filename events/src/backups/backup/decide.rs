//! The rules of a backup.

use super::{Archive, Backup, Command, Complete, Event, Fail, RecordVerification, Request, Start};
use crate::aggregate::{Class, Context, Decider};
use crate::job::{Cancel, Refusal, State};
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
    /// The worker is to let go of it.
    #[error("the backup is being cancelled: let go of it")]
    Cancelling,
    /// Nobody asked to cancel it.
    #[error("nobody asked to cancel the backup: go on with it")]
    Wanted,
    /// It cannot help to try again.
    #[error("the backup failed for good: request another")]
    NotRetryable,
    /// It has not failed.
    #[error("the backup is {0}, not failed: retry only what failed")]
    NotFailed(&'static str),
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
    #[error("the backup is {0}, and there is nothing to verify: verify one that succeeded")]
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
            | Self::Cancelling
            | Self::Wanted
            | Self::NotRetryable
            | Self::NotFailed(_)
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
            | Self::Cancelling
            | Self::Wanted
            | Self::NotRetryable
            | Self::NotFailed(_)
            | Self::NotCompleted(_) => None,
        }
    }
}

impl Decider for Backup {
    const TYPE: &'static str = "backups.backup";
    const MODULE: Module = Module::Backups;
    const SHAPE: i64 = 2;
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;
    type Facts = ();

    fn decide(&self, command: Command, (): &(), _: &Context) -> Result<Vec<Event>, Rejection> {
        if let Command::Request(request) = command {
            return self.request(&request);
        }
        if self.job.state == State::Absent {
            return Err(Rejection::Unknown);
        }
        match command {
            Command::Request(_) => Err(Rejection::Exists),
            Command::Start(start) => self.start(&start),
            Command::Complete(complete) => self.complete(complete),
            Command::Fail(fail) => self.fail(fail),
            Command::Cancel => Ok(match self.job.cancel()? {
                Cancel::Already => vec![],
                Cancel::Now => vec![Event::Cancelled],
                Cancel::Asked => vec![Event::CancelRequested],
            }),
            Command::ConfirmCancel => {
                Ok(self.job.let_go()?.then_some(Event::Cancelled).into_iter().collect())
            }
            Command::Retry => {
                self.job.check_retry()?;
                let (attempts, scope) = (self.job.attempts, self.scope);
                Ok(vec![Event::Retried { attempts, scope }])
            }
            Command::Expire if self.job.state == State::Expired => Ok(vec![]),
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
    /// The backup itself, if it succeeded and is still there.
    pub fn archive(&self) -> Result<&Archive, Rejection> {
        match (&self.made, self.job.state) {
            (Some(archive), State::Succeeded) => Ok(archive),
            (_, State::Absent) => Err(Rejection::Unknown),
            (_, state) => Err(Rejection::NotCompleted(state.name())),
        }
    }

    fn request(&self, request: &Request) -> Result<Vec<Event>, Rejection> {
        if self.job.state != State::Absent {
            return Err(Rejection::Exists);
        }
        let name = text::line(&request.name, NAME_MAX_CHARS).map_err(Rejection::NameInvalid)?;
        Ok(vec![Event::Requested { name, scope: request.scope }])
    }

    fn start(&self, start: &Start) -> Result<Vec<Event>, Rejection> {
        self.job.check_start(start.attempt)?;
        let worker =
            text::line(&start.worker, WORKER_MAX_CHARS).map_err(Rejection::WorkerInvalid)?;
        Ok(vec![Event::Started { attempt: start.attempt, worker }])
    }

    fn complete(&self, complete: Complete) -> Result<Vec<Event>, Rejection> {
        self.job.check_running(complete.attempt)?;
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
        self.job.check_failing(fail.attempt)?;
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
}

impl From<Refusal> for Rejection {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Finished(state) => Self::Finished(state.name()),
            Refusal::NotRunning(state) => Self::NotRunning(state.name()),
            Refusal::Cancelling => Self::Cancelling,
            Refusal::Stale(latest) => Self::AttemptStale(latest),
            Refusal::Wanted => Self::Wanted,
            Refusal::NotFailed(state) => Self::NotFailed(state.name()),
            Refusal::NotRetryable => Self::NotRetryable,
        }
    }
}
