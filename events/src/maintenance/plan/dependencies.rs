//! What comes before what: schedules of one plan, without going round in a circle, and the occurrences that wait for each other.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;

use super::{Event, Facts, Plan, Rejection, Schedule, Status};
use crate::ids::MaintenanceScheduleId;
use crate::scheduling::trigger::{self, Trigger};
use crate::scheduling::zone;

impl Plan {
    /// The schedules that are to come before one, each once, if it does not come before one of them.
    pub(super) fn checked_dependencies(
        &self,
        of: MaintenanceScheduleId,
        named: &[MaintenanceScheduleId],
    ) -> Result<Vec<MaintenanceScheduleId>, Rejection> {
        let named: BTreeSet<MaintenanceScheduleId> = named.iter().copied().collect();
        for one in &named {
            if *one == of || self.comes_after(*one, of) {
                return Err(Rejection::DependencyCyclic(*one));
            }
            if !self.schedules.contains_key(one) {
                return Err(Rejection::DependencyUnknown(*one));
            }
        }
        Ok(named.into_iter().collect())
    }

    /// Whether one schedule comes after another, be it through others.
    fn comes_after(&self, one: MaintenanceScheduleId, other: MaintenanceScheduleId) -> bool {
        let (mut to_look_at, mut seen) = (vec![one], BTreeSet::new());
        while let Some(id) = to_look_at.pop() {
            if !seen.insert(id) {
                continue;
            }
            let before = self.schedules.get(&id).map(|schedule| &schedule.depends_on);
            for before in before.into_iter().flatten() {
                if *before == other {
                    return true;
                }
                to_look_at.push(*before);
            }
        }
        false
    }

    pub(super) fn set_dependencies(
        &self,
        schedule_id: MaintenanceScheduleId,
        named: &[MaintenanceScheduleId],
    ) -> Result<Vec<Event>, Rejection> {
        let schedule = self.known(schedule_id)?;
        let depends_on = self.checked_dependencies(schedule_id, named)?;
        let same = schedule.depends_on.iter().eq(depends_on.iter());
        let replaced = Event::DependenciesReplaced { schedule_id, depends_on };
        Ok(if same { vec![] } else { vec![replaced] })
    }

    /// The schedules whose occurrences one of a day waits for: they have one up to that day that is not over, or that is still to come.
    pub(super) fn holding(
        &self,
        schedule: &Schedule,
        day: Date,
        ahead: &Ahead,
    ) -> Vec<MaintenanceScheduleId> {
        let holds = |id: &&MaintenanceScheduleId| {
            let Some(before) = self.schedules.get(id) else { return false };
            let left = before.open.values().chain(before.waiting.values());
            left.map(|made| made.occurrence).chain(ahead.day(**id)).any(|of| of <= day)
        };
        schedule.depends_on.iter().filter(holds).copied().collect()
    }

    /// The events, and those by which what waited goes on because of them.
    pub(super) fn with_releases(&self, mut events: Vec<Event>, facts: &Facts) -> Vec<Event> {
        let then = self.after(&events);
        if then.schedules.values().all(|schedule| schedule.waiting.is_empty()) {
            return events;
        }
        // What goes on is not over, so it lets nothing go on that waits for it.
        let ahead = Ahead::of(&then, facts);
        for (schedule_id, schedule) in &then.schedules {
            for (task_id, made) in &schedule.waiting {
                if then.holding(schedule, made.occurrence, &ahead).is_empty() {
                    events.push(Event::OccurrenceGenerated {
                        schedule_id: *schedule_id,
                        version: made.version,
                        occurrence: made.occurrence,
                        due_at: made.due_at,
                        task_id: *task_id,
                    });
                }
            }
        }
        events
    }
}

/// The day of the next occurrence of each schedule that comes before another, as far as its trigger has not said that its time has come.
/// Triggers of one moment say so in any order, so what is still to come counts as much as what is there.
pub(super) struct Ahead(BTreeMap<MaintenanceScheduleId, Date>);

impl Ahead {
    pub(super) fn of(plan: &Plan, facts: &Facts) -> Self {
        let before: BTreeSet<&MaintenanceScheduleId> =
            plan.schedules.values().flat_map(|schedule| &schedule.depends_on).collect();
        let day = |id: &MaintenanceScheduleId| {
            let schedule = plan.schedules.get(id)?;
            let due_at = schedule.next(&facts.calendars)?;
            Some((*id, schedule.day_of(due_at)?))
        };
        Self(before.into_iter().filter_map(day).collect())
    }

    fn day(&self, schedule: MaintenanceScheduleId) -> Option<Date> {
        self.0.get(&schedule).copied()
    }
}

impl Schedule {
    /// When its next occurrence is due of which nothing is known yet.
    fn next(&self, calendars: &trigger::Facts) -> Option<Timestamp> {
        // What a trigger said last may be heard after it said that it is at its end.
        let until = match self.status {
            Status::Active => Timestamp::MAX,
            Status::Paused => return None,
            Status::Completed => self.last_due_at?,
        };
        let trigger = Trigger { versions: self.by_trigger(), ..Trigger::default() };
        let next = trigger.plan(calendars).ok()?.next(self.seen).at();
        next.filter(|due_at| *due_at <= until)
    }

    /// The day that an occurrence is for.
    pub(super) fn day_of(&self, due_at: Timestamp) -> Option<Date> {
        let name = &self.version_at(due_at)?.terms.modifiers.time_zone;
        Some(zone(name).ok()?.to_datetime(due_at).date())
    }
}
