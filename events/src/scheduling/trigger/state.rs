//! A trigger as its rules see it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Event, Target, Terms};
use crate::ids::{BlackoutCalendarId, UserId};
use crate::scheduling::Subject;

/// So many occurrences wait for what their commands come to; of more, the first are given up.
pub const OWED_MAX_COUNT: usize = 256;

/// Something that happens when its time has come.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trigger {
    /// Where it stands.
    pub status: Status,
    /// What people call it.
    pub name: String,
    /// On whose behalf it happens.
    pub owned_by: UserId,
    /// What it leads to.
    pub target: Target,
    /// What holds now, and what will from some moment on, in that order.
    pub versions: Vec<Version>,
    /// How often it has happened.
    pub fires: u64,
    /// Everything up to this moment is settled.
    pub settled: Timestamp,
    /// The occurrence that happened last.
    pub last_fired: Option<Timestamp>,
    /// Where the counter stood when it happened last.
    pub reading: u64,
    /// When it is due next, as planned last.
    pub next_at: Option<Timestamp>,
    /// The occurrences whose commands have not come to anything yet.
    pub owed: BTreeSet<Timestamp>,
    /// What it belongs to.
    pub managed_by: Option<Subject>,
}

/// When a trigger happens, after some moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// Its number, from 1.
    pub number: u32,
    /// It holds for what is later.
    pub after: Timestamp,
    /// When.
    pub terms: Terms,
}

/// Where a trigger stands in its life.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Status {
    /// It does not exist.
    #[default]
    Absent,
    /// It happens.
    Active,
    /// It does not for a while.
    Paused,
    /// Nothing of it is left to happen.
    Completed,
    /// It was ended.
    Cancelled,
}

impl Trigger {
    /// What was decided last about when it happens.
    pub fn terms(&self) -> Option<&Terms> {
        self.versions.last().map(|version| &version.terms)
    }

    /// Whether nothing will happen any more.
    pub fn is_over(&self) -> bool {
        match self.status {
            Status::Active | Status::Paused => false,
            Status::Absent | Status::Completed | Status::Cancelled => true,
        }
    }

    /// The calendars that it looks at.
    pub fn calendars(&self) -> impl Iterator<Item = BlackoutCalendarId> {
        let terms = self.versions.iter().map(|version| &version.terms);
        terms.flat_map(|terms| terms.modifiers.blackout_ids.iter().copied())
    }

    pub(super) fn evolve(&mut self, event: &Event) {
        match event {
            Event::Created { name, owned_by, target, terms, counts_from, next_at, managed_by } => {
                let after = Timestamp::MIN;
                *self = Self {
                    status: Status::Active,
                    name: name.clone(),
                    owned_by: *owned_by,
                    target: target.clone(),
                    versions: vec![Version { number: 1, after, terms: terms.clone() }],
                    settled: *counts_from,
                    next_at: *next_at,
                    managed_by: managed_by.clone(),
                    ..Self::default()
                };
            }
            Event::Renamed { name } => self.name.clone_from(name),
            Event::Retargeted { target } => self.target.clone_from(target),
            Event::Revised { version, terms, effective_from, next_at } => {
                self.versions.retain(|known| known.after < *effective_from);
                let (number, after) = (*version, *effective_from);
                self.versions.push(Version { number, after, terms: terms.clone() });
                // What a lead let happen before its time is settled by another version now.
                self.settled = self.settled.min(*effective_from);
                self.next_at = *next_at;
            }
            Event::Paused => {
                self.status = Status::Paused;
                self.next_at = None;
            }
            Event::Resumed { counts_from, next_at } => {
                self.status = Status::Active;
                self.settle(*counts_from, *next_at);
            }
            Event::Replanned { next_at } => self.next_at = *next_at,
            Event::Fired { occurrence, reading, next_at, .. } => {
                self.fires += 1;
                self.last_fired = Some(*occurrence);
                // What it belongs to does by itself what follows.
                if self.managed_by.is_none() {
                    self.owed.insert(*occurrence);
                }
                if self.owed.len() > OWED_MAX_COUNT {
                    self.owed.pop_first();
                }
                self.reading = reading.unwrap_or(self.reading);
                self.settle(*occurrence, *next_at);
            }
            Event::Skipped { until, next_at, .. } => self.settle(*until, *next_at),
            Event::CommandSucceeded { occurrence, .. }
            | Event::CommandRefused { occurrence, .. } => {
                self.owed.remove(occurrence);
            }
            Event::Cancelled => self.end(Status::Cancelled),
            Event::Completed => self.end(Status::Completed),
        }
    }

    fn settle(&mut self, until: Timestamp, next_at: Option<Timestamp>) {
        self.settled = self.settled.max(until);
        self.next_at = next_at;
        // A version is over when all that it holds for is settled.
        let over = self.versions.iter().filter(|version| version.after <= self.settled).count();
        self.versions.drain(..over.saturating_sub(1));
    }

    fn end(&mut self, status: Status) {
        self.status = status;
        self.next_at = None;
    }
}
