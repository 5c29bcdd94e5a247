//! Two organisations in one house never see each other: not in lists, items, streams, exports or links.

use std::time::Duration;

use journeys::House;
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn two_organisations_never_see_each_other() -> anyhow::Result<()> {
    let house = House::start().await?;
    let acme = house.found("acme").await?;
    let other = house.found("other").await?;
    let made = acme.post("/users", &json!({"handle": "secret-anna"})).await?.ok()?;
    let anna = made.made().to_owned();
    acme.get_after("/users", &made).await?.ok()?;

    // lists and items
    for path in [
        "/users",
        "/audit-logs",
        "/events",
        "/rbac/assignments",
        "/notifications",
        "/exports",
        "/backups",
    ] {
        let reply = other.get(path).await?.ok()?;
        assert!(!reply.body.to_string().contains("secret-anna"), "{path}: {}", reply.body);
    }
    for path in [
        format!("/users/{anna}"),
        format!("/organizations/{}", acme.tenant_id),
        format!("/events/streams/identity.user/{anna}"),
    ] {
        let reply = other.get(&path).await?;
        let empty = reply.body["items"].as_array().is_some_and(Vec::is_empty);
        assert!(reply.status == 404 || empty, "{path}: {} {}", reply.status, reply.body);
    }
    let stream = other.bytes(&format!("{}/api/v1/events/replay", house.query_url)).await?;
    assert!(!String::from_utf8(stream)?.contains("secret-anna"));

    // commands
    for path in [format!("/users/{anna}/unlock"), format!("/users/{anna}/deactivate")] {
        let reply = other.post(&path, &json!({"reason": "x"})).await?;
        assert!(matches!(reply.status, 404 | 422), "{path}: {} {}", reply.status, reply.body);
    }

    // exports and their links
    let asked = acme.post("/exports/csv", &json!({"dataset": "identity.users"})).await?.ok()?;
    let export = asked.made().to_owned();
    let done = |body: &Value| body["status"] == "succeeded";
    acme.until(&format!("/exports/jobs/{export}"), SOON, done).await?;
    assert_eq!(other.get(&format!("/exports/jobs/{export}")).await?.status, 404);
    assert_eq!(other.post(&format!("/exports/{export}/downloads"), &json!({})).await?.status, 404);
    let link = acme.post(&format!("/exports/{export}/downloads"), &json!({})).await?.ok()?;
    let url = link.body["url"].as_str().unwrap_or_default();
    assert!(acme.bytes(url).await.is_ok());
    let tampered = url.replacen("link=A", "link=B", 1);
    let altered = if tampered == url { format!("{url}x") } else { tampered };
    assert!(acme.bytes(&altered).await.is_err(), "an altered link is refused");
    house.stop().await;
    Ok(())
}
