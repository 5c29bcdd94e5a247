//! Schedules of assets through all that follows from them: tasks made once each, what waits for what, revisions, usage, and the end.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use journeys::house::Resident;
use journeys::{Client, House, Reply};
use reqwest::Method;
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(40);
const NORTH: &str = "0190a000-0000-7000-8000-00000000000a";
const SOUTH: &str = "0190a000-0000-7000-8000-00000000000d";
const READ: &str = "maintenance.plans:read";
const MANAGE: &str = "maintenance.plans:manage";

/// A whole second that comes so soon.
fn in_seconds(seconds: i64) -> anyhow::Result<Timestamp> {
    let at = platform::clock::now() + SignedDuration::from_secs(seconds);
    Ok(Timestamp::from_second(at.as_second())?)
}

async fn asset(owner: &Client, tag: &str, unit: Option<&str>) -> anyhow::Result<String> {
    let asset = json!({"tag": tag, "name": format!("Asset {tag}"), "unit_id": unit});
    Ok(owner.post("/assets", &asset).await?.ok()?.made().to_owned())
}

/// A schedule as it is added, with what it says besides.
fn wanted(asset: &str, title: &str, spec: &Value, more: &Value) -> Value {
    let mut schedule = json!({"asset_id": asset, "title": title, "spec": spec,
        "modifiers": {"time_zone": "UTC"}, "task": {"title": title}});
    for (name, value) in more.as_object().into_iter().flatten() {
        schedule[name] = value.clone();
    }
    schedule
}

async fn add(client: &Client, schedule: &Value) -> anyhow::Result<String> {
    Ok(client.post("/advanced-schedules", schedule).await?.ok()?.made().to_owned())
}

async fn revise(client: &Client, schedule: &str, change: &Value) -> anyhow::Result<Reply> {
    let path = format!("/advanced-schedules/{schedule}");
    client.command(Method::PATCH, &path, change, &[]).await
}

async fn count(house: &House, event_type: &str) -> anyhow::Result<i64> {
    let pool = house.database().await?;
    let count = sqlx::query_scalar("select count(*) from log.events where event_type = $1");
    let count = count.bind(event_type).fetch_one(&pool).await?;
    pool.close().await;
    Ok(count)
}

fn items(body: &Value) -> &[Value] {
    body["items"].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// How many of a list have this value there.
fn having(body: &Value, member: &str, value: &str) -> usize {
    items(body).iter().filter(|item| item[member] == value).count()
}

/// The only task of a schedule.
async fn task_of(client: &Client, schedule: &str) -> anyhow::Result<String> {
    let path = format!("/tasks?schedule_id={schedule}");
    let tasks = client.until(&path, SOON, |body| items(body).len() == 1).await?;
    Ok(items(&tasks.body)[0]["task_id"].as_str().unwrap_or_default().to_owned())
}

async fn begin(client: &Client, task: &str) -> anyhow::Result<()> {
    client.post(&format!("/task-enhancements/{task}/start"), &json!({})).await?.ok()?;
    Ok(())
}

async fn finish(client: &Client, task: &str) -> anyhow::Result<()> {
    begin(client, task).await?;
    client.post(&format!("/task-enhancements/{task}/complete"), &json!({})).await?.ok()?;
    Ok(())
}

#[tokio::test]
async fn what_comes_after_waits_and_every_task_is_made_once_though_workers_are_killed()
-> anyhow::Result<()> {
    let mut house = House::start().await?;
    house.move_in(Resident::Workers)?;
    let owner = house.found("acme").await?;
    let pump = asset(&owner, "P-7", None).await?;
    let once = json!({"kind": "once", "at": in_seconds(6)?});
    let oil = add(&owner, &wanted(&pump, "Oil", &once, &json!({}))).await?;
    let after = json!({"depends_on": [oil]});
    let filter = add(&owner, &wanted(&pump, "Filter", &once, &after)).await?;
    house.kill(Resident::Workers)?;
    house.move_in(Resident::Workers)?;
    let path = format!("/assets/{pump}/occurrences");
    let both =
        |body: &Value| having(body, "state", "open") == 1 && having(body, "state", "waiting") == 1;
    owner.until(&path, SOON, both).await?;
    let task = task_of(&owner, &oil).await?;
    let shown = owner.get(&format!("/advanced-schedules/{filter}/occurrences")).await?.ok()?;
    assert_eq!(shown.body["made"][0]["state"], "waiting", "{}", shown.text);
    let waits = owner.get(&format!("{path}?state=waiting")).await?.ok()?;
    assert_eq!(items(&waits.body)[0]["waits_for"], json!([oil]), "{}", waits.text);

    // Whoever is killed between one and the other: the second has its task, once.
    house.kill(Resident::Workers)?;
    finish(&owner, &task).await?;
    house.kill(Resident::Workers)?;
    house.move_in(Resident::Workers)?;
    house.move_in(Resident::Workers)?;
    let second = task_of(&owner, &filter).await?;
    let task = owner.get(&format!("/tasks/{second}")).await?.ok()?;
    assert_eq!((&task.body["title"], &task.body["asset_id"]), (&json!("Filter"), &json!(pump)));
    house.idle(SOON).await?;
    assert_eq!(count(&house, "scheduling.trigger.fired").await?, 2);
    assert_eq!(count(&house, "maintenance.plan.occurrence_generated").await?, 2);
    assert_eq!(count(&house, "maintenance.task.created").await?, 2);
    let path = format!("/assets/{pump}/schedules");
    owner.until(&path, SOON, |body| having(body, "status", "completed") == 2).await?;
    house.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_revision_leaves_alone_what_was_begun_and_makes_the_rest_anew() -> anyhow::Result<()> {
    let house = House::start().await?;
    let owner = house.found("acme").await?;
    let ada = owner.newcomer("acme", "ada").await?;
    let pump = asset(&owner, "P-7", None).await?;
    // Half a day from now at the least, so that three days have their tasks whenever this is run.
    let noon = platform::clock::now() + SignedDuration::from_hours(12);
    let noon = noon.strftime("%H:00:00").to_string();
    let spec = json!({"kind": "daily", "time": noon});
    let task = json!({"title": "Oil", "assignees": [ada.user_id]});
    let three_days = json!({"lead_secs": 3 * 24 * 3_600, "task": task});
    let oil = add(&owner, &wanted(&pump, "Oil", &spec, &three_days)).await?;
    let tasks = format!("/tasks?schedule_id={oil}&sort=due_at");
    let made = owner.until(&tasks, SOON, |body| items(body).len() == 3).await?;
    let first = items(&made.body)[0]["task_id"].as_str().unwrap_or_default().to_owned();
    begin(&owner, &first).await?;

    let other = json!({"task": {"title": "Oil and seal", "assignees": [ada.user_id]}});
    revise(&owner, &oil, &other).await?.ok()?;
    let anew = |body: &Value| {
        having(body, "status", "superseded") == 2 && having(body, "status", "open") == 2
    };
    let now = owner.until(&tasks, SOON, anew).await?;
    house.idle(SOON).await?;
    let now = owner.get_after(&tasks, &now).await?.ok()?;
    assert_eq!(items(&now.body).len(), 5, "{}", now.text);
    for item in items(&now.body) {
        let (status, version) = (&item["status"], &item["schedule_version"]);
        let expected = if *status == "open" { 2 } else { 1 };
        assert_eq!(*version, expected, "{}", now.text);
        let title = if *status == "open" { "Oil and seal" } else { "Oil" };
        assert_eq!(item["title"], title, "{}", now.text);
    }
    let begun = owner.get(&format!("/tasks/{first}")).await?.ok()?;
    assert_eq!(begun.body["status"], "in_progress", "{}", begun.text);
    let told = |body: &Value| body.to_string().contains("schedule_revised");
    ada.until("/notifications", SOON, told).await?;

    // At another time of the day the same work only moves.
    let later = noon.replace(":00:00", ":30:00");
    revise(&owner, &oil, &json!({"spec": {"kind": "daily", "time": later}})).await?.ok()?;
    let at = format!("T{later}Z");
    let moved = |body: &Value| {
        let of = |item: &&Value| {
            let due_at = item["due_at"].as_str().unwrap_or_default();
            item["status"] == "open" && due_at.ends_with(&at)
        };
        items(body).iter().filter(of).count() >= 2
    };
    owner.until(&tasks, SOON, moved).await?;
    assert_eq!(count(&house, "maintenance.task.rescheduled").await?, 2);

    // The trigger is the plan's, and nobody else says how it goes on.
    let refused = owner.post(&format!("/triggers/{oil}/pause"), &json!({})).await?;
    assert_eq!((refused.status, &refused.body["code"]), (409, &json!("TRIGGER_MANAGED")));
    let past = format!("/assets/{pump}/schedules/{oil}");
    let before = owner.get(&format!("{past}?at_version=1")).await?.ok()?;
    assert_eq!(before.body["task"]["title"], "Oil", "{}", before.text);
    let history = owner.get(&format!("{past}/history")).await?.ok()?;
    assert_eq!(having(&history.body, "type", "maintenance.plan.schedule_revised"), 2);
    house.stop().await;
    Ok(())
}

#[tokio::test]
async fn an_asset_that_is_used_enough_has_its_task_and_a_retired_one_no_schedules()
-> anyhow::Result<()> {
    let house = House::start().await?;
    let owner = house.found("acme").await?;
    let pump = asset(&owner, "P-7", None).await?;
    let of = |asset: &str| {
        json!({"kind": "usage", "subject": {"kind": "maintenance.asset", "id": asset},
            "counter": "hours", "every": 250_000})
    };
    let other = asset(&owner, "P-8", None).await?;
    let elsewhere = wanted(&pump, "Service", &of(&other), &json!({}));
    let refused = owner.post("/advanced-schedules", &elsewhere).await?;
    assert_eq!(refused.body["code"], "SCHEDULE_SUBJECT_ELSEWHERE", "{}", refused.text);
    let service = add(&owner, &wanted(&pump, "Service", &of(&pump), &json!({}))).await?;
    let trigger = format!("/triggers/{service}");
    owner.until(&trigger, SOON, |body| body["status"] == "active").await?;
    let usage = format!("/assets/{pump}/usage");
    for value in ["249", "251", "499", "600"] {
        owner.post(&usage, &json!({"counter": "hours", "value": value})).await?.ok()?;
        house.idle(SOON).await?;
    }
    // Twice a threshold was passed; the second time the first task was not over.
    task_of(&owner, &service).await?;
    let shown = owner
        .until(&format!("/advanced-schedules/{service}"), SOON, |body| {
            body["last_left_out_because"] == "already_open"
        })
        .await?;
    assert_eq!(shown.body["tasks_open"], 1, "{}", shown.text);

    owner.post(&format!("/assets/{pump}/retire"), &json!({})).await?.ok()?;
    owner.until(&trigger, SOON, |body| body["status"] == "cancelled").await?;
    let path = format!("/assets/{pump}/schedules");
    owner.until(&path, SOON, |body| having(body, "status", "removed") == 1).await?;
    let once = json!({"kind": "once", "at": in_seconds(600)?});
    let refused = wanted(&pump, "Oil", &once, &json!({}));
    let refused = owner.post("/advanced-schedules", &refused).await?;
    assert_eq!((refused.status, &refused.body["code"]), (409, &json!("SCHEDULE_ASSET_RETIRED")));
    house.stop().await;
    Ok(())
}

/// Somebody who may so much in a unit.
async fn person(owner: &Client, name: &str, may: &[&str], unit: &str) -> anyhow::Result<Client> {
    let user = owner.newcomer("acme", name).await?;
    let role = json!({"name": name, "level": 10, "permissions": may});
    let role = owner.post("/rbac/roles", &role).await?.ok()?.made().to_owned();
    let held = json!({"user_id": user.user_id, "role_id": role, "unit_id": unit});
    owner.post("/rbac/assign", &held).await?.ok()?;
    Ok(user)
}

#[tokio::test]
async fn plans_are_for_whoever_may_where_the_asset_belongs() -> anyhow::Result<()> {
    let house = House::start().await?;
    let owner = house.found("acme").await?;
    for (id, code) in [(NORTH, "north"), (SOUTH, "south")] {
        let unit = json!({"id": id, "kind": "site", "code": code, "name": code});
        owner.post(&format!("/organizations/{}/units", owner.tenant_id), &unit).await?.ok()?;
    }
    let planner = person(&owner, "planner", &[READ, MANAGE], NORTH).await?;
    let reader = person(&owner, "reader", &[READ], NORTH).await?;
    let south = person(&owner, "south", &[READ, MANAGE], SOUTH).await?;
    let pump = asset(&owner, "P-7", Some(NORTH)).await?;
    // Whom an asset is shared with does not learn its plan by that.
    let share = json!({"visibility": "organization", "shares": []});
    owner.command(Method::PUT, &format!("/assets/{pump}/sharing"), &share, &[]).await?.ok()?;
    let daily = json!({"kind": "daily", "time": "09:00:00"});
    let schedule = wanted(&pump, "Oil", &daily, &json!({}));
    let oil = add(&planner, &schedule).await?;
    let path = format!("/advanced-schedules/{oil}");
    let shown = reader.until(&path, SOON, |body| body["next_at"].is_string()).await?;
    assert_eq!((&shown.body["tag"], &shown.body["unit_id"]), (&json!("P-7"), &json!(NORTH)));
    assert_eq!(south.get(&path).await?.status, 404);
    assert_eq!(items(&south.get("/advanced-schedules").await?.ok()?.body).len(), 0);
    assert_eq!(south.get(&format!("/assets/{pump}/schedules/{oil}")).await?.status, 404);
    assert_eq!(south.get(&format!("{path}/occurrences")).await?.status, 404);
    let past = format!("/assets/{pump}/schedules/{oil}/history");
    assert_eq!(items(&reader.get(&past).await?.ok()?.body).len(), 1);

    let change = json!({"title": "Oil and seal"});
    let reply = revise(&south, &oil, &change).await?;
    assert_eq!((reply.status, &reply.body["code"]), (404, &json!("SCHEDULE_UNKNOWN")));
    let reply = south.post("/advanced-schedules", &schedule).await?;
    assert_eq!((reply.status, &reply.body["code"]), (404, &json!("SCHEDULE_ASSET_UNKNOWN")));
    assert_eq!(revise(&reader, &oil, &change).await?.status, 403);
    revise(&planner, &oil, &change).await?.ok()?;

    // All of it anew, what comes before it as well, and the other way round not.
    let seal = add(&planner, &wanted(&pump, "Seal", &daily, &json!({"depends_on": [oil]}))).await?;
    let around = json!({"depends_on": [seal]});
    let reply = planner.command(Method::PUT, &format!("{path}/dependencies"), &around, &[]).await?;
    assert_eq!(reply.body["code"], "SCHEDULE_DEPENDENCY_CYCLIC", "{}", reply.text);
    let mut whole = schedule.clone();
    if let Some(members) = whole.as_object_mut() {
        members.remove("asset_id");
        members.insert("lead_secs".into(), json!(60));
    }
    let replaced = planner.command(Method::PUT, &path, &whole, &[]).await?.ok()?;
    let shown = planner.get_after(&path, &replaced).await?.ok()?;
    assert_eq!((&shown.body["title"], &shown.body["lead_secs"]), (&json!("Oil"), &json!(60)));
    for (step, status) in [("pause", "paused"), ("resume", "active")] {
        let done = planner.post(&format!("{path}/{step}"), &json!({})).await?.ok()?;
        let shown = planner.get_after(&path, &done).await?.ok()?;
        assert_eq!(shown.body["status"], status, "{}", shown.text);
    }
    let preview = reader.get(&format!("{path}/occurrences")).await?.ok()?;
    assert_eq!(items(&preview.body).len(), 20, "{}", preview.text);
    let removed = planner.command(Method::DELETE, &path, &json!({}), &[]).await?.ok()?;
    let shown = planner.get_after(&path, &removed).await?.ok()?;
    assert_eq!(shown.body["status"], "removed", "{}", shown.text);
    let before = format!("/advanced-schedules/{seal}/dependencies");
    assert_eq!(items(&reader.get_after(&before, &removed).await?.ok()?.body).len(), 0);
    house.stop().await;
    Ok(())
}
