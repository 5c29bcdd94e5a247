//! Why a plan refuses.

use serde_json::{Map, Value};

use crate::aggregate::{Class, values};
use crate::ids::{MaintenanceScheduleId, UserId};
use crate::maintenance::task;
use crate::scheduling::trigger;
use crate::text::Fault;

/// Longest title of a schedule; that of its trigger as well.
pub const TITLE_MAX_CHARS: usize = trigger::NAME_MAX_CHARS;
/// Most schedules of an asset.
pub const SCHEDULES_MAX_COUNT: usize = 50;
/// Most occurrences of a schedule that are not over; of more there are no tasks.
pub const OPEN_MAX_COUNT: usize = 100;

/// Why a plan refuses.
#[derive(
    Debug,
    Clone,
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
#[strum(serialize_all = "SCREAMING_SNAKE_CASE", prefix = "SCHEDULE_")]
pub enum Rejection {
    /// There is no such schedule, or the caller may not know of it.
    #[error("there is no such schedule: add one, or ask for a role in the unit of its asset")]
    Unknown,
    /// There is no such asset, or the caller may not know of its plan.
    #[error("there is no such asset: register one, or ask for a role in its unit")]
    AssetUnknown,
    /// The caller may see the plan of the asset and not change it.
    #[error("this takes maintenance.plans:manage in the unit of the asset: ask for a role there")]
    NotManager,
    /// The asset is retired.
    #[error("the asset is retired and takes no schedules: choose another")]
    AssetRetired,
    /// The schedule exists already.
    #[error("the schedule exists already: add another")]
    Exists,
    /// Nobody is there who answers for it.
    #[error("a schedule belongs to a user: add it as one")]
    OwnerMissing,
    /// The asset has too many schedules.
    #[error("an asset has at most {SCHEDULES_MAX_COUNT} schedules: remove one")]
    PlanFull,
    /// The title of the schedule cannot be used.
    #[error("title {0}")]
    TitleInvalid(Fault),
    /// The title of its tasks cannot be used.
    #[error("task.title {0}")]
    TaskTitleInvalid(Fault),
    /// What else there is to say of its tasks cannot be used.
    #[error("task.details {0}")]
    DetailsInvalid(Fault),
    /// Too many are to do its tasks.
    #[error("task.assignees names at most {} users: name fewer", task::ASSIGNEES_MAX_COUNT)]
    AssigneesFull,
    /// Somebody is named twice.
    #[error("task.assignees names the user {0} twice: name everybody once")]
    AssigneeTwice(UserId),
    /// Somebody is not there.
    #[error("task.assignees names {0}, who is no active user: correct it")]
    AssigneeUnknown(UserId),
    /// What it takes to complete its tasks is refused as tasks refuse it.
    #[error(transparent)]
    Requirements(#[from] task::Rejection),
    /// When it recurs is refused as triggers refuse it.
    #[error(transparent)]
    Terms(#[from] trigger::Rejection),
    /// It counts something that is not the asset.
    #[error("a schedule by usage counts its own asset: name that as spec.subject")]
    SubjectElsewhere,
    /// A schedule that is to come before it is none of the asset's.
    #[error("depends_on names {0}, which is no schedule of the asset: correct it")]
    DependencyUnknown(MaintenanceScheduleId),
    /// It would come before itself.
    #[error(
        "depends_on names {0}, which comes after the schedule or is the schedule: leave it out"
    )]
    DependencyCyclic(MaintenanceScheduleId),
    /// Nothing of it is left to occur.
    #[error("nothing of the schedule is left to occur: add another")]
    Finished,
}

impl crate::aggregate::Rejection for Rejection {
    fn code(&self) -> &'static str {
        match self {
            Self::Requirements(refused) => refused.code(),
            Self::Terms(refused) => refused.code(),
            Self::Unknown
            | Self::AssetUnknown
            | Self::NotManager
            | Self::AssetRetired
            | Self::Exists
            | Self::OwnerMissing
            | Self::PlanFull
            | Self::TitleInvalid(_)
            | Self::TaskTitleInvalid(_)
            | Self::DetailsInvalid(_)
            | Self::AssigneesFull
            | Self::AssigneeTwice(_)
            | Self::AssigneeUnknown(_)
            | Self::SubjectElsewhere
            | Self::DependencyUnknown(_)
            | Self::DependencyCyclic(_)
            | Self::Finished => self.into(),
        }
    }

    fn every() -> Vec<crate::aggregate::Refusal> {
        crate::aggregate::refusals::<Self>()
    }

    fn class(&self) -> Class {
        match self {
            Self::Unknown | Self::AssetUnknown => Class::Absent,
            Self::NotManager | Self::OwnerMissing => Class::Forbidden,
            Self::TitleInvalid(_)
            | Self::TaskTitleInvalid(_)
            | Self::DetailsInvalid(_)
            | Self::AssigneesFull
            | Self::AssigneeTwice(_)
            | Self::AssigneeUnknown(_)
            | Self::SubjectElsewhere
            | Self::DependencyUnknown(_)
            | Self::DependencyCyclic(_) => Class::Invalid,
            Self::AssetRetired | Self::Exists | Self::PlanFull | Self::Finished => Class::Conflict,
            Self::Requirements(refused) => refused.class(),
            Self::Terms(refused) => refused.class(),
        }
    }

    fn params(&self) -> Map<String, Value> {
        if let Self::Requirements(refused) = self {
            refused.params()
        } else if let Self::Terms(refused) = self {
            refused.params()
        } else {
            values(self)
        }
    }

    fn pointer(&self) -> Option<&'static str> {
        match self {
            Self::AssetUnknown | Self::AssetRetired => Some("/asset_id"),
            Self::TitleInvalid(_) => Some("/title"),
            Self::TaskTitleInvalid(_) => Some("/task/title"),
            Self::DetailsInvalid(_) => Some("/task/details"),
            Self::AssigneesFull | Self::AssigneeTwice(_) | Self::AssigneeUnknown(_) => {
                Some("/task/assignees")
            }
            Self::Requirements(_) => Some("/task/requirements"),
            Self::Terms(refused) => refused.pointer(),
            Self::SubjectElsewhere => Some("/spec/subject"),
            Self::DependencyUnknown(_) | Self::DependencyCyclic(_) => Some("/depends_on"),
            Self::Unknown
            | Self::NotManager
            | Self::Exists
            | Self::OwnerMissing
            | Self::PlanFull
            | Self::Finished => None,
        }
    }
}
