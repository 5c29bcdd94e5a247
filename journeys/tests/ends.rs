//! What has an end is over by the clock and recorded once, though workers are killed; a deleted role is taken from its holders, and they hear of it.

use std::time::Duration;

use journeys::House;
use journeys::client::Client;
use journeys::house::Resident;
use reqwest::Method;
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(40);
const PEOPLE: usize = 3;

async fn role(owner: &Client, name: &str, more: Value) -> anyhow::Result<String> {
    let mut role = json!({"name": name, "level": 10, "permissions": ["audit.trail:read"]});
    if let (Some(role), Some(more)) = (role.as_object_mut(), more.as_object()) {
        role.extend(more.clone());
    }
    Ok(owner.post("/rbac/roles", &role).await?.ok()?.made().to_owned())
}

/// How many events of a type there are.
async fn count(house: &House, event_type: &str) -> anyhow::Result<i64> {
    let pool = house.database().await?;
    let count = sqlx::query_scalar("select count(*) from log.events where event_type = $1");
    Ok(count.bind(event_type).fetch_one(&pool).await?)
}

#[tokio::test]
async fn what_has_an_end_is_recorded_once_though_workers_are_killed() -> anyhow::Result<()> {
    let mut house = House::start().await?;
    let owner = house.found("acme").await?;
    let ordinary = role(&owner, "Auditor", json!({})).await?;
    let guard = role(&owner, "Guard", json!({"protected": true})).await?;
    role(&owner, "Unit reader", json!({"code": "unit-read"})).await?;
    let unit = "0190a000-0000-7000-8000-000000000001";
    let north = json!({"id": unit, "kind": "plant", "code": "north", "name": "North"});
    owner.post(&format!("/organizations/{}/units", owner.tenant_id), &north).await?.ok()?;
    house.kill(Resident::Workers)?;

    let end = platform::clock::now() + jiff::SignedDuration::from_secs(4);
    let mut people = Vec::new();
    for number in 0..PEOPLE {
        let person = owner.newcomer("acme", &format!("user-{number}")).await?;
        let user = person.user_id.clone();
        let until = json!({ "expires_at": end });
        let place = format!("/rbac/users/{user}");
        owner.post(&format!("{place}/roles/{ordinary}"), &until).await?.ok()?;
        owner.post(&format!("{place}/protected-roles/{guard}"), &until).await?.ok()?;
        let read = json!({"level": "read", "expires_at": end});
        let plant = format!("{place}/plants/{unit}");
        owner.command(Method::PUT, &plant, &read, &[]).await?.ok()?;
        people.push(person);
    }
    let over = |body: &Value| body["permissions"] == json!([]);
    let mine = people[0].until("/me/permissions", SOON, over).await?;
    assert!(over(&mine.body), "by the clock alone, with no workers there");
    assert_eq!(count(&house, "rbac.user_access.role_assignment_expired").await?, 0);

    house.move_in(Resident::Workers)?;
    let none = |body: &Value| body["items"] == json!([]);
    let place = format!("/rbac/users/{}", people[0].user_id);
    owner.until(&format!("{place}/roles"), SOON, none).await?;
    house.kill(Resident::Workers)?;
    house.move_in(Resident::Workers)?;
    for person in &people {
        let place = format!("/rbac/users/{}", person.user_id);
        owner.until(&format!("{place}/roles"), SOON, none).await?;
        owner.until(&format!("{place}/plants"), SOON, none).await?;
    }
    let people = i64::try_from(PEOPLE)?;
    for event_type in [
        "rbac.user_access.role_assignment_expired",
        "rbac.user_access.unit_access_expired",
        "rbac.policy.protected_role_expired",
    ] {
        assert_eq!(count(&house, event_type).await?, people, "{event_type}");
    }
    house.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_deleted_role_is_taken_from_its_holders_who_hear_of_it() -> anyhow::Result<()> {
    let house = House::start().await?;
    let owner = house.found("acme").await?;
    let auditor = role(&owner, "Auditor", json!({})).await?;
    let anna = owner.newcomer("acme", "anna").await?;
    let path = format!("/rbac/users/{}/roles", anna.user_id);
    owner.post(&format!("{path}/{auditor}"), &json!({})).await?.ok()?;
    let users = format!("/rbac/roles/{auditor}/users");
    owner
        .until(&users, SOON, |body| body["items"].as_array().is_some_and(|all| all.len() == 1))
        .await?;
    let role = format!("/rbac/roles/{auditor}");
    owner.command(Method::DELETE, &role, &json!({}), &[]).await?.ok()?;
    let none = |body: &Value| body["items"] == json!([]);
    owner.until(&path, SOON, none).await?;
    assert_eq!(count(&house, "rbac.user_access.role_removed").await?, 1);
    let told = |body: &Value| body.to_string().contains("You no longer have the role “Auditor”");
    anna.until("/notifications", SOON, told).await?;
    house.stop().await;
    Ok(())
}

/// The texts of somebody's notifications that are about one thing.
fn told(body: &Value, words: &str) -> usize {
    let items = body["items"].as_array().into_iter().flatten();
    items.filter(|item| item["title"].as_str().is_some_and(|title| title.contains(words))).count()
}

#[tokio::test]
async fn who_is_to_lose_a_role_is_told_once_days_before_and_nobody_of_what_was_moved_or_taken()
-> anyhow::Result<()> {
    let mut house = House::start().await?;
    let owner = house.found("acme").await?;
    let auditor = role(&owner, "Auditor", json!({})).await?;
    let guard = role(&owner, "Guard", json!({"protected": true})).await?;
    let anna = owner.newcomer("acme", "anna").await?;
    let bert = owner.newcomer("acme", "bert").await?;
    let days = |days: i64| {
        let end = platform::clock::now() + jiff::SignedDuration::from_hours(24 * days);
        json!({ "expires_at": end })
    };
    let of = |person: &Client| format!("/rbac/users/{}/roles/{auditor}", person.user_id);
    house.kill(Resident::Workers)?;
    for person in [&anna, &bert] {
        owner.post(&of(person), &days(30)).await?.ok()?;
        owner.command(Method::PATCH, &of(person), &days(3), &[]).await?.ok()?;
    }
    owner.command(Method::DELETE, &of(&bert), &json!({}), &[]).await?.ok()?;
    house.move_in(Resident::Workers)?;
    let ends = |body: &Value| told(body, "Your role “Auditor” ends soon") == 1;
    anna.until("/notifications", SOON, ends).await?;
    house.kill(Resident::Workers)?;
    house.move_in(Resident::Workers)?;

    // The end is another one, so she is told again; that nothing else comes is seen when what came later is there.
    owner.command(Method::PATCH, &of(&anna), &days(5), &[]).await?.ok()?;
    let twice = |body: &Value| told(body, "Your role “Auditor” ends soon") == 2;
    anna.until("/notifications", SOON, twice).await?;
    let protected = format!("/rbac/users/{}/protected-roles/{guard}", bert.user_id);
    owner.post(&protected, &days(30)).await?.ok()?;
    let granted = |body: &Value| told(body, "You have the role “Guard”") == 1;
    let inbox = bert.until("/notifications", SOON, granted).await?;
    assert_eq!(told(&inbox.body, "ends soon"), 0, "{}", inbox.text);
    assert_eq!(count(&house, "rbac.user_access.role_end_announced").await?, 2);
    house.stop().await;
    Ok(())
}

#[tokio::test]
async fn administrators_hear_once_of_who_tries_to_give_more_than_they_have() -> anyhow::Result<()> {
    let house = House::start().await?;
    let owner = house.found("acme").await?;
    let permissions = json!({"level": 100, "permissions": ["rbac.roles:manage"]});
    let clerk = role(&owner, "Clerk", permissions).await?;
    let anna = owner.newcomer("acme", "anna").await?;
    let path = format!("/rbac/users/{}/roles/{clerk}", anna.user_id);
    owner.post(&path, &json!({})).await?.ok()?;
    for number in 0..3 {
        let much = json!({"name": format!("All {number}"), "level": 5, "permissions": ["*:*"]});
        let refused = anna.post("/rbac/roles", &much).await?;
        assert_eq!(refused.body["code"], "ESCALATES_PERMISSIONS", "{}", refused.text);
    }
    let told_of = |body: &Value| told(body, "give more access than they have") == 1;
    owner.until("/notifications", SOON, told_of).await?;
    let bert = owner.newcomer("acme", "bert").await?;
    let path = format!("/rbac/users/{}/roles/{clerk}", bert.user_id);
    owner.post(&path, &json!({})).await?.ok()?;
    let assigned = |body: &Value| told(body, "You have the role “Clerk”") == 1;
    bert.until("/notifications", SOON, assigned).await?;
    let inbox = owner.get("/notifications").await?.ok()?;
    assert!(told_of(&inbox.body), "{}", inbox.text);
    let items = inbox.body["items"].as_array().into_iter().flatten();
    let mut links = items.map(|item| item["link"]["id"].as_str());
    assert!(links.any(|link| link == Some(&*anna.user_id)), "{}", inbox.text);
    house.stop().await;
    Ok(())
}

#[tokio::test]
async fn who_made_an_api_key_and_its_owner_are_told_once_days_before_it_ends() -> anyhow::Result<()>
{
    let mut house = House::start().await?;
    let owner = house.found("acme").await?;
    let service = owner.newcomer("acme", "importer").await?;
    let days = |days: i64| platform::clock::now() + jiff::SignedDuration::from_hours(24 * days);
    let make = |name: &str, end: i64| {
        json!({"name": name, "scope": ["identity.users:read"], "user_id": service.user_id,
            "expires_at": days(end)})
    };
    house.kill(Resident::Workers)?;
    owner.post("/api-keys", &make("Brief", 3)).await?.ok()?;
    let gone = owner.post("/api-keys", &make("Gone", 30)).await?.ok()?.made().to_owned();
    let kept = owner.post("/api-keys", &make("Kept", 30)).await?.ok()?.made().to_owned();
    for key in [&gone, &kept] {
        let sooner = json!({ "expires_at": days(6) });
        owner.post(&format!("/api-keys/{key}/rotate"), &sooner).await?.ok()?;
    }
    let path = format!("/api-keys/{gone}");
    owner.command(Method::DELETE, &path, &json!({}), &[]).await?.ok()?;
    house.move_in(Resident::Workers)?;
    let ends = |body: &Value| told(body, "The API key “Kept” ends soon") == 1;
    for client in [&owner, &service] {
        client.until("/notifications", SOON, ends).await?;
    }
    house.kill(Resident::Workers)?;
    house.move_in(Resident::Workers)?;

    // The end is another one, so they are told again, and of no other key.
    let later = json!({ "expires_at": days(5) });
    owner.post(&format!("/api-keys/{kept}/rotate"), &later).await?.ok()?;
    let twice = |body: &Value| told(body, "The API key “Kept” ends soon") == 2;
    for client in [&owner, &service] {
        let inbox = client.until("/notifications", SOON, twice).await?;
        assert_eq!(told(&inbox.body, "ends soon"), 2, "{}", inbox.text);
        assert_eq!(inbox.body["items"][0]["link"]["id"], kept.as_str(), "{}", inbox.text);
    }
    assert_eq!(count(&house, "identity.api_key.end_announced").await?, 2);
    house.stop().await;
    Ok(())
}

#[tokio::test]
async fn who_answers_for_an_asset_is_told_once_before_its_warranty_ends() -> anyhow::Result<()> {
    let mut house = House::start().await?;
    let owner = house.found("acme").await?;
    let anna = owner.newcomer("acme", "anna").await?;
    let bert = owner.newcomer("acme", "bert").await?;
    let today = platform::clock::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let until = |days: i64| today.checked_add(jiff::Span::new().days(days)).map(|day| json!(day));
    house.kill(Resident::Workers)?;
    let mut assets = Vec::new();
    for (name, days) in [("Brief", 20), ("Gone", 400), ("Kept", 400)] {
        let asset = json!({"tag": name, "name": name, "warranty_until": until(days)?});
        assets.push(owner.post("/assets", &asset).await?.ok()?.made().to_owned());
    }
    let [_, gone, kept] = &*assets else { anyhow::bail!("{assets:?}") };
    let shares = json!({"visibility": "private", "shares": [
        {"with": {"kind": "user", "id": anna.user_id}, "level": "manage"},
        {"with": {"kind": "user", "id": bert.user_id}, "level": "work"}]});
    let sharing = format!("/assets/{kept}/sharing");
    owner.command(Method::PUT, &sharing, &shares, &[]).await?.ok()?;
    let amend = async |asset: &str, until: Value| {
        let path = format!("/assets/{asset}");
        let warranty = json!({ "warranty_until": until });
        owner.command(Method::PATCH, &path, &warranty, &[]).await?.ok()
    };
    amend(gone, until(20)?).await?;
    amend(gone, Value::Null).await?;
    amend(kept, until(20)?).await?;
    house.move_in(Resident::Workers)?;
    let ends = |body: &Value| told(body, "The warranty of “Kept” ends on") == 1;
    for client in [&owner, &anna] {
        client.until("/notifications", SOON, ends).await?;
    }
    house.kill(Resident::Workers)?;
    house.move_in(Resident::Workers)?;

    // It ends on another day, so they are told again; of the others nobody hears.
    amend(kept, until(5)?).await?;
    let twice = |body: &Value| told(body, "The warranty of “Kept” ends on") == 2;
    for client in [&owner, &anna] {
        let inbox = client.until("/notifications", SOON, twice).await?;
        assert_eq!(told(&inbox.body, "The warranty of"), 2, "{}", inbox.text);
        assert_eq!(inbox.body["items"][0]["link"]["id"], kept.as_str(), "{}", inbox.text);
    }
    let inbox = bert.get("/notifications").await?.ok()?;
    assert_eq!(told(&inbox.body, "The warranty of"), 0, "{}", inbox.text);
    assert_eq!(count(&house, "maintenance.asset.warranty_end_announced").await?, 2);
    house.stop().await;
    Ok(())
}
