//! What can have happened to a plan.

use jiff::Timestamp;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SCHEDULE;
use crate::aggregate::Claim;
use crate::ids::{MaintenanceScheduleId, TaskId, UserId};
use crate::maintenance::task::{Priority, Requirements};
use crate::scheduling::trigger::Terms;

/// A fact about a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
pub enum Event {
    /// There is something to do now and then.
    #[serde(rename = "maintenance.plan.schedule_added")]
    ScheduleAdded {
        /// The schedule, whose trigger has the same id.
        schedule_id: MaintenanceScheduleId,
        /// Who answers for it.
        owned_by: UserId,
        /// What people call it.
        title: String,
        /// When.
        terms: Terms,
        /// What.
        task: Template,
        /// The schedules that come before it.
        depends_on: Vec<MaintenanceScheduleId>,
        /// Nothing occurs up to this moment.
        counts_from: Timestamp,
    },
    /// There is something else to do, or at other times, from a moment on.
    #[serde(rename = "maintenance.plan.schedule_revised")]
    ScheduleRevised {
        /// The schedule.
        schedule_id: MaintenanceScheduleId,
        /// The number of the version, from 2 on.
        version: u32,
        /// What people call it.
        title: String,
        /// When.
        terms: Terms,
        /// What.
        task: Template,
        /// Occurrences up to this moment keep the version they had.
        effective_from: Timestamp,
    },
    /// Nothing of it occurs for a while.
    #[serde(rename = "maintenance.plan.schedule_paused")]
    SchedulePaused {
        /// The schedule.
        schedule_id: MaintenanceScheduleId,
    },
    /// It goes on.
    #[serde(rename = "maintenance.plan.schedule_resumed")]
    ScheduleResumed {
        /// The schedule.
        schedule_id: MaintenanceScheduleId,
        /// What was due up to this moment is not made up for.
        counts_from: Timestamp,
    },
    /// Nothing of it is left to occur.
    #[serde(rename = "maintenance.plan.schedule_completed")]
    ScheduleCompleted {
        /// The schedule.
        schedule_id: MaintenanceScheduleId,
        /// When its last occurrence was due; null where it never had one.
        last_due_at: Option<Timestamp>,
    },
    /// It is not part of the plan any more; the tasks that it made are.
    #[serde(rename = "maintenance.plan.schedule_removed")]
    ScheduleRemoved {
        /// The schedule.
        schedule_id: MaintenanceScheduleId,
        /// Why.
        because: Removal,
    },
    /// Other schedules come before it.
    #[serde(rename = "maintenance.plan.dependencies_replaced")]
    DependenciesReplaced {
        /// The schedule.
        schedule_id: MaintenanceScheduleId,
        /// All that come before it.
        depends_on: Vec<MaintenanceScheduleId>,
    },
    /// Its time has come, and there is to be a task.
    #[serde(rename = "maintenance.plan.occurrence_generated")]
    OccurrenceGenerated {
        /// The schedule.
        schedule_id: MaintenanceScheduleId,
        /// The version that it is due by.
        version: u32,
        /// The day that it is for.
        occurrence: Date,
        /// When it is due.
        due_at: Timestamp,
        /// The task.
        task_id: TaskId,
    },
    /// Its time has come, and there will be a task once nothing before it is left to do.
    #[serde(rename = "maintenance.plan.occurrence_held_back")]
    OccurrenceHeldBack {
        /// The schedule.
        schedule_id: MaintenanceScheduleId,
        /// The version that it is due by.
        version: u32,
        /// The day that it is for.
        occurrence: Date,
        /// When it is due.
        due_at: Timestamp,
        /// The task that there will be.
        task_id: TaskId,
        /// The schedules that it waits for.
        waits_for: Vec<MaintenanceScheduleId>,
    },
    /// What waited will not be done: another version of the schedule holds by then, or none.
    #[serde(rename = "maintenance.plan.occurrence_withdrawn")]
    OccurrenceWithdrawn {
        /// The schedule.
        schedule_id: MaintenanceScheduleId,
        /// The day that it was for.
        occurrence: Date,
        /// The task that there would have been.
        task_id: TaskId,
    },
    /// Its time has come, and there is no task of its own.
    #[serde(rename = "maintenance.plan.occurrence_left_out")]
    OccurrenceLeftOut {
        /// The schedule.
        schedule_id: MaintenanceScheduleId,
        /// When it was due.
        due_at: Timestamp,
        /// Why.
        because: LeftOut,
    },
    /// Its task is over.
    #[serde(rename = "maintenance.plan.occurrence_closed")]
    OccurrenceClosed {
        /// The schedule.
        schedule_id: MaintenanceScheduleId,
        /// The day that it was for.
        occurrence: Date,
        /// The task.
        task_id: TaskId,
        /// How it ended.
        because: Because,
    },
}

/// What there is to do when an occurrence is due.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// What is to be done.
    pub title: String,
    /// What else there is to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<String>,
    /// How much it matters.
    #[serde(default)]
    pub priority: Priority,
    /// What it takes to complete it.
    #[serde(default)]
    pub requirements: Requirements,
    /// Who is to do it.
    #[serde(default)]
    pub assignees: Vec<UserId>,
}

/// Declares a closed list of words that are stored.
macro_rules! words {
    ($($(#[$meta:meta])* $name:ident { $($(#[$of:meta])* $variant:ident),+ $(,)? })+) => {$(
        $(#[$meta])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema,
            strum::VariantArray, strum::IntoStaticStr,
        )]
        #[serde(rename_all = "snake_case")]
        #[strum(serialize_all = "snake_case")]
        pub enum $name { $($(#[$of])* $variant),+ }
    )+};
}

words! {
    /// How the task of an occurrence ended.
    Because {
        /// It was done.
        Completed,
        /// It is not to be done.
        Cancelled,
        /// A later version of the schedule has another in its place.
        Superseded,
    }

    /// Why a schedule is not part of the plan any more.
    Removal {
        /// Somebody wanted it so.
        Requested,
        /// The asset is not used any more.
        AssetRetired,
    }

    /// Why an occurrence has no task of its own.
    LeftOut {
        /// The task of that day is not over.
        AlreadyOpen,
        /// That of an earlier version was over before its time.
        AlreadyDone,
        /// Too many tasks of the schedule are not over.
        TooManyOpen,
        /// Its trigger skipped it, and says why.
        Skipped,
    }
}

impl crate::aggregate::Event for Event {
    fn claims(&self, _: &str) -> Vec<Claim> {
        match self {
            Self::ScheduleAdded { schedule_id, .. } => {
                vec![Claim::take(SCHEDULE, schedule_id.to_string())]
            }
            Self::ScheduleRevised { .. }
            | Self::SchedulePaused { .. }
            | Self::ScheduleResumed { .. }
            | Self::ScheduleCompleted { .. }
            | Self::ScheduleRemoved { .. }
            | Self::DependenciesReplaced { .. }
            | Self::OccurrenceGenerated { .. }
            | Self::OccurrenceHeldBack { .. }
            | Self::OccurrenceWithdrawn { .. }
            | Self::OccurrenceLeftOut { .. }
            | Self::OccurrenceClosed { .. } => Vec::new(),
        }
    }
}

impl Event {
    /// The schedule that it is about.
    pub fn schedule(&self) -> MaintenanceScheduleId {
        match self {
            Self::ScheduleAdded { schedule_id, .. }
            | Self::ScheduleRevised { schedule_id, .. }
            | Self::SchedulePaused { schedule_id }
            | Self::ScheduleResumed { schedule_id, .. }
            | Self::ScheduleCompleted { schedule_id, .. }
            | Self::ScheduleRemoved { schedule_id, .. }
            | Self::DependenciesReplaced { schedule_id, .. }
            | Self::OccurrenceGenerated { schedule_id, .. }
            | Self::OccurrenceHeldBack { schedule_id, .. }
            | Self::OccurrenceWithdrawn { schedule_id, .. }
            | Self::OccurrenceLeftOut { schedule_id, .. }
            | Self::OccurrenceClosed { schedule_id, .. } => *schedule_id,
        }
    }
}
