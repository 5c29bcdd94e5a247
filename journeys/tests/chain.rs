//! The whole chain: a command becomes events, a read model, a trail, a file, a message, a backup; and can be proven.

use std::time::Duration;

use journeys::{Client, House};
use serde_json::{Value, json};
use sha2::Digest;

const SOON: Duration = Duration::from_secs(20);

async fn role(owner: &Client, name: &str, permissions: &[&str]) -> anyhow::Result<String> {
    let body = json!({ "name": name, "permissions": permissions });
    Ok(owner.post("/rbac/roles", &body).await?.ok()?.made().to_owned())
}

#[tokio::test]
async fn a_role_is_made_assigned_seen_exported_told_backed_up_and_proven() -> anyhow::Result<()> {
    let house = House::start().await?;
    let owner = house.found("acme").await?;
    let anna = owner.newcomer("acme", "anna").await?;

    // access: denied by default with a reason, granted by a role, revoked from the next command
    let check = json!({"user_id": anna.user_id, "permission": "identity.users:register"});
    let before = owner.ask("/rbac/check", &check).await?.ok()?;
    assert_eq!(before.body["allowed"], false, "{}", before.body);
    let registrar = role(&owner, "Registrar", &["identity.users:register"]).await?;
    let assigned = owner
        .post("/rbac/assign", &json!({"user_id": anna.user_id, "role_id": registrar}))
        .await?
        .ok()?;
    let roles =
        owner.get_after(&format!("/rbac/users/{}/roles", anna.user_id), &assigned).await?.ok()?;
    assert_eq!(roles.body["items"][0]["role_id"], registrar.as_str(), "{}", roles.body);
    let after = owner.ask_after("/rbac/check", &check, &assigned).await?.ok()?;
    assert_eq!(after.body["allowed"], true, "{}", after.body);
    anna.post("/users", &json!({"handle": "berta"})).await?.ok()?;

    tells_of_the_role(&anna).await?;
    exports(&owner).await?;
    backs_up(&owner).await?;
    trails(&owner, &anna).await?;
    proves(&house, &owner).await?;
    house.stop().await;
    Ok(())
}

/// The user is told of the role, and can mark that as read.
async fn tells_of_the_role(anna: &Client) -> anyhow::Result<()> {
    let told = |body: &Value| body["items"].as_array().is_some_and(|items| !items.is_empty());
    let inbox = anna.until("/notifications", SOON, told).await?;
    let message = &inbox.body["items"][0];
    assert_eq!(message["kind"], "role_assigned");
    let unread = anna.get("/notifications/unread-count").await?.ok()?;
    assert_eq!(unread.body["unread"], 1, "{}", unread.body);
    let id = message["notification_id"].as_str().unwrap_or_default();
    let read = anna.post(&format!("/notifications/{id}/read"), &json!({})).await?.ok()?;
    let unread = anna.get_after("/notifications/unread-count", &read).await?.ok()?;
    assert_eq!(unread.body["unread"], 0, "{}", unread.body);
    Ok(())
}

/// A file in each format, fetched by a link, as large and as hashed as promised.
async fn exports(owner: &Client) -> anyhow::Result<()> {
    for (path, magic) in [("csv", &b"\xef\xbb\xbf"[..]), ("excel", b"PK"), ("pdf", b"%PDF")] {
        let asked = owner
            .post(&format!("/exports/{path}"), &json!({"dataset": "rbac.roles"}))
            .await?
            .ok()?;
        let id = asked.made().to_owned();
        let early = owner.post(&format!("/exports/{id}/downloads"), &json!({})).await?;
        assert!(early.status == 201 || early.status == 409, "{}", early.body);
        let done = |body: &Value| body["status"] == "succeeded";
        owner.until(&format!("/exports/jobs/{id}"), SOON, done).await?;
        let link = owner.post(&format!("/exports/{id}/downloads"), &json!({})).await?.ok()?;
        let file = owner.bytes(link.body["url"].as_str().unwrap_or_default()).await?;
        assert!(file.starts_with(magic), "{path}");
        assert_eq!(
            hex::encode(sha2::Sha256::digest(&file)),
            link.body["sha256"].as_str().unwrap_or_default()
        );
    }
    let told = |body: &Value| {
        let ready = |item: &&Value| item["kind"] == "export_ready";
        body["items"].as_array().is_some_and(|items| items.iter().filter(ready).count() == 3)
    };
    owner.until("/notifications", SOON, told).await?;
    Ok(())
}

/// A backup that is made and then read back.
async fn backs_up(owner: &Client) -> anyhow::Result<()> {
    let asked = owner.post("/backups", &json!({"name": "nightly"})).await?.ok()?;
    let path = format!("/backups/{}", asked.made());
    owner.until(&path, SOON, |body| body["status"] == "succeeded").await?;
    owner.post(&format!("{path}/verify"), &json!({})).await?.ok()?;
    owner.until(&path, SOON, |body| body["verification"] == "passed").await?;
    Ok(())
}

/// Everything is in the trail, refusals included.
async fn trails(owner: &Client, anna: &Client) -> anyhow::Result<()> {
    let refused = anna.post("/backups", &json!({"name": "mine"})).await?;
    assert_eq!(refused.status, 403, "{}", refused.body);
    let path = format!("/audit-logs/user/{}", anna.user_id);
    let has = |status: &'static str| {
        move |body: &Value| {
            body["items"]
                .as_array()
                .is_some_and(|items| items.iter().any(|item| item["status"] == status))
        }
    };
    owner.until(&path, SOON, has("denied")).await?;
    let trail = owner.until(&path, SOON, has("success")).await?;
    let entry = &trail.body["items"][0];
    assert_eq!(entry["ip"], "127.0.0.1", "{entry}");
    Ok(())
}

/// Every read model is what the log says, and the log is what was stored.
async fn proves(house: &House, owner: &Client) -> anyhow::Result<()> {
    let proof = house.annals(&["prove"])?;
    assert!(
        proof.status.success(),
        "{}{}",
        String::from_utf8_lossy(&proof.stdout),
        String::from_utf8_lossy(&proof.stderr)
    );
    let replay = owner.bytes(&format!("{}/api/v1/events/replay", house.query_url)).await?;
    let file = house.path("replay.ndjson");
    std::fs::write(&file, &replay)?;
    let name = file.display().to_string();
    let verified = house.annals(&["verify", &name])?;
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    let altered = String::from_utf8(replay)?.replacen("Registrar", "Registrarr", 1);
    std::fs::write(&file, altered)?;
    assert!(!house.annals(&["verify", &name])?.status.success(), "an altered replay is found out");
    Ok(())
}
