//! Tasks from the moment that somebody asks for them to their end: who sees and does them, what they lack, and who hears of them.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use journeys::{Client, House, Reply};
use reqwest::Method;
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(30);
const NORTH: &str = "0190a000-0000-7000-8000-00000000000a";
const SOUTH: &str = "0190a000-0000-7000-8000-00000000000d";
const DRAIN: &str = "0190a000-0000-7000-8000-000000000031";
const PRESSURE: &str = "0190a000-0000-7000-8000-000000000041";
const FILES: &str = "files.files:use";
const READ: &str = "maintenance.tasks:read";
const ASSIGN: &str = "maintenance.tasks:assign";
const WORK: &str = "maintenance.tasks:work";
const ADDRESS: &str = "dora@acme.test";
const PICTURE: &str = "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAECAIAAAA8r+mnAAAAEUlEQVR42mM4ISeHFTFQTwIAbv4ggT2otR8AAAAASUVORK5CYII=";

/// An organisation with North and South.
async fn with_units(owner: &Client) -> anyhow::Result<()> {
    for (id, code) in [(NORTH, "north"), (SOUTH, "south")] {
        let unit = json!({"id": id, "kind": "site", "code": code, "name": code});
        owner.post(&format!("/organizations/{}/units", owner.tenant_id), &unit).await?.ok()?;
    }
    Ok(())
}

/// Gives somebody a role that may so much in a unit, or everywhere.
async fn grant(
    owner: &Client,
    to: &Client,
    (name, may): (&str, &[&str]),
    unit: Option<&str>,
) -> anyhow::Result<()> {
    let role = json!({"name": name, "level": 10, "permissions": may});
    let role = owner.post("/rbac/roles", &role).await?.ok()?.made().to_owned();
    let held = json!({"user_id": to.user_id, "role_id": role, "unit_id": unit});
    owner.post("/rbac/assign", &held).await?.ok()?;
    Ok(())
}

/// Who there is, and a pump in North.
struct Cast {
    owner: Client,
    /// Manages the tasks of North, and may see what is there.
    planner: Client,
    /// Works in North.
    hand: Client,
    /// Sees the tasks of South.
    south: Client,
    /// Belongs nowhere.
    stranger: Client,
    pump: String,
}

impl Cast {
    async fn meet(owner: Client) -> anyhow::Result<Self> {
        with_units(&owner).await?;
        let planner = owner.newcomer("acme", "planner").await?;
        grant(&owner, &planner, ("plans", &[READ, ASSIGN]), Some(NORTH)).await?;
        let hand = owner.newcomer("acme", "hand").await?;
        grant(&owner, &hand, ("works", &[WORK]), Some(NORTH)).await?;
        grant(&owner, &hand, ("sends", &[FILES]), None).await?;
        let south = owner.newcomer("acme", "south").await?;
        grant(&owner, &south, ("looks", &[READ, ASSIGN]), Some(SOUTH)).await?;
        let stranger = owner.newcomer("acme", "stranger").await?;
        let pump = json!({"tag": "P-7", "name": "Pump", "unit_id": NORTH});
        let pump = owner.post("/assets", &pump).await?.ok()?.made().to_owned();
        Ok(Self { owner, planner, hand, south, stranger, pump })
    }

    /// A task on the pump for the hand, by the planner, with these members besides.
    async fn task(&self, more: &Value) -> anyhow::Result<Reply> {
        let mut task = json!({"title": "Change the oil", "asset_id": self.pump,
            "assignees": [self.hand.user_id]});
        for (name, value) in more.as_object().into_iter().flatten() {
            task[name] = value.clone();
        }
        self.planner.post("/tasks", &task).await
    }
}

fn demanding() -> Value {
    json!({"requirements": {
        "checklist": [{"id": DRAIN, "text": "Drain"}],
        "photos_min": 1,
        "criteria": [{"id": PRESSURE, "label": "Pressure in bar", "type": "number", "op": "gte", "value": "2.5"}],
        "all_assignees_confirm": true,
    }})
}

async fn enhance(client: &Client, task: &str, rest: &str, body: Value) -> anyhow::Result<Reply> {
    client.post(&format!("/task-enhancements/{task}/{rest}"), &body).await
}

fn refused(reply: &Reply, status: u16, code: &str) {
    assert_eq!((reply.status, reply.body["code"].as_str()), (status, Some(code)), "{}", reply.text);
}

/// The titles of the tasks that somebody sees, once they show what `after` did.
async fn titles(client: &Client, after: &Reply) -> anyhow::Result<Vec<String>> {
    let list = client.get_after("/tasks?sort=title", after).await?.ok()?;
    let items = list.body["items"].as_array().cloned().unwrap_or_default();
    Ok(items.iter().map(|item| item["title"].as_str().unwrap_or_default().to_owned()).collect())
}

/// The tasks that somebody was told of by notifications of a kind.
fn told(inbox: &Value, kind: &str) -> Vec<String> {
    let items = inbox["items"].as_array().into_iter().flatten();
    let of_kind = items.filter(|item| item["kind"] == kind);
    of_kind.filter_map(|item| item["link"]["id"].as_str().map(str::to_owned)).collect()
}

#[tokio::test]
async fn a_task_is_done_when_nothing_is_missing_and_what_is_missing_is_named() -> anyhow::Result<()>
{
    let house = House::start().await?;
    let cast = Cast::meet(house.found("acme").await?).await?;
    let Cast { planner, hand, .. } = &cast;
    let task = cast.task(&demanding()).await?.ok()?.made().to_owned();
    let is_told = |inbox: &Value| told(inbox, "task_assigned") == [task.clone()];
    hand.until("/notifications", SOON, is_told).await?;

    refused(&enhance(hand, &task, "complete", json!({})).await?, 409, "TASK_NOT_STARTED");
    enhance(hand, &task, "start", json!({})).await?.ok()?;
    let part = json!({"title": "Empty the tank"});
    refused(&enhance(hand, &task, "subtasks", part.clone()).await?, 403, "TASK_BEYOND_LEVEL");
    let added = enhance(planner, &task, "subtasks", part).await?.ok()?;
    let path = format!("/task-enhancements/{task}");
    let shown = hand.get_after(&path, &added).await?.ok()?.body;
    let part = shown["subtasks"][0]["subtask_id"].as_str().unwrap_or_default().to_owned();
    let lacking = enhance(hand, &task, "complete", json!({})).await?;
    refused(&lacking, 409, "TASK_INCOMPLETE");
    for name in ["Empty the tank", "Drain", "1 more photos", "Pressure in bar", "1 more assignees"]
    {
        assert!(
            lacking.body["detail"].as_str().unwrap_or_default().contains(name),
            "{}",
            lacking.text
        );
    }
    assert_eq!(lacking.body["params"]["subtasks"][0]["id"], part, "{}", lacking.text);
    assert_eq!(shown["missing"]["photos"], 1, "{shown}");

    enhance(hand, &task, &format!("subtasks/{part}/complete"), json!({})).await?.ok()?;
    enhance(hand, &task, &format!("checklist/{DRAIN}"), json!({"ticked": true})).await?.ok()?;
    let photo = photographed(hand, &task).await?;
    let gauge = format!("criteria/{PRESSURE}");
    enhance(hand, &task, &gauge, json!({"value": "2.25"})).await?.ok()?;
    enhance(hand, &task, "confirm", json!({})).await?.ok()?;
    let lacking = enhance(hand, &task, "complete", json!({})).await?;
    assert_eq!(
        lacking.body["detail"],
        "the task is not complete: record as they should be Pressure in bar"
    );
    enhance(hand, &task, &gauge, json!({"value": "2.50"})).await?.ok()?;
    let done = enhance(hand, &task, "complete", json!({})).await?.ok()?;
    let shown = planner.get_after(&path, &done).await?.ok()?.body;
    assert_eq!((&shown["status"], &shown["asset_tag"]), (&json!("completed"), &json!("P-7")));
    assert_eq!(
        (&shown["photos"], &shown["requirements"][2]["found"]),
        (&json!([photo]), &json!("2.5"))
    );
    assert_eq!(shown["missing"]["confirmations"], json!([]), "{shown}");

    // Reopened, it takes a confirmation again.
    enhance(hand, &task, "reopen", json!({"reason": "it drips"})).await?.ok()?;
    let lacking = enhance(hand, &task, "complete", json!({})).await?;
    assert_eq!(lacking.body["params"]["confirmations"], json!([hand.user_id]), "{}", lacking.text);
    let before = planner.get(&format!("/tasks/{task}?at_version=1")).await?.ok()?.body;
    assert_eq!((&before["status"], &before["assignees"]), (&json!("open"), &json!([])), "{before}");
    let history = planner.get(&format!("/tasks/{task}/history")).await?.ok()?.body;
    let last = history["items"].as_array().and_then(|items| items.last().cloned());
    assert_eq!(last.unwrap_or_default()["type"], "maintenance.task.reopened");
    house.stop().await;
    Ok(())
}

/// A picture that somebody took and attached, which is about the task from then on.
async fn photographed(hand: &Client, task: &str) -> anyhow::Result<String> {
    let text = hand.upload(&[("purpose", "attachment")], ("a.txt", "text/plain"), b"Done.").await?;
    let text = text.ok()?.made().to_owned();
    let picture = STANDARD.decode(PICTURE)?;
    let sent = hand.upload(&[("purpose", "photo")], ("a.png", "image/png"), &picture).await?;
    let photo = sent.ok()?.made().to_owned();
    for (file, code) in [(text, "TASK_PHOTO_NOT_PICTURE"), (task.to_owned(), "TASK_PHOTO_UNKNOWN")]
    {
        refused(&enhance(hand, task, "photos", json!({"file_id": file})).await?, 422, code);
    }
    let path = format!("photos/{photo}");
    let attached = enhance(hand, task, "photos", json!({"file_id": photo})).await?.ok()?;
    let file = hand.get_after(&format!("/files/{photo}"), &attached).await?.ok()?.body;
    assert_eq!(
        file["links"][0]["subject"],
        json!({"type": "maintenance.task", "id": task}),
        "{file}"
    );
    let path = format!("/task-enhancements/{task}/{path}");
    let detached = hand.command(Method::DELETE, &path, &json!({}), &[]).await?.ok()?;
    let file = hand.get_after(&format!("/files/{photo}"), &detached).await?.ok()?.body;
    assert_eq!(file["links"], json!([]), "{file}");
    enhance(hand, task, "photos", json!({"file_id": photo})).await?.ok()?;
    Ok(photo)
}

#[tokio::test]
async fn those_who_are_to_do_it_see_it_and_to_others_elsewhere_it_is_not_there()
-> anyhow::Result<()> {
    let house = House::start().await?;
    let cast = Cast::meet(house.found("acme").await?).await?;
    let Cast { owner, planner, hand, south, stranger, pump } = &cast;
    let made = cast.task(&json!({})).await?.ok()?;
    let task = made.made().to_owned();
    let title = ["Change the oil"];
    for (client, sees) in
        [(owner, true), (planner, true), (hand, true), (south, false), (stranger, false)]
    {
        let wanted: &[&str] = if sees { &title } else { &[] };
        assert_eq!(titles(client, &made).await?, wanted);
        let status = if sees { 200 } else { 404 };
        for path in [
            format!("/tasks/{task}"),
            format!("/tasks/{task}/history"),
            format!("/tasks/{task}/assignees"),
            format!("/tasks/{task}/subtasks"),
            format!("/tasks/{task}/requirements"),
            format!("/task-enhancements/{task}"),
        ] {
            let reply = client.get_after(&path, &made).await?;
            assert_eq!(reply.status, status, "{path}: {}", reply.text);
        }
    }
    let mine = format!("/tasks?filter=assignees=me()&asset_id={pump}");
    assert_eq!(hand.get_after(&mine, &made).await?.ok()?.body["items"][0]["task_id"], task);
    assert_eq!(owner.get_after(&mine, &made).await?.ok()?.body["items"], json!([]));

    // Over there one assigns, but neither here nor to things that are here.
    let theirs = json!({"title": "Steal the pump", "asset_id": pump});
    assert_eq!(south.post("/tasks", &theirs).await?.status, 403);
    refused(&enhance(south, &task, "start", json!({})).await?, 404, "TASK_UNKNOWN");
    let mine = json!({"assignees": [stranger.user_id]});
    let path = format!("/task-enhancements/{task}/assignees");
    let told = hand.command(Method::PUT, &path, &mine, &[]).await?;
    refused(&told, 403, "TASK_BEYOND_LEVEL");
    let told = planner.command(Method::PUT, &path, &mine, &[]).await?.ok()?;
    assert_eq!(told.body["events"].as_array().map(Vec::len), Some(2), "{}", told.text);
    // Whoever is assigned sees it, and works on it as far as they may work there.
    assert_eq!(titles(stranger, &told).await?, title);
    assert_eq!(titles(hand, &told).await?, [""; 0]);
    refused(&enhance(stranger, &task, "start", json!({})).await?, 403, "TASK_BEYOND_LEVEL");
    refused(&enhance(hand, &task, "start", json!({})).await?, 403, "TASK_NOT_ASSIGNEE");
    refused(&enhance(planner, &task, "confirm", json!({})).await?, 409, "TASK_NOT_STARTED");
    enhance(planner, &task, "start", json!({})).await?.ok()?;
    refused(&enhance(planner, &task, "confirm", json!({})).await?, 403, "TASK_NOT_ASSIGNEE");

    // What is for workers is for nobody else, whatever they may.
    let source = json!({"schedule_id": pump, "occurrence": "2026-01-09", "version": 1});
    let of_plan = json!({"title": "Planned", "source": source});
    refused(&owner.post("/tasks", &of_plan).await?, 403, "TASK_WORKERS_ONLY");
    let replaced = enhance(owner, &task, "supersede", json!({"by_version": 2})).await?;
    refused(&replaced, 403, "TASK_WORKERS_ONLY");

    let other = house.found("globex").await?;
    assert_eq!(other.get(&format!("/tasks/{task}")).await?.status, 404);
    refused(&enhance(&other, &task, "start", json!({})).await?, 404, "TASK_UNKNOWN");
    owner.post(&format!("/assets/{pump}/retire"), &json!({})).await?.ok()?;
    refused(&cast.task(&json!({})).await?, 409, "TASK_ASSET_RETIRED");
    house.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_task_waits_for_others_and_never_for_itself() -> anyhow::Result<()> {
    let house = House::start().await?;
    let cast = Cast::meet(house.found("acme").await?).await?;
    let Cast { planner, hand, south, .. } = &cast;
    let first = cast.task(&json!({"title": "Drain"})).await?.ok()?.made().to_owned();
    let after = json!({"title": "Refill", "prerequisites": [first]});
    let second = cast.task(&after).await?.ok()?.made().to_owned();
    let before = async |client: &Client, task: &str, tasks: &[&str]| {
        let path = format!("/task-enhancements/{task}/prerequisites");
        client.command(Method::PUT, &path, &json!({"prerequisites": tasks}), &[]).await
    };
    refused(&before(planner, &first, &[&second]).await?, 422, "TASK_PREREQUISITE_CYCLIC");
    refused(&before(planner, &first, &[&first]).await?, 422, "TASK_PREREQUISITE_ITSELF");
    let elsewhere = json!({"title": "Elsewhere", "unit_id": SOUTH});
    let elsewhere = south.post("/tasks", &elsewhere).await?.ok()?.made().to_owned();
    refused(&before(planner, &first, &[&elsewhere]).await?, 422, "TASK_PREREQUISITE_UNKNOWN");

    let begun = enhance(hand, &second, "start", json!({})).await?.ok()?;
    let lacking = enhance(hand, &second, "complete", json!({})).await?;
    assert_eq!(lacking.body["params"]["prerequisites"], json!([first]), "{}", lacking.text);
    let shown = hand.get_after(&format!("/tasks/{second}"), &begun).await?.ok()?.body;
    assert_eq!(shown["missing"]["prerequisites"], json!([first]), "{shown}");
    let cancelled =
        enhance(planner, &first, "cancel", json!({"reason": "it is empty"})).await?.ok()?;
    let shown = hand.get_after(&format!("/tasks/{second}"), &cancelled).await?.ok()?.body;
    assert_eq!(
        shown["prerequisites"],
        json!([{"task_id": first, "status": "cancelled"}]),
        "{shown}"
    );
    assert_eq!(shown["missing"]["prerequisites"], json!([]), "{shown}");
    enhance(hand, &second, "complete", json!({})).await?.ok()?;

    // Whoever asks twice at once for a circle gets half of it.
    let [third, fourth] = ["Third", "Fourth"].map(|title| json!({"title": title}));
    let third = cast.task(&third).await?.ok()?.made().to_owned();
    let fourth = cast.task(&fourth).await?.ok()?.made().to_owned();
    let (one, other) = ([fourth.as_str()], [third.as_str()]);
    let both = tokio::join!(before(planner, &third, &one), before(planner, &fourth, &other));
    let mut statuses = [both.0?.status, both.1?.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 422]);
    house.stop().await;
    Ok(())
}

#[tokio::test]
async fn whoever_is_to_do_it_hears_when_it_was_due_and_not_of_what_was_put_off()
-> anyhow::Result<()> {
    let house = House::start().await?;
    let cast = Cast::meet(house.found("acme").await?).await?;
    let Cast { owner, planner, hand, .. } = &cast;
    let at = |seconds| json!({"due_at": platform::clock::now() + Duration::from_secs(seconds)});
    let dora = json!({"handle": "dora", "email": ADDRESS});
    let dora = owner.post("/users", &dora).await?.ok()?.made().to_owned();
    let mut of_both = at(3);
    of_both["assignees"] = json!([hand.user_id, dora]);
    let late = cast.task(&of_both).await?.ok()?.made().to_owned();
    let assigned = |letter: &str| {
        letter.contains("Subject: A task is assigned to you\n").then(|| letter.to_owned())
    };
    let letter = house.letter(ADDRESS, assigned).await?;
    assert!(letter.contains(&format!("/tasks/{late}")), "{letter}");
    let put_off = cast.task(&at(4)).await?.ok()?.made().to_owned();
    let in_a_week = at(7 * 24 * 3600);
    enhance(planner, &put_off, "reschedule", in_a_week).await?.ok()?;
    let near = at(24 * 3600 + 6);
    let near = cast.task(&near).await?.ok()?.made().to_owned();
    let is_told = |kind: &'static str, task: &str| {
        let task = task.to_owned();
        move |inbox: &Value| told(inbox, kind) == [task.clone()]
    };
    hand.until("/notifications", SOON, is_told("task_overdue", &late)).await?;
    hand.until("/notifications", SOON, is_told("task_due", &near)).await?;
    house.idle(SOON).await?;
    let inbox = hand.get("/notifications").await?.ok()?.body;
    assert_eq!(told(&inbox, "task_assigned").len(), 3, "{inbox}");
    assert_eq!(told(&inbox, "task_overdue"), [late], "{inbox}");
    house.stop().await;
    Ok(())
}
