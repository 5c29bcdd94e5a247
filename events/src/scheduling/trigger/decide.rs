//! The rules of a trigger.

use jiff::Timestamp;
use serde_json::Value;

use super::fire::{Settled, why};
use super::{
    ARGS_MAX_BYTES, Answer, COMMAND_MAX_CHARS, Command, Create, Event, Facts, LEAD_MAX_SECS,
    NAME_MAX_CHARS, Next, Rejection, Revise, SkipReason, Status, Target, Terms, Trigger,
    VERSIONS_MAX_COUNT, Version,
};
use crate::aggregate::{Actor, ActorKind, Context, Decider};
use crate::ids::UserId;
use crate::modules::Module;
use crate::scheduling::{Outcome, Spec, checked, crossings};
use crate::text;

impl Decider for Trigger {
    const TYPE: &'static str = "scheduling.trigger";
    const MODULE: Module = Module::Scheduling;
    /// From 2 on with what is owed, from 3 on with what it belongs to.
    const SHAPE: i64 = 3;
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;
    type Facts = Facts;

    fn decide(
        &self,
        command: Command,
        facts: &Facts,
        context: &Context,
    ) -> Result<Vec<Event>, Rejection> {
        match self.status {
            Status::Absent => match command {
                Command::Create(create) => begin(create, facts, context),
                Command::Follow { managed_by } => self.follow(&managed_by, facts, context.now),
                Command::Revise(_)
                | Command::Pause
                | Command::Resume
                | Command::RecordFire { .. }
                | Command::RecordUsage { .. }
                | Command::RecordAnswer { .. }
                | Command::Skip { .. }
                | Command::Replan
                | Command::Cancel => Err(Rejection::Unknown),
            },
            Status::Active | Status::Paused => self.decide_alive(command, facts, context),
            Status::Completed | Status::Cancelled => self.decide_over(command),
        }
    }

    fn evolve(&mut self, event: &Event) {
        self.evolve(event);
    }
}

impl Trigger {
    /// A trigger as it would be, with its terms in their usual spelling; nothing is recorded.
    pub fn drafted(
        terms: Terms,
        facts: &Facts,
        now: Timestamp,
    ) -> Result<(Self, Terms), Rejection> {
        let terms = checked_terms(terms, facts, now)?;
        let version = Version { number: 1, after: Timestamp::MIN, terms: terms.clone() };
        let (status, versions) = (Status::Active, vec![version]);
        Ok((Self { status, versions, settled: now, ..Self::default() }, terms))
    }

    /// Terms in their usual spelling by which something happens after a moment, in place of others if there are any.
    pub fn proposed(
        terms: Terms,
        before: Option<&Terms>,
        facts: &Facts,
        after: Timestamp,
    ) -> Result<Terms, Rejection> {
        let by_usage = is_usage(&terms.spec);
        if before.is_some_and(|before| is_usage(&before.spec) != by_usage) {
            return Err(Rejection::KindFixed);
        }
        let (trigger, terms) = Self::drafted(terms, facts, after)?;
        if trigger.ahead(facts, after)? == Next::Nothing && !by_usage {
            return Err(Rejection::NothingAhead);
        }
        Ok(terms)
    }

    fn decide_alive(
        &self,
        command: Command,
        facts: &Facts,
        context: &Context,
    ) -> Result<Vec<Event>, Rejection> {
        let now = context.now;
        let is_paused = self.status == Status::Paused;
        if self.managed_by.is_some() && command.is_for_whom_it_belongs_to(context.actor.kind) {
            return Err(Rejection::Managed);
        }
        match command {
            Command::Create(_) => Err(Rejection::Exists),
            Command::Follow { managed_by } => self.follow(&managed_by, facts, now),
            Command::Revise(revise) => self.revise(revise, facts, context),
            Command::Pause => Ok(if is_paused { vec![] } else { vec![Event::Paused] }),
            Command::Resume => self.resume(facts, now),
            // What is paused is not due, whoever thinks so.
            Command::RecordFire { .. } | Command::RecordUsage { .. } | Command::Skip { .. }
                if is_paused =>
            {
                Err(Rejection::Paused)
            }
            Command::RecordFire { occurrence } => {
                let plan = self.plan(facts).map_err(Rejection::SpecInvalid)?;
                self.fired(occurrence, &plan, now)
            }
            Command::RecordAnswer { occurrence, answer } => Ok(self.answered(occurrence, answer)),
            Command::RecordUsage { reading } => self.record_usage(reading, now),
            Command::Skip { occurrence } => self.skip(occurrence, facts),
            Command::Replan => self.replan(facts),
            Command::Cancel => Ok(vec![Event::Cancelled]),
        }
    }

    fn decide_over(&self, command: Command) -> Result<Vec<Event>, Rejection> {
        match command {
            Command::Create(_) => Err(Rejection::Exists),
            Command::Cancel | Command::Replan | Command::Follow { .. } => Ok(vec![]),
            Command::RecordAnswer { occurrence, answer } => Ok(self.answered(occurrence, answer)),
            Command::Revise(_)
            | Command::Pause
            | Command::Resume
            | Command::RecordFire { .. }
            | Command::RecordUsage { .. }
            | Command::Skip { .. } => Err(Rejection::Finished(self.status.into())),
        }
    }

    fn revise(
        &self,
        revise: Revise,
        facts: &Facts,
        context: &Context,
    ) -> Result<Vec<Event>, Rejection> {
        let now = context.now;
        let mut events = Vec::new();
        if let Some(name) = revise.name.as_deref().map(checked_name).transpose()?
            && name != self.name
        {
            events.push(Event::Renamed { name });
        }
        if let Some(target) = revise.target.map(checked_target).transpose()?
            && target != self.target
        {
            // Whoever manages triggers does not get to use the rights of whoever owns one.
            if !context.actor.acts_as(self.owned_by) {
                return Err(Rejection::NotOwner);
            }
            events.push(Event::Retargeted { target });
        }
        let effective_from = revise.effective_from.unwrap_or(now);
        if effective_from < now {
            return Err(Rejection::RevisionInPast);
        }
        let Some(before) = self.terms() else { return Ok(events) };
        let terms = Terms {
            spec: revise.spec.unwrap_or_else(|| before.spec.clone()),
            modifiers: revise.modifiers.unwrap_or_else(|| before.modifiers.clone()),
            starts_at: before.starts_at,
            ends_at: revise.ends_at.unwrap_or(before.ends_at),
            max_fires: revise.max_fires.unwrap_or(before.max_fires),
            lead_secs: revise.lead_secs.unwrap_or(before.lead_secs),
        };
        if is_usage(&terms.spec) != is_usage(&before.spec) {
            return Err(Rejection::KindFixed);
        }
        let terms = checked_terms(terms, facts, effective_from)?;
        if terms != *before {
            events.push(self.revised(&terms, effective_from.max(self.settled), facts)?);
        }
        Ok(events)
    }

    /// What is not owed is settled, whoever says so again.
    fn answered(&self, occurrence: Timestamp, answer: Answer) -> Vec<Event> {
        if !self.owed.contains(&occurrence) {
            return vec![];
        }
        let command = self.target.command.clone();
        vec![match answer {
            Answer::Done { aggregate_id } => {
                Event::CommandSucceeded { occurrence, command, aggregate_id }
            }
            Answer::Refused { code, detail } => {
                Event::CommandRefused { occurrence, command, code, detail }
            }
        }]
    }

    fn revised(
        &self,
        terms: &Terms,
        effective_from: Timestamp,
        facts: &Facts,
    ) -> Result<Event, Rejection> {
        let version = self.versions.last().map_or(1, |version| version.number + 1);
        let event = |next_at| {
            let terms = terms.clone();
            Event::Revised { version, terms, effective_from, next_at }
        };
        let mut then = self.clone();
        then.evolve(&event(None));
        if then.versions.len() > VERSIONS_MAX_COUNT {
            return Err(Rejection::TooManyRevisions);
        }
        let next = then.ahead(facts, self.settled)?;
        if next == Next::Nothing && !is_usage(&terms.spec) {
            return Err(Rejection::NothingAhead);
        }
        Ok(event(next.at().filter(|_| self.status == Status::Active)))
    }

    pub(super) fn resume(&self, facts: &Facts, now: Timestamp) -> Result<Vec<Event>, Rejection> {
        if self.status == Status::Active {
            return Ok(vec![]);
        }
        let counts_from = self.settled.max(now);
        let next = self.ahead(facts, counts_from)?;
        let resumed = Event::Resumed { counts_from, next_at: next.at() };
        Ok(self.with_end(vec![resumed], next))
    }

    fn replan(&self, facts: &Facts) -> Result<Vec<Event>, Rejection> {
        let next = self.ahead(facts, self.settled)?;
        if self.status == Status::Paused || next.at() == self.next_at {
            return Ok(vec![]);
        }
        Ok(self.with_end(vec![Event::Replanned { next_at: next.at() }], next))
    }

    /// The next to happen is left out; those of closed days before it are told on the way.
    fn skip(&self, occurrence: Timestamp, facts: &Facts) -> Result<Vec<Event>, Rejection> {
        if occurrence <= self.settled {
            return Err(Rejection::Settled(self.settled));
        }
        let plan = self.plan(facts).map_err(Rejection::SpecInvalid)?;
        if plan.next(self.settled) != Next::At(occurrence) {
            return Err(Rejection::OccurrenceUnknown);
        }
        let until = plan.after(self.settled).take_while(|(_, it)| it.at() <= occurrence);
        let settled = until.map(|(_, outcome)| match outcome {
            Outcome::Runs { at, .. } => Settled::Skips { at, why: (SkipReason::Requested, None) },
            Outcome::Skipped { at, reason, .. } => Settled::Skips { at, why: why(reason) },
        });
        Ok(self.events(settled, &plan))
    }

    fn record_usage(&self, reading: u64, now: Timestamp) -> Result<Vec<Event>, Rejection> {
        let version = self.versions.iter().rfind(|version| version.after <= now);
        let Some(version) = version else { return Err(Rejection::NotByUsage) };
        let (every, first_at) = match &version.terms.spec {
            Spec::Usage { every, first_at, .. } => (*every, *first_at),
            Spec::Once { .. }
            | Spec::Interval { .. }
            | Spec::Cron { .. }
            | Spec::Rrule { .. }
            | Spec::Daily { .. }
            | Spec::Weekly { .. }
            | Spec::MonthlyDay { .. }
            | Spec::Seasonal { .. } => return Err(Rejection::NotByUsage),
        };
        if reading < self.reading {
            return Err(Rejection::ReadingInvalid(self.reading));
        }
        let crossings = crossings(every, first_at, self.reading, reading);
        let terms = &version.terms;
        let begun = terms.starts_at.is_none_or(|at| at <= now);
        let ended = terms.ends_at.is_some_and(|at| at < now);
        if crossings == 0 || !begun || ended {
            return Ok(vec![]);
        }
        if now <= self.settled {
            return Err(Rejection::Settled(self.settled));
        }
        let fired = Event::Fired {
            occurrence: now,
            version: version.number,
            crossings: Some(crossings),
            reading: Some(reading),
            next_at: None,
        };
        let used_up = self.is_used_up(self.fires + 1).then_some(Event::Completed);
        Ok([fired].into_iter().chain(used_up).collect())
    }

    /// What comes next after a moment.
    pub(super) fn ahead(&self, facts: &Facts, after: Timestamp) -> Result<Next, Rejection> {
        let plan = self.plan(facts).map_err(Rejection::SpecInvalid)?;
        Ok(self.left(&plan, after, self.fires))
    }

    pub(super) fn with_end(&self, mut events: Vec<Event>, next: Next) -> Vec<Event> {
        let by_usage = self.terms().is_some_and(|terms| is_usage(&terms.spec));
        if next == Next::Nothing && !by_usage {
            events.push(Event::Completed);
        }
        events
    }
}

fn begin(create: Create, facts: &Facts, context: &Context) -> Result<Vec<Event>, Rejection> {
    let owned_by = owner(&context.actor).ok_or(Rejection::OwnerMissing)?;
    let name = checked_name(&create.name)?;
    let target = checked_target(create.target)?;
    let (trigger, terms) = Trigger::drafted(create.terms, facts, context.now)?;
    let by_usage = is_usage(&terms.spec);
    let counts_from = context.now;
    let created = |next_at| Event::Created {
        name: name.clone(),
        owned_by,
        target: target.clone(),
        terms: terms.clone(),
        counts_from,
        next_at,
        managed_by: None,
    };
    let next = trigger.ahead(facts, counts_from)?;
    if next == Next::Nothing && !by_usage {
        return Err(Rejection::NothingAhead);
    }
    let paused = (!create.enabled).then_some(Event::Paused);
    Ok([created(next.at())].into_iter().chain(paused).collect())
}

/// On whose behalf the caller's triggers happen.
pub(crate) fn owner(actor: &Actor) -> Option<UserId> {
    match actor.kind {
        ActorKind::User => actor.id.parse().ok(),
        ActorKind::Service | ActorKind::System => actor.on_behalf_of,
    }
}

fn checked_name(name: &str) -> Result<String, Rejection> {
    text::line(name, NAME_MAX_CHARS).map_err(Rejection::NameInvalid)
}

fn checked_target(target: Target) -> Result<Target, Rejection> {
    let args = match target.args {
        Value::Null => Value::Object(serde_json::Map::new()),
        args @ (Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_)) => args,
    };
    let is_named = text::is_identifier(&target.command, COMMAND_MAX_CHARS);
    if !is_named || !args.is_object() || args.to_string().len() > ARGS_MAX_BYTES {
        return Err(Rejection::TargetInvalid);
    }
    Ok(Target { command: target.command, args })
}

fn checked_terms(terms: Terms, facts: &Facts, now: Timestamp) -> Result<Terms, Rejection> {
    let begins = terms.starts_at.unwrap_or(now);
    // An interval is counted from a whole second.
    let begins = Timestamp::from_second(begins.as_second()).unwrap_or(begins);
    let (spec, modifiers) =
        checked(terms.spec, terms.modifiers, begins).map_err(Rejection::SpecInvalid)?;
    let ends_early =
        terms.ends_at.is_some_and(|ends| terms.starts_at.is_some_and(|starts| ends <= starts));
    if ends_early || terms.max_fires == Some(0) {
        return Err(Rejection::PeriodInvalid);
    }
    let is_too_early = |lead| lead > LEAD_MAX_SECS || is_usage(&spec);
    let lead_secs = terms.lead_secs.filter(|lead| *lead > 0);
    if lead_secs.is_some_and(is_too_early) {
        return Err(Rejection::LeadInvalid);
    }
    if let Some(unknown) = facts.missing(&modifiers) {
        return Err(Rejection::CalendarUnknown(unknown));
    }
    Ok(Terms { spec, modifiers, lead_secs, ..terms })
}

fn is_usage(spec: &Spec) -> bool {
    matches!(spec, Spec::Usage { .. })
}
