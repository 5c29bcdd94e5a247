//! What can be asked of a task.

use jiff::Timestamp;
use uuid::Uuid;

use super::{Priority, Requirements, Source, Value};
use crate::ids::{AssetId, FileId, SubtaskId, TaskId, UnitId, UserId};
use crate::maintenance::asset::Level;

/// An intent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Begins its life.
    Create(Box<Create>),
    /// What whoever manages tasks asks.
    Manage(Manage),
    /// What whoever does it says of it.
    Work(Work),
    /// What our own workers say of it.
    Report(Report),
}

/// What whoever manages tasks asks of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Manage {
    /// Corrects what is known of it.
    Change(Change),
    /// Says who is to do it.
    SetAssignees {
        /// All of them.
        user_ids: Vec<UserId>,
    },
    /// Gives a part of it a name of its own.
    AddSubtask(AddSubtask),
    /// Corrects a subtask.
    ChangeSubtask {
        /// Which.
        subtask_id: SubtaskId,
        /// How.
        change: ChangeSubtask,
    },
    /// Takes a subtask away, and all below it.
    RemoveSubtask {
        /// Which.
        subtask_id: SubtaskId,
    },
    /// Says what it takes to complete it.
    DefineRequirements {
        /// All of it.
        requirements: Requirements,
    },
    /// Says which tasks come before it.
    SetPrerequisites {
        /// All of them.
        task_ids: Vec<TaskId>,
    },
    /// It is due at another time.
    Reschedule {
        /// When; nothing for no time.
        due_at: Option<Timestamp>,
    },
    /// It is not to be done.
    Cancel {
        /// Why.
        reason: String,
    },
}

/// What whoever does a task says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// A subtask is done.
    CompleteSubtask {
        /// Which.
        subtask_id: SubtaskId,
    },
    /// A subtask is not done after all.
    ReopenSubtask {
        /// Which.
        subtask_id: SubtaskId,
    },
    /// An item of the checklist is done, or is not after all.
    Tick {
        /// Which.
        item_id: Uuid,
        /// Whether it is done.
        ticked: bool,
    },
    /// A picture shows what was done.
    AttachPhoto {
        /// The file.
        file_id: FileId,
    },
    /// A picture does not belong to it any more.
    DetachPhoto {
        /// The file.
        file_id: FileId,
    },
    /// Something was found out.
    RecordCriterion {
        /// By which criterion.
        criterion_id: Uuid,
        /// What.
        value: Value,
    },
    /// The caller, who is assigned, says that it is done.
    Confirm,
    /// Begins the work, or goes on with it.
    Start,
    /// The work cannot go on.
    Block {
        /// Why.
        reason: String,
    },
    /// It is done.
    Complete,
    /// It is not done after all.
    Reopen {
        /// Why.
        reason: String,
    },
}

/// What our own workers say of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    /// A later version of its schedule has another in its place.
    Supersede {
        /// Which version.
        by_version: u32,
    },
    /// It is due soon, or was due.
    Announce {
        /// When it is due as far as they know.
        due_at: Timestamp,
        /// Whether that has passed.
        overdue: bool,
    },
}

/// Begins the life of a task.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Create {
    /// What is to be done.
    pub title: String,
    /// What else there is to say.
    pub details: Option<String>,
    /// On what.
    pub asset_id: Option<AssetId>,
    /// The unit that it belongs to, which is that of its asset; none for the organisation as a whole.
    pub unit_id: Option<UnitId>,
    /// What it comes of, where that is a plan; for our own workers.
    pub source: Option<Source>,
    /// By when it is to be done.
    pub due_at: Option<Timestamp>,
    /// How much it matters.
    pub priority: Priority,
    /// What it takes to complete it.
    pub requirements: Requirements,
    /// Who is to do it.
    pub assignees: Vec<UserId>,
    /// Which tasks come before it.
    pub prerequisites: Vec<TaskId>,
}

/// Corrects a task; what is absent stays, and what is there without a value is taken away.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// What is to be done.
    pub title: Option<String>,
    /// What else there is to say.
    pub details: Option<Option<String>>,
    /// How much it matters.
    pub priority: Option<Priority>,
}

/// Gives a part of a task a name of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AddSubtask {
    /// The part.
    pub subtask_id: SubtaskId,
    /// The part that it is a part of; none for the task itself.
    pub parent_id: Option<SubtaskId>,
    /// What is to be done.
    pub title: String,
    /// Whether the whole is not done without it.
    pub mandatory: bool,
    /// Who of those that are assigned to the task is to do it.
    pub assignees: Vec<UserId>,
}

/// Corrects a subtask; what is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChangeSubtask {
    /// What is to be done.
    pub title: Option<String>,
    /// The part that it is a part of; none within for the task itself.
    pub parent_id: Option<Option<SubtaskId>>,
    /// Who of those that are assigned to the task is to do it.
    pub assignees: Option<Vec<UserId>>,
}

impl Command {
    /// How far somebody must be let in to give it. Where it begins a task, the permission there is asked for instead.
    pub fn needs(&self) -> Level {
        match self {
            Self::Work(_) => Level::Work,
            Self::Create(_) | Self::Manage(_) | Self::Report(_) => Level::Manage,
        }
    }

    /// Whether our own workers alone give it.
    pub(super) fn is_for_workers(&self) -> bool {
        match self {
            Self::Report(_) => true,
            Self::Create(create) => create.source.is_some(),
            Self::Manage(_) | Self::Work(_) => false,
        }
    }
}
