//! Routes of the subtasks of tasks.

use events::maintenance::task::{AddSubtask, ChangeSubtask, Manage, Task, Work};
use events::{Module, SubtaskId, UserId};
use platform::clock;
use platform::routes::Route;
use schemars::JsonSchema;
use serde::Deserialize;

use super::progress::{work, working};
use super::{manage, managing};
use crate::patch::Patch;
use crate::registry::{Nothing, Registry};

/// A part of a task.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewSubtask {
    /// The subtask's id, if the client makes it (UUIDv7).
    #[serde(default)]
    id: Option<SubtaskId>,
    /// The subtask that it is a part of; the task itself when absent.
    #[serde(default)]
    parent_id: Option<SubtaskId>,
    /// What is to be done.
    title: String,
    /// Whether the whole is not done without it; it is not unless told otherwise.
    #[serde(default = "yes")]
    mandatory: bool,
    /// Who of those that are assigned to the task is to do it.
    #[serde(default)]
    assignees: Vec<UserId>,
}

/// What is to change; what is absent stays.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Correction {
    /// What is to be done.
    #[serde(default)]
    title: Option<String>,
    /// The subtask that it is a part of; null for the task itself.
    #[serde(default)]
    parent_id: Patch<SubtaskId>,
    /// All who are to do it.
    #[serde(default)]
    assignees: Option<Vec<UserId>>,
}

fn yes() -> bool {
    true
}

const SUBTASK: &str = "/task-enhancements/{task_id}/subtasks/{subtask_id}";

pub(super) fn routes(registry: &mut Registry) {
    let module = Module::Maintenance;
    let path = "/task-enhancements/{task_id}/subtasks";
    let add = managing(Route::post(path, module, "maintenance_task_add_subtask"))
        .summary("give a part of a task a name of its own, below another part or not");
    registry.command::<NewSubtask, Task>(add, |call| {
        let NewSubtask { id, parent_id, title, mandatory, assignees } = call.body.clone();
        let subtask_id = id.unwrap_or_else(clock::new_id);
        let add = AddSubtask { subtask_id, parent_id, title, mandatory, assignees };
        manage(call, Manage::AddSubtask(add))
    });
    let change = managing(Route::patch(SUBTASK, module, "maintenance_task_change_subtask"))
        .summary("rename or move a subtask, or say who is to do it");
    registry.command::<Correction, Task>(change, |call| {
        let Correction { title, parent_id, assignees } = call.body.clone();
        let parent_id = parent_id.asks(|parent| parent);
        let change = ChangeSubtask { title, parent_id, assignees };
        let subtask_id = call.id("subtask_id")?;
        manage(call, Manage::ChangeSubtask { subtask_id, change })
    });
    let remove = managing(Route::delete(SUBTASK, module, "maintenance_task_remove_subtask"))
        .summary("take a subtask away, and all below it");
    registry.command::<Nothing, Task>(remove, |call| {
        manage(call, Manage::RemoveSubtask { subtask_id: call.id("subtask_id")? })
    });
    let path = "/task-enhancements/{task_id}/subtasks/{subtask_id}/complete";
    let complete = working(Route::post(path, module, "maintenance_task_complete_subtask"))
        .summary("a subtask is done");
    registry.command::<Nothing, Task>(complete, |call| {
        work(call, Work::CompleteSubtask { subtask_id: call.id("subtask_id")? })
    });
    let path = "/task-enhancements/{task_id}/subtasks/{subtask_id}/reopen";
    let reopen = working(Route::post(path, module, "maintenance_task_reopen_subtask"))
        .summary("a subtask is not done after all, nor what it is part of");
    registry.command::<Nothing, Task>(reopen, |call| {
        work(call, Work::ReopenSubtask { subtask_id: call.id("subtask_id")? })
    });
}
