//! What a change of access would come to, before it is made.

use axum::http::Method;
use serde_json::{Value, json};

use crate::kit::Api;

#[tokio::test]
async fn a_dry_run_of_a_change_of_access_tells_who_gains_and_who_loses() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let (anna, _) = api.newcomer("acme", &owner, "anna").await;
    let (ben, _) = api.newcomer("acme", &owner, "ben").await;
    let role = json!({"name": "Reader", "permissions": ["rbac.roles:read", "audit.trail:read"]});
    let role = api.post("/rbac/roles", &owner, role).await;
    let role = role.made().to_owned();
    let assign = |user: &String| json!({"user_id": user, "role_id": role});
    let before = api.events().await.len();

    let dry = api.post("/rbac/assign?validate_only=true", &owner, assign(&anna)).await;
    assert_eq!(dry.body["effect"]["summary"], "+1 person gains, 0 lose");
    let affected = &dry.body["effect"]["users"][0];
    assert_eq!(affected["user_id"], anna);
    let names = affected["gains"].as_array().unwrap();
    let names: Vec<_> = names.iter().map(|held| held["permission"].as_str().unwrap()).collect();
    assert_eq!(names, ["audit.trail:read", "rbac.roles:read"]);
    assert_eq!(api.events().await.len(), before, "nothing is stored");

    for user in [&anna, &ben] {
        assert_eq!(api.post("/rbac/assign", &owner, assign(user)).await.status, 200);
    }
    let path = format!("/rbac/roles/{role}/permissions?validate_only=true");
    let other = json!({"permissions": ["rbac.roles:read", "exports.files:request"]});
    let dry = api.call(Method::PUT, &path, &owner, other).await;
    let effect = &dry.body["effect"];
    assert_eq!(effect["summary"], "+2 people gain, 2 lose");
    assert_eq!((&effect["gaining"], &effect["losing"]), (&2.into(), &2.into()));
    assert_eq!(effect["complete"], true);
    assert_eq!(effect["users"][0]["loses"][0]["permission"], "audit.trail:read");

    let left = json!({"reason": "left"});
    let gone = api.post(&format!("/users/{ben}/deactivate"), &owner, left).await;
    assert_eq!(gone.status, 200, "{}", gone.body);
    let path = format!("/rbac/roles/{role}?validate_only=true");
    let dry = api.call(Method::DELETE, &path, &owner, json!({})).await;
    assert_eq!(dry.body["effect"]["summary"], "+0 people gain, 1 loses", "{}", dry.body);
    let rename = json!({"name": "Other"});
    let dry = api.call(Method::PATCH, &path, &owner, rename).await;
    assert_eq!(dry.body["effect"]["summary"], "+0 people gain, 0 lose");

    let stored =
        api.call(Method::DELETE, &path.replace("?validate_only=true", ""), &owner, json!({})).await;
    assert_eq!(stored.body["effect"], Value::Null, "only a dry run tells it");
    api.stop().await;
}

#[tokio::test]
async fn who_may_not_see_assignments_gets_the_numbers_alone() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let (manager, token) = api.newcomer("acme", &owner, "manager").await;
    let make = async |name: &str, level: u16, permissions: Value| {
        let body = json!({"name": name, "level": level, "permissions": permissions});
        let made = api.post("/rbac/roles", &owner, body).await;
        made.made().to_owned()
    };
    let managing = make("Managing", 50, json!(["rbac.roles:manage"])).await;
    let lower = make("Lower", 5, json!([])).await;
    for role in [&managing, &lower] {
        let assign = json!({"user_id": manager, "role_id": role});
        assert_eq!(api.post("/rbac/assign", &owner, assign).await.status, 200);
    }
    let (anna, _) = api.newcomer("acme", &owner, "anna").await;
    let assign = json!({"user_id": anna, "role_id": lower});
    assert_eq!(api.post("/rbac/assign", &owner, assign).await.status, 200);
    let path = format!("/rbac/roles/{lower}/permissions/rbac.roles:manage?validate_only=true");
    let dry = api.post(&path, &token, json!({})).await;
    assert_eq!(dry.body["effect"]["gaining"], 1, "{}", dry.body);
    assert_eq!(dry.body["effect"]["users"], json!([]));
    api.stop().await;
}
