//! Settings and feature flags as a client sets them: bounds, versions, keys, units.

use axum::http::Method;
use serde_json::{Value, json};

use crate::kit::{Answer, Api};

const KEPT: &str = "/settings/exports.kept_hours";
const PAPER: &str = "/settings/exports.paper";
const CHOSEN: &str = "settings.configuration.setting_chosen";
const UNIT: &str = "0190a000-0000-7000-8000-000000000007";

async fn put(api: &Api, path: &str, token: &str, body: Value) -> Answer {
    api.call(Method::PUT, path, token, body).await
}

/// Adds the unit to the only organisation; where the unit is.
async fn add_unit(api: &Api, owner: &str) -> String {
    let id: String = sqlx::query_scalar(
        "select aggregate_id from log.events where aggregate_type = 'identity.organization' limit 1",
    )
    .fetch_one(&api.owner)
    .await
    .expect("the organisation");
    let body = json!({"id": UNIT, "kind": "branch", "code": "N", "name": "North"});
    let units = format!("/organizations/{id}/units");
    let added = api.post(&units, owner, body).await;
    assert_eq!(added.status, 201, "{}", added.body);
    format!("{units}/{UNIT}")
}

#[tokio::test]
async fn a_setting_is_set_within_its_bounds_and_given_back() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let set = put(&api, KEPT, &owner, json!({"value": 48})).await;
    assert_eq!((set.status.as_u16(), &set.body["committed"]), (200, &json!(true)), "{}", set.body);
    assert_eq!(set.headers["etag"], "\"1\"");
    for (value, bound) in [(json!(0), "1"), (json!(8761), "8760"), (json!("48"), "8760")] {
        let refused = put(&api, KEPT, &owner, json!({ "value": value })).await;
        assert_eq!(refused.status, 422, "{}", refused.body);
        assert_eq!(refused.body["code"], "SETTINGS_VALUE_INVALID");
        assert_eq!(refused.body["errors"][0]["pointer"], "/value");
        assert!(refused.body["detail"].as_str().unwrap().contains(bound), "{}", refused.body);
    }
    let unknown = put(&api, "/settings/exports.kept", &owner, json!({"value": 1})).await;
    assert_eq!(
        (unknown.status.as_u16(), &unknown.body["code"]),
        (404, &json!("SETTINGS_KEY_UNKNOWN"))
    );
    let missing = put(&api, KEPT, &owner, json!({})).await;
    assert_eq!(missing.status, 422, "{}", missing.body);
    let unset = api.call(Method::DELETE, KEPT, &owner, json!({})).await;
    assert_eq!(unset.body["events"][0]["type"], "settings.configuration.setting_unset");
    let again = api.call(Method::DELETE, KEPT, &owner, json!({})).await;
    assert_eq!(again.body["events"], json!([]), "giving back twice changes nothing");
    api.stop().await;
}

#[tokio::test]
async fn two_who_decide_on_the_same_version_do_not_overwrite_each_other_and_a_key_counts_once() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let first = [("if-none-match", "*"), ("idempotency-key", "k1")];
    let body = json!({"value": 48});
    let set = api.with(Method::PUT, KEPT, &owner, body.clone(), &first).await;
    assert_eq!(set.status, 200, "{}", set.body);
    let replayed = api.with(Method::PUT, KEPT, &owner, body, &[("idempotency-key", "k1")]).await;
    assert_eq!((replayed.status.as_u16(), api.count(CHOSEN).await), (200, 1), "{}", replayed.body);
    let other =
        api.with(Method::PUT, KEPT, &owner, json!({"value": 9}), &[("idempotency-key", "k1")]);
    assert_eq!(other.await.body["code"], "IDEMPOTENCY_KEY_REUSED");
    let at = |version: &'static str| [("if-match", version)];
    let second = api.with(Method::PUT, KEPT, &owner, json!({"value": 24}), &at("\"1\"")).await;
    assert_eq!(second.status, 200, "{}", second.body);
    let stale = api.with(Method::PUT, KEPT, &owner, json!({"value": 12}), &at("\"1\"")).await;
    assert_eq!((stale.status.as_u16(), &stale.body["code"]), (412, &json!("VERSION_CONFLICT")));
    api.stop().await;
}

#[tokio::test]
async fn a_unit_chooses_for_itself_what_is_per_unit_until_it_is_closed() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let letter = json!({"value": "letter", "unit_id": UNIT});
    let early = put(&api, PAPER, &owner, letter.clone()).await;
    assert_eq!(early.body["code"], "SETTINGS_UNIT_UNKNOWN", "{}", early.body);
    let unit = add_unit(&api, &owner).await;
    let set = put(&api, PAPER, &owner, letter.clone()).await;
    assert_eq!((set.status.as_u16(), &set.body["aggregate"]["id"]), (200, &json!(UNIT)));
    let whole = put(&api, KEPT, &owner, json!({"value": 48, "unit_id": UNIT})).await;
    assert_eq!(whole.body["code"], "SETTINGS_NOT_PER_UNIT", "{}", whole.body);
    assert_eq!(whole.body["errors"][0]["pointer"], "/unit_id");
    assert_eq!(api.call(Method::DELETE, &unit, &owner, json!({})).await.status, 200);
    let late = put(&api, PAPER, &owner, json!({"value": "a4", "unit_id": UNIT})).await;
    assert_eq!((late.status.as_u16(), &late.body["code"]), (409, &json!("SETTINGS_UNIT_CLOSED")));
    let back = api.call(Method::DELETE, PAPER, &owner, json!({"unit_id": UNIT})).await;
    assert_eq!(back.status, 200, "a closed unit gives back: {}", back.body);
    api.stop().await;
}

#[tokio::test]
async fn a_flag_is_switched_by_whoever_manages_settings_only() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let (_, nobody) = api.newcomer("acme", &owner, "nobody").await;
    let (path, quarter) =
        ("/feature-flags/command_batches", json!({"enabled": true, "rollout_pct": 25}));
    assert_eq!(put(&api, path, &nobody, quarter.clone()).await.status, 403);
    let switched = put(&api, path, &owner, quarter).await;
    assert_eq!(switched.status, 200, "{}", switched.body);
    let much = put(&api, path, &owner, json!({"enabled": true, "rollout_pct": 101})).await;
    assert_eq!(much.body["errors"][0]["pointer"], "/rollout_pct", "{}", much.body);
    let elsewhere = put(&api, path, &owner, json!({"enabled": true, "units": [UNIT]})).await;
    assert_eq!(elsewhere.body["code"], "SETTINGS_FLAG_UNIT_UNKNOWN", "{}", elsewhere.body);
    add_unit(&api, &owner).await;
    let there = put(&api, path, &owner, json!({"enabled": true, "units": [UNIT]})).await;
    assert_eq!(there.status, 200, "{}", there.body);
    for nobody_asks_it in ["nonsense", "webhooks"] {
        let path = format!("/feature-flags/{nobody_asks_it}");
        let unknown = put(&api, &path, &owner, json!({"enabled": true})).await;
        assert_eq!(unknown.body["code"], "SETTINGS_FLAG_UNKNOWN", "{}", unknown.body);
    }
    assert_eq!(api.count("settings.configuration.flag_switched").await, 2);
    api.stop().await;
}
