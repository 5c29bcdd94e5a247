//! The rules of a task.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    ASSIGNEES_MAX_COUNT, Amended, Change, Command, Create, Created, DETAILS_MAX_CHARS, Event,
    Manage, Other, Rejection, Report, Status, TITLE_MAX_CHARS, Task,
};
use crate::aggregate::{ActorKind, Context, Decider};
use crate::ids::{TaskId, UnitId, UserId};
use crate::maintenance::asset::{Level, Place};
use crate::modules::Module;
use crate::text;

/// What decisions about a task need to know of other streams.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// The task itself.
    pub me: TaskId,
    /// How far the caller may deal with it; nothing where they may not know of it.
    pub reach: Option<Level>,
    /// What is known of the unit that it is to belong to.
    pub place: Place,
    /// What is known of the asset that it is to be on.
    pub asset: Upkept,
    /// Those who are to do it and cannot sign in.
    pub strangers: BTreeSet<UserId>,
    /// What is known of the file that is to be attached.
    pub photo: Photo,
    /// What is known of the tasks before it, and before those.
    pub others: BTreeMap<TaskId, Other>,
}

/// An asset that a task is to be on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Upkept {
    /// There is no such asset.
    #[default]
    Unknown,
    /// It is retired.
    Retired,
    /// It is there, and belongs to that unit.
    Active(Option<UnitId>),
}

/// A file that is to be attached.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Photo {
    /// There is none that the caller could show.
    #[default]
    Unknown,
    /// It is held back.
    Held,
    /// It is no picture.
    Other,
    /// It is a picture.
    Picture,
}

impl Decider for Task {
    const TYPE: &'static str = "maintenance.task";
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
        if command.is_for_workers() && context.actor.kind != ActorKind::Service {
            return Err(Rejection::WorkersOnly);
        }
        if let Command::Create(create) = command {
            if self.status != Status::Absent {
                return Err(Rejection::Exists);
            }
            return begin(*create, facts);
        }
        if self.status == Status::Absent {
            return Err(Rejection::Unknown);
        }
        let reach = facts.reach.ok_or(Rejection::Unknown)?;
        let needed = command.needs();
        if reach < needed {
            return Err(Rejection::BeyondLevel(needed));
        }
        match command {
            Command::Create(_) => Err(Rejection::Exists),
            Command::Manage(manage) => self.manage(manage, facts, context),
            Command::Work(work) => {
                let themselves = self.assigned(context);
                if reach == Level::Work && themselves.is_none() {
                    return Err(Rejection::NotAssignee);
                }
                self.work(work, facts, themselves)
            }
            Command::Report(Report::Supersede { by_version }) => self.supersede(by_version),
            Command::Report(Report::Announce { due_at, overdue }) => {
                self.announce(due_at, overdue, context.now)
            }
        }
    }

    fn evolve(&mut self, event: &Event) {
        self.evolve(event);
    }
}

impl Task {
    /// The caller, if it is they who are assigned.
    fn assigned(&self, context: &Context) -> Option<UserId> {
        self.assignees.iter().copied().find(|user| context.actor.acts_as(*user))
    }

    fn manage(
        &self,
        command: Manage,
        facts: &Facts,
        context: &Context,
    ) -> Result<Vec<Event>, Rejection> {
        if let Manage::Cancel { reason } = command {
            return self.cancel(&reason);
        }
        self.check_open()?;
        match command {
            Manage::Change(change) => self.change(change),
            Manage::SetAssignees { user_ids } => self.set_assignees(user_ids, &facts.strangers),
            Manage::AddSubtask(add) => self.add_subtask(add),
            Manage::ChangeSubtask { subtask_id, change } => self.change_subtask(subtask_id, change),
            Manage::RemoveSubtask { subtask_id } => self.remove_subtask(subtask_id),
            Manage::DefineRequirements { requirements } => self.define(requirements),
            Manage::SetPrerequisites { task_ids } => {
                self.set_prerequisites(facts.me, task_ids, &facts.others)
            }
            Manage::Reschedule { due_at } => self.reschedule(due_at, context),
            Manage::Cancel { reason } => self.cancel(&reason),
        }
    }

    fn change(&self, change: Change) -> Result<Vec<Event>, Rejection> {
        let title = change.title.as_deref().map(checked_title).transpose()?;
        let details = change.details.map(checked_details).transpose()?;
        let amended = Amended {
            title: title.filter(|title| *title != self.title),
            details: details.filter(|details| *details != self.details),
            priority: change.priority.filter(|priority| *priority != self.priority),
        };
        Ok((amended != Amended::default()).then_some(Event::Amended(amended)).into_iter().collect())
    }

    fn set_assignees(
        &self,
        user_ids: Vec<UserId>,
        strangers: &BTreeSet<UserId>,
    ) -> Result<Vec<Event>, Rejection> {
        let wanted: BTreeSet<UserId> = user_ids.into_iter().collect();
        if wanted.len() > ASSIGNEES_MAX_COUNT {
            return Err(Rejection::AssigneesFull);
        }
        let new: Vec<UserId> = wanted.difference(&self.assignees).copied().collect();
        if let Some(stranger) = new.iter().find(|user| strangers.contains(user)) {
            return Err(Rejection::AssigneeUnknown(*stranger));
        }
        let gone: Vec<UserId> = self.assignees.difference(&wanted).copied().collect();
        let unassigned = (!gone.is_empty()).then_some(Event::Unassigned { user_ids: gone });
        let assigned = (!new.is_empty()).then_some(Event::Assigned { user_ids: new });
        Ok(unassigned.into_iter().chain(assigned).collect())
    }

    /// Those of the named who are not assigned yet.
    pub fn newcomers<'a>(&'a self, user_ids: &'a [UserId]) -> impl Iterator<Item = UserId> + 'a {
        user_ids.iter().copied().filter(|user| !self.assignees.contains(user))
    }
}

fn begin(create: Create, facts: &Facts) -> Result<Vec<Event>, Rejection> {
    check_place(&create, facts)?;
    let Create { title, details, asset_id, unit_id, source, due_at, priority, .. } = create;
    let created = Event::Created(Created {
        title: checked_title(&title)?,
        details: checked_details(details)?,
        asset_id,
        unit_id,
        source,
        due_at,
        priority,
        requirements: create.requirements.checked()?,
    });
    let mut task = Task::default();
    task.evolve(&created);
    let mut assignees = create.assignees;
    if source.is_some() {
        // A plan goes on without those who have left.
        assignees.retain(|user| !facts.strangers.contains(user));
    }
    let assigned = task.set_assignees(assignees, &facts.strangers)?;
    let linked = task.set_prerequisites(facts.me, create.prerequisites, &facts.others)?;
    Ok([created].into_iter().chain(assigned).chain(linked).collect())
}

/// A task on an asset belongs where that does, be that closed.
fn check_place(create: &Create, facts: &Facts) -> Result<(), Rejection> {
    if create.asset_id.is_some() {
        return match facts.asset {
            Upkept::Unknown => Err(Rejection::AssetUnknown),
            Upkept::Retired => Err(Rejection::AssetRetired),
            Upkept::Active(unit_id) if unit_id == create.unit_id => Ok(()),
            Upkept::Active(_) => Err(Rejection::UnitMismatch),
        };
    }
    match facts.place {
        Place::Unknown => Err(Rejection::UnitUnknown),
        Place::Closed => Err(Rejection::UnitClosed),
        Place::Open => Ok(()),
    }
}

pub(super) fn checked_title(title: &str) -> Result<String, Rejection> {
    text::line(title, TITLE_MAX_CHARS).map_err(Rejection::TitleInvalid)
}

fn checked_details(details: Option<String>) -> Result<Option<String>, Rejection> {
    let checked = details.map(|details| text::lines(&details, DETAILS_MAX_CHARS));
    checked.transpose().map_err(Rejection::DetailsInvalid)
}
