//! Settings as they hold somewhere, and feature flags as they hold for somebody, each with where that comes from.

use events::identity::organization::{self, Organization, UnitKind};
use events::rbac::user_access::{self, UserAccess};
use events::settings::configuration::{Configuration, Event};
use events::settings::{Flag, Key, Value, bucket};
use events::{Permission, UnitId};
use reqwest::StatusCode;
use serde_json::json;

use crate::support::{Org, Person, World, column, new};

fn paper(size: &str) -> Event {
    Event::SettingChosen { key: Key::ExportsPaper, value: Value::Text(size.into()) }
}

fn switched(flag: Flag, rollout_pct: u8, units: Vec<UnitId>) -> Event {
    Event::FlagSwitched { flag, enabled: true, rollout_pct, units }
}

/// A unit below another one; both are new.
async fn units(world: &World, org: &Org) -> (UnitId, UnitId) {
    let (above, below): (UnitId, UnitId) = (new(), new());
    let added = |unit_id, code: &str, parent_id| organization::Event::UnitAdded {
        unit_id,
        kind: UnitKind::Branch,
        code: code.into(),
        name: code.into(),
        parent_id,
        time_zone: None,
    };
    let events = [added(above, "N", None), added(below, "N1", Some(above))];
    world.append::<Organization>((org.tenant, "system"), org.tenant, events).await;
    (above, below)
}

async fn set(world: &World, org: &Org, scope: impl ToString, events: Vec<Event>) {
    let owner = org.owner.user.to_string();
    world.append::<Configuration>((org.tenant, &owner), scope, events).await;
}

/// A flag that something asks.
const FLAG: Flag = Flag::CommandBatches;

async fn flag(world: &World, person: &Person) -> serde_json::Value {
    let flags = world.body("/feature-flags", person).await;
    let items = flags["items"].as_array().unwrap();
    items.iter().find(|item| item["flag"] == FLAG.name()).unwrap().clone()
}

#[tokio::test]
async fn every_setting_is_shown_with_schema_value_and_source() {
    let world = World::start().await;
    let org = world.org("acme").await;
    let all = world.body("/settings", &org.owner).await;
    assert_eq!(column(&all, "key"), Key::offered().map(Key::name).collect::<Vec<_>>());
    for item in all["items"].as_array().unwrap() {
        assert_eq!((&item["source"], &item["version"]), (&json!("default"), &json!(0)), "{item}");
        assert_eq!(item["value"], item["schema"]["default"], "{item}");
        assert!(item["schema"]["type"].is_string(), "{item}");
    }
    let hours = Event::SettingChosen { key: Key::ExportsKeptHours, value: Value::Integer(48) };
    set(&world, &org, org.tenant, vec![paper("letter"), hours]).await;
    let answer = world.get("/settings/exports.kept_hours", &org.owner).send().await.unwrap();
    assert_eq!(answer.headers()["aggregate-version"], "2");
    let one: serde_json::Value = answer.json().await.unwrap();
    assert_eq!((&one["value"], &one["source"]), (&json!(48), &json!("organization")));
    assert_eq!((&one["version"], &one["schema"]["maximum"]), (&json!(2), &json!(8760)));

    for unknown in ["exports.kept", "calendar.first_day_of_week"] {
        let (status, _) = world.problem(&format!("/settings/{unknown}"), &org.owner).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{unknown}");
    }
    let (status, refused) = world.problem("/settings?unit=x", &org.owner).await;
    assert_eq!((status, &refused["code"]), (StatusCode::BAD_REQUEST, &json!("PARAMETER_UNKNOWN")));

    world.settled().await;
    let chosen = world.body("/settings/chosen", &org.owner).await;
    assert_eq!(column(&chosen, "key"), ["exports.kept_hours", "exports.paper"]);
    assert_eq!(chosen["items"][0]["value"], 48);
    world.end().await;
}

#[tokio::test]
async fn a_unit_takes_what_the_nearest_above_it_has_set() {
    let world = World::start().await;
    let org = world.org("acme").await;
    let (above, below) = units(&world, &org).await;
    set(&world, &org, org.tenant, vec![paper("letter")]).await;
    let there = format!("/settings/exports.paper?unit_id={below}");
    let found = world.body(&there, &org.owner).await;
    assert_eq!((&found["value"], &found["source"]), (&json!("letter"), &json!("organization")));
    set(&world, &org, above, vec![paper("a4")]).await;
    let found = world.body(&there, &org.owner).await;
    assert_eq!((&found["value"], &found["source"]), (&json!("a4"), &json!("unit")));
    assert_eq!((&found["unit_id"], &found["version"]), (&json!(above), &json!(0)));
    set(&world, &org, above, vec![Event::SettingUnset { key: Key::ExportsPaper }]).await;
    assert_eq!(world.body(&there, &org.owner).await["source"], "organization");
    let nowhere = format!("/settings?unit_id={}", new::<UnitId>());
    assert_eq!(world.problem(&nowhere, &org.owner).await.0, StatusCode::NOT_FOUND);
    world.end().await;
}

#[tokio::test]
async fn a_flag_says_whether_it_is_on_for_the_caller_and_why() {
    let world = World::start().await;
    let org = world.org("acme").await;
    let ann = world.entitled(&org, "ann", &[Permission::SettingsSettingsRead]).await;
    let shown = world.body("/feature-flags", &ann).await;
    assert_eq!(column(&shown, "flag"), Flag::offered().map(Flag::name).collect::<Vec<_>>());
    let found = flag(&world, &ann).await;
    assert_eq!((&found["on"], &found["why"]), (&json!(true), &json!("default")));
    let own = bucket(FLAG, &ann.user.to_string());
    assert_eq!(found["bucket"], own);

    set(&world, &org, org.tenant, vec![switched(FLAG, own, vec![])]).await;
    let found = flag(&world, &ann).await;
    assert_eq!((&found["on"], &found["why"]), (&json!(false), &json!("rollout")));
    set(&world, &org, org.tenant, vec![switched(FLAG, own + 1, vec![])]).await;
    let found = flag(&world, &ann).await;
    assert_eq!((&found["on"], &found["why"]), (&json!(true), &json!("rollout")));

    let (above, below) = units(&world, &org).await;
    let of_unit = vec![switched(FLAG, 0, vec![above]), switched(Flag::Webhooks, 100, vec![])];
    set(&world, &org, org.tenant, of_unit).await;
    assert_eq!(flag(&world, &ann).await["on"], false);
    let role_id = world.role(&org, "clerk", &[]).await;
    let assigned =
        user_access::Event::RoleAssigned { role_id, unit_id: Some(below), expires_at: None };
    let owner = org.owner.user.to_string();
    world.append::<UserAccess>((org.tenant, &owner), ann.user, [assigned]).await;
    world
        .until("the role in the unit counts", || async {
            let found = flag(&world, &ann).await;
            found["on"] == true && found["why"] == "unit" && found["unit_id"] == json!(above)
        })
        .await;

    world.settled().await;
    let stored = world.body("/feature-flags/switched", &ann).await;
    assert_eq!(column(&stored, "flag"), ["command_batches", "webhooks"]);
    assert_eq!(stored["items"][0]["units"], json!([above]));
    world.end().await;
}
