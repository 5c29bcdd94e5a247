//! An export as its rules see it.

use serde::{Deserialize, Serialize};

use super::{Event, File};
use crate::ids::UserId;

/// A file that was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Export {
    /// Where it stands.
    pub status: Status,
    /// Whose file it is.
    pub requested_by: UserId,
    /// The data set it is made from.
    pub dataset: String,
    /// How many times a worker began to make it.
    pub attempts: u32,
    /// The rows done in this attempt.
    pub rows_done: u64,
    /// The rows there will be, where known.
    pub rows_total: Option<u64>,
}

/// Where an export stands in its life.
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
    /// The file can be fetched until it expires.
    Completed(File),
    /// There is no file.
    Failed {
        /// Whether it can help to try again.
        retryable: bool,
    },
    /// There will be no file.
    Cancelled,
    /// There is no file any more.
    Expired,
}

impl Status {
    /// The status as one word.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Completed(_) => "completed",
            Self::Failed { .. } => "failed",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }
}

impl Export {
    pub(super) fn evolve(&mut self, event: &Event) {
        match event {
            Event::Requested { requested_by, dataset, .. } => {
                let (status, dataset) = (Status::Queued, dataset.clone());
                *self = Self { status, requested_by: *requested_by, dataset, ..Self::default() };
            }
            Event::Started { attempt, .. } => {
                self.status = Status::Running;
                self.attempts = *attempt;
                self.rows_done = 0;
                self.rows_total = None;
            }
            Event::Progressed { rows_done, rows_total } => {
                self.rows_done = *rows_done;
                self.rows_total = *rows_total;
            }
            Event::Completed(file) => {
                self.rows_done = file.rows;
                self.rows_total = Some(file.rows);
                self.status = Status::Completed(file.clone());
            }
            Event::Failed { retryable, .. } => {
                self.status = Status::Failed { retryable: *retryable };
            }
            Event::Cancelled => self.status = Status::Cancelled,
            Event::Retried { .. } => self.status = Status::Queued,
            Event::Downloaded { .. } => {}
            Event::Expired => self.status = Status::Expired,
        }
    }
}
