//! Routes of the schedules of assets: adding and revising them, what comes before what, and letting them rest or go.

use std::sync::Arc;

use events::maintenance::plan::{Add, Command, Plan, Revise, SCHEDULE, Template};
use events::scheduling::trigger::Terms;
use events::scheduling::{Modifiers, Spec};
use events::{AssetId, MaintenanceScheduleId, Module, Permission};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::Timestamp;
use platform::clock;
use platform::problem::Problem;
use platform::routes::Route;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::app::App;
use crate::guard::Spot;
use crate::patch::Patch;
use crate::pipeline::{Ask, Target};
use crate::registry::{Call, Nothing, Registry};

/// A schedule to add to an asset.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewSchedule {
    /// The schedule's id, if the client makes it (UUIDv7).
    #[serde(default)]
    id: Option<MaintenanceScheduleId>,
    /// The asset.
    asset_id: AssetId,
    /// What people call it.
    title: String,
    /// When there is something to do; what counts usage counts the asset itself.
    spec: Spec,
    /// The zone, the closed days and what becomes of occurrences on them.
    modifiers: Modifiers,
    /// Nothing occurs before it.
    #[serde(default)]
    starts_at: Option<Timestamp>,
    /// Nothing occurs after it.
    #[serde(default)]
    ends_at: Option<Timestamp>,
    /// So often it occurs at most.
    #[serde(default)]
    max_fires: Option<u64>,
    /// So many seconds before it is due a task is made: at most 90 days, and none where usage is counted.
    #[serde(default)]
    lead_secs: Option<u64>,
    /// What there is to do.
    task: Template,
    /// The schedules of the asset that come before it.
    #[serde(default)]
    depends_on: Vec<MaintenanceScheduleId>,
}

/// What is to change; what is absent stays.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Revision {
    /// What people call it.
    #[serde(default)]
    title: Option<String>,
    /// When there is something to do.
    #[serde(default)]
    spec: Option<Spec>,
    /// The zone, the closed days and what becomes of occurrences on them.
    #[serde(default)]
    modifiers: Option<Modifiers>,
    /// Nothing occurs after it; null when there is to be no such moment.
    #[serde(default)]
    ends_at: Patch<Timestamp>,
    /// So often it occurs at most; null when that is not to be counted.
    #[serde(default)]
    max_fires: Patch<u64>,
    /// So many seconds before it is due a task is made; null for when it is due.
    #[serde(default)]
    lead_secs: Patch<u64>,
    /// What there is to do.
    #[serde(default)]
    task: Option<Template>,
    /// The schedules of the asset that come before it.
    #[serde(default)]
    depends_on: Option<Vec<MaintenanceScheduleId>>,
    /// Occurrences up to this moment keep what holds now; the present where none is given.
    #[serde(default)]
    effective_from: Option<Timestamp>,
}

/// A schedule as it is to be.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Whole {
    /// What people call it.
    title: String,
    /// When there is something to do.
    spec: Spec,
    /// The zone, the closed days and what becomes of occurrences on them.
    modifiers: Modifiers,
    /// Nothing occurs after it.
    #[serde(default)]
    ends_at: Option<Timestamp>,
    /// So often it occurs at most.
    #[serde(default)]
    max_fires: Option<u64>,
    /// So many seconds before it is due a task is made.
    #[serde(default)]
    lead_secs: Option<u64>,
    /// What there is to do.
    task: Template,
    /// The schedules of the asset that come before it.
    #[serde(default)]
    depends_on: Vec<MaintenanceScheduleId>,
    /// Occurrences up to this moment keep what holds now; the present where none is given.
    #[serde(default)]
    effective_from: Option<Timestamp>,
}

/// What comes before a schedule.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Dependencies {
    /// All schedules of the asset that do.
    depends_on: Vec<MaintenanceScheduleId>,
}

const SCHEDULES: &str = "/advanced-schedules/{schedule_id}";

pub(super) fn routes(registry: &mut Registry) {
    let module = Module::Maintenance;
    let add = Route::post("/advanced-schedules", module, "maintenance_plan_add_schedule");
    let add = managing(add)
        .summary("let tasks be made on an asset, now and then or as it is used")
        .answers::<()>(201);
    registry.command::<NewSchedule, Plan>(add, |call| Ok(begin(call)));
    let revise = Route::patch(SCHEDULES, module, "maintenance_plan_revise_schedule");
    let revise = managing(revise)
        .summary("change a schedule from a moment on; what lies before and what was begun stays");
    registry.checked::<Revision, Plan>(revise, find, |call| {
        let command = Command::Revise(Box::new(revised(call)?));
        target(call, command)
    });
    let replace = Route::put(SCHEDULES, module, "maintenance_plan_replace_schedule");
    let replace = managing(replace).summary(
        "say all of a schedule anew from a moment on; what lies before and what was begun stays",
    );
    registry.checked::<Whole, Plan>(replace, find, |call| {
        let command = Command::Revise(Box::new(replaced(call)?));
        target(call, command)
    });
    let remove = Route::delete(SCHEDULES, module, "maintenance_plan_remove_schedule");
    let remove = managing(remove).summary("take a schedule away; the tasks that it made stay");
    registry.checked::<Nothing, Plan>(remove, find, |call| {
        let schedule_id = call.id("schedule_id")?;
        target(call, Command::Remove { schedule_id })
    });
    steer(registry);
}

fn steer(registry: &mut Registry) {
    let module = Module::Maintenance;
    let path = "/advanced-schedules/{schedule_id}/pause";
    let pause = managing(Route::post(path, module, "maintenance_plan_pause_schedule"))
        .summary("let nothing of a schedule occur until it is resumed");
    registry.checked::<Nothing, Plan>(pause, find, |call| {
        let schedule_id = call.id("schedule_id")?;
        target(call, Command::Pause { schedule_id })
    });
    let path = "/advanced-schedules/{schedule_id}/resume";
    let resume = managing(Route::post(path, module, "maintenance_plan_resume_schedule"))
        .summary("let a paused schedule go on; what was due meanwhile is not made up for");
    registry.checked::<Nothing, Plan>(resume, find, |call| {
        let schedule_id = call.id("schedule_id")?;
        target(call, Command::Resume { schedule_id })
    });
    let path = "/advanced-schedules/{schedule_id}/dependencies";
    let depend = managing(Route::put(path, module, "maintenance_plan_set_dependencies"))
        .summary("say which schedules of the asset come before one");
    registry.checked::<Dependencies, Plan>(depend, find, |call| {
        let schedule_id = call.id("schedule_id")?;
        let depends_on = call.body.depends_on.clone();
        target(call, Command::SetDependencies { schedule_id, depends_on })
    });
}

/// For whoever manages plans anywhere; where the asset belongs, the rules say.
fn managing(route: Route) -> Route {
    route.needs(Permission::MaintenancePlansManage).in_unit()
}

/// Finds the asset that a schedule is of by the claims of the log, which are never behind.
pub(super) fn find<'a, B: Send>(
    app: &'a Arc<App>,
    ask: &'a Ask,
    call: &'a mut Call<B>,
) -> BoxFuture<'a, Result<(), Problem>> {
    async move {
        let schedule: MaintenanceScheduleId = call.id("schedule_id")?;
        call.stream = app.claimant(ask.principal.tenant, SCHEDULE, &schedule.to_string()).await?;
        Ok(())
    }
    .boxed()
}

pub(super) fn target<B>(call: &Call<B>, command: Command) -> Result<Target<Plan>, Problem> {
    let asset: AssetId = call.found("schedule")?;
    Ok(Target::new(asset, command).within([Spot::Anywhere]))
}

fn begin(call: &Call<NewSchedule>) -> Target<Plan> {
    let body = call.body.clone();
    let add = Add {
        schedule_id: body.id.unwrap_or_else(clock::new_id),
        title: body.title,
        terms: Terms {
            spec: body.spec,
            modifiers: body.modifiers,
            starts_at: body.starts_at,
            ends_at: body.ends_at,
            max_fires: body.max_fires,
            lead_secs: body.lead_secs,
        },
        task: body.task,
        depends_on: body.depends_on,
    };
    let target = Target::new(body.asset_id, Command::Add(Box::new(add)));
    target.at("/advanced-schedules/{schedule_id}").within([Spot::Anywhere])
}

fn revised(call: &Call<Revision>) -> Result<Revise, Problem> {
    let body = call.body.clone();
    Ok(Revise {
        schedule_id: call.id("schedule_id")?,
        title: body.title,
        spec: body.spec,
        modifiers: body.modifiers,
        ends_at: body.ends_at.asks(|at| at),
        max_fires: body.max_fires.asks(|most| most),
        lead_secs: body.lead_secs.asks(|lead| lead),
        task: body.task,
        depends_on: body.depends_on,
        effective_from: body.effective_from,
    })
}

fn replaced(call: &Call<Whole>) -> Result<Revise, Problem> {
    let body = call.body.clone();
    Ok(Revise {
        schedule_id: call.id("schedule_id")?,
        title: Some(body.title),
        spec: Some(body.spec),
        modifiers: Some(body.modifiers),
        ends_at: Some(body.ends_at),
        max_fires: Some(body.max_fires),
        lead_secs: Some(body.lead_secs),
        task: Some(body.task),
        depends_on: Some(body.depends_on),
        effective_from: body.effective_from,
    })
}
