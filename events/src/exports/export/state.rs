//! An export as its rules see it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Delivery, Event, File};
use crate::ids::{BatchId, UserId};
use crate::job::{Job, Step, Work};

/// A file that was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "they are independent of one another")]
pub struct Export {
    /// Where its making stands.
    pub job: Job,
    /// Whose file it is.
    pub requested_by: UserId,
    /// The data set it is made from.
    pub dataset: String,
    /// The rows done in this attempt.
    pub rows_done: u64,
    /// The rows there will be, where known.
    pub rows_total: Option<u64>,
    /// The file, until it expires or is deleted.
    pub file: Option<File>,
    /// Whether the file is kept until somebody deletes it.
    #[serde(default)]
    pub archived: bool,
    /// Whether somebody deleted the file.
    #[serde(default)]
    pub deleted: bool,
    /// Whom it is for besides whoever asked, once it is made.
    #[serde(default)]
    pub deliver: Option<Delivery>,
    /// Who else may fetch the file: they were told where it is.
    #[serde(default)]
    pub shared_with: BTreeSet<UserId>,
    /// Whether those it is for were told.
    #[serde(default)]
    pub delivered: bool,
    /// Whether it tells what has changed since an earlier file, and can be such a file for a later one.
    #[serde(default)]
    pub incremental: bool,
    /// The batch that it belongs to.
    #[serde(default)]
    pub batch_id: Option<BatchId>,
    /// What the file was, also after it expired: whoever kept it can still verify it.
    pub manifest: Option<String>,
}

impl Export {
    pub(super) fn evolve(&mut self, event: &Event) {
        if let Some(step) = Self::step(event) {
            self.job.follow(&step);
        }
        match event {
            Event::Requested { requested_by, dataset, wishes, options, .. } => {
                *self = Self {
                    job: self.job,
                    requested_by: *requested_by,
                    dataset: dataset.clone(),
                    deliver: wishes.deliver.clone(),
                    incremental: options.changes.is_some(),
                    batch_id: wishes.batch_id,
                    ..Self::default()
                };
            }
            Event::Started { .. } => (self.rows_done, self.rows_total) = (0, None),
            Event::Progressed { rows_done, rows_total } => {
                (self.rows_done, self.rows_total) = (*rows_done, *rows_total);
            }
            Event::Completed(file) => {
                (self.rows_done, self.rows_total) = (file.rows, Some(file.rows));
                self.manifest.clone_from(&file.manifest);
                self.file = Some(File { manifest: None, ..file.clone() });
            }
            Event::Delivered { recipients, .. } => {
                self.delivered = true;
                self.shared_with.extend(recipients);
            }
            Event::Emailed { recipients, .. } => self.shared_with.extend(recipients),
            Event::Archived { .. } => self.archived = true,
            Event::Deleted { .. } => (self.file, self.archived, self.deleted) = (None, false, true),
            Event::Expired => (self.file, self.archived) = (None, false),
            Event::Failed { .. }
            | Event::CancelRequested
            | Event::Cancelled
            | Event::Retried { .. }
            | Event::Downloaded { .. } => {}
        }
    }
}

impl Work for Export {
    const KIND: &'static str = "export";
    const UNIT: Option<&'static str> = Some("rows");

    fn job(&self) -> Job {
        self.job
    }

    fn step(event: &Event) -> Option<Step<'_>> {
        Some(match event {
            Event::Requested { title, dataset, requested_by, .. } => {
                let label = title.as_deref().unwrap_or(dataset);
                Step::Asked { label, requested_by: Some(*requested_by) }
            }
            Event::Started { attempt, worker } => Step::Started { attempt: *attempt, worker },
            Event::Progressed { rows_done, rows_total } => {
                Step::Progressed { done: *rows_done, total: *rows_total }
            }
            Event::Completed(file) => Step::Succeeded { done: Some(file.rows) },
            Event::Failed { code, message, retryable } => {
                Step::Failed { code, message, retryable: *retryable }
            }
            Event::CancelRequested => Step::CancelRequested,
            Event::Cancelled => Step::Cancelled,
            Event::Retried { attempts } => Step::Retried { attempts: *attempts },
            Event::Delivered { .. }
            | Event::Emailed { .. }
            | Event::Downloaded { .. }
            | Event::Archived { .. } => return None,
            Event::Deleted { .. } | Event::Expired => Step::Expired,
        })
    }
}
