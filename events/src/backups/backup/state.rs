//! A backup as its rules see it.

use serde::{Deserialize, Serialize};

use super::{Archive, Event, Scope};
use crate::job::{Job, Step, Work};

/// A backup that was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backup {
    /// Where its making stands.
    pub job: Job,
    /// What it is called.
    pub name: String,
    /// How much it covers.
    pub scope: Scope,
    /// What was made, also when it is no more.
    pub made: Option<Archive>,
    /// What the latest verification found.
    pub verification: Verification,
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

impl Backup {
    pub(super) fn evolve(&mut self, event: &Event) {
        if let Some(step) = Self::step(event) {
            self.job.follow(&step);
        }
        match event {
            Event::Requested { name, scope } => {
                let (job, name) = (self.job, name.clone());
                *self = Self { job, name, scope: *scope, ..Self::default() };
            }
            Event::Completed(archive) => self.made = Some(archive.clone()),
            Event::VerificationRequested => self.verification = Verification::Requested,
            Event::Verified { .. } => self.verification = Verification::Passed,
            Event::VerificationFailed { .. } => self.verification = Verification::Failed,
            Event::Started { .. }
            | Event::Failed { .. }
            | Event::CancelRequested
            | Event::Cancelled
            | Event::Retried { .. }
            | Event::Expired => {}
        }
    }
}

impl Work for Backup {
    const KIND: &'static str = "backup";
    const UNIT: Option<&'static str> = None;

    fn job(&self) -> Job {
        self.job
    }

    fn step(event: &Event) -> Option<Step<'_>> {
        Some(match event {
            Event::Requested { name, .. } => Step::Asked { label: name, requested_by: None },
            Event::Started { attempt, worker } => Step::Started { attempt: *attempt, worker },
            Event::Completed(_) => Step::Succeeded { done: None },
            // Whatever stood in its way, another attempt finds its own circumstances.
            Event::Failed { code, message } => Step::Failed { code, message, retryable: true },
            Event::CancelRequested => Step::CancelRequested,
            Event::Cancelled => Step::Cancelled,
            Event::Retried { attempts, .. } => Step::Retried { attempts: *attempts },
            Event::Expired => Step::Expired,
            Event::VerificationRequested
            | Event::Verified { .. }
            | Event::VerificationFailed { .. } => return None,
        })
    }
}
