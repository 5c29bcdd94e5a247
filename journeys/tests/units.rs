//! Somebody who may in a unit alone has a file made: it holds what their list shows, and is fetched while they may there.

use std::time::Duration;

use journeys::House;
use journeys::client::Client;
use reqwest::Method;
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(20);
const NORTH: &str = "0190a000-0000-7000-8000-00000000000a";
const HALL: &str = "0190a000-0000-7000-8000-00000000000b";
const SOUTH: &str = "0190a000-0000-7000-8000-00000000000d";

/// An organisation with North, which has a hall, and South.
async fn with_units(owner: &Client) -> anyhow::Result<()> {
    for (id, code, parent) in
        [(NORTH, "north", None), (HALL, "hall", Some(NORTH)), (SOUTH, "south", None)]
    {
        let unit =
            json!({"id": id, "kind": "site", "code": code, "name": code, "parent_id": parent});
        owner.post(&format!("/organizations/{}/units", owner.tenant_id), &unit).await?.ok()?;
    }
    Ok(())
}

async fn role(owner: &Client, name: &str, permissions: &[&str]) -> anyhow::Result<String> {
    let body = json!({"name": name, "level": 10, "permissions": permissions});
    Ok(owner.post("/rbac/roles", &body).await?.ok()?.made().to_owned())
}

async fn hold(owner: &Client, user: &Client, role: &str, unit: &str) -> anyhow::Result<()> {
    let body = json!({"user_id": user.user_id, "role_id": role, "unit_id": unit});
    owner.post("/rbac/assign", &body).await?.ok()?;
    Ok(())
}

/// A file of assignments: the export, and the ids in it.
async fn made(client: &Client) -> anyhow::Result<(String, Vec<String>)> {
    let ask = json!({"dataset": "rbac.assignments", "columns": ["assignment_id"]});
    let asked = client.post("/exports/csv", &ask).await?.ok()?;
    let id = asked.made().to_owned();
    let job = format!("/exports/jobs/{id}");
    let done = |body: &Value| body["status"] != "queued" && body["status"] != "running";
    let job = client.until(&job, SOON, done).await?;
    anyhow::ensure!(job.body["status"] == "succeeded", "{}", job.text);
    let link = client.post(&format!("/exports/{id}/downloads"), &json!({})).await?.ok()?;
    let file = client.bytes(link.body["url"].as_str().unwrap_or_default()).await?;
    let file = String::from_utf8(file)?;
    let cells = file.lines().map(|line| line.trim_matches('"').to_owned());
    let mut ids: Vec<String> = cells.filter(|cell| cell.parse::<uuid::Uuid>().is_ok()).collect();
    ids.sort();
    Ok((id, ids))
}

async fn listed(client: &Client) -> anyhow::Result<Vec<String>> {
    let list = client.get("/rbac/assignments").await?.ok()?;
    let items = list.body["items"].as_array().cloned().unwrap_or_default();
    let id = |item: &Value| item["assignment_id"].as_str().unwrap_or_default().to_owned();
    let mut ids: Vec<String> = items.iter().map(id).collect();
    ids.sort();
    Ok(ids)
}

#[tokio::test]
async fn a_file_holds_what_the_list_of_its_requester_shows_and_is_theirs_while_they_may()
-> anyhow::Result<()> {
    let house = House::start().await?;
    let owner = house.found("acme").await?;
    with_units(&owner).await?;
    let (anna, bert) =
        (owner.newcomer("acme", "anna").await?, owner.newcomer("acme", "bert").await?);
    let helper = role(&owner, "Helper", &["identity.organizations:read"]).await?;
    let reader = role(&owner, "Reader", &["rbac.assignments:read"]).await?;
    let exporter = role(&owner, "Exporter", &["exports.files:request"]).await?;
    for unit in [NORTH, HALL, SOUTH] {
        hold(&owner, &bert, &helper, unit).await?;
    }
    hold(&owner, &anna, &reader, NORTH).await?;
    hold(&owner, &anna, &exporter, NORTH).await?;
    let count = |wanted: usize| {
        move |body: &Value| body["items"].as_array().is_some_and(|items| items.len() == wanted)
    };
    anna.until("/rbac/assignments", SOON, count(4)).await?;
    let (export, rows) = made(&anna).await?;
    assert_eq!(rows, listed(&anna).await?, "what the list shows, and no more");
    assert!(made(&owner).await?.1.len() > rows.len(), "there is more to be seen");

    // To see more without being allowed to carry it away is to carry away no more.
    hold(&owner, &anna, &reader, SOUTH).await?;
    anna.until("/rbac/assignments", SOON, count(6)).await?;
    let carried = made(&anna).await?.1;
    assert_eq!(carried.len(), 4, "those of North: {carried:?}");

    let downloads = format!("/exports/{export}/downloads");
    assert_eq!(bert.post(&downloads, &json!({})).await?.status, 403, "another's");
    let gone = format!("/rbac/users/{}/roles/{reader}", anna.user_id);
    let of_north = json!({"unit_id": NORTH});
    owner.command(Method::DELETE, &gone, &of_north, &[]).await?.ok()?;
    let refused = anna.post(&downloads, &json!({})).await?;
    assert_eq!(refused.status, 403, "the file is of North: {}", refused.text);
    house.stop().await;
    Ok(())
}
