//! Several files asked for as one come in one archive whoever is killed meanwhile, a file for others is told of once by a real
//! letter, and a file that recurs is made and sent by itself.

use std::process::Command;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use journeys::{Client, House, PASSWORD, Resident};
use reqwest::Method;
use serde_json::{Value, json};

const SOON: Duration = Duration::from_mins(2);

fn items() -> Value {
    json!([
        {"format": "csv", "export": {"dataset": "identity.users", "title": "People"}},
        {"format": "csv", "export": {"dataset": "identity.users", "title": "People"}},
        {"format": "xlsx", "export": {"dataset": "rbac.roles"}},
        {"format": "ndjson", "export": {"dataset": "rbac.roles"}},
    ])
}

/// What another program than ours finds in an archive: the names of its members, all of them whole.
fn members(archive: &std::path::Path) -> anyhow::Result<Vec<String>> {
    const READ: &str = "import sys, zipfile\nz = zipfile.ZipFile(sys.argv[1])\n\
        assert z.testzip() is None\nprint('\\n'.join(z.namelist()))";
    let output = Command::new("python3").args(["-c", READ]).arg(archive).output()?;
    anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?.lines().map(str::to_owned).collect())
}

async fn until_status(client: &Client, batch: &str, status: &str) -> anyhow::Result<Value> {
    let holds = |body: &Value| body["status"] == status;
    Ok(client.until(&format!("/exports/batch/{batch}"), SOON, holds).await?.body)
}

async fn archive(client: &Client, batch: &str) -> anyhow::Result<Vec<u8>> {
    let link = client.post(&format!("/exports/batch/{batch}/downloads"), &json!({})).await?.ok()?;
    client.bytes(link.body["url"].as_str().unwrap_or_default()).await
}

async fn count(house: &House, event_type: &str) -> anyhow::Result<i64> {
    let pool = house.database().await?;
    let count = sqlx::query_scalar("select count(*) from log.events where event_type = $1");
    let count = count.bind(event_type).fetch_one(&pool).await?;
    pool.close().await;
    Ok(count)
}

#[tokio::test]
async fn several_files_come_in_one_archive_whoever_is_killed_meanwhile() -> anyhow::Result<()> {
    let mut house = House::start().await?;
    let owner = house.found("acme").await?;
    let body = json!({"title": "Month: end", "items": items()});
    let batch = owner.post("/exports/batch", &body).await?.ok()?.made().to_owned();
    let begun = async || Ok(count(&house, "exports.export.requested").await? > 0);
    house.until("a file is asked for", SOON, begun).await?;
    house.kill(Resident::Workers)?;
    house.move_in(Resident::Workers)?;
    let ended = until_status(&owner, &batch, "succeeded").await?;
    assert_eq!((&ended["made"], &ended["total"]), (&json!(4), &json!(4)), "{ended}");
    house.idle(SOON).await?;
    assert_eq!(count(&house, "exports.export.requested").await?, 4);
    assert_eq!(count(&house, "exports.batch.completed").await?, 1);
    let job = owner.get(&format!("/jobs/{batch}")).await?.ok()?.body;
    assert_eq!((&job["kind"], &job["progress"]["done"]), (&json!("batch"), &json!(4)), "{job}");
    assert_eq!(job["result"]["resource"], format!("/api/v1/exports/batch/{batch}"));

    let (first, second) = (archive(&owner, &batch).await?, archive(&owner, &batch).await?);
    assert!(first == second, "the same files make the same archive");
    let file = house.path("files.zip");
    std::fs::write(&file, &first)?;
    let names = members(&file)?;
    assert_eq!(names.len(), 8, "{names:?}");
    assert!(names[0].starts_with("People_") && names[1].contains(" (2).csv"), "{names:?}");
    assert!(names[2].contains(".xlsx") && names[4].starts_with("manifests/"), "{names:?}");

    // What is deleted is not in it, and when nothing is left there is none.
    for (place, left) in [3, 2, 1, 0].iter().enumerate() {
        let export = ended["items"][place]["export_id"].as_str().unwrap_or_default();
        let path = format!("/exports/{export}");
        owner.command(Method::DELETE, &path, &json!({}), &[]).await?.ok()?;
        if *left > 0 {
            std::fs::write(&file, archive(&owner, &batch).await?)?;
            assert_eq!(members(&file)?.len(), left * 2);
        }
    }
    let gone = owner.post(&format!("/exports/batch/{batch}/downloads"), &json!({})).await?;
    assert_eq!(gone.body["code"], "BATCH_FILES_GONE");
    house.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_batch_waits_for_its_time_and_what_is_cancelled_is_not_made() -> anyhow::Result<()> {
    let house = House::start().await?;
    let owner = house.found("acme").await?;
    house.many_users(&owner, 100_000).await?;
    let later = platform::clock::now() + SignedDuration::from_secs(3);
    let big = json!({"format": "xlsx", "export": {"dataset": "identity.users"}});
    let body = json!({"run_at": later, "items": [big, big]});
    let batch = owner.post("/exports/batch", &body).await?.ok()?.made().to_owned();
    let path = format!("/exports/batch/{batch}");
    let begun = |body: &Value| {
        body["items"][0]["export_id"].is_string() && body["items"][1]["export_id"].is_string()
    };
    let seen = owner.until(&path, SOON, begun).await?.body;
    let started: Timestamp = seen["started_at"].as_str().unwrap_or_default().parse()?;
    assert!(started >= later, "{seen}");
    owner.post(&format!("/jobs/{batch}/cancel"), &json!({})).await?.ok()?;
    until_status(&owner, &batch, "cancelled").await?;
    for place in 0..2 {
        let export = seen["items"][place]["export_id"].as_str().unwrap_or_default();
        let path = format!("/exports/jobs/{export}");
        owner.until(&path, SOON, |body| body["status"] == "cancelled").await?;
    }
    house.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_recurring_file_is_made_and_those_it_is_for_are_written_to_once() -> anyhow::Result<()> {
    let mut house = House::start().await?;
    let owner = house.found("acme").await?;
    let (reader, reading) = reader(&owner).await?;
    let due = platform::clock::now() + SignedDuration::from_secs(3);
    let due = Timestamp::from_second(due.as_second())?;
    let schedule = json!({"name": "People", "format": "csv",
        "spec": {"kind": "once", "at": due}, "modifiers": {"time_zone": "UTC"},
        "export": {"dataset": "identity.users", "title": "As of {occurrence}",
            "deliver": {"recipients": [reader]}}});
    let id = owner.post("/exports/schedule", &schedule).await?.ok()?.made().to_owned();
    let listed = owner.get("/exports/schedule?kind=email").await?.ok()?.body;
    assert_eq!(listed["items"][0]["recipients"], json!([reader]), "{listed}");
    let path = format!("/exports/schedule/{id}");
    let made = |body: &Value| body["last_aggregate_id"].is_string();
    let made = owner.until(&path, SOON, made).await?.body;
    let export = made["last_aggregate_id"].as_str().unwrap_or_default();
    let page = format!("/exports/{export}");
    let leads_there = |letter: &str| {
        let is_it = letter.contains(&page) && letter.contains("List-Unsubscribe:");
        is_it.then_some(())
    };
    house.letter("reader@acme.test", leads_there).await?;
    house.idle(SOON).await?; // what the server took is noted as well

    // Every reaction from the first event on, with workers that know nothing.
    house.kill(Resident::Workers)?;
    let pool = house.database().await?;
    for statement in ["delete from work.jobs", "update work.reactions set position = 0"] {
        sqlx::query(statement).execute(&pool).await?;
    }
    pool.close().await;
    house.move_in(Resident::Workers)?;
    house.idle(SOON).await?;
    let about_it = |letter: &&String| letter.contains(&page) && letter.contains("reader@acme.test");
    assert_eq!(house.mail()?.iter().filter(about_it).count(), 1);
    assert_eq!(count(&house, "exports.export.delivered").await?, 1);

    let file = reading.get(&page).await?.ok()?.body;
    assert_eq!(file["export_id"], export, "{file}");
    let link = reading.post(&format!("{page}/downloads"), &json!({})).await?.ok()?;
    let bytes = reading.bytes(link.body["url"].as_str().unwrap_or_default()).await?;
    let url = format!("{}/api/v1{page}", reading.query_url);
    let accepted = reading.send(Method::GET, &url, None, &[("accept", "text/csv")]).await?.ok()?;
    assert!(accepted.text.as_bytes() == bytes, "the file is the same by either way");
    house.stop().await;
    Ok(())
}

/// Somebody with an address who may see people and fetch files: id, and signed in.
async fn reader(owner: &Client) -> anyhow::Result<(String, Client)> {
    let reader = json!({"handle": "reader", "email": "reader@acme.test"});
    let id = owner.post("/users", &reader).await?.ok()?.made().to_owned();
    let password = json!({ "password": PASSWORD });
    owner.command(Method::PUT, &format!("/users/{id}/password"), &password, &[]).await?.ok()?;
    let reading = owner.login("acme", "reader").await?;
    let may = json!({"name": "Reader", "level": 10,
        "permissions": ["exports.files:request", "identity.users:read"]});
    let role = owner.post("/rbac/roles", &may).await?.ok()?.made().to_owned();
    owner.post("/rbac/assign", &json!({"user_id": id, "role_id": role})).await?.ok()?;
    Ok((id, reading))
}
