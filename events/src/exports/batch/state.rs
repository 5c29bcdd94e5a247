//! A batch as its rules see it.

use serde::{Deserialize, Serialize};

use super::{Event, Item};
use crate::exports::file_stem;
use crate::ids::{ExportId, UserId};
use crate::job::{Job, Step, Work};

/// Several files that were asked for as one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// Where it stands.
    pub job: Job,
    /// Whose files they are.
    pub requested_by: UserId,
    /// What people call it.
    pub title: Option<String>,
    /// The files, and what became of them.
    pub items: Vec<Known>,
}

/// A file of a batch, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// What it is.
    pub item: Item,
    /// The export that makes it, once it was asked for.
    pub export_id: Option<ExportId>,
    /// Where it stands.
    pub stage: Stage,
}

/// Where an item stands.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Stage {
    /// It was not asked for yet.
    #[default]
    Waiting,
    /// It is being made.
    Asked,
    /// There is a file.
    Made,
    /// There is none, and will be none unless it is asked for again.
    Failed,
}

impl Stage {
    /// Whether it has come to an end.
    pub fn is_over(self) -> bool {
        match self {
            Self::Waiting | Self::Asked => false,
            Self::Made | Self::Failed => true,
        }
    }
}

impl Batch {
    pub(super) fn evolve(&mut self, event: &Event) {
        if let Some(step) = Self::step(event) {
            self.job.follow(&step);
        }
        match event {
            Event::Requested { title, items, requested_by, .. } => {
                let known = |item: &Item| Known {
                    item: item.clone(),
                    export_id: None,
                    stage: Stage::default(),
                };
                self.requested_by = *requested_by;
                self.title.clone_from(title);
                self.items = items.iter().map(known).collect();
            }
            Event::Started { items, .. } => {
                for item in items {
                    self.stage(*item, Stage::Waiting);
                }
            }
            Event::ItemRequested { item, export_id } => {
                self.stage(*item, Stage::Asked);
                if let Some(known) = self.known(*item) {
                    known.export_id = Some(*export_id);
                }
            }
            Event::ItemRefused { item, .. } => self.stage(*item, Stage::Failed),
            Event::ItemFinished { item, made, .. } => {
                self.stage(*item, if *made { Stage::Made } else { Stage::Failed });
            }
            Event::Completed { .. }
            | Event::Failed { .. }
            | Event::Cancelled
            | Event::Retried { .. }
            | Event::Downloaded { .. } => {}
        }
    }

    /// The name to save its archive under, of characters that every file system takes.
    pub fn archive_name(&self) -> String {
        let title = self.title.as_deref().unwrap_or_default();
        format!("{}.zip", file_stem(title, "exports"))
    }

    fn known(&mut self, item: u32) -> Option<&mut Known> {
        self.items.get_mut(usize::try_from(item).ok()?)
    }

    fn stage(&mut self, item: u32, stage: Stage) {
        if let Some(known) = self.known(item) {
            known.stage = stage;
        }
    }
}

impl Work for Batch {
    const KIND: &'static str = "batch";
    const UNIT: Option<&'static str> = Some("files");

    fn job(&self) -> Job {
        self.job
    }

    fn step(event: &Event) -> Option<Step<'_>> {
        let progressed = |ended: u32| Step::Progressed { done: u64::from(ended), total: None };
        Some(match event {
            Event::Requested { title, requested_by, .. } => {
                let label = title.as_deref().unwrap_or("files");
                Step::Asked { label, requested_by: Some(*requested_by) }
            }
            Event::Started { attempt, .. } => Step::Started { attempt: *attempt, worker: "" },
            Event::ItemRefused { ended, .. } | Event::ItemFinished { ended, .. } => {
                progressed(*ended)
            }
            Event::Completed { made, failed } => {
                Step::Succeeded { done: Some(u64::from(made + failed)) }
            }
            Event::Failed { code, message } => Step::Failed { code, message, retryable: true },
            Event::Cancelled => Step::Cancelled,
            Event::Retried { attempts } => Step::Retried { attempts: *attempts },
            Event::ItemRequested { .. } | Event::Downloaded { .. } => return None,
        })
    }
}
