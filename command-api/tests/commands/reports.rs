//! Several files as one, files for others, and files that recur.

use axum::http::Method;
use serde_json::{Value, json};

use crate::kit::{Api, code, entitled, made};
use crate::scheduling::scheduler;

const REQUESTED: &str = "exports.export.requested";

fn two_files() -> Value {
    json!({"title": "Month end", "items": [
        {"format": "csv", "export": {"dataset": "identity.users", "title": "Who is here"}},
        {"format": "xlsx", "export": {"dataset": "rbac.roles", "columns": ["code"], "sort": "-code"}},
    ]})
}

/// As our workers do it.
async fn work(api: &Api, path: &str, body: Value) {
    let workers = scheduler(api).await;
    let answer = api.post(path, &workers, body).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
}

async fn all(api: &Api, kind: &str) -> Vec<Value> {
    let events = api.events().await;
    events.into_iter().filter(|(_, of, _)| of == kind).map(|(.., payload)| payload).collect()
}

#[tokio::test]
async fn the_files_of_a_batch_are_asked_for_once_in_the_name_of_its_requester() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let batch = made(&api.post("/exports/batch", &owner, two_files()).await);
    let path = format!("/exports/batch/{batch}");
    work(&api, &format!("{path}/start"), json!({})).await;
    // A file can be made before it is recorded which item it is of.
    let early = json!({"export_id": "0190a000-0000-7000-8000-000000000007", "made": true});
    let workers = scheduler(&api).await;
    assert_eq!(api.post(&format!("{path}/finish"), &workers, early).await.status, 503);
    for _ in 0..2 {
        for item in 0..2 {
            work(&api, &format!("{path}/request-item"), json!({ "item": item })).await;
        }
    }
    let requests = all(&api, REQUESTED).await;
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0]["batch_id"], batch);
    assert_eq!((&requests[0]["format"], &requests[1]["format"]), (&json!("csv"), &json!("xlsx")));
    assert_eq!(requests[1]["columns"], json!(["code"]));
    assert_eq!(requests[1]["sort"][0], json!({"column": "code", "descending": true}));
    let around: Value = sqlx::query_scalar(
        "select metadata::jsonb from log.events where event_type = $1 order by position limit 1",
    )
    .bind(REQUESTED)
    .fetch_one(&api.owner)
    .await
    .unwrap();
    assert_eq!(around["through"], format!("exports.batch/{batch}"));
    assert_eq!(around["actor_id"], requests[0]["requested_by"]);
    for (export, made) in [(0, true), (1, false)] {
        let export = &all(&api, "exports.batch.item_requested").await[export]["export_id"];
        work(&api, &format!("{path}/finish"), json!({"export_id": export, "made": made})).await;
    }
    let ended = all(&api, "exports.batch.completed").await;
    assert_eq!((&ended[0]["made"], &ended[0]["failed"]), (&json!(1), &json!(1)));
    api.stop().await;
}

#[tokio::test]
async fn what_is_wrong_with_a_file_is_said_where_it_stands_in_the_batch() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let refused = async |change: &dyn Fn(&mut Value), expected: (u16, &str), pointer: &str| {
        let mut body = two_files();
        change(&mut body);
        let answer = api.post("/exports/batch", &owner, body).await;
        assert_eq!(code(&answer), expected, "{}", answer.body);
        assert_eq!(answer.body["errors"][0]["pointer"], pointer);
    };
    let unknown = |body: &mut Value| body["items"][1]["export"]["dataset"] = json!("no.such");
    refused(&unknown, (422, "DATASET_UNKNOWN"), "/items/1/export/dataset").await;
    let zone = |body: &mut Value| body["items"][0]["export"]["time_zone"] = json!("Nowhere");
    refused(&zone, (422, "EXPORT_TIME_ZONE_UNKNOWN"), "/items/0/export/time_zone").await;
    let cover = |body: &mut Value| body["items"][0]["export"]["options"] = json!({"cover": true});
    refused(&cover, (422, "EXPORT_OPTION_INVALID"), "/items/0/export/options/cover").await;
    let past = |body: &mut Value| body["run_at"] = json!("2020-01-01T00:00:00Z");
    refused(&past, (422, "BATCH_RUN_AT_PAST"), "/run_at").await;
    let none = |body: &mut Value| body["items"] = json!([]);
    refused(&none, (422, "BATCH_ITEMS_INVALID"), "/items").await;
    let own = |body: &mut Value| {
        body["items"][1]["export"]["id"] = json!("0190a000-0000-7000-8000-000000000007");
    };
    refused(&own, (422, "BODY_INVALID"), "/items/1/export/id").await;
    assert_eq!(api.count("exports.batch.requested").await, 0);
    api.stop().await;
}

#[tokio::test]
async fn a_batch_is_its_requesters_and_needs_the_right_to_every_file() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let may = ["exports.files:request", "identity.users:read"];
    let (_, anna) = entitled(&api, &owner, "anna", &may).await;
    let answer = api.post("/exports/batch", &anna, two_files()).await;
    assert_eq!(answer.status, 403, "{}", answer.body);
    let batch = made(&api.post("/exports/batch", &owner, two_files()).await);
    let cancel = format!("/exports/batch/{batch}/cancel");
    assert_eq!(api.post(&cancel, &anna, json!({})).await.status, 403);
    assert_eq!(api.post(&format!("/jobs/{batch}/cancel"), &owner, json!({})).await.status, 200);
    assert_eq!(api.count("exports.batch.cancelled").await, 1);
    let fetched = api.post(&format!("/exports/batch/{batch}/downloads"), &owner, json!({})).await;
    assert_eq!(code(&fetched), (409, "BATCH_NOT_DOWNLOADABLE"));
    api.stop().await;
}

/// A finished file of the owner's with everybody's names in it, for some recipients: its path.
async fn finished(api: &Api, owner: &str, deliver: Value) -> String {
    let ask = json!({"dataset": "identity.users", "deliver": deliver});
    let path = format!("/exports/{}", made(&api.post("/exports/csv", owner, ask).await));
    work(api, &format!("{path}/start"), json!({"attempt": 1, "worker": "w"})).await;
    let file = json!({"attempt": 1, "file_id": "0190a000-0000-7000-8000-000000000009",
        "file_name": "users.csv", "size_bytes": 1, "sha256": "0".repeat(64), "rows": 1,
        "position": 1, "expires_at": "2126-01-01T00:00:00Z"});
    work(api, &format!("{path}/complete"), file).await;
    path
}

#[tokio::test]
async fn a_file_is_for_those_who_may_see_all_that_is_in_it_and_for_as_long_as_they_may() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let may = ["exports.files:request", "identity.users:read"];
    let (anna, of_anna) = entitled(&api, &owner, "anna", &may).await;
    let (bert, of_bert) = entitled(&api, &owner, "bert", &may[..1]).await;
    let (carl, of_carl) = entitled(&api, &owner, "carl", &may).await;
    let ask = json!({"dataset": "identity.users", "deliver": {"recipients": [anna, bert]}});
    let refused = api.post("/exports/csv", &owner, ask).await;
    assert_eq!(code(&refused), (422, "RECIPIENT_MAY_NOT_SEE"), "{}", refused.body);
    assert_eq!(refused.body["errors"][0]["pointer"], "/deliver/recipients/1");

    let path = finished(&api, &owner, json!({"recipients": [anna, carl]})).await;
    let downloads = format!("{path}/downloads");
    assert_eq!(api.post(&downloads, &of_anna, json!({})).await.status, 403, "not told of yet");
    let account = format!("/users/{carl}/deactivate");
    let gone = api.post(&account, &owner, json!({"reason": "left"})).await;
    assert_eq!(gone.status, 200, "{}", gone.body);
    for _ in 0..2 {
        work(&api, &format!("{path}/deliver"), json!({})).await;
    }
    let told = all(&api, "exports.export.delivered").await;
    assert_eq!(told.len(), 1);
    assert_eq!((&told[0]["recipients"], &told[0]["left_out"]), (&json!([anna]), &json!([carl])));
    assert_eq!(api.post(&downloads, &of_anna, json!({})).await.status, 201);
    assert_eq!(api.post(&downloads, &of_bert, json!({})).await.status, 403);
    assert_eq!(api.post(&downloads, &of_carl, json!({})).await.status, 401);
    api.stop().await;
}

#[tokio::test]
async fn a_finished_file_is_sent_to_others_who_may_see_it() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let may = ["exports.files:request", "identity.users:read"];
    let (anna, of_anna) = entitled(&api, &owner, "anna", &may).await;
    let (bert, _) = entitled(&api, &owner, "bert", &may[1..]).await;
    let path = finished(&api, &owner, Value::Null).await;
    let email = format!("{path}/email");
    let refused = api.post(&email, &owner, json!({"recipients": [bert]})).await;
    assert_eq!(code(&refused), (422, "RECIPIENT_MAY_NOT_SEE"));
    assert_eq!(api.post(&email, &of_anna, json!({"recipients": [anna]})).await.status, 403);
    assert_eq!(api.post(&email, &owner, json!({"recipients": [anna]})).await.status, 200);
    assert_eq!(api.post(&format!("{path}/downloads"), &of_anna, json!({})).await.status, 201);
    api.stop().await;
}

#[tokio::test]
async fn a_file_recurs_for_whoever_may_ask_for_it_now() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let may = ["exports.files:request", "identity.users:read"];
    let (_, anna) = entitled(&api, &owner, "anna", &may).await;
    let (_, bert) = entitled(&api, &owner, "bert", &may).await;
    let weekly = |export: Value| {
        json!({"name": "Weekly", "format": "xlsx", "export": export,
            "spec": {"kind": "weekly", "days": ["monday"], "time": "07:00"},
            "modifiers": {"time_zone": "Europe/Zurich"}})
    };
    let refused =
        api.post("/exports/schedule", &anna, weekly(json!({"dataset": "rbac.roles"}))).await;
    assert_eq!(refused.status, 403, "{}", refused.body);
    let wrong = weekly(json!({"dataset": "identity.users", "columns": ["no"]}));
    let refused = api.post("/exports/schedule", &anna, wrong).await;
    assert_eq!(code(&refused), (400, "FIELDS_INVALID"), "{}", refused.body);
    let schedule = weekly(json!({"dataset": "identity.users", "title": "As of {occurrence}"}));
    let id = made(&api.post("/exports/schedule", &anna, schedule).await);
    let created = all(&api, "scheduling.trigger.created").await;
    assert_eq!(created[0]["target"]["command"], "exports_export_request_xlsx");
    assert_eq!(
        created[0]["target"]["args"],
        json!({"dataset": "identity.users", "title": "As of {occurrence}"})
    );
    let path = format!("/exports/schedule/{id}");
    let end = async |token| api.call(Method::DELETE, &path, token, json!({})).await.status;
    assert_eq!(end(&bert).await, 403);
    assert_eq!(end(&anna).await, 200);
    assert_eq!(api.count("scheduling.trigger.cancelled").await, 1);
    let other = json!({"name": "Other", "spec": {"kind": "daily", "time": "07:00"},
        "modifiers": {"time_zone": "UTC"}, "target": {"command": "backups_backup_request",
            "args": {"name": "daily"}}});
    let other = made(&api.post("/triggers", &owner, other).await);
    let path = format!("/exports/schedule/{other}");
    assert_eq!(api.call(Method::DELETE, &path, &owner, json!({})).await.status, 404);
    api.stop().await;
}
