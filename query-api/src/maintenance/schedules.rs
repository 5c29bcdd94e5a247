//! Questions about the schedules of assets: what there is to do and when, what comes before what, and what came of it. They are for whoever
//! may see plans where the asset belongs.

use std::sync::Arc;

use axum::response::Response;
use events::Module::Maintenance;
use events::maintenance::plan::{self, Plan};
use events::scheduling::trigger::{self, Trigger};
use events::{AssetId, MaintenanceScheduleId, Permission, TaskId, UnitId};
use jiff::Timestamp;
use jiff::civil::Date;
use platform::access::Places;
use platform::dataset::filter::Filter;
use platform::dataset::{Bind, Query, Statement, one};
use platform::problem::Problem;
use platform::routes::Route;
use schemars::JsonSchema;
use serde::Serialize;
use sqlx::Row as _;
use uuid::Uuid;

use super::past;
use crate::answer::{Stamped, stamped};
use crate::call::Call;
use crate::endpoint::Endpoint;
use crate::item::item;
use crate::list::{list, visible};
use crate::scheduling::{Occurrence, PERIOD, asked_for};
use crate::shape::{dataset, listing, page_of, row_of, single};
use crate::travel::with_past;

const SCHEDULES: &str = "maintenance.schedules";
const DEPENDENCIES: &str = "maintenance.schedule_dependencies";
const OCCURRENCES: &str = "maintenance.occurrences";

/// What becomes of the next occurrences of a schedule, and those that are there already.
#[derive(Debug, Serialize, JsonSchema)]
struct Preview {
    /// What becomes of each, in order.
    items: Vec<Occurrence>,
    /// Those that have a task which is not over, or wait for other schedules.
    made: Vec<Made>,
}

/// An occurrence that is there already.
#[derive(Debug, Serialize, JsonSchema)]
struct Made {
    /// Its task, or the one that there will be.
    task_id: TaskId,
    /// The day that it is for.
    #[schemars(with = "String")]
    occurrence: Date,
    /// When it is due.
    #[schemars(with = "String")]
    due_at: Timestamp,
    /// By which revision of the schedule.
    revision: u32,
    /// `open` or `waiting`.
    state: &'static str,
}

pub(super) fn endpoints() -> Vec<Endpoint> {
    let all = Route::get("/advanced-schedules", Maintenance, "maintenance_schedules")
        .summary("When something of assets is to be done, and when that is next");
    let one = Route::get("/advanced-schedules/{id}", Maintenance, "maintenance_schedule")
        .summary("One schedule of an asset");
    let path = "/advanced-schedules/{id}/dependencies";
    let before = Route::get(path, Maintenance, "maintenance_schedule_dependencies")
        .summary("The schedules of the asset that come before one");
    let endpoints = vec![
        Endpoint::new(listing(all, SCHEDULES, |g| page_of(g, SCHEDULES)), |call| async move {
            list(&call, dataset(SCHEDULES), None).await
        }),
        Endpoint::new(single(one, SCHEDULES, |g| row_of(g, SCHEDULES)), |call| async move {
            item(&call, dataset(SCHEDULES), call.segment("id"), "schedule").await
        }),
        Endpoint::new(
            listing(before, DEPENDENCIES, |g| page_of(g, DEPENDENCIES)),
            |call| async move {
                let (id, _) = found(&call, "id").await?;
                let of_it = Filter::equals("schedule_id", id.to_string());
                list(&call, dataset(DEPENDENCIES), Some(of_it)).await
            },
        ),
        preview(),
    ];
    let past = with_past(&past::SCHEDULE, of_asset()).into_iter().map(seen);
    endpoints.into_iter().chain(lists_of_asset()).chain(past).collect()
}

fn lists_of_asset() -> Vec<Endpoint> {
    let schedules =
        Route::get("/assets/{id}/schedules", Maintenance, "maintenance_asset_schedules")
            .summary("The schedules of an asset");
    let path = "/assets/{id}/occurrences";
    let occurrences = Route::get(path, Maintenance, "maintenance_asset_occurrences").summary(
        "What came of the schedules of an asset: the tasks that were made, and what waits",
    );
    vec![
        Endpoint::new(
            listing(schedules, SCHEDULES, |g| page_of(g, SCHEDULES)),
            |call| async move { of_that_asset(&call, SCHEDULES).await },
        ),
        Endpoint::new(
            listing(occurrences, OCCURRENCES, |g| page_of(g, OCCURRENCES)),
            |call| async move { of_that_asset(&call, OCCURRENCES).await },
        ),
    ]
}

async fn of_that_asset(call: &Call, name: &'static str) -> Result<Response, Problem> {
    let id = asset(call).await?;
    list(call, dataset(name), Some(Filter::equals("asset_id", id.to_string()))).await
}

/// The asset that the path names, if the caller may see plans where it belongs.
async fn asset(call: &Call) -> Result<AssetId, Problem> {
    let absent = || Problem::absent("asset");
    let id: AssetId = call.id("id", "asset")?;
    let mut statement = Statement::default();
    let number = statement.bind(Bind::Id(id.0));
    statement.sql =
        format!("select t.unit_id from read.maintenance_assets t where t.asset_id = ${number}");
    let asked = call.ask(dataset("maintenance.assets").projections, &statement).await?;
    let row = asked.rows.first().ok_or_else(absent)?;
    let unit = row.try_get::<Option<Uuid>, _>("unit_id")?.map(UnitId);
    if call.places.hold(unit) { Ok(id) } else { Err(absent()) }
}

/// A schedule below its asset, where its past is.
fn of_asset() -> Endpoint {
    let path = "/assets/{id}/schedules/{schedule_id}";
    let route = Route::get(path, Maintenance, "maintenance_asset_schedule")
        .summary("One schedule of an asset, now or as it was");
    Endpoint::new(single(route, SCHEDULES, |g| row_of(g, SCHEDULES)), |call| async move {
        item(&call, dataset(SCHEDULES), call.segment("schedule_id"), "schedule").await
    })
}

/// What a plan was says nothing of units: whoever sees the schedule of the asset now sees what it was.
fn seen(endpoint: Endpoint) -> Endpoint {
    let Endpoint { route, handle } = endpoint;
    Endpoint::new(route, move |mut call: Call| {
        let handle = Arc::clone(&handle);
        async move {
            let (_, asset) = found(&call, "schedule_id").await?;
            if call.segment("id").parse().ok() != Some(asset) {
                return Err(Problem::absent("schedule"));
            }
            call.places = Places::Everywhere;
            handle(call).await
        }
    })
}

/// The schedule that the path names, and its asset, if the caller sees it.
async fn found(call: &Call, segment: &str) -> Result<(MaintenanceScheduleId, AssetId), Problem> {
    let id: MaintenanceScheduleId = call.id(segment, "schedule")?;
    let data = dataset(SCHEDULES);
    let this = Filter::equals("schedule_id", id.to_string());
    let query = Query::everything(data)?.narrowed(data, this, call.me())?;
    let query = visible(call, data, query)?.only(data, ["asset_id"])?;
    let asked = call.ask(data.projections, &one(data, &query)).await?;
    let row = asked.rows.first().ok_or_else(|| Problem::absent("schedule"))?;
    Ok((id, AssetId(row.try_get::<Uuid, _>("asset_id")?)))
}

fn preview() -> Endpoint {
    let path = "/advanced-schedules/{id}/occurrences";
    let route = Route::get(path, Maintenance, "maintenance_schedule_occurrences")
        .summary("When a schedule is due next, why occurrences are moved or left out, and which are there")
        .needs(Permission::MaintenancePlansRead)
        .in_unit()
        .parameters(PERIOD)
        .answers::<Stamped<Preview>>(200);
    Endpoint::new(route, |call: Call| async move {
        call.only_parameters(&["from", "to", "limit"])?;
        let (id, asset) = found(&call, "id").await?;
        let asked = call.head().await?;
        let plan = call.aggregate::<Plan>(&asset.to_string()).await?.state;
        let made = plan.schedules.get(&id).map(made).unwrap_or_default();
        let trigger = call.aggregate::<Trigger>(&id.to_string()).await?.state;
        let items = match planned(&plan, id, &trigger) {
            Some(trigger) => asked_for(&call, &trigger).await?,
            None => Vec::new(),
        };
        Ok(stamped(&call, &asked, Preview { items, made }))
    })
}

/// The trigger of a schedule as the plan wants it, be it that our workers have not told it yet.
fn planned(plan: &Plan, id: MaintenanceScheduleId, trigger: &Trigger) -> Option<Trigger> {
    let wanted = plan.wanted(id)?;
    let status = match trigger.status {
        trigger::Status::Absent => trigger::Status::Active,
        known @ (trigger::Status::Active
        | trigger::Status::Paused
        | trigger::Status::Completed
        | trigger::Status::Cancelled) => known,
    };
    Some(Trigger { status, versions: wanted.versions, ..trigger.clone() })
}

fn made(schedule: &plan::Schedule) -> Vec<Made> {
    let open = schedule.open.iter().map(|(task, made)| (task, made, "open"));
    let waiting = schedule.waiting.iter().map(|(task, made)| (task, made, "waiting"));
    let shown = open.chain(waiting).map(|(task_id, made, state)| Made {
        task_id: *task_id,
        occurrence: made.occurrence,
        due_at: made.due_at,
        revision: made.version,
        state,
    });
    let mut made: Vec<Made> = shown.collect();
    made.sort_by_key(|made| made.due_at);
    made
}
