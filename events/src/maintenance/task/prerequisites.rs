//! The tasks that come before another: no task comes before itself, over however many others.

use std::collections::{BTreeMap, BTreeSet};

use super::{Event, PREREQUISITES_MAX_COUNT, Rejection, Status, Task};
use crate::ids::TaskId;

/// What is known of another task.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Other {
    /// Where it stands.
    pub status: Status,
    /// Whether the caller may know of it.
    pub seen: bool,
    /// Which tasks come before it.
    pub prerequisites: BTreeSet<TaskId>,
}

impl Task {
    pub(super) fn set_prerequisites(
        &self,
        me: TaskId,
        task_ids: Vec<TaskId>,
        others: &BTreeMap<TaskId, Other>,
    ) -> Result<Vec<Event>, Rejection> {
        let wanted: BTreeSet<TaskId> = task_ids.into_iter().collect();
        if wanted.len() > PREREQUISITES_MAX_COUNT {
            return Err(Rejection::PrerequisitesFull);
        }
        if wanted.contains(&me) {
            return Err(Rejection::PrerequisiteItself);
        }
        let new: Vec<TaskId> = wanted.difference(&self.prerequisites).copied().collect();
        for task in &new {
            let known = others.get(task).filter(|it| it.seen && it.status != Status::Absent);
            if known.is_none() {
                return Err(Rejection::PrerequisiteUnknown(*task));
            }
            check_no_cycle((me, *task), others)?;
        }
        let gone: Vec<TaskId> = self.prerequisites.difference(&wanted).copied().collect();
        let unlinked =
            (!gone.is_empty()).then_some(Event::PrerequisitesUnlinked { task_ids: gone });
        let linked = (!new.is_empty()).then_some(Event::PrerequisitesLinked { task_ids: new });
        Ok(unlinked.into_iter().chain(linked).collect())
    }
}

/// Refuses a task that waits for `me` itself, and one of which that is not known.
fn check_no_cycle(
    (me, before): (TaskId, TaskId),
    others: &BTreeMap<TaskId, Other>,
) -> Result<(), Rejection> {
    let mut seen = BTreeSet::from([before]);
    let mut open = vec![before];
    while let Some(task) = open.pop() {
        let known = others.get(&task).ok_or(Rejection::PrerequisiteUnclear(before))?;
        if known.prerequisites.contains(&me) {
            return Err(Rejection::PrerequisiteCyclic(before));
        }
        open.extend(known.prerequisites.iter().copied().filter(|next| seen.insert(*next)));
    }
    Ok(())
}
