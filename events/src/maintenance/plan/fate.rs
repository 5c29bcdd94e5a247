//! What becomes of a task that is there already when its schedule is revised.

use jiff::civil::Time;
use jiff::{SignedDuration, Timestamp};

use super::{Made, Schedule, Version};
use crate::scheduling::trigger::{self, Trigger};
use crate::scheduling::zone;

/// What becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It stays as it is.
    Stays,
    /// It is due at another time of its day.
    Moves {
        /// When.
        due_at: Timestamp,
    },
    /// A later version has another in its place, or none.
    IsSuperseded {
        /// Which version.
        by_version: u32,
    },
}

impl Schedule {
    /// What becomes of the task of an occurrence by the versions there are now. Nothing becomes of one that somebody began, that is
    /// over, or that is due before the version which made it ended.
    pub fn fate(&self, made: &Made, is_untouched: bool, calendars: &trigger::Facts) -> Fate {
        let Some(version) = self.version_at(made.due_at) else { return Fate::Stays };
        let is_meant = version.number > made.version && made.due_at > version.after;
        if !is_untouched || !is_meant {
            return Fate::Stays;
        }
        let superseded = Fate::IsSuperseded { by_version: version.number };
        let before = self.versions.iter().find(|known| known.number == made.version);
        let is_same_work = before.is_some_and(|before| before.task == version.task);
        match self.still_due(made, version, calendars).filter(|_| is_same_work) {
            Some(due_at) if due_at == made.due_at => Fate::Stays,
            Some(due_at) => Fate::Moves { due_at },
            None => superseded,
        }
    }

    /// When it is due by a version on the same day, if it is.
    fn still_due(
        &self,
        made: &Made,
        version: &Version,
        calendars: &trigger::Facts,
    ) -> Option<Timestamp> {
        let zone = zone(&version.terms.modifiers.time_zone).ok()?;
        let midnight = made.occurrence.to_datetime(Time::midnight());
        let begins = zone.to_ambiguous_timestamp(midnight).compatible().ok()?;
        let before = begins.checked_sub(SignedDuration::from_nanos(1)).ok()?;
        let trigger = Trigger { versions: self.by_trigger(), ..Trigger::default() };
        let next = trigger.plan(calendars).ok()?.next(before.max(version.after)).at()?;
        (zone.to_datetime(next).date() == made.occurrence).then_some(next)
    }
}
