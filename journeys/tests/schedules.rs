//! What recurs happens once for each occurrence, with two schedulers and though they are killed; closed days move the plan.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use journeys::House;
use journeys::client::Client;
use journeys::house::Resident;
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(40);
const TRIGGERS: usize = 5;

/// A whole second that comes so soon.
fn in_seconds(seconds: i64) -> anyhow::Result<Timestamp> {
    let at = platform::clock::now() + SignedDuration::from_secs(seconds);
    Ok(Timestamp::from_second(at.as_second())?)
}

async fn once(owner: &Client, at: Timestamp) -> anyhow::Result<String> {
    let trigger = json!({
        "name": "Once", "spec": {"kind": "once", "at": at}, "modifiers": {"time_zone": "UTC"},
        "target": {"command": "backups_backup_request", "args": {"name": "once"}},
    });
    Ok(owner.post("/triggers", &trigger).await?.ok()?.made().to_owned())
}

async fn count(house: &House, event_type: &str) -> anyhow::Result<i64> {
    let pool = house.database().await?;
    let count = sqlx::query_scalar("select count(*) from log.events where event_type = $1");
    Ok(count.bind(event_type).fetch_one(&pool).await?)
}

fn all_completed(body: &Value) -> bool {
    let items = body["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    !items.is_empty() && items.iter().all(|item| item["status"] == "completed")
}

#[tokio::test]
async fn a_trigger_happens_once_with_two_schedulers_and_though_they_are_killed()
-> anyhow::Result<()> {
    let mut house = House::start().await?;
    house.move_in(Resident::Workers)?;
    let owner = house.found("acme").await?;
    let due = in_seconds(4)?;
    for _ in 0..TRIGGERS {
        once(&owner, due).await?;
    }
    house.kill(Resident::Workers)?;
    house.move_in(Resident::Workers)?;
    owner.until("/triggers", SOON, all_completed).await?;
    assert_eq!(count(&house, "scheduling.trigger.fired").await?, i64::try_from(TRIGGERS)?);

    // Due while no scheduler is there at all: it happens when one is back.
    house.kill(Resident::Workers)?;
    house.kill(Resident::Workers)?;
    let due = in_seconds(3)?;
    let late = once(&owner, due).await?;
    let path = format!("/triggers/{late}");
    owner.until(&path, SOON, |_| platform::clock::now() > due).await?;
    assert_eq!(owner.get(&path).await?.ok()?.body["fires"], 0);
    house.move_in(Resident::Workers)?;
    let shown = owner.until(&path, SOON, |body| body["status"] == "completed").await?;
    assert_eq!(shown.body["fires"], 1, "{}", shown.text);
    assert_eq!(count(&house, "scheduling.trigger.fired").await?, i64::try_from(TRIGGERS)? + 1);
    house.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_day_that_is_closed_moves_the_plan_and_says_why() -> anyhow::Result<()> {
    let house = House::start().await?;
    let owner = house.found("acme").await?;
    let calendar = json!({"name": "Holidays"});
    let calendar = owner.post("/blackout-calendars", &calendar).await?.ok()?.made().to_owned();
    let day = |days: i64| {
        let at = platform::clock::now() + SignedDuration::from_hours(24 * days);
        at.to_zoned(jiff::tz::TimeZone::UTC).date()
    };
    let trigger = json!({
        "name": "Daily", "spec": {"kind": "daily", "time": "12:00:00"},
        "modifiers": {"time_zone": "UTC", "blackout_ids": [calendar]},
        "starts_at": format!("{}T00:00:00Z", day(2)),
        "target": {"command": "backups_backup_request", "args": {"name": "daily"}},
    });
    let created = owner.post("/triggers", &trigger).await?.ok()?;
    let path = format!("/triggers/{}", created.made());
    let shown = owner.get_after(&path, &created).await?.ok()?;
    assert_eq!(shown.body["next_at"], format!("{}T12:00:00Z", day(2)));

    let closed = json!({"from": day(2), "to": day(3), "label": "Stock-taking"});
    let blackouts = format!("/blackout-calendars/{calendar}/blackouts");
    owner.post(&blackouts, &closed).await?.ok()?;
    let next = format!("{}T12:00:00Z", day(4));
    owner.until(&path, SOON, |body| body["next_at"] == next.as_str()).await?;
    let planned = owner.get(&format!("{path}/occurrences?limit=1")).await?.ok()?;
    let items = planned.body["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    assert_eq!(items.len(), 3, "{}", planned.text);
    assert_eq!(items[0]["outcome"], "skipped");
    assert_eq!(items[0]["reason"]["label"], "Stock-taking");
    assert_eq!(items[2]["at"], next.as_str());
    house.stop().await;
    Ok(())
}
