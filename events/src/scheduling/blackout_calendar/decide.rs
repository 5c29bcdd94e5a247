//! The rules of a calendar of blackouts.

use super::{BlackoutCalendar, Command, Event, Status};
use crate::aggregate::{Class, Context, Decider};
use crate::ids::BlackoutId;
use crate::modules::Module;
use crate::scheduling::{Blackout, Recurring};
use crate::text::{self, Fault};

/// Longest name.
pub const NAME_MAX_CHARS: usize = 100;
/// Longest label of days.
pub const LABEL_MAX_CHARS: usize = 100;
/// Most entries of a calendar.
pub const BLACKOUTS_MAX_COUNT: usize = 500;
/// Most days of an entry that comes every year.
const YEARLY_MAX_DAYS: i32 = 365;

/// Why a calendar of blackouts refuses.
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
#[strum(serialize_all = "SCREAMING_SNAKE_CASE", prefix = "BLACKOUT_CALENDAR_")]
pub enum Rejection {
    /// There is no such calendar.
    #[error("there is no such calendar: define one")]
    Unknown,
    /// The calendar exists already.
    #[error("the calendar exists already: define another")]
    Exists,
    /// The calendar is retired.
    #[error("the calendar is retired: define another")]
    Retired,
    /// The name cannot be used.
    #[error("name {0}")]
    NameInvalid(Fault),
    /// The label of the days cannot be used.
    #[error("label {0}")]
    LabelInvalid(Fault),
    /// The days end before they begin, or reach over more than a year every year.
    #[error("to must not be before from, and within a year where it recurs: correct the days")]
    DaysInvalid,
    /// Another entry has that id.
    #[error("the calendar has another entry of that id: choose another id")]
    EntryExists,
    /// There is no such entry.
    #[error("the calendar has no such entry: look at its blackouts")]
    EntryUnknown,
    /// The calendar is full.
    #[error("a calendar holds at most {BLACKOUTS_MAX_COUNT} entries: remove one or define another")]
    Full,
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
            Self::Unknown | Self::EntryUnknown => Class::Absent,
            Self::NameInvalid(_) | Self::LabelInvalid(_) | Self::DaysInvalid => Class::Invalid,
            Self::Exists | Self::Retired | Self::EntryExists | Self::Full => Class::Conflict,
        }
    }

    fn pointer(&self) -> Option<&'static str> {
        match self {
            Self::NameInvalid(_) => Some("/name"),
            Self::LabelInvalid(_) => Some("/label"),
            Self::DaysInvalid => Some("/to"),
            Self::Unknown
            | Self::Exists
            | Self::Retired
            | Self::EntryExists
            | Self::EntryUnknown
            | Self::Full => None,
        }
    }
}

impl Decider for BlackoutCalendar {
    const TYPE: &'static str = "scheduling.blackout_calendar";
    const MODULE: Module = Module::Scheduling;
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;
    type Facts = ();

    fn decide(&self, command: Command, (): &(), _: &Context) -> Result<Vec<Event>, Rejection> {
        match (self.status, command) {
            (Status::Absent, Command::Define { name }) => {
                Ok(vec![Event::Defined { name: checked_name(&name)? }])
            }
            (
                Status::Absent,
                Command::Rename { .. }
                | Command::Add { .. }
                | Command::Remove { .. }
                | Command::Retire,
            ) => Err(Rejection::Unknown),
            (Status::Defined | Status::Retired, Command::Define { .. }) => Err(Rejection::Exists),
            (Status::Defined, Command::Rename { name }) => self.rename(&name),
            (Status::Defined, Command::Add { blackout_id, blackout }) => {
                self.add(blackout_id, &blackout)
            }
            (Status::Defined, Command::Remove { blackout_id }) => {
                if !self.blackouts.contains_key(&blackout_id) {
                    return Err(Rejection::EntryUnknown);
                }
                Ok(vec![Event::BlackoutRemoved { blackout_id }])
            }
            (Status::Defined, Command::Retire) => Ok(vec![Event::Retired]),
            (Status::Retired, Command::Retire) => Ok(vec![]),
            (
                Status::Retired,
                Command::Rename { .. } | Command::Add { .. } | Command::Remove { .. },
            ) => Err(Rejection::Retired),
        }
    }

    fn evolve(&mut self, event: &Event) {
        self.evolve(event);
    }
}

impl BlackoutCalendar {
    fn rename(&self, name: &str) -> Result<Vec<Event>, Rejection> {
        let name = checked_name(name)?;
        Ok(if name == self.name { vec![] } else { vec![Event::Renamed { name }] })
    }

    fn add(&self, blackout_id: BlackoutId, blackout: &Blackout) -> Result<Vec<Event>, Rejection> {
        let label =
            text::line(&blackout.label, LABEL_MAX_CHARS).map_err(Rejection::LabelInvalid)?;
        let blackout = Blackout { label, ..blackout.clone() };
        let days = blackout.from.duration_until(blackout.to).as_hours() / 24;
        let too_long = match blackout.recurring {
            Recurring::None => false,
            Recurring::Yearly => days >= i64::from(YEARLY_MAX_DAYS),
        };
        if days < 0 || too_long {
            return Err(Rejection::DaysInvalid);
        }
        match self.blackouts.get(&blackout_id) {
            Some(present) if *present == blackout => return Ok(vec![]),
            Some(_) => return Err(Rejection::EntryExists),
            None => {}
        }
        if self.blackouts.len() >= BLACKOUTS_MAX_COUNT {
            return Err(Rejection::Full);
        }
        Ok(vec![Event::BlackoutAdded { blackout_id, blackout }])
    }
}

fn checked_name(name: &str) -> Result<String, Rejection> {
    text::line(name, NAME_MAX_CHARS).map_err(Rejection::NameInvalid)
}
