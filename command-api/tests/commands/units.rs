//! Access to units, templates, and what only our own workers may record.

use axum::http::Method;
use serde_json::{Value, json};

use crate::kit::Api;

#[tokio::test]
async fn access_to_a_unit_means_what_a_role_of_the_template_says() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let (anna, _) = api.newcomer("acme", &owner, "anna").await;
    let unit = "0190a000-0000-7000-8000-000000000001";
    let body = json!({"id": unit, "kind": "plant", "code": "north", "name": "North"});
    let tenant: uuid::Uuid = sqlx::query_scalar("select tenant_id from log.tenants")
        .fetch_one(&api.owner)
        .await
        .unwrap();
    let added = api.post(&format!("/organizations/{tenant}/units"), &owner, body).await;
    assert_eq!(added.status, 201, "{}", added.body);
    let path = format!("/rbac/users/{anna}/plants/{unit}");
    let read = json!({"level": "read", "expires_at": "2126-01-01T00:00:00Z"});
    let undefined = api.call(Method::PUT, &path, &owner, read.clone()).await;
    assert_eq!(
        (undefined.status.as_u16(), &undefined.body["code"]),
        (409, &json!("UNIT_ACCESS_UNDEFINED"))
    );
    let template = "/rbac/templates/manufacturing/instantiate";
    assert_eq!(api.post(template, &owner, json!({})).await.status, 200);
    let roles = api.count("rbac.policy.role_created").await;
    assert_eq!(api.post(template, &owner, json!({})).await.status, 200);
    assert_eq!(api.count("rbac.policy.role_created").await, roles, "a role is made once");
    assert_eq!(api.post("/rbac/templates/circus/instantiate", &owner, json!({})).await.status, 404);
    for _ in 0..2 {
        assert_eq!(api.call(Method::PUT, &path, &owner, read.clone()).await.status, 200);
    }
    assert_eq!(api.count("rbac.user_access.unit_access_granted").await, 1);
    let early = api.post(&format!("{path}/expire"), &owner, json!({})).await;
    assert_eq!(early.body["code"], "UNIT_ACCESS_NOT_DUE");
    assert_eq!(api.call(Method::DELETE, &path, &owner, json!({})).await.status, 200);
    assert_eq!(api.call(Method::DELETE, &path, &owner, json!({})).await.status, 404);
    api.stop().await;
}

#[tokio::test]
async fn an_owner_who_may_not_sign_in_does_not_remain_as_the_last() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let events = api.events().await;
    let of = |kind: &str| events.iter().find(|(_, name, _)| name == kind).map(|found| &found.2);
    let role = of("rbac.policy.initialized").unwrap()["owner_role_id"].as_str().unwrap().to_owned();
    let first = of("rbac.policy.protected_role_granted").unwrap()["user_id"].clone();
    let (bert, _) = api.newcomer("acme", &owner, "bert").await;
    let of_user = |user: &str| format!("/rbac/users/{user}/protected-roles/{role}");
    assert_eq!(api.post(&of_user(&bert), &owner, json!({})).await.status, 200);
    let deactivate = format!("/users/{bert}/deactivate");
    let gone = api.post(&deactivate, &owner, json!({"reason": "left"})).await;
    assert_eq!(gone.status, 200, "{}", gone.body);
    let own = of_user(first.as_str().unwrap());
    let last = api.call(Method::DELETE, &own, &owner, json!({})).await;
    assert_eq!((last.status.as_u16(), &last.body["code"]), (409, &json!("LAST_ADMINISTRATOR")));
    api.stop().await;
}

#[tokio::test]
async fn a_role_in_full_is_named_described_placed_and_granted_at_once() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let role = json!({"name": "Clerk", "permissions": ["audit.trail:read"]});
    let role = api.post("/rbac/roles", &owner, role).await;
    let path = role.headers["location"].to_str().unwrap().trim_start_matches("/api/v1").to_owned();
    let full = json!({"name": "Bookkeeper", "description": "Keeps the books.", "level": 7,
        "permissions": ["exports.files:request"]});
    let blind = api.call(Method::PUT, &path, &owner, full.clone()).await;
    assert_eq!(
        (blind.status.as_u16(), &blind.body["code"]),
        (428, &json!("PRECONDITION_REQUIRED"))
    );
    let version = role.headers["etag"].to_str().unwrap();
    let put = api.with(Method::PUT, &path, &owner, full, &[("if-match", version)]).await;
    assert_eq!(put.status, 200, "{}", put.body);
    let kinds: Vec<&Value> =
        put.body["events"].as_array().unwrap().iter().map(|e| &e["type"]).collect();
    assert_eq!(kinds.len(), 4, "{kinds:?}");
    api.stop().await;
}
