//! Background work: one life for everything that workers make, whatever it is.
//!
//! `queued -> running -> succeeded -> expired`, or `failed` or `cancelled` on the way. A worker names the attempt it is at,
//! counting from 1; only the latest may report, so a worker that was thought dead cannot spoil what its successor makes. Work
//! that waits is cancelled at once; work that runs is `cancelling` until its worker has let go of it. What failed can be
//! retried where that can help, and attempts go on counting.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aggregate::Decider;
use crate::ids::UserId;

/// Where a piece of work stands in its life.
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
pub enum State {
    /// It does not exist.
    #[default]
    Absent,
    /// No worker has begun.
    Queued,
    /// The worker of the latest attempt is at it.
    Running,
    /// The worker is to let go of it.
    Cancelling,
    /// It is made.
    Succeeded,
    /// It could not be made.
    Failed,
    /// It is not made, because nobody wants it any more.
    Cancelled,
    /// What was made is no more.
    Expired,
}

impl State {
    /// The state as one word.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Whether there is something left to do for workers.
    pub fn is_open(self) -> bool {
        match self {
            Self::Queued | Self::Running | Self::Cancelling => true,
            Self::Absent | Self::Succeeded | Self::Failed | Self::Cancelled | Self::Expired => {
                false
            }
        }
    }
}

/// A piece of work as its rules see it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Where it stands.
    pub state: State,
    /// How many times a worker began it.
    pub attempts: u32,
    /// Whether it can help to try again, once it failed.
    pub retryable: bool,
}

/// What an event means for the work that it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step<'a> {
    /// Somebody asked for it.
    Asked {
        /// What is to be made, for people.
        label: &'a str,
        /// For whom, where that is not simply whoever asked.
        requested_by: Option<UserId>,
    },
    /// A worker began.
    Started {
        /// How many times it was begun, this one included.
        attempt: u32,
        /// The worker.
        worker: &'a str,
    },
    /// The worker got further.
    Progressed {
        /// How much is done.
        done: u64,
        /// How much there is to do, where known.
        total: Option<u64>,
    },
    /// It is made.
    Succeeded {
        /// How much was done, where it is counted.
        done: Option<u64>,
    },
    /// It could not be made.
    Failed {
        /// What went wrong, for programs.
        code: &'a str,
        /// What went wrong, for people.
        message: &'a str,
        /// Whether it can help to try again.
        retryable: bool,
    },
    /// The worker shall let go of it.
    CancelRequested,
    /// It is not made.
    Cancelled,
    /// It shall be tried again.
    Retried {
        /// The attempts so far.
        attempts: u32,
    },
    /// What was made is no more.
    Expired,
}

/// A stream that is a piece of background work.
pub trait Work: Decider {
    /// What kind of work, as one word.
    const KIND: &'static str;
    /// What its progress counts; nothing where it is not counted.
    const UNIT: Option<&'static str>;

    /// Where it stands.
    fn job(&self) -> Job;

    /// What an event means for the work; nothing where it changes nothing about it.
    fn step(event: &Self::Event) -> Option<Step<'_>>;
}

/// Why work refuses what is asked of it; each stream says so in its own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It came to its end.
    Finished(State),
    /// No worker is at it.
    NotRunning(State),
    /// Its worker is to let go of it.
    Cancelling,
    /// The attempt is not the latest, which is this.
    Stale(u32),
    /// Nobody asked to cancel it.
    Wanted,
    /// It has not failed.
    NotFailed(State),
    /// It cannot help to try again.
    NotRetryable,
}

/// How work is cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancel {
    /// There is nothing to do: it is, or will be as soon as its worker hears of it.
    Already,
    /// At once, because no worker is at it.
    Now,
    /// As soon as its worker has let go of it.
    Asked,
}

impl Job {
    /// Takes a step that has happened.
    pub fn follow(&mut self, step: &Step<'_>) {
        match step {
            Step::Asked { .. } => *self = Self { state: State::Queued, ..Self::default() },
            Step::Started { attempt, .. } => {
                self.state = State::Running;
                self.attempts = *attempt;
            }
            Step::Progressed { .. } => {}
            Step::Succeeded { .. } => self.state = State::Succeeded,
            Step::Failed { retryable, .. } => {
                self.state = State::Failed;
                self.retryable = *retryable;
            }
            Step::CancelRequested => self.state = State::Cancelling,
            Step::Cancelled => self.state = State::Cancelled,
            Step::Retried { attempts } => {
                self.state = State::Queued;
                self.attempts = *attempts;
            }
            Step::Expired => self.state = State::Expired,
        }
    }

    /// Whether a worker may begin this attempt: more than any before, at what is still wanted.
    pub fn check_start(self, attempt: u32) -> Result<(), Refusal> {
        self.check_wanted()?;
        if attempt > self.attempts { Ok(()) } else { Err(Refusal::Stale(self.attempts)) }
    }

    /// Whether this attempt may report on what it makes.
    pub fn check_running(self, attempt: u32) -> Result<(), Refusal> {
        self.check_wanted()?;
        if self.state != State::Running {
            return Err(Refusal::NotRunning(self.state));
        }
        self.check_latest(attempt)
    }

    /// Whether this attempt may say that it failed; 0 for work that no worker began.
    pub fn check_failing(self, attempt: u32) -> Result<(), Refusal> {
        self.check_wanted()?;
        self.check_latest(attempt)
    }

    /// How it is to be cancelled, if it can be.
    pub fn cancel(self) -> Result<Cancel, Refusal> {
        match self.state {
            State::Queued => Ok(Cancel::Now),
            State::Running => Ok(Cancel::Asked),
            State::Cancelling | State::Cancelled => Ok(Cancel::Already),
            State::Absent | State::Succeeded | State::Failed | State::Expired => {
                Err(Refusal::Finished(self.state))
            }
        }
    }

    /// Whether there is anything to let go of; not when it was let go of before.
    pub fn let_go(self) -> Result<bool, Refusal> {
        match self.state {
            State::Cancelling => Ok(true),
            State::Cancelled => Ok(false),
            State::Queued | State::Running => Err(Refusal::Wanted),
            State::Absent | State::Succeeded | State::Failed | State::Expired => {
                Err(Refusal::Finished(self.state))
            }
        }
    }

    /// Whether it may be tried again.
    pub fn check_retry(self) -> Result<(), Refusal> {
        match (self.state, self.retryable) {
            (State::Failed, true) => Ok(()),
            (State::Failed, false) => Err(Refusal::NotRetryable),
            (state, _) => Err(Refusal::NotFailed(state)),
        }
    }

    fn check_wanted(self) -> Result<(), Refusal> {
        match self.state {
            State::Queued | State::Running => Ok(()),
            State::Cancelling => Err(Refusal::Cancelling),
            State::Absent
            | State::Succeeded
            | State::Failed
            | State::Cancelled
            | State::Expired => Err(Refusal::Finished(self.state)),
        }
    }

    fn check_latest(self, attempt: u32) -> Result<(), Refusal> {
        if attempt == self.attempts { Ok(()) } else { Err(Refusal::Stale(self.attempts)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: Step<'static> = Step::Asked { label: "roles", requested_by: None };
    const FAILED: Step<'static> =
        Step::Failed { code: "boom", message: "it broke", retryable: true };
    const FOR_GOOD: Step<'static> = Step::Failed { code: "no", message: "never", retryable: false };

    fn started(attempt: u32) -> Step<'static> {
        Step::Started { attempt, worker: "w" }
    }

    fn after(steps: &[Step<'_>]) -> Job {
        let mut job = Job::default();
        for step in [ASKED].iter().chain(steps) {
            job.follow(step);
        }
        job
    }

    #[test]
    fn only_the_latest_attempt_reports() {
        assert_eq!(after(&[]).check_running(0), Err(Refusal::NotRunning(State::Queued)));
        let job = after(&[started(1), started(2)]);
        assert_eq!(job.check_running(1), Err(Refusal::Stale(2)));
        assert_eq!(job.check_running(2), Ok(()));
        assert_eq!(job.check_start(2), Err(Refusal::Stale(2)));
        assert_eq!(job.check_start(3), Ok(()));
    }

    #[test]
    fn what_no_worker_began_can_fail() {
        assert_eq!(after(&[]).check_failing(0), Ok(()));
        assert_eq!(after(&[started(1)]).check_failing(0), Err(Refusal::Stale(1)));
    }

    #[test]
    fn what_waits_is_cancelled_at_once_and_what_runs_once_its_worker_let_go() {
        assert_eq!(after(&[]).cancel(), Ok(Cancel::Now));
        assert_eq!(after(&[]).let_go(), Err(Refusal::Wanted));
        assert_eq!(after(&[started(1)]).cancel(), Ok(Cancel::Asked));
        let asked = after(&[started(1), Step::CancelRequested]);
        assert_eq!(asked.cancel(), Ok(Cancel::Already));
        assert_eq!(asked.check_running(1), Err(Refusal::Cancelling));
        assert_eq!(asked.check_start(2), Err(Refusal::Cancelling));
        assert_eq!(asked.let_go(), Ok(true));
        let cancelled = after(&[started(1), Step::CancelRequested, Step::Cancelled]);
        assert_eq!((cancelled.cancel(), cancelled.let_go()), (Ok(Cancel::Already), Ok(false)));
        assert_eq!(cancelled.check_start(2), Err(Refusal::Finished(State::Cancelled)));
    }

    #[test]
    fn what_failed_is_retried_where_that_can_help_and_attempts_go_on_counting() {
        assert_eq!(after(&[]).check_retry(), Err(Refusal::NotFailed(State::Queued)));
        assert_eq!(after(&[started(1), FAILED]).check_retry(), Ok(()));
        assert_eq!(after(&[started(1), FOR_GOOD]).check_retry(), Err(Refusal::NotRetryable));
        let job = after(&[started(1), FAILED, Step::Retried { attempts: 1 }]);
        assert_eq!((job.state, job.check_start(1)), (State::Queued, Err(Refusal::Stale(1))));
    }

    #[test]
    fn what_came_to_its_end_stays_there() {
        for end in [Step::Succeeded { done: None }, FAILED, Step::Cancelled, Step::Expired] {
            let job = after(&[started(1), end]);
            assert!(!job.state.is_open());
            assert_eq!(job.check_start(2), Err(Refusal::Finished(job.state)));
            assert_eq!(job.check_running(1), Err(Refusal::Finished(job.state)));
        }
    }
}
