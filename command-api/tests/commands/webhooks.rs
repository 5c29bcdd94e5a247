//! Programs that hear of events, as those who manage them use the door: a secret that is shown once, and rights that are asked for.

use axum::http::Method;
use serde_json::{Value, json};

use crate::kit::{Api, code, made};

const URL: &str = "https://hooks.acme.example/annals";

fn endpoint() -> Value {
    json!({"url": URL, "events": ["rbac.*"], "description": "Shop"})
}

async fn secrets(api: &Api) -> i64 {
    sqlx::query_scalar("select count(*) from secrets.secrets where kind = 'webhook'")
        .fetch_one(&api.owner)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_secret_is_shown_once_kept_sealed_and_deleted_when_it_signs_nothing() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let dry = api.post("/webhooks?validate_only=true", &owner, endpoint()).await;
    assert_eq!((dry.status.as_u16(), &dry.body["secret"]), (201, &Value::Null), "{}", dry.body);
    let refused = api.post("/webhooks", &owner, json!({"url": "http://a", "events": ["*"]})).await;
    assert_eq!(code(&refused), (422, "ENDPOINT_URL_INVALID"));
    assert_eq!(secrets(&api).await, 0, "of what was not done nothing is kept");
    let registered = api.post("/webhooks", &owner, endpoint()).await;
    assert_eq!(registered.status, 201, "{}", registered.body);
    let secret = registered.body["secret"].as_str().unwrap().to_owned();
    assert!(secret.starts_with("whsec_") && secret.len() == 50, "{secret}");
    let log: String = sqlx::query_scalar("select string_agg(payload::text, '') from log.events")
        .fetch_one(&api.owner)
        .await
        .unwrap();
    assert!(!log.contains(&secret[6..]), "no event has it");
    let path = format!("/webhooks/{}", made(&registered));
    for (body, kept) in [(json!({}), 2), (json!({}), 2), (json!({"overlap_minutes": 0}), 1)] {
        let rotated = api.post(&format!("{path}/rotate-secret"), &owner, body).await;
        assert_ne!(rotated.body["secret"], secret.as_str(), "{}", rotated.body);
        assert_eq!(secrets(&api).await, kept);
    }
    let deleted = api.call(Method::DELETE, &path, &owner, json!({})).await;
    assert_eq!(deleted.status, 200, "{}", deleted.body);
    assert_eq!(secrets(&api).await, 0);
    let late = api.post(&format!("{path}/test"), &owner, json!({})).await;
    assert_eq!(code(&late), (409, "ENDPOINT_DELETED"));
    api.stop().await;
}

#[tokio::test]
async fn a_program_is_revised_disabled_enabled_and_tested() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let path = format!("/webhooks/{}", made(&api.post("/webhooks", &owner, endpoint()).await));
    let revised = api.call(Method::PATCH, &path, &owner, json!({"description": null})).await;
    assert_eq!(revised.body["events"][0]["type"], "webhooks.endpoint.revised", "{}", revised.body);
    let wrong = api.call(Method::PATCH, &path, &owner, json!({"events": ["shop.*"]})).await;
    assert_eq!(code(&wrong), (422, "ENDPOINT_EVENT_UNKNOWN"));
    for (verb, event) in
        [("test", "test_requested"), ("disable", "disabled"), ("enable", "enabled")]
    {
        let told = api.post(&format!("{path}/{verb}"), &owner, json!({})).await;
        assert_eq!(told.body["events"][0]["type"], format!("webhooks.endpoint.{event}"));
    }
    let delivery = made(&api.post("/webhooks", &owner, endpoint()).await);
    let again = format!("{path}/deliveries/{delivery}/redeliver");
    assert_eq!(api.post(&again, &owner, json!({})).await.status, 404, "nothing was told yet");
    api.stop().await;
}

#[tokio::test]
async fn only_our_workers_say_how_a_program_answers() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let path = format!("/webhooks/{}", made(&api.post("/webhooks", &owner, endpoint()).await));
    let report = format!("{path}/report");
    let (_, nobody) = api.newcomer("acme", &owner, "nobody").await;
    let refused = api.post(&report, &nobody, json!({"kind": "gone"})).await;
    assert_eq!(refused.status, 403, "{}", refused.body);
    let workers = crate::scheduling::scheduler(&api).await;
    let dead = json!({"event_id": "0190a000-0000-7000-8000-000000000007", "attempts": 10});
    let at = format!("{path}/deliveries/0190a000-0000-7000-8000-000000000008/dead-letter");
    let recorded = api.post(&at, &workers, dead).await;
    let event = &recorded.body["events"][0]["type"];
    assert_eq!(event, "webhooks.endpoint.delivery_dead_lettered", "{}", recorded.body);
    let young = json!({"kind": "failing", "since": platform::clock::now()});
    let nothing = api.post(&report, &workers, young).await;
    assert_eq!(nothing.body["events"], json!([]), "{}", nothing.body);
    let gone = api.post(&report, &workers, json!({"kind": "gone"})).await;
    assert_eq!(gone.body["events"][0]["type"], "webhooks.endpoint.disabled", "{}", gone.body);
    api.stop().await;
}
