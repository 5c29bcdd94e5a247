//! A calendar of blackouts as its rules see it.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::Event;
use crate::ids::BlackoutId;
use crate::scheduling::{Blackout, Recurring};

/// Days on which nothing is to happen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlackoutCalendar {
    /// Whether it counts.
    pub status: Status,
    /// What people call it.
    pub name: String,
    /// The days, by entry.
    pub blackouts: BTreeMap<BlackoutId, Blackout>,
}

/// Where a calendar stands in its life.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It does not exist.
    #[default]
    Absent,
    /// Its days are closed.
    Defined,
    /// They are not any more.
    Retired,
}

/// Some days of a calendar, as they are shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Which entry it is.
    pub blackout_id: BlackoutId,
    /// The first day.
    pub from: Date,
    /// The last day.
    pub to: Date,
    /// What they are, for people.
    pub label: String,
    /// Whether they come again.
    pub recurring: Recurring,
}

impl Entry {
    /// An entry of a calendar.
    pub fn new(blackout_id: BlackoutId, blackout: &Blackout) -> Self {
        let Blackout { from, to, label, recurring } = blackout.clone();
        Self { blackout_id, from, to, label, recurring }
    }
}

impl BlackoutCalendar {
    /// Its days, by when they are first.
    pub fn entries(&self) -> Vec<Entry> {
        let entries = self.blackouts.iter().map(|(id, blackout)| Entry::new(*id, blackout));
        let mut entries: Vec<Entry> = entries.collect();
        entries.sort_by_key(|entry| (entry.from, entry.blackout_id));
        entries
    }

    /// The days that it closes.
    pub fn closes(&self) -> impl Iterator<Item = &Blackout> {
        let counts = self.status == Status::Defined;
        self.blackouts.values().filter(move |_| counts)
    }

    pub(super) fn evolve(&mut self, event: &Event) {
        match event {
            Event::Defined { name } => {
                let (status, name) = (Status::Defined, name.clone());
                *self = Self { status, name, ..Self::default() };
            }
            Event::Renamed { name } => self.name.clone_from(name),
            Event::BlackoutAdded { blackout_id, blackout } => {
                self.blackouts.insert(*blackout_id, blackout.clone());
            }
            Event::BlackoutRemoved { blackout_id } => {
                self.blackouts.remove(blackout_id);
            }
            Event::Retired => self.status = Status::Retired,
        }
    }
}
