//! When a trigger is due, through its versions; what becomes of what was due.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::{Event, Rejection, SkipReason, Trigger, Version, Wanted};
use crate::ids::BlackoutCalendarId;
use crate::scheduling::blackout_calendar::{BlackoutCalendar, Status};
use crate::scheduling::{
    Blackout, CATCH_UP_MAX, Fault, Misfire, Modifiers, Outcome, Reason, Schedule,
};

/// Whatever is later than this was missed.
pub const MISSED_AFTER: SignedDuration = SignedDuration::from_mins(1);
/// So many occurrences are settled at a time.
pub const DUE_MAX_COUNT: usize = 1_000;

/// What decisions about triggers need to know of other streams: the calendars that they name.
#[derive(Debug, Default)]
pub struct Facts {
    /// As they are now.
    pub calendars: BTreeMap<BlackoutCalendarId, Arc<BlackoutCalendar>>,
    /// What the record wants that the trigger belongs to; nothing where it is to end.
    pub wanted: Option<Wanted>,
}

impl Facts {
    /// The first of the calendars that closes no days, because it is unknown or retired.
    pub(super) fn missing(&self, modifiers: &Modifiers) -> Option<BlackoutCalendarId> {
        let closes = |id: &&BlackoutCalendarId| {
            let calendar = self.calendars.get(id);
            calendar.is_some_and(|calendar| calendar.status == Status::Defined)
        };
        modifiers.blackout_ids.iter().find(|id| !closes(id)).copied()
    }

    /// The days that the calendars close.
    pub fn blackouts(&self, modifiers: &Modifiers) -> Vec<(BlackoutCalendarId, Blackout)> {
        let known = modifiers.blackout_ids.iter().filter_map(|id| {
            let calendar = self.calendars.get(id)?;
            Some(calendar.closes().map(|blackout| (*id, blackout.clone())))
        });
        known.flatten().collect()
    }
}

/// When a trigger is due, through its versions.
#[derive(Debug)]
pub struct Plan {
    parts: Vec<Part>,
}

/// One version, and the period that it holds for.
#[derive(Debug)]
struct Part {
    number: u32,
    after: Timestamp,
    until: Timestamp,
    lead: SignedDuration,
    schedule: Schedule,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It is due then.
    At(Timestamp),
    /// It was looked for long enough without a result.
    Unknown,
    /// Nothing is left.
    Nothing,
}

impl Next {
    /// When it is due, if that is known.
    pub fn at(self) -> Option<Timestamp> {
        match self {
            Self::At(at) => Some(at),
            Self::Unknown | Self::Nothing => None,
        }
    }
}

impl Plan {
    /// What becomes of every occurrence after a moment, with the version that it is due by.
    pub fn after(&self, after: Timestamp) -> impl Iterator<Item = (u32, Outcome)> {
        self.parts.iter().filter(move |part| part.until > after).flat_map(move |part| {
            let occurrences = part.schedule.after(after.max(part.after));
            let within = occurrences.take_while(|outcome| outcome.at() <= part.until);
            within.map(|outcome| (part.number, outcome))
        })
    }

    /// When it happens for an occurrence: so much before as the version that it is due by says.
    pub fn happens_at(&self, occurrence: Timestamp) -> Timestamp {
        let part = self.parts.iter().rfind(|part| part.after < occurrence);
        let lead = part.map_or(SignedDuration::ZERO, |part| part.lead);
        occurrence.checked_sub(lead).unwrap_or(Timestamp::MIN)
    }

    /// What comes next after a moment.
    pub fn next(&self, after: Timestamp) -> Next {
        let mut gave_up = false;
        for part in self.parts.iter().filter(|part| part.until > after) {
            let mut occurrences = part.schedule.after(after.max(part.after));
            let mut within = occurrences.by_ref().take_while(|outcome| outcome.at() <= part.until);
            if let Some(at) = within.find_map(|outcome| outcome.runs()) {
                return Next::At(at);
            }
            gave_up |= occurrences.gave_up();
        }
        if gave_up { Next::Unknown } else { Next::Nothing }
    }
}

impl Trigger {
    /// When it is due, as far as it was decided.
    pub fn plan(&self, facts: &Facts) -> Result<Plan, Fault> {
        let ends = self.versions.iter().skip(1).map(|version| version.after);
        let ends = ends.chain([Timestamp::MAX]);
        let part = |(version, ends): (&Version, Timestamp)| {
            let terms = &version.terms;
            let begins = terms.starts_at.map(|at| at - SignedDuration::from_nanos(1));
            let blackouts = facts.blackouts(&terms.modifiers);
            let from = terms.starts_at.unwrap_or_default();
            Ok(Part {
                number: version.number,
                after: begins.unwrap_or(Timestamp::MIN).max(version.after),
                until: terms.ends_at.unwrap_or(Timestamp::MAX).min(ends),
                lead: terms.lead(),
                schedule: Schedule::new(&terms.spec, &terms.modifiers, blackouts, from)?,
            })
        };
        let parts = self.versions.iter().zip(ends).map(part);
        Ok(Plan { parts: parts.collect::<Result<_, Fault>>()? })
    }

    /// What becomes of the occurrences after a moment: so many that run, and those left out between them.
    pub fn upcoming(
        &self,
        facts: &Facts,
        period: (Timestamp, Timestamp),
        most: usize,
    ) -> Result<Vec<(u32, Outcome)>, Fault> {
        let (mut upcoming, mut runs) = (Vec::new(), 0);
        let left = self.terms().and_then(|terms| terms.max_fires);
        let left = left.map_or(usize::MAX, |most| {
            usize::try_from(most.saturating_sub(self.fires)).unwrap_or(usize::MAX)
        });
        if self.is_over() {
            return Ok(upcoming);
        }
        let plan = self.plan(facts)?;
        for one in plan.after(period.0).take_while(|(_, it)| it.at() <= period.1).take(most * 10) {
            if runs == most.min(left) {
                break;
            }
            runs += usize::from(one.1.runs().is_some());
            upcoming.push(one);
        }
        Ok(upcoming)
    }

    /// Whether it has happened as often as it may.
    pub(super) fn is_used_up(&self, fires: u64) -> bool {
        self.terms().and_then(|terms| terms.max_fires).is_some_and(|most| fires >= most)
    }

    /// What is left of a plan after a moment, when it has happened so often.
    pub(super) fn left(&self, plan: &Plan, after: Timestamp, fires: u64) -> Next {
        if self.is_used_up(fires) { Next::Nothing } else { plan.next(after) }
    }

    /// The occurrences that are due, one of them as told, and what becomes of them.
    pub(super) fn fired(
        &self,
        occurrence: Timestamp,
        plan: &Plan,
        now: Timestamp,
    ) -> Result<Vec<Event>, Rejection> {
        if occurrence <= self.settled {
            return Err(Rejection::Settled(self.settled));
        }
        let happens_at = plan.happens_at(occurrence);
        if happens_at > now {
            return Err(Rejection::NotDue(happens_at));
        }
        // In their order: an occurrence with a longer lead waits for those before it.
        let is_due = |outcome: &Outcome| plan.happens_at(outcome.at()) <= now;
        let due = plan.after(self.settled).take_while(|(_, outcome)| is_due(outcome));
        let mut due: Vec<(u32, Outcome)> = due.take(DUE_MAX_COUNT + 1).collect();
        if !due.iter().any(|(_, outcome)| outcome.runs() == Some(occurrence)) {
            return Err(Rejection::OccurrenceUnknown);
        }
        let more = due.len() > DUE_MAX_COUNT;
        if more {
            // The rest is due at once, and enough of it is left to make up for.
            due.truncate(DUE_MAX_COUNT - CATCH_UP_MAX as usize);
        }
        let fire = if more { Vec::new() } else { self.to_fire(&due, now) };
        let settled = due.into_iter().map(|(version, outcome)| match outcome {
            Outcome::Runs { at, .. } if fire.contains(&at) => Settled::Fires { at, version },
            Outcome::Runs { at, .. } => Settled::Skips { at, why: (SkipReason::Misfire, None) },
            Outcome::Skipped { at, reason, .. } => Settled::Skips { at, why: why(reason) },
        });
        Ok(self.events(settled, plan))
    }

    /// Which of those due happen. What is late for its lead alone was not missed: its own time is still to come.
    fn to_fire(&self, due: &[(u32, Outcome)], now: Timestamp) -> Vec<Timestamp> {
        let runs: Vec<Timestamp> = due.iter().filter_map(|(_, outcome)| outcome.runs()).collect();
        let missed = runs.iter().filter(|at| at.duration_until(now) > MISSED_AFTER).count();
        let made_up_for = match self.terms().map(|terms| terms.modifiers.misfire) {
            Some(Misfire::FireOnce) | None => usize::from(missed == runs.len()),
            Some(Misfire::Skip) => 0,
            Some(Misfire::CatchUp { most }) => most as usize,
        };
        runs[missed.saturating_sub(made_up_for)..].to_vec()
    }

    /// The events of what is settled, in its order, each with when it is due next.
    pub(super) fn events(&self, settled: impl Iterator<Item = Settled>, plan: &Plan) -> Vec<Event> {
        let (mut events, mut fires, mut until) = (Vec::<Event>::new(), self.fires, self.settled);
        for one in settled {
            if self.is_used_up(fires) {
                break;
            }
            until = until.max(one.at());
            fires += u64::from(matches!(one, Settled::Fires { .. }));
            one.add_to(&mut events);
        }
        let next = self.left(plan, until, fires);
        for event in &mut events {
            if let Event::Fired { next_at, .. } | Event::Skipped { next_at, .. } = event {
                *next_at = next.at();
            }
        }
        if next == Next::Nothing {
            events.push(Event::Completed);
        }
        events
    }
}

/// What becomes of one occurrence.
pub(super) enum Settled {
    Fires { at: Timestamp, version: u32 },
    Skips { at: Timestamp, why: (SkipReason, Option<String>) },
}

impl Settled {
    fn at(&self) -> Timestamp {
        match self {
            Self::Fires { at, .. } | Self::Skips { at, .. } => *at,
        }
    }

    /// Adds its event, or counts it to the last one that is of its kind.
    fn add_to(self, events: &mut Vec<Event>) {
        match self {
            Self::Fires { at, version } => events.push(Event::Fired {
                occurrence: at,
                version,
                crossings: None,
                reading: None,
                next_at: None,
            }),
            Self::Skips { at, why } => {
                if let Some(Event::Skipped { until, count, reason, label, .. }) = events.last_mut()
                    && (*reason, &*label) == (why.0, &why.1)
                {
                    (*until, *count) = (at, *count + 1);
                    return;
                }
                let (reason, label) = why;
                events.push(Event::Skipped {
                    occurrence: at,
                    until: at,
                    count: 1,
                    reason,
                    label,
                    next_at: None,
                });
            }
        }
    }
}

/// Why an occurrence is skipped, as it is recorded.
pub(super) fn why(reason: Reason) -> (SkipReason, Option<String>) {
    match reason {
        Reason::Weekend => (SkipReason::NonBusiness, None),
        Reason::Blackout { label, .. } => (SkipReason::Blackout, Some(label)),
        Reason::NonexistentDay { .. } | Reason::NonexistentTime => (SkipReason::Nonexistent, None),
    }
}
