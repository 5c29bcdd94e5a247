//! What a task lacks before it can be completed: all of it, by name.

use std::collections::BTreeMap;
use std::fmt::{self, Formatter};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Event, Other, Rejection, Status, Subtask, Task};
use crate::ids::{SubtaskId, TaskId, UserId};

/// So many of a kind are called by name in a sentence.
const NAMED_MOST: usize = 5;

/// What a task lacks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// Subtasks that are not done.
    pub subtasks: Vec<Lacking<SubtaskId>>,
    /// Items of the checklist that are not ticked.
    pub checklist: Vec<Lacking<Uuid>>,
    /// How many photos more.
    pub photos: usize,
    /// Criteria of which nothing is recorded, or not what should be.
    pub criteria: Vec<Lacking<Uuid>>,
    /// Those who are assigned and have not confirmed.
    pub confirmations: Vec<UserId>,
    /// Whether nobody is assigned who could confirm.
    pub assignees: bool,
    /// Tasks before it that are not over.
    pub prerequisites: Vec<TaskId>,
}

/// Something that is not done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lacking<T> {
    /// Its id.
    pub id: T,
    /// What it is called.
    pub title: String,
}

impl Missing {
    /// Whether there is nothing.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// What to do, kind by kind.
impl fmt::Display for Missing {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let named = |what: &str, titles: Vec<&str>| {
            let more = titles.len().saturating_sub(NAMED_MOST);
            let first: Vec<&str> = titles.iter().take(NAMED_MOST).copied().collect();
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            (!titles.is_empty()).then(|| format!("{what} {}{more}", first.join(", ")))
        };
        let subtasks = self.subtasks.iter().map(|it| it.title.as_str()).collect();
        let checklist = self.checklist.iter().map(|it| it.title.as_str()).collect();
        let criteria = self.criteria.iter().map(|it| it.title.as_str()).collect();
        let some = |count: usize, what: String| (count > 0).then_some(what);
        let confirmations = self.confirmations.len();
        let prerequisites = self.prerequisites.len();
        let parts: Vec<String> = [
            named("complete the subtasks", subtasks),
            named("tick", checklist),
            some(self.photos, format!("attach {} more photos", self.photos)),
            named("record as they should be", criteria),
            some(confirmations, format!("let {confirmations} more assignees confirm it")),
            self.assignees.then(|| "assign whoever is to confirm it".to_owned()),
            some(prerequisites, format!("complete or cancel the {prerequisites} tasks before it")),
        ]
        .into_iter()
        .flatten()
        .collect();
        f.write_str(&if parts.is_empty() { "do what it asks for".into() } else { parts.join("; ") })
    }
}

impl Task {
    /// What it lacks, as far as it says so itself: the tasks before it are others.
    pub fn missing(&self) -> Missing {
        let asked = &self.requirements;
        let checklist = asked.checklist.iter();
        let checklist = checklist.filter(|item| item.mandatory && !self.ticked.contains(&item.id));
        let criteria = asked.criteria.iter().filter(|criterion| {
            !self.recorded.get(&criterion.id).is_some_and(|found| criterion.is_met_by(found))
        });
        let photos_min = usize::try_from(asked.photos_min).unwrap_or(usize::MAX);
        let confirm = asked.all_assignees_confirm;
        let mut subtasks = Vec::new();
        self.lack(None, &mut subtasks);
        Missing {
            subtasks,
            checklist: checklist
                .map(|item| Lacking { id: item.id, title: item.text.clone() })
                .collect(),
            photos: photos_min.saturating_sub(self.photos.len()),
            criteria: criteria
                .map(|criterion| Lacking { id: criterion.id, title: criterion.label.clone() })
                .collect(),
            confirmations: if confirm {
                self.assignees.difference(&self.confirmed).copied().collect()
            } else {
                Vec::new()
            },
            assignees: confirm && self.assignees.is_empty(),
            prerequisites: Vec::new(),
        }
    }

    /// The parts of something that have to be done and are not; those of a part that may be left out are not asked for.
    fn lack(&self, parent_id: Option<SubtaskId>, lacking: &mut Vec<Lacking<SubtaskId>>) {
        let asked = |subtask: &Subtask| subtask.mandatory || self.requirements.subtasks_required;
        for (id, subtask) in self.children(parent_id).filter(|(_, subtask)| asked(subtask)) {
            if !subtask.done {
                lacking.push(Lacking { id, title: subtask.title.clone() });
            }
            self.lack(Some(id), lacking);
        }
    }

    pub(super) fn complete(
        &self,
        others: &BTreeMap<TaskId, Other>,
    ) -> Result<Vec<Event>, Rejection> {
        if self.status == Status::Completed {
            return Ok(vec![]);
        }
        self.check_at_work()?;
        let is_over = |task: &TaskId| others.get(task).is_some_and(|it| it.status.is_over());
        let open = self.prerequisites.iter().filter(|task| !is_over(task));
        let missing = Missing { prerequisites: open.copied().collect(), ..self.missing() };
        if missing.is_nothing() {
            Ok(vec![Event::Completed])
        } else {
            Err(Rejection::Incomplete(Box::new(missing)))
        }
    }
}
