//! What an organisation sets is what its house does: shown at once, kept to by the workers, traced, and proven.

use std::time::{Duration, Instant};

use events::settings::Key;
use journeys::{Client, House};
use reqwest::Method;
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(20);
const KEPT: &str = "/settings/exports.kept_hours";

/// For how many hours a new export can be fetched.
async fn hours_of_an_export(owner: &Client) -> anyhow::Result<i64> {
    let asked = owner.post("/exports/csv", &json!({"dataset": "rbac.roles"})).await?.ok()?;
    let path = format!("/exports/jobs/{}", asked.made());
    let done = owner.until(&path, SOON, |body| body["status"] == "succeeded").await?;
    let time = |name: &str| done.body[name].as_str().unwrap_or_default().parse();
    let (ended, expires): (jiff::Timestamp, jiff::Timestamp) =
        (time("ended_at")?, time("expires_at")?);
    // The moment of expiry is settled just before the file is reported.
    Ok(expires.duration_since(ended).as_mins().saturating_add(30).div_euclid(60))
}

/// Gives the user a new role and waits until the workers have dealt with it; of how many roles the user was told by then.
async fn told_of_a_role(house: &House, owner: &Client, user: &Client) -> anyhow::Result<i64> {
    let pool = house.database().await?;
    let count = async |sql: &'static str| -> sqlx::Result<i64> {
        sqlx::query_scalar(sql).bind(&user.user_id).fetch_one(&pool).await
    };
    let dealt = "select count(*) from work.jobs where kind = 'notifications.send' and state = 'succeeded' \
                 and body ->> 'stream' = 'rbac.user_access' and body ->> 'stream_id' = $1";
    let before = count(dealt).await?;
    let role = json!({"name": format!("Role {before}"), "permissions": []});
    let role = owner.post("/rbac/roles", &role).await?.ok()?;
    let assign = json!({"user_id": user.user_id, "role_id": role.made()});
    owner.post("/rbac/assign", &assign).await?.ok()?;
    let began = Instant::now();
    while count(dealt).await? == before {
        anyhow::ensure!(began.elapsed() < SOON, "the workers do not deal with the role");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let told = "select count(*) from log.events where event_type = 'notifications.notification.created' \
                and payload::jsonb ->> 'user_id' = $1";
    Ok(count(told).await?)
}

#[tokio::test]
async fn users_are_told_of_roles_only_where_the_organisation_wants_it() -> anyhow::Result<()> {
    let house = House::start().await?;
    let owner = house.found("acme").await?;
    let anna = owner.newcomer("acme", "anna").await?;
    let path = "/settings/notifications.tell_of_roles";
    owner.command(Method::PUT, path, &json!({"value": false}), &[]).await?.ok()?;
    assert_eq!(told_of_a_role(&house, &owner, &anna).await?, 0);
    owner.command(Method::DELETE, path, &json!({}), &[]).await?.ok()?;
    assert_eq!(told_of_a_role(&house, &owner, &anna).await?, 1, "by default they are");
    let own = "/me/settings/notifications.tell_of_roles";
    let set = anna.command(Method::PUT, own, &json!({"value": false}), &[]).await?.ok()?;
    assert_eq!(told_of_a_role(&house, &owner, &anna).await?, 1, "she does not want to be");
    let shown = anna.get_after("/me/settings", &set).await?.ok()?;
    let items = shown.body["items"].as_array().cloned().unwrap_or_default();
    let of = |name: &str| items.iter().find(|item| item["key"] == name).cloned();
    let (paper, told) = (of("exports.paper"), of("notifications.tell_of_roles"));
    let for_users = Key::offered().filter(|key| key.is_per_user());
    assert_eq!(items.len(), for_users.count(), "{}", shown.text);
    let source =
        |item: Option<Value>| item.map(|item| (item["value"].clone(), item["source"].clone()));
    assert_eq!(source(told), Some((json!(false), json!("user"))));
    assert_eq!(source(paper), Some((json!("a4"), json!("default"))));
    let kept = "/me/settings/exports.kept_hours";
    let refused = anna.command(Method::PUT, kept, &json!({"value": 2}), &[]).await?;
    assert_eq!(refused.body["code"], "SETTINGS_NOT_PER_USER", "{}", refused.text);
    anna.command(Method::DELETE, own, &json!({}), &[]).await?.ok()?;
    assert_eq!(told_of_a_role(&house, &owner, &anna).await?, 2, "and now she does");
    let chosen = owner.get("/settings/chosen").await?.ok()?;
    assert_eq!(chosen.body["items"], json!([]), "what users choose is not listed");
    house.stop().await;
    Ok(())
}

#[tokio::test]
async fn an_export_is_kept_as_long_as_the_organisation_has_set_and_a_feature_reaches_its_share()
-> anyhow::Result<()> {
    let house = House::start().await?;
    let owner = house.found("acme").await?;
    let anna = owner.newcomer("acme", "anna").await?;
    assert_eq!(hours_of_an_export(&owner).await?, 14 * 24, "by default");

    let put = async |path: &str, body: Value| owner.command(Method::PUT, path, &body, &[]).await;
    assert_eq!(put(KEPT, json!({"value": 0})).await?.status, 422);
    let set = put(KEPT, json!({"value": 2})).await?.ok()?;
    let shown = owner.get_after(KEPT, &set).await?.ok()?;
    assert_eq!((&shown.body["value"], &shown.body["source"]), (&json!(2), &json!("organization")));
    assert_eq!(hours_of_an_export(&owner).await?, 2, "as set");
    assert_eq!(anna.get("/settings").await?.status, 403, "settings are for those who may see them");

    let flag = async |client: &Client| -> anyhow::Result<(Value, Value)> {
        let flags = client.get("/feature-flags").await?.ok()?;
        let found = flags.body["items"].as_array().into_iter().flatten();
        let found = found.into_iter().find(|item| item["flag"] == "command_batches");
        let found = found.cloned().unwrap_or_default();
        Ok((found["on"].clone(), found["why"].clone()))
    };
    let batch = async |client: &Client| -> anyhow::Result<(u16, Value)> {
        let logout = json!({"method": "POST", "path": "/auth/logout"});
        let path = "/commands/batch?validate_only=true";
        let reply = client.post(path, &json!({"commands": [logout]})).await?;
        Ok((reply.status, reply.body["code"].clone()))
    };
    assert_eq!(flag(&anna).await?, (json!(true), json!("default")));
    let path = "/feature-flags/command_batches";
    put(path, json!({"enabled": true})).await?.ok()?;
    assert_eq!(flag(&anna).await?, (json!(true), json!("rollout")));
    assert_eq!(batch(&anna).await?, (200, Value::Null));
    let off = put(path, json!({"enabled": false})).await?.ok()?;
    assert_eq!(flag(&anna).await?, (json!(false), json!("switched_off")));
    assert_eq!(batch(&anna).await?, (403, json!("FEATURE_OFF")));

    let trail = "/audit-logs?resource_type=settings.flag&limit=1";
    let traced = owner.get_after(trail, &off).await?.ok()?;
    let changes = traced.body["items"][0]["changes"].to_string();
    assert!(changes.contains("/enabled"), "{}", traced.body);
    let proof = house.annals(&["prove"])?;
    assert!(proof.status.success(), "{}", String::from_utf8_lossy(&proof.stderr));
    house.stop().await;
    Ok(())
}
