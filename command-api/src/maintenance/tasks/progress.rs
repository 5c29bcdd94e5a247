//! Routes of those who do tasks: what they did of what is required, and how the task goes on.

use events::maintenance::task::{Command, Task, Value, Work};
use events::{FileId, Module, Permission};
use platform::problem::Problem;
use platform::routes::{Access, Route};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Reason, target};
use crate::pipeline::Target;
use crate::registry::{Call, Nothing, Registry};

/// Whether an item is done.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Ticking {
    /// True when it is, false when it is not after all.
    ticked: bool,
}

/// A picture of what was done.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Picture {
    /// A stored file of one's own, or one that is about the task.
    file_id: FileId,
}

/// What was found out.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Finding {
    /// True or false, a number as a text such as `12.5`, or a line, as the criterion asks.
    value: Value,
}

pub(super) fn routes(registry: &mut Registry) {
    let module = Module::Maintenance;
    let path = "/task-enhancements/{task_id}/checklist/{item_id}";
    let tick = working(Route::post(path, module, "maintenance_task_tick"))
        .summary("tick an item of the checklist of a task, or untick it");
    registry.command::<Ticking, Task>(tick, |call| {
        let (item_id, ticked) = (call.id("item_id")?, call.body.ticked);
        work(call, Work::Tick { item_id, ticked })
    });
    let path = "/task-enhancements/{task_id}/photos";
    let attach = working(Route::post(path, module, "maintenance_task_attach_photo"))
        .summary("attach a picture to a task; the file is about the task from then on");
    registry.command::<Picture, Task>(attach, |call| {
        work(call, Work::AttachPhoto { file_id: call.body.file_id })
    });
    let path = "/task-enhancements/{task_id}/photos/{file_id}";
    let detach = working(Route::delete(path, module, "maintenance_task_detach_photo"))
        .summary("take a picture off a task; the file stays");
    registry.command::<Nothing, Task>(detach, |call| {
        work(call, Work::DetachPhoto { file_id: call.id("file_id")? })
    });
    let path = "/task-enhancements/{task_id}/criteria/{criterion_id}";
    let record = working(Route::post(path, module, "maintenance_task_record_criterion"))
        .summary("record what was found out by a criterion of a task");
    registry.command::<Finding, Task>(record, |call| {
        let (criterion_id, value) = (call.id("criterion_id")?, call.body.value.clone());
        work(call, Work::RecordCriterion { criterion_id, value })
    });
    let confirm =
        Route::post("/task-enhancements/{task_id}/confirm", module, "maintenance_task_confirm");
    let confirm = working(confirm).summary("say, as one who is assigned, that a task is done");
    registry.command::<Nothing, Task>(confirm, |call| work(call, Work::Confirm));
    stages(registry);
}

fn stages(registry: &mut Registry) {
    let module = Module::Maintenance;
    let start = Route::post("/task-enhancements/{task_id}/start", module, "maintenance_task_start");
    let start = working(start).summary("begin a task, or go on with one that was blocked");
    registry.command::<Nothing, Task>(start, |call| work(call, Work::Start));
    let block = Route::post("/task-enhancements/{task_id}/block", module, "maintenance_task_block");
    let block = working(block).summary("say why a task cannot go on");
    registry.command::<Reason, Task>(block, |call| {
        work(call, Work::Block { reason: call.body.reason.clone() })
    });
    let complete =
        Route::post("/task-enhancements/{task_id}/complete", module, "maintenance_task_complete");
    let complete = working(complete)
        .summary("complete a task; it is refused with all that is missing, where anything is");
    registry.command::<Nothing, Task>(complete, |call| work(call, Work::Complete));
    let path = "/task-enhancements/{task_id}/reopen";
    let reopen = working(Route::post(path, module, "maintenance_task_reopen"))
        .summary("say why a completed task is not done after all");
    registry.command::<Reason, Task>(reopen, |call| {
        work(call, Work::Reopen { reason: call.body.reason.clone() })
    });
}

/// For those who are assigned and hold the permission where the task belongs, and whoever manages tasks there; the rules say so.
pub(super) fn working(route: Route) -> Route {
    route.access(Access::Shared(Permission::MaintenanceTasksWork))
}

pub(super) fn work<B>(call: &Call<B>, command: Work) -> Result<Target<Task>, Problem> {
    target(call, Command::Work(command))
}
