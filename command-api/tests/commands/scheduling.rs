//! Triggers and calendars as clients and our own scheduler use them: planned in the append, fired once.

use axum::http::Method;
use jiff::{SignedDuration, Timestamp};
use platform::clock;
use serde_json::{Value, json};

use crate::kit::{Api, code, made};

const FIRED: &str = "scheduling.trigger.fired";

fn trigger(spec: &Value) -> Value {
    json!({"name": "Nightly", "spec": spec, "modifiers": {"time_zone": "Europe/Berlin"},
        "target": {"command": "backups_backup_request", "args": {"name": "nightly"}}})
}

fn daily() -> Value {
    json!({"kind": "daily", "time": "03:00:00"})
}

/// A token of our own scheduler.
pub(crate) async fn scheduler(api: &Api) -> String {
    let tenant: uuid::Uuid = sqlx::query_scalar("select tenant_id from log.tenants limit 1")
        .fetch_one(&api.owner)
        .await
        .unwrap();
    let login = json!({"service": "workers", "secret": api.settings.service_secret,
        "tenant_id": tenant});
    let token = api.post("/auth/service-token", "", login).await;
    token.body["access_token"].as_str().expect("a token").to_owned()
}

pub(crate) fn whole(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap()
}

#[tokio::test]
async fn a_trigger_is_created_revised_paused_resumed_and_cancelled() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let created = api.post("/triggers", &owner, trigger(&daily())).await;
    let path = format!("/triggers/{}", made(&created));
    let event = &created.body["events"][0];
    assert_eq!(event["type"], "scheduling.trigger.created", "{}", created.body);
    let revise = json!({"spec": {"kind": "cron", "expression": "30 6 * * 1-5"}});
    let revised = api.call(Method::PATCH, &path, &owner, revise).await;
    assert_eq!(revised.status, 200, "{}", revised.body);
    assert_eq!(revised.body["events"][0]["type"], "scheduling.trigger.revised");
    for (verb, event) in [("pause", "paused"), ("resume", "resumed")] {
        let steered = api.post(&format!("{path}/{verb}"), &owner, json!({})).await;
        assert_eq!(steered.body["events"][0]["type"], format!("scheduling.trigger.{event}"));
    }
    let past = json!({"effective_from": "2020-01-01T00:00:00Z", "spec": daily()});
    let refused = api.call(Method::PATCH, &path, &owner, past).await;
    assert_eq!(code(&refused), (422, "TRIGGER_REVISION_IN_PAST"));
    let cancelled = api.call(Method::DELETE, &path, &owner, json!({})).await;
    assert_eq!(cancelled.status, 200, "{}", cancelled.body);
    let late = api.post(&format!("{path}/pause"), &owner, json!({})).await;
    assert_eq!(code(&late), (409, "TRIGGER_FINISHED"));
    api.stop().await;
}

#[tokio::test]
async fn what_cannot_be_kept_is_refused_where_it_is_wrong() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    for (spec, expected) in [
        (json!({"kind": "cron", "expression": "61 * * * *"}), "TRIGGER_SPEC_INVALID"),
        (json!({"kind": "once", "at": "2020-01-01T00:00:00Z"}), "TRIGGER_NOTHING_AHEAD"),
        (json!({"kind": "daily", "time": "03:00:00", "more": 1}), "BODY_INVALID"),
    ] {
        let refused = api.post("/triggers", &owner, trigger(&spec)).await;
        assert_eq!(code(&refused), (422, expected), "{}", refused.body);
    }
    let mut unknown = trigger(&daily());
    unknown["modifiers"]["blackout_ids"] = json!(["0190a000-0000-7000-8000-000000000007"]);
    let refused = api.post("/triggers", &owner, unknown).await;
    assert_eq!(code(&refused), (422, "TRIGGER_CALENDAR_UNKNOWN"));
    api.stop().await;
}

#[tokio::test]
async fn two_schedulers_fire_an_occurrence_once_and_nobody_else_does() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let workers = scheduler(&api).await;
    let (_, anna) = api.newcomer("acme", &owner, "anna").await;
    let due = whole(clock::now() + SignedDuration::from_secs(3));
    let once = json!({"kind": "once", "at": due});
    let path = format!("/triggers/{}", made(&api.post("/triggers", &owner, trigger(&once)).await));
    let fire = format!("{path}/fire");
    let body = json!({ "occurrence": due });
    assert_eq!(api.post(&fire, &anna, body.clone()).await.status, 403);
    let early = api.post(&fire, &workers, body.clone()).await;
    assert_eq!(code(&early), (409, "TRIGGER_NOT_DUE"));
    api.until(async || clock::now() > due).await;
    // Each under a key of its own, as schedulers that know nothing of each other would.
    let both = tokio::join!(
        api.post(&fire, &workers, body.clone()),
        api.post(&fire, &workers, body.clone()),
    );
    let mut statuses = [both.0.status.as_u16(), both.1.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409], "{} {}", both.0.body, both.1.body);
    assert_eq!(api.count(FIRED).await, 1);
    assert_eq!(api.count("scheduling.trigger.completed").await, 1);
    api.stop().await;
}

#[tokio::test]
async fn days_that_are_closed_are_left_out_from_the_next_decision() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let workers = scheduler(&api).await;
    let calendar = api.post("/blackout-calendars", &owner, json!({"name": "Holidays"})).await;
    let calendar = made(&calendar);
    let mut body = trigger(&json!({"kind": "once", "at": "2099-12-25T12:00:00Z"}));
    body["modifiers"]["blackout_ids"] = json!([calendar]);
    body["modifiers"]["roll"] = json!("following");
    let path = format!("/triggers/{}", made(&api.post("/triggers", &owner, body).await));
    let days = json!({"from": "2099-12-25", "to": "2099-12-26", "label": "Christmas",
        "recurring": "yearly"});
    let blackouts = format!("/blackout-calendars/{calendar}/blackouts");
    let added = api.post(&blackouts, &owner, days).await;
    assert_eq!(added.status, 200, "{}", added.body);
    let replanned = api.post(&format!("{path}/replan"), &workers, json!({})).await;
    assert_eq!(replanned.status, 200, "{}", replanned.body);
    let (_, kind, payload) = api.events().await.pop().unwrap();
    assert_eq!(kind, "scheduling.trigger.replanned");
    assert_eq!(payload["next_at"], "2099-12-27T12:00:00Z");
    let retired = format!("/blackout-calendars/{calendar}");
    assert_eq!(api.call(Method::DELETE, &retired, &owner, json!({})).await.status, 200);
    let again = api.post(&format!("{path}/replan"), &workers, json!({})).await;
    assert_eq!(again.status, 200, "{}", again.body);
    let (_, _, payload) = api.events().await.pop().unwrap();
    assert_eq!(payload["next_at"], "2099-12-25T12:00:00Z");
    api.stop().await;
}

#[tokio::test]
async fn a_counter_fires_when_a_threshold_is_passed() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let usage = json!({"kind": "usage", "counter": "hours", "every": 250,
        "subject": {"kind": "assets.asset", "id": "0190a000-0000-7000-8000-000000000007"}});
    let path = format!("/triggers/{}", made(&api.post("/triggers", &owner, trigger(&usage)).await));
    for (reading, fired) in [(249, 0), (520, 1), (521, 1), (750, 2)] {
        let path = format!("{path}/usage");
        let recorded = api.post(&path, &owner, json!({ "reading": reading })).await;
        assert_eq!(recorded.status, 200, "{}", recorded.body);
        assert_eq!(api.count(FIRED).await, fired, "at {reading}");
    }
    api.stop().await;
}
