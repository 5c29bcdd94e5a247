//! A schedule has files made in the name of whoever owns it: one for each occurrence, whoever dies meanwhile; what is refused
//! the owner is told.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use journeys::{Client, House, Resident};
use serde_json::{Value, json};
use sqlx::PgPool;

const SOON: Duration = Duration::from_mins(1);
const TRIGGERS: usize = 5;

fn report(due: Timestamp) -> Value {
    json!({"name": "Report", "spec": {"kind": "once", "at": due}, "modifiers": {"time_zone": "UTC"},
        "target": {"command": "exports_export_request_csv",
            "args": {"dataset": "identity.users", "title": "As of {occurrence}"}}})
}

fn in_seconds(seconds: i64) -> anyhow::Result<Timestamp> {
    let at = platform::clock::now() + SignedDuration::from_secs(seconds);
    Ok(Timestamp::from_second(at.as_second())?)
}

async fn count(pool: &PgPool, event_type: &str) -> anyhow::Result<i64> {
    let count = sqlx::query_scalar("select count(*) from log.events where event_type = $1");
    Ok(count.bind(event_type).fetch_one(pool).await?)
}

fn all_answered(body: &Value) -> bool {
    let items = body["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    items.len() == TRIGGERS && items.iter().all(|item| item["last_aggregate_id"].is_string())
}

/// Every reaction reads the log from its first event again, a week later: what was done well is forgotten.
async fn look_at_everything_again(house: &mut House) -> anyhow::Result<()> {
    let pool = house.database().await?;
    for statement in [
        "delete from work.jobs where state = 'succeeded'",
        "update work.reactions set position = 0",
    ] {
        sqlx::query(statement).execute(&pool).await?;
    }
    pool.close().await;
    house.move_in(Resident::Workers)
}

#[tokio::test]
async fn every_occurrence_has_one_file_made_whoever_is_killed_and_however_often_it_is_looked_at()
-> anyhow::Result<()> {
    let mut house = House::start().await?;
    house.move_in(Resident::Workers)?;
    let owner = house.found("acme").await?;
    let due = in_seconds(5)?;
    for _ in 0..TRIGGERS {
        owner.post("/triggers", &report(due)).await?.ok()?;
    }
    let pool = house.database().await?;
    // Each dies where it stands when the first command was given.
    for _ in 0..2 {
        let begun = async || -> anyhow::Result<bool> {
            Ok(count(&pool, "exports.export.requested").await? > 0)
        };
        house.until("a file is asked for", SOON, begun).await?;
        house.kill(Resident::Workers)?;
        house.move_in(Resident::Workers)?;
    }
    owner.until("/triggers", SOON, all_answered).await?;
    house.kill(Resident::Workers)?;
    house.kill(Resident::Workers)?;
    look_at_everything_again(&mut house).await?;
    house.idle(SOON).await?;
    let most = i64::try_from(TRIGGERS)?;
    for kind in ["scheduling.trigger.fired", "exports.export.requested", "exports.export.completed"]
    {
        assert_eq!(count(&pool, kind).await?, most, "{kind}");
    }
    assert_eq!(count(&pool, "scheduling.trigger.command_succeeded").await?, most);
    by_the_owner_through_the_trigger(&owner).await?;
    pool.close().await;
    house.stop().await;
    Ok(())
}

/// The trail says who, and through what.
async fn by_the_owner_through_the_trigger(owner: &Client) -> anyhow::Result<()> {
    let path = "/audit-logs?limit=50&filter=action=\"exports.export.requested\"";
    let all = |body: &Value| body["items"].as_array().is_some_and(|all| all.len() == TRIGGERS);
    let trail = owner.until(path, SOON, all).await?.body;
    for entry in trail["items"].as_array().into_iter().flatten() {
        assert_eq!(entry["actor_id"], owner.user_id.as_str(), "{entry}");
        let through = entry["through"].as_str().unwrap_or_default();
        assert!(through.starts_with("scheduling.trigger/"), "{entry}");
    }
    Ok(())
}

#[tokio::test]
async fn whoever_loses_the_right_is_told_and_nobody_does_it_instead() -> anyhow::Result<()> {
    let house = House::start().await?;
    let owner = house.found("acme").await?;
    let anna = owner.newcomer("acme", "anna").await?;
    let permissions = json!([
        "scheduling.triggers:manage",
        "scheduling.triggers:read",
        "exports.files:request",
        "identity.users:read"
    ]);
    let role = json!({"name": "Planner", "permissions": permissions});
    let role = owner.post("/rbac/roles", &role).await?.ok()?.made().to_owned();
    let held = json!({"user_id": anna.user_id, "role_id": role});
    owner.post("/rbac/assign", &held).await?.ok()?;
    let made = anna.post("/triggers", &report(in_seconds(4)?)).await?.ok()?;
    let lost = format!("/rbac/roles/{role}/permissions/identity.users:read");
    owner.command(reqwest::Method::DELETE, &lost, &json!({}), &[]).await?.ok()?;
    let path = format!("/triggers/{}", made.made());
    let refused = anna.until(&path, SOON, |body| body["refusals"] == 1).await?.body;
    assert_eq!(refused["last_refusal_code"], "FORBIDDEN", "{refused}");
    let told = |body: &Value| body.to_string().contains("“Report” was not carried out");
    anna.until("/notifications", SOON, told).await?;
    let pool = house.database().await?;
    assert_eq!(count(&pool, "exports.export.requested").await?, 0);
    pool.close().await;
    house.stop().await;
    Ok(())
}

#[tokio::test]
async fn while_an_organisation_is_suspended_its_triggers_lead_to_nothing_and_say_so()
-> anyhow::Result<()> {
    let house = House::start().await?;
    let owner = house.found("acme").await?;
    let made = owner.post("/triggers", &report(in_seconds(3)?)).await?.ok()?;
    let path = format!("/triggers/{}", made.made());
    let bootstrap = owner.with_token(house.setting("ANNALS_BOOTSTRAP_TOKEN"));
    let rule = |what: &str| format!("/organizations/{}/{what}", owner.tenant_id);
    bootstrap.post(&rule("suspend"), &json!({"reason": "unpaid"})).await?.ok()?;
    let pool = house.database().await?;
    let told = async || -> anyhow::Result<bool> {
        Ok(count(&pool, "scheduling.trigger.command_refused").await? > 0)
    };
    house.until("it was refused", SOON, told).await?;
    bootstrap.post(&rule("reactivate"), &json!({})).await?.ok()?;
    let refused = owner.until(&path, SOON, |body| body["refusals"] == 1).await?.body;
    assert_eq!(refused["last_refusal_code"], "ORGANIZATION_SUSPENDED", "{refused}");
    house.idle(SOON).await?;
    assert_eq!(count(&pool, "exports.export.requested").await?, 0);
    pool.close().await;
    house.stop().await;
    Ok(())
}
