//! A file can be trusted: it is the same whenever it is made of the same, says so itself, and is nobody's who lost the right to it.

use std::path::Path;
use std::time::Duration;

use journeys::{Client, House, Resident};
use reqwest::Method;
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(30);
/// Rows that take a workbook some seconds.
const MANY: i64 = 100_000;
const FORMATS: [&str; 5] = ["csv", "excel", "pdf", "ndjson", "parquet"];

async fn ended(client: &Client, id: &str) -> anyhow::Result<Value> {
    let open = |body: &Value| body["status"] == "queued" || body["status"] == "running";
    Ok(client.until(&format!("/exports/jobs/{id}"), SOON, |body| !open(body)).await?.body)
}

async fn asked(client: &Client, format: &str, body: &Value) -> anyhow::Result<String> {
    Ok(client.post(&format!("/exports/{format}"), body).await?.ok()?.made().to_owned())
}

async fn fetched(client: &Client, id: &str) -> anyhow::Result<Vec<u8>> {
    let ended = ended(client, id).await?;
    anyhow::ensure!(ended["status"] == "succeeded", "{ended}");
    let link = client.post(&format!("/exports/{id}/downloads"), &json!({})).await?.ok()?;
    client.bytes(link.body["url"].as_str().unwrap_or_default()).await
}

#[tokio::test]
async fn the_same_rows_are_the_same_bytes_whenever_and_by_whichever_worker_they_are_made()
-> anyhow::Result<()> {
    let mut house = House::start().await?;
    let owner = house.found("acme").await?;
    for handle in ["anna", "bert", "zoë-ß"] {
        owner.post("/users", &json!({"handle": handle})).await?;
    }
    let body =
        json!({"dataset": "identity.users", "time_zone": "Europe/Zurich", "locale": "de-CH"});
    let mut first = Vec::new();
    for format in FORMATS {
        let id = asked(&owner, format, &body).await?;
        first.push((fetched(&owner, &id).await?, ended(&owner, &id).await?));
    }
    house.kill(Resident::Workers)?;
    house.move_in(Resident::Workers)?;
    for (format, (bytes, before)) in FORMATS.iter().zip(&first) {
        let id = asked(&owner, format, &body).await?;
        assert!(fetched(&owner, &id).await? == *bytes, "{format} differs");
        let now = ended(&owner, &id).await?;
        for member in ["sha256", "as_of_position", "file_name", "size_bytes"] {
            assert_eq!(now[member], before[member], "{format}: {member}");
        }
    }
    owner.post("/users", &json!({"handle": "later"})).await?.ok()?;
    let id = asked(&owner, "ndjson", &body).await?;
    assert_ne!(fetched(&owner, &id).await?, first[3].0, "there is one more");
    let later = ended(&owner, &id).await?["as_of_position"].as_i64();
    assert!(later > first[3].1["as_of_position"].as_i64());
    house.stop().await;
    Ok(())
}

/// Whether `annals verify` believes a file, and what it says.
fn verified(
    house: &House,
    file: &Path,
    manifest: &Path,
    key: &str,
) -> anyhow::Result<(bool, String)> {
    let text = |path: &Path| path.display().to_string();
    let (file, manifest) = (text(file), text(manifest));
    let output = house.annals(&["verify", &file, "--manifest", &manifest, "--key", key])?;
    let said = [output.stdout, output.stderr].concat();
    let code = output.status.code();
    anyhow::ensure!(code.is_some_and(|code| code < 2), "{code:?}");
    Ok((code == Some(0), String::from_utf8_lossy(&said).into_owned()))
}

#[tokio::test]
async fn a_file_is_verified_by_its_manifest_and_every_tampering_is_named() -> anyhow::Result<()> {
    let house = House::start().await?;
    let owner = house.found("acme").await?;
    let body = json!({
        "dataset": "rbac.roles", "columns": ["code", "level"], "filter": "level > 0",
        "options": {"totals": ["level"], "labels": {"code": "Kürzel"}, "cover": true},
    });
    let id = asked(&owner, "excel", &body).await?;
    let bytes = fetched(&owner, &id).await?;
    let served = owner.get(&format!("/exports/{id}/manifest")).await?.ok()?.body;
    let manifest = &served["manifest"];
    assert_eq!(manifest["export_id"], json!(id));
    assert_eq!(manifest["question"]["filter"], "level > 0");
    assert_eq!(manifest["made"]["totals"], json!(["level"]));
    assert_eq!(manifest["file"]["size_bytes"], bytes.len());
    assert!(manifest["request_id"].is_string() && manifest["as_of"]["position"].is_i64());
    let keys = owner.get("/audit/keys").await?.ok()?.body;
    let key = keys["items"][0]["vkey"].as_str().unwrap_or_default().to_owned();

    let (file, note) = (house.path("roles.xlsx"), house.path("roles.json"));
    let keep = |bytes: &[u8], served: &Value| -> anyhow::Result<()> {
        std::fs::write(&file, bytes)?;
        Ok(std::fs::write(&note, served.to_string())?)
    };
    keep(&bytes, &served)?;
    let (is_believed, said) = verified(&house, &file, &note, &key)?;
    assert!(is_believed, "{said}");

    let mut flipped = bytes.clone();
    flipped[bytes.len() / 2] ^= 1;
    keep(&flipped, &served)?;
    let (is_believed, said) = verified(&house, &file, &note, &key)?;
    assert!(!is_believed && said.contains("the file is another"), "{said}");
    keep(&bytes[..bytes.len() - 1], &served)?;
    let (is_believed, said) = verified(&house, &file, &note, &key)?;
    assert!(!is_believed && said.contains("were made"), "{said}");

    let mut altered = served.clone();
    altered["manifest"]["file"]["rows"] = json!(1_000);
    keep(&bytes, &altered)?;
    let (is_believed, said) = verified(&house, &file, &note, &key)?;
    assert!(!is_believed && said.contains("file.rows is not what was signed"), "{said}");
    let signed = served["signed"].as_str().unwrap_or_default();
    altered["signed"] = json!(signed.replace("level > 0", "level > 1"));
    keep(&bytes, &altered)?;
    let (is_believed, said) = verified(&house, &file, &note, &key)?;
    assert!(!is_believed && said.contains("does not fit"), "{said}");

    let other = house.found("other").await?.get("/audit/keys").await?.ok()?.body;
    keep(&bytes, &served)?;
    let other = other["items"][0]["vkey"].as_str().unwrap_or_default().to_owned();
    let (is_believed, said) = verified(&house, &file, &note, &other)?;
    assert!(!is_believed && said.contains("no signature of the given key"), "{said}");
    house.stop().await;
    Ok(())
}

/// A role that reads and exports users, held by somebody; the role.
async fn exporter(owner: &Client, user: &Client, name: &str) -> anyhow::Result<String> {
    let permissions = ["identity.users:read", "exports.files:request"];
    let role = json!({"name": name, "level": 10, "permissions": permissions});
    let role = owner.post("/rbac/roles", &role).await?.ok()?.made().to_owned();
    owner.post("/rbac/assign", &json!({"user_id": user.user_id, "role_id": role})).await?.ok()?;
    Ok(role)
}

async fn revoke(owner: &Client, user: &Client, role: &str) -> anyhow::Result<()> {
    let path = format!("/rbac/users/{}/roles/{role}", user.user_id);
    owner.command(Method::DELETE, &path, &json!({}), &[]).await?.ok()?;
    Ok(())
}

#[tokio::test]
async fn a_right_that_is_taken_before_while_or_after_a_file_is_made_takes_the_file()
-> anyhow::Result<()> {
    let mut house = House::start().await?;
    let owner = house.found("acme").await?;
    let anna = owner.newcomer("acme", "anna").await?;
    let users = json!({"dataset": "identity.users"});

    let role = exporter(&owner, &anna, "After").await?;
    let id = asked(&anna, "csv", &users).await?;
    fetched(&anna, &id).await?;
    revoke(&owner, &anna, &role).await?;
    let refused = anna.post(&format!("/exports/{id}/downloads"), &json!({})).await?;
    assert_eq!(refused.status, 403, "after: {}", refused.text);

    let role = exporter(&owner, &anna, "Before").await?;
    house.kill(Resident::Workers)?;
    let id = asked(&anna, "csv", &users).await?;
    revoke(&owner, &anna, &role).await?;
    house.move_in(Resident::Workers)?;
    let before = ended(&owner, &id).await?;
    assert_eq!(before["error_code"], "permission_revoked", "before: {before}");

    house.many_users(&owner, MANY).await?;
    let role = exporter(&owner, &anna, "While").await?;
    let id = asked(&anna, "excel", &users).await?;
    let under_way = |body: &Value| body["progress"]["done"].as_i64().is_some_and(|done| done > 0);
    owner.until(&format!("/jobs/{id}"), SOON, under_way).await?;
    revoke(&owner, &anna, &role).await?;
    let during = ended(&owner, &id).await?;
    assert_eq!(during["error_code"], "permission_revoked", "while: {during}");
    assert_eq!(during["file_id"], Value::Null);
    house.stop().await;
    Ok(())
}
