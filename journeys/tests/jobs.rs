//! Background work: one list of every kind, an end within a moment, and one result whoever dies meanwhile.

use std::time::Duration;

use journeys::{Client, House, Resident};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(30);
/// Rows that take a workbook some seconds.
const MANY: i64 = 100_000;

async fn workbook(owner: &Client) -> anyhow::Result<String> {
    let asked = owner.post("/exports/excel", &json!({"dataset": "identity.users"})).await?.ok()?;
    Ok(asked.made().to_owned())
}

async fn count(house: &House, event_type: &str, stream: &str) -> anyhow::Result<i64> {
    let pool = house.database().await?;
    let count = "select count(*) from log.events where event_type = $1 and aggregate_id = $2";
    let count = sqlx::query_scalar(count).bind(event_type).bind(stream).fetch_one(&pool).await?;
    pool.close().await;
    Ok(count)
}

/// Ends the leases of workers that are dead, as time does.
async fn end_leases(house: &House) -> anyhow::Result<()> {
    let pool = house.database().await?;
    let end = "update work.jobs set lease_until = now() where state = 'running'";
    sqlx::query(end).execute(&pool).await?;
    pool.close().await;
    Ok(())
}

#[tokio::test]
async fn work_that_runs_is_told_of_and_cancelled_and_nothing_of_it_stays() -> anyhow::Result<()> {
    let house = House::start().await?;
    let owner = house.found("acme").await?;
    house.many_users(&owner, MANY).await?;
    let id = workbook(&owner).await?;
    let path = format!("/jobs/{id}");
    let under_way = |body: &Value| body["progress"]["done"].as_i64().is_some_and(|done| done > 0);
    let running = owner.until(&path, SOON, under_way).await?.body;
    assert_eq!((&running["state"], &running["kind"]), (&json!("running"), &json!("export")));
    assert!(running["progress"]["rate_per_s"].as_f64().is_some_and(|rate| rate > 0.0), "{running}");
    let stop = owner.post(&format!("{path}/cancel"), &json!({})).await?.ok()?;
    let after = owner.get_after(&path, &stop).await?.ok()?.body;
    assert!(after["state"] == "cancelling" || after["state"] == "cancelled", "{after}");
    owner.until(&path, SOON, |body| body["state"] == "cancelled").await?;
    assert_eq!(count(&house, "exports.export.cancelled", &id).await?, 1);
    assert_eq!(count(&house, "exports.export.completed", &id).await?, 0);
    let refused = owner.post(&format!("{path}/retry"), &json!({})).await?;
    assert_eq!((refused.status, &refused.body["code"]), (409, &json!("EXPORT_NOT_FAILED")));

    let backup = owner.post("/backups", &json!({"name": "nightly"})).await?.ok()?;
    let done = |body: &Value| body["state"] == "succeeded";
    owner.until(&format!("/jobs/{}", backup.made()), SOON, done).await?;
    let jobs = owner.get("/jobs?sort=created_at&fields=kind,state").await?.ok()?.body;
    let told =
        json!([{"kind": "export", "state": "cancelled"}, {"kind": "backup", "state": "succeeded"}]);
    assert_eq!(jobs["items"], told, "{jobs}");
    house.stop().await;
    Ok(())
}

#[tokio::test]
async fn whoever_is_killed_while_at_it_there_is_one_file_in_the_end() -> anyhow::Result<()> {
    let mut house = House::start().await?;
    let owner = house.found("acme").await?;
    house.many_users(&owner, MANY).await?;
    let id = workbook(&owner).await?;
    let path = format!("/jobs/{id}");
    let begun = |attempts: i64| {
        move |body: &Value| {
            body["attempts"].as_i64() >= Some(attempts)
                && body["progress"]["done"].as_i64() > Some(0)
        }
    };
    for attempt in 1..=2 {
        owner.until(&path, SOON, begun(attempt)).await?;
        house.kill(Resident::Workers)?;
        // Its lease ends by itself the first time; nobody needs to wait for that twice.
        if attempt == 2 {
            end_leases(&house).await?;
        }
        house.move_in(Resident::Workers)?;
    }
    let limit = Duration::from_mins(2);
    let made = owner.until(&path, limit, |body| body["state"] == "succeeded").await?.body;
    assert_eq!(made["warnings"], json!(["it was begun 3 times"]), "{made}");
    assert_eq!(made["progress"]["done"], MANY + 1, "{made}");
    assert_eq!(count(&house, "exports.export.completed", &id).await?, 1);
    let link = owner.post(&format!("/exports/{id}/downloads"), &json!({})).await?.ok()?.body;
    let file = owner.bytes(link["url"].as_str().unwrap_or_default()).await?;
    assert_eq!(link["size_bytes"], file.len());
    house.stop().await;
    Ok(())
}
