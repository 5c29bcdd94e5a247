//! Routes of tasks: what is to be done, by whom, what it takes, and how it goes on.

mod parts;
mod progress;

use std::sync::Arc;

use events::maintenance::asset::{Asset, Status};
use events::maintenance::task::{
    Change, Command, Create, Manage, Priority, Report, Requirements, Source, Task,
};
use events::{AssetId, Module, Permission, TaskId, UnitId, UserId};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::Timestamp;
use platform::access::Standing;
use platform::clock;
use platform::problem::Problem;
use platform::routes::{Access, Route};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::app::App;
use crate::guard::Spot;
use crate::patch::Patch;
use crate::pipeline::{Ask, Target};
use crate::registry::{Call, Registry};

const ASSIGN: Permission = Permission::MaintenanceTasksAssign;

/// Something to be done.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewTask {
    /// The task's id, if the client makes it (UUIDv7).
    #[serde(default)]
    id: Option<TaskId>,
    /// What is to be done.
    title: String,
    /// What else there is to say.
    #[serde(default)]
    details: Option<String>,
    /// On what.
    #[serde(default)]
    asset_id: Option<AssetId>,
    /// The unit that it belongs to; when absent that of the asset, or the organisation as a whole.
    #[serde(default)]
    unit_id: Option<UnitId>,
    /// What it comes of, where that is a plan; for our own workers.
    #[serde(default)]
    source: Option<Source>,
    /// By when it is to be done; at any time when absent.
    #[serde(default)]
    due_at: Option<Timestamp>,
    /// How much it matters; as usual when absent.
    #[serde(default)]
    priority: Priority,
    /// What it takes to complete it.
    #[serde(default)]
    requirements: Requirements,
    /// Who is to do it.
    #[serde(default)]
    assignees: Vec<UserId>,
    /// Which tasks come before it.
    #[serde(default)]
    prerequisites: Vec<TaskId>,
}

/// What is to change; what is absent stays.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Correction {
    /// What is to be done.
    #[serde(default)]
    title: Option<String>,
    /// What else there is to say; null when that is nothing.
    #[serde(default)]
    details: Patch<String>,
    /// How much it matters.
    #[serde(default)]
    priority: Option<Priority>,
}

/// Who is to do it.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Assignees {
    /// All of them; whoever is not named is not assigned any more.
    assignees: Vec<UserId>,
}

/// What it takes to complete it.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Required {
    /// All of it; what was done of what stays as it was stays done.
    requirements: Requirements,
}

/// Which tasks come before it.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Prerequisites {
    /// All of them.
    prerequisites: Vec<TaskId>,
}

/// When it is due.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Moment {
    /// The moment; null for no time.
    #[serde(deserialize_with = "Option::deserialize")]
    due_at: Option<Timestamp>,
}

/// Why.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Reason {
    /// The reason.
    reason: String,
}

/// What replaces a task.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Replacement {
    /// The version of its schedule that has another in its place.
    by_version: u32,
}

/// When it is due as far as whoever says so knows.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Due {
    /// The moment.
    due_at: Timestamp,
    /// Whether it has passed.
    overdue: bool,
}

pub(super) fn routes(registry: &mut Registry) {
    let module = Module::Maintenance;
    let create = Route::post("/tasks", module, "maintenance_task_create")
        .needs(ASSIGN)
        .in_unit()
        .summary("let something be done, on an asset or otherwise")
        .answers::<()>(201);
    registry.checked::<NewTask, Task>(create, locate, |call| Ok(begin(call)));
    let change = managing(Route::patch("/tasks/{task_id}", module, "maintenance_task_change"))
        .summary("correct what is known of a task");
    registry.command::<Correction, Task>(change, |call| {
        let Correction { title, details, priority } = call.body.clone();
        let details = details.asks(|details| details);
        manage(call, Manage::Change(Change { title, details, priority }))
    });
    let path = "/task-enhancements/{task_id}/assignees";
    let assign = managing(Route::put(path, module, "maintenance_task_set_assignees"))
        .summary("say who is to do a task");
    registry.command::<Assignees, Task>(assign, |call| {
        manage(call, Manage::SetAssignees { user_ids: call.body.assignees.clone() })
    });
    let path = "/task-enhancements/{task_id}/requirements";
    let define = managing(Route::put(path, module, "maintenance_task_define_requirements"))
        .summary("say what it takes to complete a task");
    registry.command::<Required, Task>(define, |call| {
        let requirements = call.body.requirements.clone();
        manage(call, Manage::DefineRequirements { requirements })
    });
    let path = "/task-enhancements/{task_id}/prerequisites";
    let link = managing(Route::put(path, module, "maintenance_task_set_prerequisites"))
        .summary("say which tasks come before a task");
    registry.command::<Prerequisites, Task>(link, |call| {
        manage(call, Manage::SetPrerequisites { task_ids: call.body.prerequisites.clone() })
    });
    steer(registry);
    report(registry);
    parts::routes(registry);
    progress::routes(registry);
}

fn steer(registry: &mut Registry) {
    let module = Module::Maintenance;
    let path = "/task-enhancements/{task_id}/reschedule";
    let reschedule = managing(Route::post(path, module, "maintenance_task_reschedule"))
        .summary("let a task be due at another time");
    registry.command::<Moment, Task>(reschedule, |call| {
        manage(call, Manage::Reschedule { due_at: call.body.due_at })
    });
    let path = "/task-enhancements/{task_id}/cancel";
    let cancel = managing(Route::post(path, module, "maintenance_task_cancel"))
        .summary("let a task not be done, for good");
    registry.command::<Reason, Task>(cancel, |call| {
        manage(call, Manage::Cancel { reason: call.body.reason.clone() })
    });
}

/// The rules refuse these to everybody but our workers.
fn report(registry: &mut Registry) {
    let module = Module::Maintenance;
    let path = "/task-enhancements/{task_id}/supersede";
    let supersede = Route::post(path, module, "maintenance_task_supersede").needs(ASSIGN).summary(
        "a later version of its schedule replaces a task that nobody has begun; our workers say so",
    );
    registry.command::<Replacement, Task>(supersede, |call| {
        let by_version = call.body.by_version;
        target(call, Command::Report(Report::Supersede { by_version }))
    });
    let path = "/task-enhancements/{task_id}/announce";
    let announce = Route::post(path, module, "maintenance_task_announce")
        .needs(ASSIGN)
        .summary("a task is due within a day, or was due; our workers say so");
    registry.command::<Due, Task>(announce, |call| {
        let Due { due_at, overdue } = call.body;
        target(call, Command::Report(Report::Announce { due_at, overdue }))
    });
}

/// For whoever manages tasks where the task belongs; the rules say so, and to whom nothing is shown there is no such task.
fn managing(route: Route) -> Route {
    route.access(Access::Shared(ASSIGN))
}

/// A task on an asset belongs where that does. Whoever may not assign there learns nothing of where that is.
fn locate<'a>(
    app: &'a Arc<App>,
    ask: &'a Ask,
    call: &'a mut Call<NewTask>,
) -> BoxFuture<'a, Result<(), Problem>> {
    async move {
        let (Some(asset), None) = (call.body.asset_id, call.body.unit_id) else { return Ok(()) };
        let failed = |error| Problem::internal(&error);
        let asset = app.aggregates.refresh::<Asset>(call.tenant(), &asset.to_string()).await;
        let asset = asset.map_err(failed)?.state;
        let Some(unit) = asset.unit_id.filter(|_| asset.status != Status::Absent) else {
            return Ok(());
        };
        if !assigns_in(app, ask, (ask.standing.as_ref(), unit)).await? {
            // What was known a moment ago does not suffice; a right given since does.
            app.access.refresh(&ask.principal).await.map_err(failed)?;
            let standing = app.access.last_known(&ask.principal).await.map_err(failed)?;
            if !assigns_in(app, ask, (standing.as_ref(), unit)).await? {
                return Ok(());
            }
        }
        call.body.unit_id = Some(unit);
        Ok(())
    }
    .boxed()
}

async fn assigns_in(
    app: &App,
    ask: &Ask,
    (standing, unit): (Option<&Standing>, UnitId),
) -> Result<bool, Problem> {
    let permits = app.access.permits_in(&ask.principal, standing, (ASSIGN, unit)).await;
    permits.map_err(|error| Problem::internal(&error))
}

fn begin(call: &Call<NewTask>) -> Target<Task> {
    let body = call.body.clone();
    let id = body.id.unwrap_or_else(clock::new_id);
    let unit_id = body.unit_id;
    let command = Create {
        title: body.title,
        details: body.details,
        asset_id: body.asset_id,
        unit_id,
        source: body.source,
        due_at: body.due_at,
        priority: body.priority,
        requirements: body.requirements,
        assignees: body.assignees,
        prerequisites: body.prerequisites,
    };
    let target = Target::create(id, Command::Create(Box::new(command))).at("/tasks/{id}");
    target.within([Spot::of(unit_id)])
}

fn manage<B>(call: &Call<B>, command: Manage) -> Result<Target<Task>, Problem> {
    target(call, Command::Manage(command))
}

fn target<B>(call: &Call<B>, command: Command) -> Result<Target<Task>, Problem> {
    let id: TaskId = call.id("task_id")?;
    Ok(Target::new(id, command))
}
