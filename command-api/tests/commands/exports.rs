//! Report templates, and what becomes of the files of exports.

use axum::http::Method;
use serde_json::{Value, json};

use crate::kit::{Api, code, entitled, made};

const LATER: &str = "2126-01-01T00:00:00Z";

fn people() -> Value {
    json!({"name": "People", "dataset": "identity.users", "columns": ["handle", "status"],
        "filter": "status = \"active\"", "sort": "-handle", "title": "Who is here",
        "locale": "de-CH", "time_zone": "Europe/Zurich",
        "layout": {"orientation": "landscape", "footer": "Acme AG"}})
}

/// What the last request for a file was stored as.
async fn stored(api: &Api) -> Value {
    let events = api.events().await;
    let mut requests = events.into_iter().filter(|(_, kind, _)| kind == "exports.export.requested");
    requests.next_back().unwrap().2
}

#[tokio::test]
async fn a_file_takes_from_its_template_what_is_not_said_and_keeps_it() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let template = made(&api.post("/exports/templates", &owner, people()).await);
    let ask = json!({"template_id": template, "title": "Today"});
    assert_eq!(api.post("/exports/pdf", &owner, ask.clone()).await.status, 201);
    let request = stored(&api).await;
    let handle = json!({"column": "handle", "descending": true});
    let id = json!({"column": "user_id", "descending": true});
    for (member, expected) in [
        ("template_id", json!(template)),
        ("dataset", json!("identity.users")),
        ("columns", json!(["handle", "status"])),
        ("filter", json!("status = \"active\"")),
        ("sort", json!([handle, id])),
        ("title", json!("Today")),
        ("locale", json!("de-CH")),
        ("time_zone", json!("Europe/Zurich")),
        ("layout", json!({"orientation": "landscape", "footer": "Acme AG"})),
    ] {
        assert_eq!(request[member], expected, "{member}");
    }
    let path = format!("/exports/templates/{template}");
    let revise = json!({"columns": ["handle"], "filter": "", "sort": "handle"});
    let revised = api.call(Method::PATCH, &path, &owner, revise).await;
    assert_eq!(revised.status, 200, "{}", revised.body);
    assert_eq!(stored(&api).await, request, "what was asked for stays");
    assert_eq!(
        api.post("/exports/csv", &owner, json!({"template_id": template})).await.status,
        201
    );
    let now = stored(&api).await;
    assert_eq!((&now["columns"], &now["filter"]), (&json!(["handle"]), &Value::Null));
    let wrong = api.call(Method::PATCH, &path, &owner, json!({"columns": ["shoe_size"]})).await;
    assert_eq!(code(&wrong), (400, "FIELDS_INVALID"), "{}", wrong.body);
    assert_eq!(api.call(Method::DELETE, &path, &owner, json!({})).await.status, 200);
    let late = api.post("/exports/csv", &owner, ask).await;
    assert_eq!(code(&late), (409, "EXPORT_TEMPLATE_RETIRED"), "{}", late.body);
    api.stop().await;
}

#[tokio::test]
async fn what_does_not_fit_a_template_is_refused_where_it_is_wrong() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let template = made(&api.post("/exports/templates", &owner, people()).await);
    let mut again = people();
    again["name"] = json!("PEOPLE");
    let taken = api.post("/exports/templates", &owner, again.clone()).await;
    assert_eq!(code(&taken), (409, "TEMPLATE_NAME_TAKEN"));
    let path = format!("/exports/templates/{template}");
    assert_eq!(api.call(Method::DELETE, &path, &owner, json!({})).await.status, 200);
    made(&api.post("/exports/templates", &owner, again).await);
    for (member, value, expected) in [
        ("dataset", json!("identity.people"), (422, "DATASET_UNKNOWN")),
        ("columns", json!(["shoe_size"]), (400, "FIELDS_INVALID")),
        ("filter", json!("shoe_size = 4"), (400, "FILTER_INVALID")),
        ("name", json!(""), (422, "TEMPLATE_NAME_INVALID")),
        ("layout", json!({"header": "\n"}), (422, "TEMPLATE_LAYOUT_INVALID")),
    ] {
        let mut wrong = people();
        wrong[member] = value;
        let refused = api.post("/exports/templates", &owner, wrong).await;
        assert_eq!(code(&refused), expected, "{}", refused.body);
    }
    let unknown = json!({"template_id": "0190a000-0000-7000-8000-000000000007"});
    let refused = api.post("/exports/csv", &owner, unknown).await;
    assert_eq!(code(&refused), (422, "EXPORT_TEMPLATE_UNKNOWN"));
    let other = json!({"template_id": template, "dataset": "rbac.roles"});
    let refused = api.post("/exports/csv", &owner, other).await;
    assert_eq!(code(&refused), (422, "TEMPLATE_OF_ANOTHER_DATASET"));
    api.stop().await;
}

#[tokio::test]
async fn a_template_opens_no_dataset_to_whoever_may_not_read_it() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let template = made(&api.post("/exports/templates", &owner, people()).await);
    let (_, clerk) = entitled(&api, &owner, "clerk", &["exports.files:request"]).await;
    let refused = api.post("/exports/csv", &clerk, json!({"template_id": template})).await;
    assert_eq!(refused.status, 403, "{}", refused.body);
    assert!(refused.body["detail"].as_str().unwrap().contains("identity.users:read"));
    assert_eq!(api.post("/exports/templates", &clerk, people()).await.status, 403);
    let path = format!("/exports/templates/{template}");
    assert_eq!(api.call(Method::DELETE, &path, &clerk, json!({})).await.status, 403);
    api.stop().await;
}

/// An export of somebody's, made by our own workers.
async fn finished(api: &Api, token: &str) -> String {
    let tenant = api.login("acme", "owner").await.body["tenant_id"].clone();
    let login = json!({"service": "workers", "secret": api.settings.service_secret,
        "tenant_id": tenant});
    let workers = api.post("/auth/service-token", "", login).await;
    let workers = workers.body["access_token"].as_str().unwrap().to_owned();
    let export = made(&api.post("/exports/csv", token, json!({"dataset": "rbac.roles"})).await);
    let done = json!({"attempt": 1, "file_id": export, "file_name": "roles.csv", "size_bytes": 1,
        "sha256": "0".repeat(64), "rows": 1, "position": 1, "expires_at": LATER});
    let begin = json!({"attempt": 1, "worker": "w"});
    for (verb, body) in [("start", begin), ("complete", done)] {
        let path = format!("/exports/{export}/{verb}");
        assert_eq!(api.post(&path, &workers, body).await.status, 200);
    }
    export
}

#[tokio::test]
async fn a_file_is_archived_and_deleted_by_whose_it_is_and_by_who_sees_all() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let may = ["exports.files:request", "rbac.roles:read"];
    let (_, anna) = entitled(&api, &owner, "anna", &may).await;
    let (_, bert) = entitled(&api, &owner, "bert", &may).await;
    let path = format!("/exports/{}", finished(&api, &anna).await);
    let archive = format!("{path}/archive");
    assert_eq!(api.post(&archive, &bert, json!({})).await.status, 403);
    assert_eq!(api.post(&archive, &anna, json!({})).await.status, 200);
    assert_eq!(api.post(&archive, &anna, json!({})).await.body["events"], json!([]));
    assert_eq!(api.call(Method::DELETE, &path, &bert, json!({})).await.status, 403);
    let deleted = api.call(Method::DELETE, &path, &owner, json!({})).await;
    assert_eq!(deleted.body["events"][0]["type"], "exports.export.deleted", "{}", deleted.body);
    let late = api.post(&format!("{path}/downloads"), &anna, json!({})).await;
    assert_eq!(code(&late), (409, "EXPORT_FILE_DELETED"));
    let waiting = made(&api.post("/exports/csv", &anna, json!({"dataset": "rbac.roles"})).await);
    let early = api.call(Method::DELETE, &format!("/exports/{waiting}"), &anna, json!({})).await;
    assert_eq!(code(&early), (409, "EXPORT_STILL_MADE"));
    api.stop().await;
}

#[tokio::test]
async fn a_clean_up_takes_a_right_of_its_own() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let (_, anna) = entitled(&api, &owner, "anna", &["exports.files:read_all"]).await;
    let month = json!({"days_to_keep": 30});
    assert_eq!(api.post("/exports/cleanup", &anna, month.clone()).await.status, 403);
    let asked = api.post("/exports/cleanup", &owner, month).await;
    assert_eq!(asked.status, 200, "{}", asked.body);
    assert_eq!(api.count("exports.cleanup.requested").await, 1);
    let forever = api.post("/exports/cleanup", &owner, json!({"days_to_keep": 4_000})).await;
    assert_eq!(code(&forever), (422, "CLEANUP_DAYS_INVALID"));
    api.stop().await;
}
