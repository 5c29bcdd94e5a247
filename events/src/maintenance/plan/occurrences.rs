//! The occurrences of schedules: each has a task, waits for one, or is left out.

use jiff::Timestamp;

use super::dependencies::Ahead;
use super::{
    Because, Event, Facts, LeftOut, Made, OPEN_MAX_COUNT, Plan, Schedule, Status, Version,
};
use crate::ids::{MaintenanceScheduleId, TaskId};

impl Plan {
    /// The trigger says so, so it counts though the schedule was paused or completed since. Of what was removed nothing follows.
    pub(super) fn occur(
        &self,
        schedule_id: MaintenanceScheduleId,
        due_at: Timestamp,
        facts: &Facts,
    ) -> Vec<Event> {
        let Some((schedule, version)) = self.due(schedule_id, due_at) else { return vec![] };
        let Some(occurrence) = schedule.day_of(due_at) else { return vec![] };
        let task_id = Self::task(schedule_id, due_at, version.number);
        if schedule.open.contains_key(&task_id) || schedule.waiting.contains_key(&task_id) {
            return vec![];
        }
        let made = Made { occurrence, due_at, version: version.number };
        if let Some(because) = schedule.leaves_out(&made, version) {
            let left_out = Event::OccurrenceLeftOut { schedule_id, due_at, because };
            return self.with_releases(vec![left_out], facts);
        }
        let version = version.number;
        let waits_for = self.holding(schedule, occurrence, &Ahead::of(self, facts));
        let event = if waits_for.is_empty() {
            Event::OccurrenceGenerated { schedule_id, version, occurrence, due_at, task_id }
        } else {
            Event::OccurrenceHeldBack {
                schedule_id,
                version,
                occurrence,
                due_at,
                task_id,
                waits_for,
            }
        };
        self.with_releases(vec![event], facts)
    }

    fn due(
        &self,
        schedule: MaintenanceScheduleId,
        due_at: Timestamp,
    ) -> Option<(&Schedule, &Version)> {
        let schedule = self.schedules.get(&schedule)?;
        Some((schedule, schedule.version_at(due_at)?))
    }

    /// What was skipped is not waited for.
    pub(super) fn skip(
        &self,
        schedule_id: MaintenanceScheduleId,
        until: Timestamp,
        facts: &Facts,
    ) -> Vec<Event> {
        let is_news = self.schedules.get(&schedule_id).is_some_and(|known| known.seen < until);
        if !is_news {
            return vec![];
        }
        let because = LeftOut::Skipped;
        let left_out = Event::OccurrenceLeftOut { schedule_id, due_at: until, because };
        self.with_releases(vec![left_out], facts)
    }

    pub(super) fn close(
        &self,
        schedule_id: MaintenanceScheduleId,
        (task_id, because): (TaskId, Because),
        facts: &Facts,
    ) -> Vec<Event> {
        let schedule = self.schedules.get(&schedule_id);
        let Some(made) = schedule.and_then(|it| it.open.get(&task_id)) else { return vec![] };
        let occurrence = made.occurrence;
        let closed = Event::OccurrenceClosed { schedule_id, occurrence, task_id, because };
        self.with_releases(vec![closed], facts)
    }

    pub(super) fn complete(
        &self,
        schedule_id: MaintenanceScheduleId,
        last_due_at: Option<Timestamp>,
        facts: &Facts,
    ) -> Vec<Event> {
        let Some(schedule) = self.schedules.get(&schedule_id) else { return vec![] };
        match schedule.status {
            Status::Completed => vec![],
            Status::Active | Status::Paused => self
                .with_releases(vec![Event::ScheduleCompleted { schedule_id, last_due_at }], facts),
        }
    }

    /// What waits and is due after a moment is withdrawn.
    pub(super) fn withdrawn(
        &self,
        schedule_id: MaintenanceScheduleId,
        after: Timestamp,
    ) -> impl Iterator<Item = Event> {
        let waiting = self.schedules.get(&schedule_id).map(|schedule| &schedule.waiting);
        let waiting = waiting.into_iter().flatten().filter(move |(_, made)| made.due_at > after);
        waiting.map(move |(task_id, made)| Event::OccurrenceWithdrawn {
            schedule_id,
            occurrence: made.occurrence,
            task_id: *task_id,
        })
    }

    /// The plan once these events have happened.
    pub(super) fn after(&self, events: &[Event]) -> Self {
        let mut then = self.clone();
        for event in events {
            then.evolve(event);
        }
        then
    }
}

impl Schedule {
    /// Why there is no task for an occurrence, if there is none.
    fn leaves_out(&self, made: &Made, version: &Version) -> Option<LeftOut> {
        let is_same_day = |other: &&Made| other.occurrence == made.occurrence;
        let left = || self.open.values().chain(self.waiting.values());
        // A revision lets the trigger go through what a lead was ahead of once more.
        let was_done = |other: &Made| {
            other.due_at == made.due_at
                || (is_same_day(&other)
                    && other.version < version.number
                    && other.due_at > version.after)
        };
        if left().any(|other| is_same_day(&other)) {
            Some(LeftOut::AlreadyOpen)
        } else if self.closed.values().any(was_done) {
            Some(LeftOut::AlreadyDone)
        } else {
            (left().count() >= OPEN_MAX_COUNT).then_some(LeftOut::TooManyOpen)
        }
    }
}
