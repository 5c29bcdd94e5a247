//! A task as people look at it: its parts as a tree, what it takes one by one, and how far it is.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Op, Subtask, Task, Value};
use crate::ids::{SubtaskId, UserId};

/// A part of a task, with its own parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Its id.
    pub subtask_id: SubtaskId,
    /// What is to be done.
    pub title: String,
    /// Whether the whole is not done without it.
    pub mandatory: bool,
    /// Whether it is done.
    pub done: bool,
    /// Who is to do it.
    pub assignees: Vec<UserId>,
    /// Its parts.
    pub subtasks: Vec<Part>,
}

/// One thing that it takes to complete a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Demand {
    /// What kind of thing.
    pub kind: DemandKind,
    /// The item, the criterion or the assignee.
    pub requirement_id: Option<Uuid>,
    /// What it is called, where it has a name.
    pub title: Option<String>,
    /// Whether the task is not done without it.
    pub mandatory: bool,
    /// Whether it is as it should be.
    pub done: bool,
    /// How what was found has to compare.
    pub op: Option<Op>,
    /// What it has to compare to.
    pub wanted: Option<Value>,
    /// What was found.
    pub found: Option<Value>,
}

/// What kind of thing it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DemandKind {
    /// An item of the checklist.
    Checklist,
    /// Photos, so many.
    Photos,
    /// A criterion.
    Criterion,
    /// That an assignee says that it is done.
    Confirmation,
}

/// How far a task is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Its subtasks.
    pub subtasks: usize,
    /// Those that are done.
    pub subtasks_done: usize,
    /// What else it takes.
    pub requirements: usize,
    /// What of that is as it should be.
    pub requirements_done: usize,
}

impl Task {
    /// Its parts as a tree, in the order of their ids.
    pub fn parts(&self) -> Vec<Part> {
        self.parts_of(None)
    }

    fn parts_of(&self, parent_id: Option<SubtaskId>) -> Vec<Part> {
        let part = |(id, subtask): (SubtaskId, &Subtask)| Part {
            subtask_id: id,
            title: subtask.title.clone(),
            mandatory: subtask.mandatory,
            done: subtask.done,
            assignees: subtask.assignees.iter().copied().collect(),
            subtasks: self.parts_of(Some(id)),
        };
        self.children(parent_id).map(part).collect()
    }

    /// What it takes besides its parts and the tasks before it, one by one.
    pub fn demands(&self) -> Vec<Demand> {
        let asked = &self.requirements;
        let of = |kind| Demand {
            kind,
            requirement_id: None,
            title: None,
            mandatory: true,
            done: false,
            op: None,
            wanted: None,
            found: None,
        };
        let checklist = asked.checklist.iter().map(|item| Demand {
            requirement_id: Some(item.id),
            title: Some(item.text.clone()),
            mandatory: item.mandatory,
            done: self.ticked.contains(&item.id),
            ..of(DemandKind::Checklist)
        });
        let number = |count: usize| Some(Value::Text(count.to_string()));
        let least = usize::try_from(asked.photos_min).unwrap_or(usize::MAX);
        let photos = (least > 0).then(|| Demand {
            done: self.photos.len() >= least,
            op: Some(Op::Gte),
            wanted: number(least),
            found: number(self.photos.len()),
            ..of(DemandKind::Photos)
        });
        let criteria = asked.criteria.iter().map(|criterion| {
            let found = self.recorded.get(&criterion.id);
            Demand {
                requirement_id: Some(criterion.id),
                title: Some(criterion.label.clone()),
                done: found.is_some_and(|found| criterion.is_met_by(found)),
                op: criterion.op,
                wanted: criterion.value.clone(),
                found: found.cloned(),
                ..of(DemandKind::Criterion)
            }
        });
        let confirming = self.assignees.iter().filter(|_| asked.all_assignees_confirm);
        let confirmations = confirming.map(|user| Demand {
            requirement_id: Some(user.0),
            done: self.confirmed.contains(user),
            ..of(DemandKind::Confirmation)
        });
        checklist.chain(photos).chain(criteria).chain(confirmations).collect()
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        let demands = self.demands();
        Progress {
            subtasks: self.subtasks.len(),
            subtasks_done: self.subtasks.values().filter(|subtask| subtask.done).count(),
            requirements: demands.len(),
            requirements_done: demands.iter().filter(|demand| demand.done).count(),
        }
    }
}
