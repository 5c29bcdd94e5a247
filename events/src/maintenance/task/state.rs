//! A task as its rules see it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Amended, Created, Event, Priority, Requirements, Source, Value};
use crate::ids::{AssetId, FileId, SubtaskId, TaskId, UnitId, UserId};

/// Something to be done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Where it stands in its life.
    pub status: Status,
    /// What is to be done.
    pub title: String,
    /// What else there is to say.
    pub details: Option<String>,
    /// On what.
    pub asset_id: Option<AssetId>,
    /// The unit that it belongs to; none for the organisation as a whole.
    pub unit_id: Option<UnitId>,
    /// What it comes of, where that is a plan.
    pub source: Option<Source>,
    /// By when it is to be done.
    pub due_at: Option<Timestamp>,
    /// How much it matters.
    pub priority: Priority,
    /// What it takes to complete it.
    pub requirements: Requirements,
    /// Who is to do it.
    pub assignees: BTreeSet<UserId>,
    /// Its parts, in the order of their ids.
    pub subtasks: BTreeMap<SubtaskId, Subtask>,
    /// The items of the checklist that are done.
    pub ticked: BTreeSet<Uuid>,
    /// The pictures of what was done, in the order in which they came.
    pub photos: Vec<FileId>,
    /// What was found out, by criterion.
    pub recorded: BTreeMap<Uuid, Value>,
    /// Who of those that are assigned says that it is done.
    pub confirmed: BTreeSet<UserId>,
    /// The tasks that come before it.
    pub prerequisites: BTreeSet<TaskId>,
    /// Whether anybody ever began it.
    pub started: bool,
    /// Whether it was announced that it is due soon, at the time at which it is due now.
    pub due_announced: bool,
    /// Whether it was announced that it was due then.
    pub overdue_announced: bool,
}

/// A part of a task.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subtask {
    /// The part that it is a part of; none for the task itself.
    pub parent_id: Option<SubtaskId>,
    /// What is to be done.
    pub title: String,
    /// Whether the whole is not done without it.
    pub mandatory: bool,
    /// Who is to do it.
    pub assignees: BTreeSet<UserId>,
    /// Whether it is done.
    pub done: bool,
}

/// Where a task stands in its life.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    strum::IntoStaticStr,
    strum::Display,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Status {
    /// It does not exist.
    #[default]
    Absent,
    /// Nobody has begun it.
    Open,
    /// Somebody is at it.
    InProgress,
    /// It cannot go on.
    Blocked,
    /// It is done.
    Completed,
    /// It is not to be done.
    Cancelled,
    /// Another is in its place.
    Superseded,
}

impl Status {
    /// Whether nobody waits for it any more.
    pub fn is_over(self) -> bool {
        match self {
            Self::Completed | Self::Cancelled | Self::Superseded => true,
            Self::Absent | Self::Open | Self::InProgress | Self::Blocked => false,
        }
    }
}

impl Task {
    pub(super) fn evolve(&mut self, event: &Event) {
        match event {
            Event::Created(created) => *self = Self::begun(created),
            Event::Amended(amended) => self.amend(amended),
            Event::Assigned { user_ids } => self.assignees.extend(user_ids),
            Event::Unassigned { user_ids } => self.unassign(user_ids),
            Event::SubtaskAdded { .. }
            | Event::SubtaskRenamed { .. }
            | Event::SubtaskMoved { .. }
            | Event::SubtaskAssigned { .. }
            | Event::SubtaskRemoved { .. }
            | Event::SubtaskCompleted { .. }
            | Event::SubtaskReopened { .. } => self.evolve_subtasks(event),
            Event::RequirementsDefined { requirements } => self.redefine(requirements),
            Event::PrerequisitesLinked { task_ids } => self.prerequisites.extend(task_ids),
            Event::PrerequisitesUnlinked { task_ids } => {
                self.prerequisites.retain(|task| !task_ids.contains(task));
            }
            Event::ChecklistTicked { item_id } => {
                self.ticked.insert(*item_id);
            }
            Event::ChecklistUnticked { item_id } => {
                self.ticked.remove(item_id);
            }
            Event::PhotoAttached { file_id } => self.photos.push(*file_id),
            Event::PhotoDetached { file_id } => self.photos.retain(|photo| photo != file_id),
            Event::CriterionRecorded { criterion_id, value } => {
                self.recorded.insert(*criterion_id, value.clone());
            }
            Event::AssigneeConfirmed { user_id } => {
                self.confirmed.insert(*user_id);
            }
            Event::Started => {
                (self.status, self.started) = (Status::InProgress, true);
            }
            Event::Resumed => self.status = Status::InProgress,
            Event::Blocked { .. } => self.status = Status::Blocked,
            Event::Completed => self.status = Status::Completed,
            Event::Reopened { .. } => {
                self.status = Status::InProgress;
                self.confirmed.clear();
            }
            Event::Cancelled { .. } => self.status = Status::Cancelled,
            Event::Superseded { .. } => self.status = Status::Superseded,
            Event::Rescheduled { due_at, .. } => {
                self.due_at = *due_at;
                (self.due_announced, self.overdue_announced) = (false, false);
            }
            Event::DueAnnounced { .. } => self.due_announced = true,
            Event::OverdueAnnounced { .. } => self.overdue_announced = true,
        }
    }

    fn begun(created: &Created) -> Self {
        let Created { title, details, asset_id, unit_id, source, due_at, priority, requirements } =
            created.clone();
        Self {
            status: Status::Open,
            title,
            details,
            asset_id,
            unit_id,
            source,
            due_at,
            priority,
            requirements,
            ..Self::default()
        }
    }

    fn amend(&mut self, amended: &Amended) {
        let Amended { title, details, priority } = amended.clone();
        self.title = title.unwrap_or_else(|| std::mem::take(&mut self.title));
        self.details = details.unwrap_or_else(|| self.details.take());
        self.priority = priority.unwrap_or(self.priority);
    }

    /// Whoever does not do it has nothing to confirm, and none of its parts to do.
    fn unassign(&mut self, user_ids: &[UserId]) {
        let stays = |user: &UserId| !user_ids.contains(user);
        self.assignees.retain(stays);
        self.confirmed.retain(stays);
        for subtask in self.subtasks.values_mut() {
            subtask.assignees.retain(stays);
        }
    }

    /// Who sees it besides whoever holds the permission where it belongs.
    pub fn readers(&self) -> Vec<String> {
        let assignees = self.assignees.iter();
        assignees.map(|user| crate::maintenance::asset::With::User(*user).to_string()).collect()
    }
}
