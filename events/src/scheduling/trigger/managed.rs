//! A trigger that belongs to a record: what the record wants is brought about, whatever of it the trigger was told before.

use jiff::{SignedDuration, Timestamp};

use super::{Command, Event, Facts, Next, Rejection, Status, Target, Terms, Trigger, Version};
use crate::aggregate::ActorKind;
use crate::ids::{BlackoutCalendarId, UserId};
use crate::scheduling::Subject;

/// What a record wants of a trigger that belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// What people call it.
    pub name: String,
    /// On whose behalf it happens.
    pub owned_by: UserId,
    /// What it leads to.
    pub target: Target,
    /// Nothing happens up to this moment.
    pub counts_from: Timestamp,
    /// When it happens, by versions in the order of their numbers; there is at least one.
    pub versions: Vec<Version>,
    /// Whether it does not for a while.
    pub paused: bool,
}

impl Wanted {
    /// The calendars that it looks at.
    pub fn calendars(&self) -> impl Iterator<Item = BlackoutCalendarId> {
        let versions = self.versions.iter();
        versions.flat_map(|version| version.terms.modifiers.blackout_ids.iter().copied())
    }
}

impl Command {
    /// Whether only the record says so that a trigger belongs to, where it belongs to one. Its counter is read by our own workers alone.
    pub(super) fn is_for_whom_it_belongs_to(&self, caller: ActorKind) -> bool {
        match self {
            Self::Revise(_) | Self::Pause | Self::Resume | Self::Skip { .. } | Self::Cancel => true,
            Self::RecordUsage { .. } => caller == ActorKind::User,
            Self::Create(_)
            | Self::RecordFire { .. }
            | Self::RecordAnswer { .. }
            | Self::Replan
            | Self::Follow { .. } => false,
        }
    }
}

impl Terms {
    /// How much before an occurrence is due it happens.
    pub fn lead(&self) -> SignedDuration {
        let secs = self.lead_secs.and_then(|secs| i64::try_from(secs).ok());
        SignedDuration::from_secs(secs.unwrap_or_default())
    }
}

impl Trigger {
    pub(super) fn follow(
        &self,
        managed_by: &Subject,
        facts: &Facts,
        now: Timestamp,
    ) -> Result<Vec<Event>, Rejection> {
        let is_there = self.status != Status::Absent;
        if is_there && self.managed_by.as_ref() != Some(managed_by) {
            return Err(Rejection::NotManaged);
        }
        let Some(wanted) = &facts.wanted else {
            return Ok(is_there.then_some(Event::Cancelled).into_iter().collect());
        };
        let mut then = self.clone();
        let mut events = Vec::new();
        if !is_there {
            let Some(first) = wanted.versions.first() else { return Ok(events) };
            then.come_to(&mut events, begun(wanted, first, managed_by));
        }
        if then.name != wanted.name {
            then.come_to(&mut events, Event::Renamed { name: wanted.name.clone() });
        }
        let known = then.versions.last().map_or(0, |version| version.number);
        for later in wanted.versions.iter().filter(|version| version.number > known) {
            then.come_to(&mut events, revised(later));
        }
        if wanted.paused && then.status == Status::Active {
            then.come_to(&mut events, Event::Paused);
        } else if !wanted.paused && then.status == Status::Paused {
            events.extend(then.resume(facts, now)?);
        }
        if events.is_empty() {
            return Ok(events);
        }
        then.planned(events, facts)
    }

    /// The events with when it is due next once all of them have happened.
    fn planned(&self, mut events: Vec<Event>, facts: &Facts) -> Result<Vec<Event>, Rejection> {
        if self.status != Status::Active {
            return Ok(events);
        }
        let next = self.ahead(facts, self.settled)?;
        for event in &mut events {
            if let Event::Created { next_at, .. } | Event::Revised { next_at, .. } = event {
                *next_at = next.at();
            }
        }
        let ends = next == Next::Nothing;
        Ok(if ends { self.with_end(events, next) } else { events })
    }

    fn come_to(&mut self, events: &mut Vec<Event>, event: Event) {
        self.evolve(&event);
        events.push(event);
    }
}

fn begun(wanted: &Wanted, first: &Version, managed_by: &Subject) -> Event {
    Event::Created {
        name: wanted.name.clone(),
        owned_by: wanted.owned_by,
        target: wanted.target.clone(),
        terms: first.terms.clone(),
        counts_from: wanted.counts_from,
        next_at: None,
        managed_by: Some(managed_by.clone()),
    }
}

fn revised(version: &Version) -> Event {
    Event::Revised {
        version: version.number,
        terms: version.terms.clone(),
        effective_from: version.after,
        next_at: None,
    }
}
