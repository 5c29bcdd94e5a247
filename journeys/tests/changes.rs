//! A file that tells only what has changed since the one before tells all of it, whoever makes it.

use std::time::Duration;

use journeys::{Client, House, Resident};
use reqwest::Method;
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(30);

fn roles(since: Option<&str>) -> Value {
    let changes = since.map_or_else(|| json!({}), |since| json!({ "since": since }));
    json!({"dataset": "rbac.roles", "columns": ["role_id", "name"], "sort": "name",
        "options": {"changes": changes}})
}

/// A finished export: its id, what is known of it, and its rows.
async fn made(client: &Client, body: &Value) -> anyhow::Result<(String, Value, Vec<Value>)> {
    let id = client.post("/exports/ndjson", body).await?.ok()?.made().to_owned();
    let ended = |body: &Value| body["status"] == "succeeded" || body["status"] == "failed";
    let known = client.until(&format!("/exports/jobs/{id}"), SOON, ended).await?.body;
    anyhow::ensure!(known["status"] == "succeeded", "{known}");
    let link = client.post(&format!("/exports/{id}/downloads"), &json!({})).await?.ok()?;
    let bytes = client.bytes(link.body["url"].as_str().unwrap_or_default()).await?;
    let rows = String::from_utf8(bytes)?;
    let rows = rows.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    Ok((id, known, rows))
}

fn told(rows: &[Value]) -> Vec<String> {
    let text = |row: &Value, member: &str| row[member].as_str().unwrap_or("-").to_owned();
    rows.iter().map(|row| format!("{} {}", text(row, "change"), text(row, "name"))).collect()
}

#[tokio::test]
async fn what_came_what_is_otherwise_and_what_is_gone_since_the_last_file_is_told()
-> anyhow::Result<()> {
    let mut house = House::start().await?;
    let owner = house.found("acme").await?;
    let mut ids = Vec::new();
    for name in ["Ants", "Bees", "Cats"] {
        let role = json!({"name": name, "level": 5});
        ids.push(owner.post("/rbac/roles", &role).await?.ok()?.made().to_owned());
    }
    let (first, known, rows) = made(&owner, &roles(None)).await?;
    assert!(rows.iter().all(|row| row["change"] == "added") && rows.len() > 3, "{rows:?}");
    assert_eq!(known["incremental"], true);

    let bees = format!("/rbac/roles/{}", ids[1]);
    owner.command(Method::PATCH, &bees, &json!({"name": "Bumblebees"}), &[]).await?.ok()?;
    let cats = format!("/rbac/roles/{}", ids[2]);
    owner.command(Method::DELETE, &cats, &json!({}), &[]).await?.ok()?;
    owner.post("/rbac/roles", &json!({"name": "Dogs", "level": 5})).await?.ok()?;
    house.kill(Resident::Workers)?;
    house.move_in(Resident::Workers)?;
    let (second, _, rows) = made(&owner, &roles(None)).await?;
    assert_eq!(told(&rows), ["changed Bumblebees", "added Dogs", "removed -"]);
    assert_eq!(rows[2]["role_id"], ids[2].as_str());
    let manifest = owner.get(&format!("/exports/{second}/manifest")).await?.ok()?.body;
    assert_eq!(manifest["manifest"]["question"]["since"]["export_id"], first.as_str());

    // Nothing has changed since then; since the first file the same has as before.
    let (_, known, rows) = made(&owner, &roles(None)).await?;
    assert_eq!((rows.len(), &known["rows"]), (0, &json!(0)));
    let (_, _, rows) = made(&owner, &roles(Some(&first))).await?;
    assert_eq!(told(&rows), ["changed Bumblebees", "added Dogs", "removed -"]);

    // Once the file is gone, nobody knows any more what was in it.
    owner.command(Method::DELETE, &format!("/exports/{first}"), &json!({}), &[]).await?.ok()?;
    let refused = owner.post("/exports/ndjson", &roles(Some(&first))).await?;
    assert_eq!((refused.status, &refused.body["code"]), (422, &json!("SINCE_UNKNOWN")));
    let mut body = roles(None);
    body["columns"] = json!(["name"]);
    let refused = owner.post("/exports/ndjson", &body).await?;
    assert_eq!((refused.status, &refused.body["code"]), (422, &json!("CHANGES_NEED_KEY")));
    let refused = owner.post("/exports/excel", &roles(None)).await?;
    assert_eq!((refused.status, &refused.body["code"]), (422, &json!("EXPORT_OPTION_INVALID")));
    house.stop().await;
    Ok(())
}
