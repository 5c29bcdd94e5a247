//! Reading what is sensitive leaves a record, a report is a file like any other, and what followed from a request can be told.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use journeys::{House, Resident};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn who_read_what_is_sensitive_stands_in_the_trail() -> anyhow::Result<()> {
    let mut house = House::start().await?;
    let owner = house.found("acme").await?;
    for _ in 0..3 {
        owner.get("/users?filter=login_failures>=0").await?.ok()?;
    }
    owner.get("/rbac/roles").await?.ok()?;
    owner.get("/audit-logs?limit=2").await?.ok()?;
    owner.bytes(&format!("{}/api/v1/events/replay", house.query_url)).await?;
    house.end(Resident::QueryApi).await?;

    let pool = house.database().await?;
    let read: Vec<String> = sqlx::query_scalar(
        "select payload::text from log.events where event_type = 'audit.security_log.data_read'
          order by payload ->> 'dataset'",
    )
    .fetch_all(&pool)
    .await?;
    let read: Vec<Value> =
        read.iter().map(|text| serde_json::from_str(text)).collect::<Result<_, _>>()?;
    let names: Vec<_> = read.iter().map(|record| record["dataset"].as_str()).collect();
    assert_eq!(names, [Some("audit.events"), Some("audit.trail"), Some("identity.users")]);
    let users = &read[2];
    assert_eq!(users["reader_id"], owner.user_id.as_str());
    assert_eq!((&users["reads"], &users["rows"]), (&json!(3), &json!(3)));
    assert!(users["filters"][0].as_str().is_some_and(|filter| filter.contains("login_failures")));
    assert!(read[0]["rows"].as_u64().is_some_and(|rows| rows > 3), "{}", read[0]);

    house.move_in(Resident::QueryApi)?;
    house.ready().await?;
    let path =
        format!("/audit-logs/user/{}?filter=action=audit.security_log.data_read", owner.user_id);
    let shown =
        owner.until(&path, SOON, |body| body["items"].as_array().map_or(0, Vec::len) == 3).await?;
    let users = |item: &&Value| item["resource_type"] == "identity.users";
    let entry = shown.body["items"].as_array().and_then(|items| items.iter().find(users));
    let entry = entry.context("no entry")?;
    assert_eq!((&entry["module"], &entry["status"]), (&json!("identity"), &json!("success")));
    house.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_report_is_made_fetched_and_followed_back_to_who_asked() -> anyhow::Result<()> {
    let house = House::start().await?;
    let owner = house.found("acme").await?;
    let report =
        json!({"format": "csv", "filter": "module = identity", "to": "2999-01-01T00:00:00Z"});
    let asked = owner.post("/audit-logs/report", &report).await?.ok()?;
    let path = format!("/exports/jobs/{}", asked.made());
    owner.until(&path, SOON, |body| body["status"] == "completed").await?;
    let link =
        owner.post(&format!("/exports/{}/downloads", asked.made()), &json!({})).await?.ok()?;
    let file = owner.bytes(link.body["url"].as_str().unwrap_or_default()).await?;
    let file = String::from_utf8(file)?;
    assert!(file.contains("identity.user.registered") && !file.contains("rbac.policy"), "{file}");

    let wrong =
        json!({"format": "csv", "from": "2026-02-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"});
    assert_eq!(owner.post("/audit-logs/report", &wrong).await?.status, 422);
    let anna = owner.newcomer("acme", "anna").await?;
    assert_eq!(anna.post("/audit-logs/report", &report).await?.status, 403);

    let filter =
        format!("/audit-logs?action=exports.export.requested&aggregate_id={}", asked.made());
    let found = owner.until(&filter, SOON, |body| !body["items"][0].is_null()).await?;
    let correlation =
        found.body["items"][0]["correlation_id"].as_str().context("no correlation")?;
    let began = Instant::now();
    let tree = loop {
        let tree = owner.get(&format!("/audit-logs/correlation/{correlation}")).await?.ok()?;
        let told = |item: &Value| item["action"] == "notifications.notification.created";
        if tree.body["items"].as_array().is_some_and(|items| items.iter().any(told)) {
            break tree.body;
        }
        anyhow::ensure!(began.elapsed() < SOON, "{}", tree.body);
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let shown: Vec<(&str, i64)> = tree["items"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|item| {
            (item["action"].as_str().unwrap_or_default(), item["depth"].as_i64().unwrap_or(-1))
        })
        .collect();
    assert_eq!(shown[0], ("exports.export.requested", 0));
    assert!(shown.contains(&("exports.export.started", 1)), "{shown:?}");
    assert!(shown.contains(&("exports.export.completed", 1)), "{shown:?}");
    assert!(shown.contains(&("notifications.notification.created", 2)), "{shown:?}");
    assert_eq!(owner.get("/audit-logs/correlation/nothing").await?.status, 404);

    let verified = owner.get("/audit-logs/verify").await?.ok()?.body;
    assert_eq!((&verified["intact"], &verified["fault"]), (&json!(true), &Value::Null));
    assert_eq!(verified["events"], verified["last_seq"]);
    house.stop().await;
    Ok(())
}
