//! Why a trigger refuses.

use jiff::Timestamp;

use crate::aggregate::Class;
use crate::ids::BlackoutCalendarId;
use crate::scheduling;
use crate::text::Fault;

/// Longest name.
pub const NAME_MAX_CHARS: usize = 100;
/// Longest name of a command.
pub const COMMAND_MAX_CHARS: usize = 128;
/// Most bytes of what the command is told.
pub const ARGS_MAX_BYTES: usize = 8_192;
/// Most revisions that wait for their moment.
pub const VERSIONS_MAX_COUNT: usize = 8;
/// Most seconds by which it happens before an occurrence is due: 90 days.
pub const LEAD_MAX_SECS: u64 = 90 * 24 * 3_600;

/// Why a trigger refuses.
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
#[strum(serialize_all = "SCREAMING_SNAKE_CASE", prefix = "TRIGGER_")]
pub enum Rejection {
    /// There is no such trigger.
    #[default]
    #[error("there is no such trigger: create one")]
    Unknown,
    /// The trigger exists already.
    #[error("the trigger exists already: create another")]
    Exists,
    /// Nobody is there on whose behalf it happens.
    #[error("a trigger belongs to a user: create it as one")]
    OwnerMissing,
    /// Somebody else wants to say what it does.
    #[error("a trigger acts for its owner, who alone says what it does: create another")]
    NotOwner,
    /// The name cannot be used.
    #[error("name {0}")]
    NameInvalid(Fault),
    /// What it leads to is not well formed.
    #[error(
        "target must name a command and hold an object of at most {ARGS_MAX_BYTES} bytes as args"
    )]
    TargetInvalid,
    /// The recurrence cannot be kept.
    #[error("spec cannot be kept, {0}")]
    SpecInvalid(scheduling::Fault),
    /// The period or the number of times is empty.
    #[error("ends_at must be after starts_at, and max_fires above 0: correct them")]
    PeriodInvalid,
    /// Nothing of it would ever happen.
    #[error("no occurrence lies ahead: correct spec, starts_at, ends_at or max_fires")]
    NothingAhead,
    /// A calendar is not known, or retired.
    #[error("there is no calendar {0} that closes days: correct blackout_ids")]
    CalendarUnknown(BlackoutCalendarId),
    /// A revision counts from a moment on that is over.
    #[error("effective_from is over: choose a moment ahead")]
    RevisionInPast,
    /// Too many revisions wait for their moment.
    #[error("at most {VERSIONS_MAX_COUNT} revisions wait for their moment: wait for the next")]
    TooManyRevisions,
    /// A trigger by usage becomes one by time, or the other way round.
    #[error("what counts usage stays so, and what goes by time as well: create another trigger")]
    KindFixed,
    /// It is over.
    #[error("the trigger is {0}: create another")]
    Finished(&'static str),
    /// It is paused.
    #[error("the trigger is paused: resume it first")]
    Paused,
    /// The occurrence is settled.
    #[error("everything up to {0} is settled: leave it")]
    Settled(Timestamp),
    /// The time has not come.
    #[error("the occurrence is due at {0}: wait until then")]
    NotDue(Timestamp),
    /// There is no such occurrence.
    #[error("the trigger has no such occurrence: look at its occurrences")]
    OccurrenceUnknown,
    /// A counter goes forward.
    #[error("reading is less than {0} before: a counter only grows")]
    ReadingInvalid(u64),
    /// It does not go by usage.
    #[error("the trigger goes by time: record usage on one that counts it")]
    NotByUsage,
    /// It cannot happen so long before.
    #[error(
        "lead_secs is at most {LEAD_MAX_SECS}, and none where usage is counted: correct or leave it out"
    )]
    LeadInvalid,
    /// Something else says how it goes on with it.
    #[error("the trigger belongs to a schedule of upkeep: change the schedule of the same id")]
    Managed,
    /// It does not belong to what says so.
    #[error("the trigger does not belong to that: create another")]
    NotManaged,
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
            Self::Unknown => Class::Absent,
            Self::OwnerMissing | Self::NotOwner => Class::Forbidden,
            Self::NameInvalid(_)
            | Self::TargetInvalid
            | Self::SpecInvalid(_)
            | Self::PeriodInvalid
            | Self::NothingAhead
            | Self::CalendarUnknown(_)
            | Self::RevisionInPast
            | Self::OccurrenceUnknown
            | Self::ReadingInvalid(_)
            | Self::LeadInvalid => Class::Invalid,
            Self::Exists
            | Self::TooManyRevisions
            | Self::KindFixed
            | Self::Finished(_)
            | Self::Paused
            | Self::Settled(_)
            | Self::NotDue(_)
            | Self::NotByUsage
            | Self::Managed
            | Self::NotManaged => Class::Conflict,
        }
    }

    fn pointer(&self) -> Option<&'static str> {
        match self {
            Self::NameInvalid(_) => Some("/name"),
            Self::TargetInvalid | Self::NotOwner => Some("/target"),
            Self::SpecInvalid(_) | Self::NothingAhead | Self::KindFixed => Some("/spec"),
            Self::PeriodInvalid => Some("/ends_at"),
            Self::CalendarUnknown(_) => Some("/modifiers/blackout_ids"),
            Self::RevisionInPast => Some("/effective_from"),
            Self::OccurrenceUnknown | Self::Settled(_) | Self::NotDue(_) => Some("/occurrence"),
            Self::ReadingInvalid(_) => Some("/reading"),
            Self::LeadInvalid => Some("/lead_secs"),
            Self::Unknown
            | Self::Exists
            | Self::OwnerMissing
            | Self::TooManyRevisions
            | Self::Finished(_)
            | Self::Paused
            | Self::NotByUsage
            | Self::Managed
            | Self::NotManaged => None,
        }
    }
}
