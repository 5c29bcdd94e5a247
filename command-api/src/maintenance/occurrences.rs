//! Routes by which our own workers say what became of the schedules of assets: that one is due, or will not be, and how tasks ended.

use events::maintenance::plan::{Because, Command, Plan, RECORD_OCCURRENCE};
use events::{AssetId, Module, Permission, TaskId};
use jiff::Timestamp;
use platform::routes::Route;
use schemars::JsonSchema;
use serde::Deserialize;

use super::schedules::{find, target};
use crate::pipeline::Target;
use crate::registry::{Nothing, Registry};

/// An occurrence of a schedule.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Occurrence {
    /// When it is due.
    due_at: Timestamp,
}

/// Occurrences that do not happen.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Skipped {
    /// The last of them.
    until: Timestamp,
}

/// A schedule of which nothing is left to occur.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Finished {
    /// When its last occurrence was due; null where it never had one.
    last_due_at: Option<Timestamp>,
}

/// A task of a schedule that is over.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Ended {
    /// The task.
    task_id: TaskId,
    /// How it ended.
    because: Because,
}

pub(super) fn routes(registry: &mut Registry) {
    let report = |path, operation| {
        let route = Route::post(path, Module::Maintenance, operation);
        route.needs(Permission::SchedulingTriggersFire)
    };
    let occur = report("/advanced-schedules/{schedule_id}/occur", RECORD_OCCURRENCE)
        .summary("an occurrence of a schedule is due; it has a task, or waits for one");
    registry.checked::<Occurrence, Plan>(occur, find, |call| {
        let (schedule_id, due_at) = (call.id("schedule_id")?, call.body.due_at);
        target(call, Command::RecordOccurrence { schedule_id, due_at })
    });
    let path = "/advanced-schedules/{schedule_id}/skip";
    let skip = report(path, "maintenance_plan_record_skip")
        .summary("occurrences of a schedule do not happen; nothing waits for them");
    registry.checked::<Skipped, Plan>(skip, find, |call| {
        let (schedule_id, until) = (call.id("schedule_id")?, call.body.until);
        target(call, Command::RecordSkip { schedule_id, until })
    });
    let path = "/advanced-schedules/{schedule_id}/close";
    let close = report(path, "maintenance_plan_record_end")
        .summary("the task of an occurrence is over; what waited for it goes on");
    registry.checked::<Ended, Plan>(close, find, |call| {
        let schedule_id = call.id("schedule_id")?;
        let Ended { task_id, because } = call.body;
        target(call, Command::RecordEnd { schedule_id, task_id, because })
    });
    let path = "/advanced-schedules/{schedule_id}/complete";
    let complete = report(path, "maintenance_plan_complete_schedule")
        .summary("nothing of a schedule is left to occur");
    registry.checked::<Finished, Plan>(complete, find, |call| {
        let (schedule_id, last_due_at) = (call.id("schedule_id")?, call.body.last_due_at);
        target(call, Command::Complete { schedule_id, last_due_at })
    });
    let end = report("/assets/{asset_id}/schedules/end", "maintenance_plan_end")
        .summary("an asset is retired; its schedules end");
    registry.command::<Nothing, Plan>(end, |call| {
        let asset: AssetId = call.id("asset_id")?;
        Ok(Target::new(asset, Command::End))
    });
}
