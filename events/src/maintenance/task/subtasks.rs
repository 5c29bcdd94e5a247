//! The parts of a task: a tree of a few levels, in which nothing is done before all of it that is mandatory.

use std::collections::BTreeSet;

use super::decide::checked_title;
use super::{
    AddSubtask, ChangeSubtask, Event, Rejection, SUBTASK_LEVELS_MAX_COUNT, SUBTASKS_MAX_COUNT,
    Subtask, Task,
};
use crate::ids::{SubtaskId, UserId};

impl Task {
    pub(super) fn evolve_subtasks(&mut self, event: &Event) {
        if let Event::SubtaskAdded { subtask_id, parent_id, title, mandatory, assignees } = event {
            let subtask = Subtask {
                parent_id: *parent_id,
                title: title.clone(),
                mandatory: *mandatory,
                assignees: assignees.iter().copied().collect(),
                done: false,
            };
            self.subtasks.insert(*subtask_id, subtask);
        }
        if let Event::SubtaskRemoved { subtask_id, below } = event {
            self.subtasks.retain(|id, _| id != subtask_id && !below.contains(id));
        }
        if let Event::SubtaskRenamed { subtask_id, title } = event
            && let Some(subtask) = self.subtasks.get_mut(subtask_id)
        {
            subtask.title.clone_from(title);
        }
        if let Event::SubtaskMoved { subtask_id, parent_id, .. } = event
            && let Some(subtask) = self.subtasks.get_mut(subtask_id)
        {
            subtask.parent_id = *parent_id;
        }
        if let Event::SubtaskAssigned { subtask_id, assignees } = event
            && let Some(subtask) = self.subtasks.get_mut(subtask_id)
        {
            subtask.assignees = assignees.iter().copied().collect();
        }
        if let Event::SubtaskCompleted { subtask_id } | Event::SubtaskReopened { subtask_id } =
            event
            && let Some(subtask) = self.subtasks.get_mut(subtask_id)
        {
            subtask.done = matches!(event, Event::SubtaskCompleted { .. });
        }
    }

    pub(super) fn add_subtask(&self, add: AddSubtask) -> Result<Vec<Event>, Rejection> {
        let AddSubtask { subtask_id, parent_id, title, mandatory, assignees } = add;
        if self.subtasks.contains_key(&subtask_id) {
            return Err(Rejection::SubtaskExists);
        }
        if self.subtasks.len() >= SUBTASKS_MAX_COUNT {
            return Err(Rejection::SubtasksFull);
        }
        self.check_parent(parent_id, 1, true)?;
        let title = checked_title(&title)?;
        let assignees = self.checked_doers(assignees)?;
        Ok(vec![Event::SubtaskAdded { subtask_id, parent_id, title, mandatory, assignees }])
    }

    pub(super) fn change_subtask(
        &self,
        subtask_id: SubtaskId,
        change: ChangeSubtask,
    ) -> Result<Vec<Event>, Rejection> {
        let subtask = self.subtask(subtask_id)?;
        let mut events = Vec::new();
        if let Some(title) = change.title.as_deref().map(checked_title).transpose()?
            && title != subtask.title
        {
            events.push(Event::SubtaskRenamed { subtask_id, title });
        }
        if let Some(parent_id) = change.parent_id.filter(|parent| *parent != subtask.parent_id) {
            let below = self.below(subtask_id);
            if parent_id.is_some_and(|parent| parent == subtask_id || below.contains(&parent)) {
                return Err(Rejection::SubtaskBelowItself);
            }
            self.check_parent(parent_id, self.height(subtask_id), !subtask.done)?;
            let from = subtask.parent_id;
            events.push(Event::SubtaskMoved { subtask_id, from, parent_id });
        }
        if let Some(assignees) = change.assignees {
            let assignees = self.checked_doers(assignees)?;
            if !assignees.iter().eq(&subtask.assignees) {
                events.push(Event::SubtaskAssigned { subtask_id, assignees });
            }
        }
        Ok(events)
    }

    pub(super) fn remove_subtask(&self, subtask_id: SubtaskId) -> Result<Vec<Event>, Rejection> {
        self.subtask(subtask_id)?;
        let below = self.below(subtask_id).into_iter().collect();
        Ok(vec![Event::SubtaskRemoved { subtask_id, below }])
    }

    pub(super) fn complete_subtask(&self, subtask_id: SubtaskId) -> Result<Vec<Event>, Rejection> {
        if self.subtask(subtask_id)?.done {
            return Ok(vec![]);
        }
        let open = |subtask: &Subtask| subtask.mandatory && !subtask.done;
        let children = self.children(Some(subtask_id)).filter(|(_, child)| open(child));
        let children: Vec<SubtaskId> = children.map(|(id, _)| id).collect();
        if !children.is_empty() {
            return Err(Rejection::SubtaskChildrenOpen(children));
        }
        Ok(vec![Event::SubtaskCompleted { subtask_id }])
    }

    /// Nothing is done of which a part is not: what it is part of is reopened with it.
    pub(super) fn reopen_subtask(&self, subtask_id: SubtaskId) -> Result<Vec<Event>, Rejection> {
        if !self.subtask(subtask_id)?.done {
            return Ok(vec![]);
        }
        let above = self.above(Some(subtask_id)).filter(|id| self.is_done(*id));
        Ok(above.map(|subtask_id| Event::SubtaskReopened { subtask_id }).collect())
    }

    /// Whether something of so many levels can be part of that.
    fn check_parent(
        &self,
        parent_id: Option<SubtaskId>,
        levels: usize,
        is_open: bool,
    ) -> Result<(), Rejection> {
        let Some(parent) = parent_id else { return Ok(()) };
        let known = self.subtasks.get(&parent).ok_or(Rejection::SubtaskParentUnknown)?;
        if self.above(parent_id).count() + levels > SUBTASK_LEVELS_MAX_COUNT {
            return Err(Rejection::SubtaskTooDeep);
        }
        if known.done && is_open {
            return Err(Rejection::SubtaskParentDone);
        }
        Ok(())
    }

    /// Who is to do a part, each once: some of those that are assigned to the whole.
    fn checked_doers(&self, assignees: Vec<UserId>) -> Result<Vec<UserId>, Rejection> {
        let doers: BTreeSet<UserId> = assignees.into_iter().collect();
        match doers.difference(&self.assignees).next() {
            Some(stranger) => Err(Rejection::SubtaskAssigneeInvalid(*stranger)),
            None => Ok(doers.into_iter().collect()),
        }
    }

    fn subtask(&self, id: SubtaskId) -> Result<&Subtask, Rejection> {
        self.subtasks.get(&id).ok_or(Rejection::SubtaskUnknown)
    }

    fn is_done(&self, id: SubtaskId) -> bool {
        self.subtasks.get(&id).is_some_and(|subtask| subtask.done)
    }

    /// What is part of that, itself without its parts.
    pub fn children(
        &self,
        parent_id: Option<SubtaskId>,
    ) -> impl Iterator<Item = (SubtaskId, &Subtask)> {
        let all = self.subtasks.iter().map(|(id, subtask)| (*id, subtask));
        all.filter(move |(_, subtask)| subtask.parent_id == parent_id)
    }

    /// A subtask and all that it is part of, itself first.
    fn above(&self, of: Option<SubtaskId>) -> impl Iterator<Item = SubtaskId> {
        std::iter::successors(of, |id| self.subtasks.get(id)?.parent_id)
    }

    /// All that is part of it, level by level.
    fn below(&self, id: SubtaskId) -> BTreeSet<SubtaskId> {
        let mut below = BTreeSet::new();
        let mut level = vec![id];
        while !level.is_empty() {
            let next = level.iter().flat_map(|parent| self.children(Some(*parent)));
            level = next.map(|(id, _)| id).collect();
            below.extend(level.iter().copied());
        }
        below
    }

    /// How many levels it has, its own among them.
    fn height(&self, id: SubtaskId) -> usize {
        let children = self.children(Some(id)).map(|(child, _)| self.height(child));
        1 + children.max().unwrap_or_default()
    }
}
