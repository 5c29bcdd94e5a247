//! What can be asked of a plan.

use jiff::Timestamp;

use super::{Because, Template};
use crate::ids::{MaintenanceScheduleId, TaskId};
use crate::scheduling::trigger::Terms;
use crate::scheduling::{Modifiers, Spec};

/// An intent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Adds a schedule.
    Add(Box<Add>),
    /// Changes a schedule, from a moment on.
    Revise(Box<Revise>),
    /// Lets nothing of a schedule occur for a while.
    Pause {
        /// Which.
        schedule_id: MaintenanceScheduleId,
    },
    /// Goes on with a schedule; what was due meanwhile is not made up for.
    Resume {
        /// Which.
        schedule_id: MaintenanceScheduleId,
    },
    /// Takes a schedule away; the tasks that it made stay.
    Remove {
        /// Which.
        schedule_id: MaintenanceScheduleId,
    },
    /// Says which schedules come before one.
    SetDependencies {
        /// The one.
        schedule_id: MaintenanceScheduleId,
        /// All of those.
        depends_on: Vec<MaintenanceScheduleId>,
    },
    /// The time of an occurrence has come; our own workers say so.
    RecordOccurrence {
        /// Of which schedule.
        schedule_id: MaintenanceScheduleId,
        /// When it is due.
        due_at: Timestamp,
    },
    /// Occurrences do not happen, and the trigger says why; our own workers say so.
    RecordSkip {
        /// Of which schedule.
        schedule_id: MaintenanceScheduleId,
        /// The last of them.
        until: Timestamp,
    },
    /// The task of an occurrence is over; our own workers say so.
    RecordEnd {
        /// Of which schedule.
        schedule_id: MaintenanceScheduleId,
        /// The task.
        task_id: TaskId,
        /// How it ended.
        because: Because,
    },
    /// Nothing of a schedule is left to occur; our own workers say so.
    Complete {
        /// Of which.
        schedule_id: MaintenanceScheduleId,
        /// When its last occurrence was due.
        last_due_at: Option<Timestamp>,
    },
    /// The asset is retired; our own workers say so.
    End,
}

/// Adds a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Add {
    /// The schedule, whose trigger will have the same id.
    pub schedule_id: MaintenanceScheduleId,
    /// What people call it.
    pub title: String,
    /// When there is something to do.
    pub terms: Terms,
    /// What there is to do.
    pub task: Template,
    /// The schedules that come before it.
    pub depends_on: Vec<MaintenanceScheduleId>,
}

/// Changes a schedule; what is absent stays, and what is there without a value is taken away.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Revise {
    /// Which.
    pub schedule_id: MaintenanceScheduleId,
    /// What people call it.
    pub title: Option<String>,
    /// When it recurs.
    pub spec: Option<Spec>,
    /// What holds for every occurrence.
    pub modifiers: Option<Modifiers>,
    /// Nothing occurs after it.
    pub ends_at: Option<Option<Timestamp>>,
    /// So often it occurs at most.
    pub max_fires: Option<Option<u64>>,
    /// So many seconds before it is due a task is made.
    pub lead_secs: Option<Option<u64>>,
    /// What there is to do.
    pub task: Option<Template>,
    /// The schedules that come before it.
    pub depends_on: Option<Vec<MaintenanceScheduleId>>,
    /// Occurrences up to this moment keep what holds now; the present where none is given.
    pub effective_from: Option<Timestamp>,
}
