//! A plan as its rules see it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::{Because, Event, RECORD_OCCURRENCE, Template};
use crate::ids::{BlackoutCalendarId, MaintenanceScheduleId, TaskId, UserId};
use crate::scheduling::trigger::{self, Target, Terms, VERSIONS_MAX_COUNT, Wanted};

/// Namespace of the ids of tasks that schedules make (RFC 9562, version 5).
const TASKS: Uuid = Uuid::from_u128(0x8c41_b7f2_60d9_5a3e_9f14_27c8_e05b_d613);
/// So many occurrences that are over are remembered: more than a lead can be ahead of by the day.
const CLOSED_MAX_COUNT: usize = 256;

/// The upkeep of one asset.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Its schedules, without those that were removed.
    pub schedules: BTreeMap<MaintenanceScheduleId, Schedule>,
}

/// Something to do now and then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// Where it stands.
    pub status: Status,
    /// Who answers for it.
    pub owned_by: UserId,
    /// Nothing occurs up to this moment.
    pub counts_from: Timestamp,
    /// What holds now, and what will from some moment on, in that order; some that are over as well.
    pub versions: Vec<Version>,
    /// The schedules that come before it.
    pub depends_on: BTreeSet<MaintenanceScheduleId>,
    /// What became of all its occurrences up to this moment is known.
    pub seen: Timestamp,
    /// When its last occurrence was due, once nothing of it is left to occur.
    pub last_due_at: Option<Timestamp>,
    /// The occurrences whose tasks are not over.
    pub open: BTreeMap<TaskId, Made>,
    /// The occurrences that wait for others.
    pub waiting: BTreeMap<TaskId, Made>,
    /// The last occurrences that were done or cancelled, by when they were due.
    pub closed: BTreeMap<Timestamp, Made>,
}

/// What a schedule says, after some moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// Its number, from 1.
    pub number: u32,
    /// It holds for what is later.
    pub after: Timestamp,
    /// What people call it.
    pub title: String,
    /// When there is something to do.
    pub terms: Terms,
    /// What.
    pub task: Template,
}

/// An occurrence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// The day that it is for.
    pub occurrence: Date,
    /// When it is due.
    pub due_at: Timestamp,
    /// The version that it is due by.
    pub version: u32,
}

/// Where a schedule stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Status {
    /// It occurs.
    Active,
    /// It does not for a while.
    Paused,
    /// Nothing of it is left to occur.
    Completed,
}

impl Schedule {
    /// What was decided last of it.
    pub fn latest(&self) -> Option<&Version> {
        self.versions.last()
    }

    /// What holds for an occurrence that is due then.
    pub fn version_at(&self, due_at: Timestamp) -> Option<&Version> {
        let known = self.versions.iter().rfind(|version| version.after < due_at);
        known.or(self.versions.first())
    }

    /// The versions as its trigger has them.
    pub(super) fn by_trigger(&self) -> Vec<trigger::Version> {
        let version = |version: &Version| trigger::Version {
            number: version.number,
            after: version.after,
            terms: version.terms.clone(),
        };
        self.versions.iter().map(version).collect()
    }
}

impl Plan {
    /// The task of an occurrence, always the same.
    pub fn task(schedule: MaintenanceScheduleId, due_at: Timestamp, version: u32) -> TaskId {
        TaskId(Uuid::new_v5(&TASKS, format!("{schedule}/{due_at}/{version}").as_bytes()))
    }

    /// What is wanted of the trigger of a schedule; nothing where it is to end.
    pub fn wanted(&self, schedule: MaintenanceScheduleId) -> Option<Wanted> {
        let schedule = self.schedules.get(&schedule)?;
        let args = Value::Object(serde_json::Map::new());
        Some(Wanted {
            name: schedule.latest()?.title.clone(),
            owned_by: schedule.owned_by,
            target: Target { command: RECORD_OCCURRENCE.into(), args },
            counts_from: schedule.counts_from,
            versions: schedule.by_trigger(),
            paused: schedule.status == Status::Paused,
        })
    }

    /// The calendars that its schedules look at.
    pub fn calendars(&self) -> impl Iterator<Item = BlackoutCalendarId> {
        let versions = self.schedules.values().flat_map(|schedule| &schedule.versions);
        versions.flat_map(|version| version.terms.modifiers.blackout_ids.iter().copied())
    }

    pub(super) fn evolve(&mut self, event: &Event) {
        match event {
            Event::ScheduleAdded {
                schedule_id,
                owned_by,
                title,
                terms,
                task,
                depends_on,
                counts_from,
            } => {
                let first = Version {
                    number: 1,
                    after: Timestamp::MIN,
                    title: title.clone(),
                    terms: terms.clone(),
                    task: task.clone(),
                };
                let added = Schedule::begun(*owned_by, first, depends_on, *counts_from);
                self.schedules.insert(*schedule_id, added);
            }
            Event::ScheduleRemoved { schedule_id, .. } => {
                self.schedules.remove(schedule_id);
            }
            Event::ScheduleRevised { schedule_id, .. }
            | Event::SchedulePaused { schedule_id }
            | Event::ScheduleResumed { schedule_id, .. }
            | Event::ScheduleCompleted { schedule_id, .. }
            | Event::DependenciesReplaced { schedule_id, .. }
            | Event::OccurrenceGenerated { schedule_id, .. }
            | Event::OccurrenceHeldBack { schedule_id, .. }
            | Event::OccurrenceWithdrawn { schedule_id, .. }
            | Event::OccurrenceLeftOut { schedule_id, .. }
            | Event::OccurrenceClosed { schedule_id, .. } => {
                if let Some(schedule) = self.schedules.get_mut(schedule_id) {
                    schedule.evolve(event);
                }
            }
        }
    }
}

impl Schedule {
    fn begun(
        owned_by: UserId,
        first: Version,
        depends_on: &[MaintenanceScheduleId],
        counts_from: Timestamp,
    ) -> Self {
        Self {
            status: Status::Active,
            owned_by,
            counts_from,
            versions: vec![first],
            depends_on: depends_on.iter().copied().collect(),
            seen: counts_from,
            last_due_at: None,
            open: BTreeMap::new(),
            waiting: BTreeMap::new(),
            closed: BTreeMap::new(),
        }
    }

    fn evolve(&mut self, event: &Event) {
        match event {
            // The plan itself adds and removes.
            Event::ScheduleAdded { .. } | Event::ScheduleRemoved { .. } => {}
            Event::ScheduleRevised { version, title, terms, task, effective_from, .. } => {
                self.revise(Version {
                    number: *version,
                    after: *effective_from,
                    title: title.clone(),
                    terms: terms.clone(),
                    task: task.clone(),
                });
            }
            Event::SchedulePaused { .. } => self.status = Status::Paused,
            Event::ScheduleResumed { counts_from, .. } => {
                self.status = Status::Active;
                self.seen = self.seen.max(*counts_from);
            }
            Event::ScheduleCompleted { last_due_at, .. } => {
                self.status = Status::Completed;
                self.last_due_at = *last_due_at;
            }
            Event::DependenciesReplaced { depends_on, .. } => {
                self.depends_on = depends_on.iter().copied().collect();
            }
            Event::OccurrenceGenerated { version, occurrence, due_at, task_id, .. } => {
                self.waiting.remove(task_id);
                self.open.insert(*task_id, made(*occurrence, *due_at, *version));
                self.seen = self.seen.max(*due_at);
            }
            Event::OccurrenceHeldBack { version, occurrence, due_at, task_id, .. } => {
                self.waiting.insert(*task_id, made(*occurrence, *due_at, *version));
                self.seen = self.seen.max(*due_at);
            }
            Event::OccurrenceWithdrawn { task_id, .. } => {
                self.waiting.remove(task_id);
            }
            Event::OccurrenceLeftOut { due_at, .. } => self.seen = self.seen.max(*due_at),
            Event::OccurrenceClosed { task_id, because, .. } => self.close(*task_id, *because),
        }
    }

    fn revise(&mut self, version: Version) {
        self.versions.retain(|known| known.after < version.after);
        self.seen = self.seen.min(version.after);
        self.versions.push(version);
        // One holds now, and the others wait for their moment.
        let over = self.versions.len().saturating_sub(VERSIONS_MAX_COUNT + 1);
        self.versions.drain(..over);
    }

    fn close(&mut self, task_id: TaskId, because: Because) {
        let Some(made) = self.open.remove(&task_id) else { return };
        match because {
            Because::Completed | Because::Cancelled => {
                self.closed.insert(made.due_at, made);
                if self.closed.len() > CLOSED_MAX_COUNT {
                    self.closed.pop_first();
                }
            }
            Because::Superseded => {}
        }
    }
}

fn made(occurrence: Date, due_at: Timestamp, version: u32) -> Made {
    Made { occurrence, due_at, version }
}
