//! Assets, their schedules and tasks as they were.

use ::events::maintenance::asset::{Asset, Status};
use ::events::maintenance::plan::Plan;
use ::events::maintenance::task::{self, Task};
use ::events::money::Money;
use serde_json::{Value, json};

use crate::shape::PAST_ITEM;
use crate::travel::{Past, Place, names};

pub(super) static ASSET: Past<Asset> = Past {
    data: "maintenance.assets",
    what: "asset",
    names: names!("/assets/{id}", "maintenance_asset"),
    parameters: PAST_ITEM,
    which: &[],
    place: |call| Ok(Place::of_item(call)),
    view: asset,
    masked: &[],
    owner: None,
};

fn asset(asset: &Asset, id: &str) -> Option<Value> {
    let cost = asset.cost.as_ref();
    (asset.status != Status::Absent).then(|| {
        json!({
            "asset_id": id,
            "tag": asset.tag,
            "name": asset.name,
            "category": asset.category,
            "serial": asset.serial,
            "unit_id": asset.unit_id,
            "acquired_on": asset.acquired_on,
            "warranty_until": asset.warranty_until,
            "cost_amount": cost.map(|cost| &cost.amount),
            "cost_currency": cost.map(|cost| &cost.currency),
            "cost_minor": cost.map(Money::minor),
            "visibility": asset.visibility,
            "shares": asset.shares,
            "readers": asset.readers(),
            "status": asset.status,
        })
    })
}

pub(super) static TASK: Past<Task> = Past {
    data: "maintenance.task_details",
    what: "task",
    names: names!("/tasks/{id}", "maintenance_task"),
    parameters: PAST_ITEM,
    which: &[],
    place: |call| Ok(Place::of_item(call)),
    view: task,
    masked: &[],
    owner: None,
};

/// The tasks before it as it named them then; where these stood is another's past.
fn task(task: &Task, id: &str) -> Option<Value> {
    let before = task.prerequisites.iter().map(|before| json!({ "task_id": before }));
    let source = task.source.as_ref();
    (task.status != task::Status::Absent).then(|| {
        json!({
            "task_id": id,
            "title": task.title,
            "details": task.details,
            "status": task.status,
            "priority": task.priority,
            "asset_id": task.asset_id,
            "unit_id": task.unit_id,
            "schedule_id": source.map(|source| source.schedule_id),
            "occurrence": source.map(|source| source.occurrence),
            "schedule_version": source.map(|source| source.version),
            "due_at": task.due_at,
            "assignees": task.assignees,
            "subtasks": task.parts(),
            "requirements": task.demands(),
            "photos": task.photos,
            "prerequisites": before.collect::<Vec<_>>(),
            "missing": task.missing(),
            "readers": task.readers(),
        })
    })
}

pub(super) static SCHEDULE: Past<Plan> = Past {
    data: "maintenance.schedules",
    what: "schedule",
    names: names!("/assets/{id}/schedules/{schedule_id}", "maintenance_asset_schedule"),
    parameters: PAST_ITEM,
    which: &[],
    place: |call| {
        let (stream, id) = (call.segment("id").to_owned(), call.segment("schedule_id").to_owned());
        Ok(Place { stream, text: Some(id.clone()), id })
    },
    view: schedule,
    masked: &[],
    owner: None,
};

fn schedule(plan: &Plan, id: &str) -> Option<Value> {
    let schedule = plan.schedules.get(&id.parse().ok()?)?;
    let version = schedule.latest()?;
    let terms = &version.terms;
    let kind: &str = (&terms.spec).into();
    Some(json!({
        "schedule_id": id,
        "title": version.title,
        "owned_by": schedule.owned_by,
        "kind": kind,
        "spec": terms.spec,
        "modifiers": terms.modifiers,
        "starts_at": terms.starts_at,
        "ends_at": terms.ends_at,
        "max_fires": terms.max_fires,
        "lead_secs": terms.lead_secs,
        "task": version.task,
        "depends_on": schedule.depends_on,
        "revision": version.number,
        "status": schedule.status,
        "tasks_open": schedule.open.len(),
        "occurrences_waiting": schedule.waiting.len(),
    }))
}
