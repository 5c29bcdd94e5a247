//! What can have happened to a task.

use jiff::Timestamp;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

use super::{Requirements, Value};
use crate::ids::{AssetId, FileId, MaintenanceScheduleId, SubtaskId, TaskId, UnitId, UserId};

/// A fact about a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
pub enum Event {
    /// There is something to do.
    #[serde(rename = "maintenance.task.created")]
    Created(Created),
    /// What is known of it was corrected: only what is there changed, and what is null is known no more.
    #[serde(rename = "maintenance.task.amended")]
    Amended(Amended),
    /// Some are to do it from now on.
    #[serde(rename = "maintenance.task.assigned")]
    Assigned {
        /// Who came to it, besides those who are there already.
        user_ids: Vec<UserId>,
    },
    /// Some are not to do it any more.
    #[serde(rename = "maintenance.task.unassigned")]
    Unassigned {
        /// Who.
        user_ids: Vec<UserId>,
    },
    /// A part of it has a name of its own.
    #[serde(rename = "maintenance.task.subtask_added")]
    SubtaskAdded {
        /// The part.
        subtask_id: SubtaskId,
        /// The part that it is a part of; absent where that is the task itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        parent_id: Option<SubtaskId>,
        /// What is to be done.
        title: String,
        /// Whether the whole is not done without it.
        mandatory: bool,
        /// Who of those that are assigned to the task is to do it.
        assignees: Vec<UserId>,
    },
    /// A subtask is called something else.
    #[serde(rename = "maintenance.task.subtask_renamed")]
    SubtaskRenamed {
        /// Which.
        subtask_id: SubtaskId,
        /// What is to be done.
        title: String,
    },
    /// A subtask is part of another, with all below it.
    #[serde(rename = "maintenance.task.subtask_moved")]
    SubtaskMoved {
        /// Which.
        subtask_id: SubtaskId,
        /// What it was part of; null for the task itself.
        from: Option<SubtaskId>,
        /// What it is part of; null for the task itself.
        parent_id: Option<SubtaskId>,
    },
    /// Others are to do a subtask.
    #[serde(rename = "maintenance.task.subtask_assigned")]
    SubtaskAssigned {
        /// Which.
        subtask_id: SubtaskId,
        /// All who are to do it.
        assignees: Vec<UserId>,
    },
    /// A subtask is gone, and all below it.
    #[serde(rename = "maintenance.task.subtask_removed")]
    SubtaskRemoved {
        /// Which.
        subtask_id: SubtaskId,
        /// Those below it.
        below: Vec<SubtaskId>,
    },
    /// A subtask is done.
    #[serde(rename = "maintenance.task.subtask_completed")]
    SubtaskCompleted {
        /// Which.
        subtask_id: SubtaskId,
    },
    /// A subtask is not done after all.
    #[serde(rename = "maintenance.task.subtask_reopened")]
    SubtaskReopened {
        /// Which.
        subtask_id: SubtaskId,
    },
    /// It takes this to complete it. What was done of what stays as it was stays done.
    #[serde(rename = "maintenance.task.requirements_defined")]
    RequirementsDefined {
        /// What.
        requirements: Requirements,
    },
    /// Other tasks come before it.
    #[serde(rename = "maintenance.task.prerequisites_linked")]
    PrerequisitesLinked {
        /// Which, besides those that do already.
        task_ids: Vec<TaskId>,
    },
    /// Other tasks do not come before it any more.
    #[serde(rename = "maintenance.task.prerequisites_unlinked")]
    PrerequisitesUnlinked {
        /// Which.
        task_ids: Vec<TaskId>,
    },
    /// An item of the checklist is done.
    #[serde(rename = "maintenance.task.checklist_ticked")]
    ChecklistTicked {
        /// Which.
        item_id: Uuid,
    },
    /// An item of the checklist is not done after all.
    #[serde(rename = "maintenance.task.checklist_unticked")]
    ChecklistUnticked {
        /// Which.
        item_id: Uuid,
    },
    /// A picture shows what was done.
    #[serde(rename = "maintenance.task.photo_attached")]
    PhotoAttached {
        /// The file.
        file_id: FileId,
    },
    /// A picture does not belong to it any more.
    #[serde(rename = "maintenance.task.photo_detached")]
    PhotoDetached {
        /// The file.
        file_id: FileId,
    },
    /// Something was found out.
    #[serde(rename = "maintenance.task.criterion_recorded")]
    CriterionRecorded {
        /// By which criterion.
        criterion_id: Uuid,
        /// What.
        value: Value,
    },
    /// Somebody who is assigned says that it is done.
    #[serde(rename = "maintenance.task.assignee_confirmed")]
    AssigneeConfirmed {
        /// Who.
        user_id: UserId,
    },
    /// Somebody began it.
    #[serde(rename = "maintenance.task.started")]
    Started,
    /// It cannot go on.
    #[serde(rename = "maintenance.task.blocked")]
    Blocked {
        /// Why.
        reason: String,
    },
    /// It goes on after it was blocked.
    #[serde(rename = "maintenance.task.resumed")]
    Resumed,
    /// It is done.
    #[serde(rename = "maintenance.task.completed")]
    Completed,
    /// It is not done after all, and goes on; whoever has confirmed it is to do so again.
    #[serde(rename = "maintenance.task.reopened")]
    Reopened {
        /// Why.
        reason: String,
    },
    /// It is not to be done.
    #[serde(rename = "maintenance.task.cancelled")]
    Cancelled {
        /// Why.
        reason: String,
    },
    /// It is due at another time.
    #[serde(rename = "maintenance.task.rescheduled")]
    Rescheduled {
        /// When it was due; null where it never was.
        from: Option<Timestamp>,
        /// When it is due; null for no time.
        due_at: Option<Timestamp>,
    },
    /// A later version of its schedule has another in its place.
    #[serde(rename = "maintenance.task.superseded")]
    Superseded {
        /// Which version.
        by_version: u32,
    },
    /// It is due soon, and those who are assigned are to hear of it.
    #[serde(rename = "maintenance.task.due_announced")]
    DueAnnounced {
        /// When.
        due_at: Timestamp,
    },
    /// It was due and is not done, and those who are assigned are to hear of it.
    #[serde(rename = "maintenance.task.overdue_announced")]
    OverdueAnnounced {
        /// When it was due.
        due_at: Timestamp,
    },
}

/// There is something to do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Created {
    /// What.
    pub title: String,
    /// What else there is to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<String>,
    /// On what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asset_id: Option<AssetId>,
    /// The unit that it belongs to, which was that of its asset; absent for the organisation as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit_id: Option<UnitId>,
    /// What it comes of, where that is a plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// By when it is to be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// How much it matters.
    pub priority: Priority,
    /// What it takes to complete it.
    pub requirements: Requirements,
}

/// What changed of a task.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Amended {
    /// What is to be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What else there is to say.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "said")]
    pub details: Option<Option<String>>,
    /// How much it matters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
}

/// What a task of a plan comes of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The schedule.
    pub schedule_id: MaintenanceScheduleId,
    /// The day that it is for.
    pub occurrence: Date,
    /// The version of the schedule that it was made by.
    pub version: u32,
}

/// How much a task matters.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    JsonSchema,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Priority {
    /// Whenever there is time.
    Low,
    /// As usual.
    #[default]
    Normal,
    /// Before others.
    High,
    /// At once.
    Urgent,
}

/// A member that is there, be it null.
#[expect(clippy::option_option, reason = "absent, empty and filled are three things")]
fn said<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl crate::aggregate::Event for Event {}
