//! Files by templates, and what becomes of them: kept, deleted and cleaned up until nothing is left on the disk.

use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use journeys::{Client, House};
use reqwest::Method;
use serde_json::{Value, json};

/// Eight pixels by four, all red.
const PICTURE: &str = "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAECAIAAAA8r+mnAAAAEUlEQVR42mM4ISeHFTFQTwIAbv4ggT2otR8AAAAASUVORK5CYII=";
const SOON: Duration = Duration::from_secs(30);

/// How many files lie below a folder.
fn files(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| if entry.path().is_dir() { files(&entry.path()) } else { 1 }).sum()
}

async fn finished(owner: &Client, path: &str, body: &Value) -> anyhow::Result<String> {
    let asked = owner.post(path, body).await?.ok()?;
    let id = asked.made().to_owned();
    owner.until(&format!("/exports/{id}"), SOON, |body| body["status"] == "succeeded").await?;
    Ok(id)
}

#[tokio::test]
async fn a_report_is_made_by_its_template_and_its_files_go_when_they_shall() -> anyhow::Result<()> {
    let house = House::start().await?;
    let owner = house.found("acme").await?;
    let blobs = house.files().join("blobs");
    let template = json!({"name": "People", "dataset": "identity.users", "columns": ["handle"],
        "title": "Who is here", "layout": {"orientation": "landscape", "header": "Confidential"}});
    let template = owner.post("/exports/templates", &template).await?.ok()?.made().to_owned();
    let by_template = json!({ "template_id": template });
    let pdf = finished(&owner, "/exports/pdf", &by_template).await?;
    let csv = finished(&owner, "/exports/csv", &by_template).await?;
    let kept = finished(&owner, "/exports/csv", &by_template).await?;
    let shown = owner.get(&format!("/exports/{pdf}")).await?.ok()?.body;
    assert_eq!((&shown["template_id"], &shown["title"]), (&json!(template), &json!("Who is here")));
    assert_eq!(files(&blobs), 3);

    let link = owner.post(&format!("/exports/{csv}/downloads"), &json!({})).await?.ok()?;
    let file = owner.bytes(link.body["url"].as_str().unwrap_or_default()).await?;
    assert_eq!(String::from_utf8(file)?.trim_start_matches('\u{feff}'), "Handle\r\nowner\r\n");

    owner.post(&format!("/exports/{kept}/archive"), &json!({})).await?.ok()?;
    let path = format!("/exports/{pdf}");
    owner.command(Method::DELETE, &path, &json!({}), &[]).await?.ok()?;
    house.until("the deleted file leaves the disk", SOON, async || Ok(files(&blobs) == 2)).await?;
    let gone = owner.post(&format!("{path}/downloads"), &json!({})).await?;
    assert_eq!((gone.status, &gone.body["code"]), (409, &json!("EXPORT_FILE_DELETED")));

    owner.post("/exports/cleanup", &json!({"days_to_keep": 0})).await?.ok()?;
    house.until("old files leave the disk", SOON, async || Ok(files(&blobs) == 1)).await?;
    owner.until(&format!("/exports/{csv}"), SOON, |body| body["status"] == "expired").await?;
    let link = owner.post(&format!("/exports/{kept}/downloads"), &json!({})).await?.ok()?;
    assert!(!owner.bytes(link.body["url"].as_str().unwrap_or_default()).await?.is_empty());
    house.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_document_bears_the_logo_and_is_the_same_bytes_each_time() -> anyhow::Result<()> {
    let house = House::start().await?;
    let owner = house.found("acme").await?;
    let picture = STANDARD.decode(PICTURE)?;
    let sent = owner.upload(&[("purpose", "logo")], ("sign.png", "image/png"), &picture).await?;
    let logo = sent.ok()?.made().to_owned();
    let shown =
        json!({"dataset": "identity.users", "columns": ["handle"], "layout": {"logo": logo}});
    let plain = json!({"dataset": "identity.users", "columns": ["handle"]});
    let mut digests = Vec::new();
    for wish in [&shown, &shown, &plain] {
        let id = finished(&owner, "/exports/pdf", wish).await?;
        let export = owner.get(&format!("/exports/{id}")).await?.ok()?.body;
        digests.push(export["sha256"].as_str().unwrap_or_default().to_owned());
        let link = owner.post(&format!("/exports/{id}/downloads"), &json!({})).await?.ok()?;
        let file = owner.bytes(link.body["url"].as_str().unwrap_or_default()).await?;
        let pictures = file.windows(14).filter(|part| part == b"/Subtype/Image").count();
        assert_eq!(pictures, usize::from(*wish == shown));
    }
    assert_eq!(digests[0], digests[1]);
    assert_ne!(digests[0], digests[2]);

    owner.command(Method::DELETE, &format!("/files/{logo}"), &json!({}), &[]).await?.ok()?;
    let refused = owner.post("/exports/pdf", &shown).await?;
    assert_eq!((refused.status, &refused.body["code"]), (422, &json!("EXPORT_LAYOUT_INVALID")));
    house.stop().await;
    Ok(())
}
