//! The rules of a plan.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{
    Add, Command, Event, Plan, Rejection, Removal, Revise, SCHEDULES_MAX_COUNT, Schedule, Status,
    TITLE_MAX_CHARS, Template, Version,
};
use crate::aggregate::{Context, Decider};
use crate::ids::{AssetId, MaintenanceScheduleId, UserId};
use crate::maintenance::asset::{self, Asset, Level};
use crate::maintenance::task;
use crate::modules::Module;
use crate::scheduling::Spec;
use crate::scheduling::trigger::{self, Terms, Trigger, VERSIONS_MAX_COUNT, owner};
use crate::text;

/// What decisions about a plan need to know of other streams.
#[derive(Debug, Default)]
pub struct Facts {
    /// Whose plan it is.
    pub asset_id: AssetId,
    /// Where the asset stands in its life.
    pub asset: asset::Status,
    /// How far the caller may deal with the plan, by what they may in the unit of the asset; nothing where they may not know of it.
    pub reach: Option<Level>,
    /// The calendars that its schedules look at.
    pub calendars: trigger::Facts,
    /// Whether there is a trigger of the id of a schedule that is to be added.
    pub is_taken: bool,
    /// Those who are to do tasks and are no active users.
    pub strangers: BTreeSet<UserId>,
}

impl Decider for Plan {
    const TYPE: &'static str = "maintenance.plan";
    const MODULE: Module = Module::Maintenance;
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
        match command {
            Command::RecordOccurrence { schedule_id, due_at } => {
                Ok(self.occur(schedule_id, due_at, facts))
            }
            Command::RecordSkip { schedule_id, until } => Ok(self.skip(schedule_id, until, facts)),
            Command::RecordEnd { schedule_id, task_id, because } => {
                Ok(self.close(schedule_id, (task_id, because), facts))
            }
            Command::Complete { schedule_id, last_due_at } => {
                Ok(self.complete(schedule_id, last_due_at, facts))
            }
            Command::End => Ok(self.end()),
            command @ (Command::Add(_)
            | Command::Revise(_)
            | Command::Pause { .. }
            | Command::Resume { .. }
            | Command::Remove { .. }
            | Command::SetDependencies { .. }) => {
                let events = self.arrange(command, facts, context)?;
                Ok(self.with_releases(events, facts))
            }
        }
    }

    fn evolve(&mut self, event: &Event) {
        self.evolve(event);
    }
}

impl Plan {
    /// What people say of it.
    fn arrange(
        &self,
        command: Command,
        facts: &Facts,
        context: &Context,
    ) -> Result<Vec<Event>, Rejection> {
        match facts.reach {
            Some(Level::Manage) => {}
            Some(Level::View | Level::Work) => return Err(Rejection::NotManager),
            None if matches!(command, Command::Add(_)) => return Err(Rejection::AssetUnknown),
            None => return Err(Rejection::Unknown),
        }
        if facts.asset != asset::Status::Active {
            return Err(Rejection::AssetRetired);
        }
        match command {
            Command::Add(add) => self.add(*add, facts, context),
            Command::Revise(revise) => self.revise(*revise, facts, context.now),
            Command::Pause { schedule_id } => self.pause(schedule_id),
            Command::Resume { schedule_id } => self.resume(schedule_id, context.now),
            Command::Remove { schedule_id } => {
                self.known(schedule_id)?;
                Ok(self.remove(schedule_id, Removal::Requested))
            }
            Command::SetDependencies { schedule_id, depends_on } => {
                self.set_dependencies(schedule_id, &depends_on)
            }
            Command::RecordOccurrence { .. }
            | Command::RecordSkip { .. }
            | Command::RecordEnd { .. }
            | Command::Complete { .. }
            | Command::End => Ok(vec![]),
        }
    }

    pub(super) fn known(&self, schedule: MaintenanceScheduleId) -> Result<&Schedule, Rejection> {
        self.schedules.get(&schedule).ok_or(Rejection::Unknown)
    }

    fn add(&self, add: Add, facts: &Facts, context: &Context) -> Result<Vec<Event>, Rejection> {
        let Add { schedule_id, title, terms, task, depends_on } = add;
        if facts.is_taken || self.schedules.contains_key(&schedule_id) {
            return Err(Rejection::Exists);
        }
        if self.schedules.len() >= SCHEDULES_MAX_COUNT {
            return Err(Rejection::PlanFull);
        }
        let owned_by = owner(&context.actor).ok_or(Rejection::OwnerMissing)?;
        Ok(vec![Event::ScheduleAdded {
            schedule_id,
            owned_by,
            title: checked_title(&title)?,
            terms: checked_terms(terms, None, facts, context.now)?,
            task: checked_task(task, &[], facts)?,
            depends_on: self.checked_dependencies(schedule_id, &depends_on)?,
            counts_from: context.now,
        }])
    }

    fn revise(
        &self,
        revise: Revise,
        facts: &Facts,
        now: Timestamp,
    ) -> Result<Vec<Event>, Rejection> {
        let schedule_id = revise.schedule_id;
        let schedule = self.known(schedule_id)?;
        let before = schedule.latest().ok_or(Rejection::Unknown)?;
        let effective_from = revise.effective_from.unwrap_or(now);
        if effective_from < now {
            return Err(trigger::Rejection::RevisionInPast.into());
        }
        let depends_on = revise.depends_on.clone();
        let (title, terms, task) = revised(revise, before, facts, effective_from)?;
        let mut events = Vec::new();
        if (&title, &terms, &task) != (&before.title, &before.terms, &before.task) {
            if schedule.status == Status::Completed {
                return Err(Rejection::Finished);
            }
            let waits = |known: &&Version| known.after > now && known.after < effective_from;
            if schedule.versions.iter().filter(waits).count() >= VERSIONS_MAX_COUNT {
                return Err(trigger::Rejection::TooManyRevisions.into());
            }
            events.extend(self.withdrawn(schedule_id, effective_from));
            let version = before.number + 1;
            events.push(Event::ScheduleRevised {
                schedule_id,
                version,
                title,
                terms,
                task,
                effective_from,
            });
        }
        if let Some(depends_on) = depends_on {
            events.extend(self.set_dependencies(schedule_id, &depends_on)?);
        }
        Ok(events)
    }

    fn pause(&self, schedule_id: MaintenanceScheduleId) -> Result<Vec<Event>, Rejection> {
        match self.known(schedule_id)?.status {
            Status::Active => Ok(vec![Event::SchedulePaused { schedule_id }]),
            Status::Paused => Ok(vec![]),
            Status::Completed => Err(Rejection::Finished),
        }
    }

    fn resume(
        &self,
        schedule_id: MaintenanceScheduleId,
        now: Timestamp,
    ) -> Result<Vec<Event>, Rejection> {
        let schedule = self.known(schedule_id)?;
        match schedule.status {
            Status::Active => Ok(vec![]),
            Status::Paused => {
                let counts_from = schedule.seen.max(now);
                Ok(vec![Event::ScheduleResumed { schedule_id, counts_from }])
            }
            Status::Completed => Err(Rejection::Finished),
        }
    }

    /// What depended on it does not any more, and what of it waits never will be done.
    fn remove(&self, schedule_id: MaintenanceScheduleId, because: Removal) -> Vec<Event> {
        let after = self.schedules.iter();
        let after = after.filter(|(_, schedule)| schedule.depends_on.contains(&schedule_id));
        let freed = after.map(|(after, schedule)| {
            let left = schedule.depends_on.iter().copied().filter(|before| *before != schedule_id);
            Event::DependenciesReplaced { schedule_id: *after, depends_on: left.collect() }
        });
        let withdrawn = self.withdrawn(schedule_id, Timestamp::MIN);
        let removed = Event::ScheduleRemoved { schedule_id, because };
        freed.chain(withdrawn).chain([removed]).collect()
    }

    /// All schedules end; nothing waits for anything then.
    fn end(&self) -> Vec<Event> {
        let (mut then, mut events) = (self.clone(), Vec::new());
        for schedule_id in self.schedules.keys() {
            let removed = then.remove(*schedule_id, Removal::AssetRetired);
            then = then.after(&removed);
            events.extend(removed);
        }
        events
    }
}

/// What a schedule says once it is revised.
fn revised(
    revise: Revise,
    before: &Version,
    facts: &Facts,
    effective_from: Timestamp,
) -> Result<(String, Terms, Template), Rejection> {
    let title = revise.title.as_deref().map(checked_title).transpose()?;
    let terms = Terms {
        spec: revise.spec.unwrap_or_else(|| before.terms.spec.clone()),
        modifiers: revise.modifiers.unwrap_or_else(|| before.terms.modifiers.clone()),
        starts_at: before.terms.starts_at,
        ends_at: revise.ends_at.unwrap_or(before.terms.ends_at),
        max_fires: revise.max_fires.unwrap_or(before.terms.max_fires),
        lead_secs: revise.lead_secs.unwrap_or(before.terms.lead_secs),
    };
    let terms = if terms == before.terms {
        terms
    } else {
        checked_terms(terms, Some(&before.terms), facts, effective_from)?
    };
    let task = revise.task.map(|task| checked_task(task, &before.task.assignees, facts));
    Ok((
        title.unwrap_or_else(|| before.title.clone()),
        terms,
        task.transpose()?.unwrap_or_else(|| before.task.clone()),
    ))
}

fn checked_title(title: &str) -> Result<String, Rejection> {
    text::line(title, TITLE_MAX_CHARS).map_err(Rejection::TitleInvalid)
}

fn checked_terms(
    terms: Terms,
    before: Option<&Terms>,
    facts: &Facts,
    after: Timestamp,
) -> Result<Terms, Rejection> {
    if let Spec::Usage { subject, .. } = &terms.spec
        && (subject.kind != Asset::TYPE || subject.id != facts.asset_id.0)
    {
        return Err(Rejection::SubjectElsewhere);
    }
    Ok(Trigger::proposed(terms, before, &facts.calendars, after)?)
}

/// Those who were to do it before may have gone since; only whoever is newly named has to be there.
fn checked_task(task: Template, before: &[UserId], facts: &Facts) -> Result<Template, Rejection> {
    let title = text::line(&task.title, task::TITLE_MAX_CHARS);
    let details = task.details.map(|details| text::lines(&details, task::DETAILS_MAX_CHARS));
    if task.assignees.len() > task::ASSIGNEES_MAX_COUNT {
        return Err(Rejection::AssigneesFull);
    }
    let mut seen = BTreeSet::new();
    for user in &task.assignees {
        if !seen.insert(*user) {
            return Err(Rejection::AssigneeTwice(*user));
        }
        if facts.strangers.contains(user) && !before.contains(user) {
            return Err(Rejection::AssigneeUnknown(*user));
        }
    }
    Ok(Template {
        title: title.map_err(Rejection::TaskTitleInvalid)?,
        details: details.transpose().map_err(Rejection::DetailsInvalid)?,
        priority: task.priority,
        requirements: task.requirements.checked()?,
        assignees: task.assignees,
    })
}
