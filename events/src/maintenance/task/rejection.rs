//! Why a task refuses.

use jiff::Timestamp;
use uuid::Uuid;

use super::{Missing, Status, ValueKind};
use crate::aggregate::Class;
use crate::ids::{SubtaskId, TaskId, UserId};
use crate::maintenance::asset::Level;
use crate::text::Fault;

/// Longest title of a task or of a part of it.
pub const TITLE_MAX_CHARS: usize = 200;
/// Longest details.
pub const DETAILS_MAX_CHARS: usize = 4_000;
/// Longest reason.
pub const REASON_MAX_CHARS: usize = 500;
/// Longest text of an item of a checklist, and longest label of a criterion.
pub const LABEL_MAX_CHARS: usize = 200;
/// Longest text that is recorded for a criterion.
pub const VALUE_MAX_CHARS: usize = 500;
/// Most users who are assigned.
pub const ASSIGNEES_MAX_COUNT: usize = 50;
/// Most subtasks.
pub const SUBTASKS_MAX_COUNT: usize = 200;
/// Most levels of subtasks.
pub const SUBTASK_LEVELS_MAX_COUNT: usize = 5;
/// Most items of a checklist.
pub const CHECKLIST_MAX_COUNT: usize = 50;
/// Most criteria.
pub const CRITERIA_MAX_COUNT: usize = 50;
/// Most photos.
pub const PHOTOS_MAX_COUNT: usize = 50;
/// Most tasks that come right before one.
pub const PREREQUISITES_MAX_COUNT: usize = 20;
/// So many tasks are looked at, at most, to find out whether a task would come before itself.
pub const FORERUNNERS_MAX_COUNT: usize = 100;

/// Why a task refuses.
#[derive(
    Debug,
    Clone,
    Default,
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
#[strum(serialize_all = "SCREAMING_SNAKE_CASE", prefix = "TASK_")]
pub enum Rejection {
    /// There is no such task, or the caller may not know of it.
    #[default]
    #[error("there is no such task: create one, or have yourself assigned")]
    Unknown,
    /// The task exists already.
    #[error("the task exists already: create another")]
    Exists,
    /// The caller is not let in so far.
    #[error(
        "this takes the level {0} with the task: ask for a role where it belongs that lets you {0} tasks"
    )]
    BeyondLevel(Level),
    /// The caller is not assigned.
    #[error("only those who are assigned do this: have yourself assigned")]
    NotAssignee,
    /// Our own workers alone do this.
    #[error(
        "our own workers alone do this, for plans: create, cancel or reschedule the task instead"
    )]
    WorkersOnly,
    /// The title cannot be used.
    #[error("title {0}")]
    TitleInvalid(Fault),
    /// The details cannot be used.
    #[error("details {0}")]
    DetailsInvalid(Fault),
    /// The reason cannot be used.
    #[error("reason {0}")]
    ReasonInvalid(Fault),
    /// There is no such asset.
    #[error("asset_id names no asset: choose one that there is, or none")]
    AssetUnknown,
    /// The asset is retired.
    #[error("the asset is retired and takes no new tasks: choose another, or none")]
    AssetRetired,
    /// The unit is not that of the asset.
    #[error("unit_id is not the unit of the asset: leave it out")]
    UnitMismatch,
    /// There is no such unit.
    #[error("there is no such unit: choose one of the organisation's, or none")]
    UnitUnknown,
    /// The unit is closed.
    #[error("the unit is closed: choose another")]
    UnitClosed,
    /// The task would be assigned to too many.
    #[error("a task has at most {ASSIGNEES_MAX_COUNT} assignees: name fewer")]
    AssigneesFull,
    /// The task would be assigned to somebody who is not there.
    #[error("there is no active user {0}: correct the assignees")]
    AssigneeUnknown(UserId),
    /// Too many tasks would come before it.
    #[error("at most {PREREQUISITES_MAX_COUNT} tasks come right before a task: name fewer")]
    PrerequisitesFull,
    /// The task would come before itself.
    #[error("a task does not come before itself: name others")]
    PrerequisiteItself,
    /// There is no such task to come before it, or the caller may not know of it.
    #[error("there is no task {0}: choose one that there is")]
    PrerequisiteUnknown(TaskId),
    /// The tasks would wait for one another.
    #[error("{0} waits for this task already: leave it out, or unlink the tasks in between")]
    PrerequisiteCyclic(TaskId),
    /// Too many tasks come before that one to tell whether this one is among them.
    #[error(
        "more than {FORERUNNERS_MAX_COUNT} tasks come before {0} and the others: link fewer of them"
    )]
    PrerequisiteUnclear(TaskId),
    /// The task has no such subtask.
    #[error("the task has no such subtask: look at its subtasks")]
    SubtaskUnknown,
    /// The subtask exists already.
    #[error("the task has a subtask of this id already: give it another")]
    SubtaskExists,
    /// The task has too many subtasks.
    #[error("a task has at most {SUBTASKS_MAX_COUNT} subtasks: create another task")]
    SubtasksFull,
    /// The subtasks would have too many levels.
    #[error("subtasks have at most {SUBTASK_LEVELS_MAX_COUNT} levels: add it further up")]
    SubtaskTooDeep,
    /// What it would be part of is not there.
    #[error("parent_id names no subtask of the task: choose one that there is, or none")]
    SubtaskParentUnknown,
    /// What it would be part of is done.
    #[error("parent_id names a subtask that is done: reopen that first")]
    SubtaskParentDone,
    /// It would be part of itself.
    #[error("parent_id names the subtask itself or a part of it: choose another")]
    SubtaskBelowItself,
    /// It would be done by somebody who is not assigned to the task.
    #[error("{0} is not assigned to the task: assign them to it first")]
    SubtaskAssigneeInvalid(UserId),
    /// Mandatory parts of it are not done.
    #[error("{} mandatory parts of the subtask are not done: complete those first", .0.len())]
    SubtaskChildrenOpen(Vec<SubtaskId>),
    /// The checklist is too long.
    #[error("a checklist has at most {CHECKLIST_MAX_COUNT} items: shorten it")]
    ChecklistFull,
    /// There are too many criteria.
    #[error("a task has at most {CRITERIA_MAX_COUNT} criteria: give fewer")]
    CriteriaFull,
    /// Too many photos would be required.
    #[error("photos_min is at most {PHOTOS_MAX_COUNT}: ask for fewer")]
    PhotosMinInvalid,
    /// Two requirements have the same id.
    #[error("two requirements have the id {0}: give each its own")]
    RequiredTwice(Uuid),
    /// The text of an item cannot be used.
    #[error("text {0}")]
    ItemInvalid(Fault),
    /// The label of a criterion cannot be used.
    #[error("label {0}")]
    LabelInvalid(Fault),
    /// A criterion compares what cannot be compared.
    #[error(
        "the criterion {0} has an op or a value that its type does not have: a bool has eq and ne, a number eq, ne, lt, lte, gt and gte with a text such as \"12.5\", a text eq, ne and contains; an op needs a value"
    )]
    CriterionInvalid(Uuid),
    /// The checklist has no such item.
    #[error("the checklist has no such item: look at the requirements")]
    ItemUnknown,
    /// The task has no such criterion.
    #[error("the task has no such criterion: look at the requirements")]
    CriterionUnknown,
    /// The value is not of the kind that the criterion records.
    #[error(
        "value must be a {0}: true or false for a bool, a text such as \"12.5\" for a number, one line for a text"
    )]
    ValueInvalid(ValueKind),
    /// There is no such file that the caller could attach.
    #[error(
        "file_id names no stored file of yours: upload one, or choose one that is about the task"
    )]
    PhotoUnknown,
    /// The file is held back.
    #[error("the file is held back: attach another")]
    PhotoHeld,
    /// The file is no picture.
    #[error("the file is no picture: attach a picture")]
    PhotoNotPicture,
    /// The task has too many photos.
    #[error("a task has at most {PHOTOS_MAX_COUNT} photos: detach one first")]
    PhotosFull,
    /// The file is not attached.
    #[error("the task has no such photo: look at its photos")]
    PhotoNotAttached,
    /// Nobody has begun it.
    #[error("the task is not started: start it first")]
    NotStarted,
    /// It cannot go on.
    #[error("the task is blocked: start it again first")]
    Blocked,
    /// It is not completed.
    #[error("the task is not completed, so there is nothing to reopen: go on with it")]
    NotCompleted,
    /// It is completed.
    #[error("the task is completed: reopen it first")]
    Completed,
    /// It is not due yet.
    #[error("the task is not due: say so from {0} on")]
    NotDue(Timestamp),
    /// Somebody has begun it, so its plan leaves it alone.
    #[error("the task is started, and plans leave it alone: let it be completed or cancelled")]
    Started,
    /// It is not to be done any more.
    #[error("the task is {0}: create another")]
    Over(Status),
    /// Something is missing.
    #[error("the task is not complete: {0}")]
    Incomplete(Box<Missing>),
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
            Self::Unknown
            | Self::SubtaskUnknown
            | Self::ItemUnknown
            | Self::CriterionUnknown
            | Self::PhotoNotAttached => Class::Absent,
            Self::BeyondLevel(_) | Self::NotAssignee | Self::WorkersOnly => Class::Forbidden,
            Self::TitleInvalid(_)
            | Self::DetailsInvalid(_)
            | Self::ReasonInvalid(_)
            | Self::AssetUnknown
            | Self::UnitMismatch
            | Self::UnitUnknown
            | Self::AssigneesFull
            | Self::AssigneeUnknown(_)
            | Self::PrerequisitesFull
            | Self::PrerequisiteItself
            | Self::PrerequisiteUnknown(_)
            | Self::PrerequisiteCyclic(_)
            | Self::PrerequisiteUnclear(_)
            | Self::SubtaskTooDeep
            | Self::SubtaskParentUnknown
            | Self::SubtaskBelowItself
            | Self::SubtaskAssigneeInvalid(_)
            | Self::ChecklistFull
            | Self::CriteriaFull
            | Self::PhotosMinInvalid
            | Self::RequiredTwice(_)
            | Self::ItemInvalid(_)
            | Self::LabelInvalid(_)
            | Self::CriterionInvalid(_)
            | Self::ValueInvalid(_)
            | Self::PhotoUnknown
            | Self::PhotoNotPicture => Class::Invalid,
            Self::Exists
            | Self::AssetRetired
            | Self::UnitClosed
            | Self::SubtaskExists
            | Self::SubtasksFull
            | Self::SubtaskParentDone
            | Self::SubtaskChildrenOpen(_)
            | Self::PhotoHeld
            | Self::PhotosFull
            | Self::NotStarted
            | Self::Blocked
            | Self::NotCompleted
            | Self::Completed
            | Self::NotDue(_)
            | Self::Started
            | Self::Over(_)
            | Self::Incomplete(_) => Class::Conflict,
        }
    }

    fn pointer(&self) -> Option<&'static str> {
        match self {
            Self::TitleInvalid(_) => Some("/title"),
            Self::DetailsInvalid(_) => Some("/details"),
            Self::ReasonInvalid(_) => Some("/reason"),
            Self::AssetUnknown | Self::AssetRetired => Some("/asset_id"),
            Self::UnitMismatch | Self::UnitUnknown | Self::UnitClosed => Some("/unit_id"),
            Self::AssigneesFull | Self::AssigneeUnknown(_) | Self::SubtaskAssigneeInvalid(_) => {
                Some("/assignees")
            }
            Self::PrerequisitesFull
            | Self::PrerequisiteItself
            | Self::PrerequisiteUnknown(_)
            | Self::PrerequisiteCyclic(_)
            | Self::PrerequisiteUnclear(_) => Some("/prerequisites"),
            Self::SubtaskTooDeep
            | Self::SubtaskParentUnknown
            | Self::SubtaskParentDone
            | Self::SubtaskBelowItself => Some("/parent_id"),
            Self::ChecklistFull | Self::ItemInvalid(_) => Some("/requirements/checklist"),
            Self::CriteriaFull | Self::LabelInvalid(_) | Self::CriterionInvalid(_) => {
                Some("/requirements/criteria")
            }
            Self::RequiredTwice(_) => Some("/requirements"),
            Self::PhotosMinInvalid => Some("/requirements/photos_min"),
            Self::ValueInvalid(_) => Some("/value"),
            Self::PhotoUnknown | Self::PhotoHeld | Self::PhotoNotPicture | Self::PhotosFull => {
                Some("/file_id")
            }
            Self::Unknown
            | Self::Exists
            | Self::BeyondLevel(_)
            | Self::NotAssignee
            | Self::WorkersOnly
            | Self::SubtaskUnknown
            | Self::SubtaskExists
            | Self::SubtasksFull
            | Self::SubtaskChildrenOpen(_)
            | Self::ItemUnknown
            | Self::CriterionUnknown
            | Self::PhotoNotAttached
            | Self::NotStarted
            | Self::Blocked
            | Self::NotCompleted
            | Self::Completed
            | Self::NotDue(_)
            | Self::Started
            | Self::Over(_)
            | Self::Incomplete(_) => None,
        }
    }
}
