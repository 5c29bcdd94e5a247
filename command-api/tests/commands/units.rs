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

const NORTH: &str = "0190a000-0000-7000-8000-00000000000a";
const HALL: &str = "0190a000-0000-7000-8000-00000000000b";
const YARD: &str = "0190a000-0000-7000-8000-00000000000c";
const SOUTH: &str = "0190a000-0000-7000-8000-00000000000d";
const FIELD: &str = "0190a000-0000-7000-8000-00000000000e";

/// An organisation with North (Hall, Yard) and South (Field); the path of its units.
async fn with_units(api: &Api, owner: &str) -> String {
    let tenant: uuid::Uuid = sqlx::query_scalar("select tenant_id from log.tenants")
        .fetch_one(&api.owner)
        .await
        .unwrap();
    let units = format!("/organizations/{tenant}/units");
    for (id, code, parent) in [
        (NORTH, "north", None),
        (HALL, "hall", Some(NORTH)),
        (YARD, "yard", Some(NORTH)),
        (SOUTH, "south", None),
        (FIELD, "field", Some(SOUTH)),
    ] {
        let body =
            json!({"id": id, "kind": "site", "code": code, "name": code, "parent_id": parent});
        assert_eq!(api.post(&units, owner, body).await.status, 201);
    }
    units
}

/// A role of these permissions; its id.
async fn role(api: &Api, owner: &str, level: u16, permissions: &[&str]) -> String {
    let body =
        json!({"name": format!("Level {level}"), "level": level, "permissions": permissions});
    let made = api.post("/rbac/roles", owner, body).await;
    assert_eq!(made.status, 201, "{}", made.body);
    made.made().to_owned()
}

#[tokio::test]
async fn who_holds_a_permission_in_a_unit_acts_there_and_below_and_nowhere_else() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let (anna, token) = api.newcomer("acme", &owner, "anna").await;
    let (bert, _) = api.newcomer("acme", &owner, "bert").await;
    let units = with_units(&api, &owner).await;
    let may = ["identity.organizations:manage", "rbac.assignments:assign"];
    let keeper = role(&api, &owner, 50, &may).await;
    let helper = role(&api, &owner, 10, &may[..1]).await;
    let unit = |id: &str| format!("{units}/{id}");
    let assign = |unit: Value| json!({"user_id": bert, "role_id": helper, "unit_id": unit});
    let add = |code: &str, parent: Value| json!({"kind": "site", "code": code, "name": code, "parent_id": parent});
    let name = json!({"name": "Renamed"});
    let to = |parent: &str| json!({"parent_id": parent});
    let of_bert = format!("/rbac/users/{bert}/roles/{helper}");
    let plant = |unit: &str| format!("/rbac/users/{bert}/plants/{unit}");
    // Nothing before the role is held, and nothing of this where it is not.
    let asked = [
        (Method::PATCH, unit(NORTH), name.clone(), 200),
        (Method::PATCH, unit(HALL), name.clone(), 200),
        (Method::PATCH, unit(SOUTH), name.clone(), 403),
        (Method::PATCH, unit(FIELD), name.clone(), 403),
        (Method::PATCH, unit(&bert), name.clone(), 403),
        (Method::PATCH, unit(YARD), to(HALL), 200),
        (Method::PATCH, unit(YARD), to(SOUTH), 403),
        (Method::PATCH, unit(FIELD), to(HALL), 403),
        (Method::PATCH, unit(NORTH), to(HALL), 403),
        (Method::POST, units.clone(), add("shed", json!(HALL)), 201),
        (Method::POST, units.clone(), add("barn", json!(SOUTH)), 403),
        (Method::POST, units.clone(), add("east", Value::Null), 403),
        (Method::DELETE, unit(YARD), json!({}), 200),
        (Method::DELETE, unit(FIELD), json!({}), 403),
        (Method::POST, "/rbac/assign".into(), assign(json!(HALL)), 200),
        (Method::POST, "/rbac/assign".into(), assign(json!(FIELD)), 403),
        (Method::POST, "/rbac/assign".into(), assign(Value::Null), 403),
        (Method::POST, of_bert.clone(), json!({"unit_id": NORTH}), 200),
        (Method::DELETE, of_bert.clone(), json!({"unit_id": HALL}), 200),
        (Method::DELETE, of_bert.clone(), json!({}), 403),
        (Method::PUT, plant(SOUTH), json!({"level": "read"}), 403),
        (Method::DELETE, plant(SOUTH), json!({}), 403),
    ];
    for (method, path, body, _) in &asked {
        let nothing = api.call(method.clone(), path, &token, body.clone()).await;
        assert_eq!(nothing.status, 403, "{method} {path} {body}");
    }
    let held = json!({"user_id": anna, "role_id": keeper, "unit_id": NORTH});
    assert_eq!(api.post("/rbac/assign", &owner, held).await.status, 200);
    for (method, path, body, expected) in asked {
        let answer = api.call(method.clone(), &path, &token, body.clone()).await;
        assert_eq!(answer.status, expected, "{method} {path} {body}: {}", answer.body);
    }
    let undefined = api.call(Method::PUT, &plant(HALL), &token, json!({"level": "read"})).await;
    assert_eq!(undefined.body["code"], "UNIT_ACCESS_UNDEFINED", "it was let in");
    let whole = units.trim_end_matches("/units");
    let rename = api.call(Method::PATCH, whole, &token, name).await;
    assert_eq!(rename.status, 403, "the organisation itself is no unit");
    api.stop().await;
}

/// Somebody new who keeps the units from North downwards, and no others.
struct Keeper {
    user_id: String,
    token: String,
    /// The path of all units.
    units: String,
    role_id: String,
}

async fn keeper_of_north(api: &Api, owner: &str) -> Keeper {
    let (user_id, token) = api.newcomer("acme", owner, "anna").await;
    let units = with_units(api, owner).await;
    let role_id = role(api, owner, 50, &["identity.organizations:manage"]).await;
    let held = json!({"user_id": user_id, "role_id": role_id, "unit_id": NORTH});
    assert_eq!(api.post("/rbac/assign", owner, held).await.status, 200);
    Keeper { user_id, token, units, role_id }
}

#[tokio::test]
async fn a_refusal_names_the_unit_and_a_right_in_one_ends_with_the_next_command() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let Keeper { user_id, token, units, role_id } = keeper_of_north(&api, &owner).await;
    let rename = async |unit: &str, name: &str| {
        let path = format!("{units}/{unit}");
        api.call(Method::PATCH, &path, &token, json!({ "name": name })).await
    };
    let beyond = rename(SOUTH, "Far").await;
    assert_eq!((beyond.status.as_u16(), &beyond.body["code"]), (403, &json!("FORBIDDEN")));
    assert_eq!(beyond.body["params"]["unit_id"], SOUTH);
    let events = api.events().await;
    let denied = events.iter().find(|(_, kind, _)| kind == "audit.security_log.access_denied");
    assert_eq!(denied.unwrap().2["unit_id"], SOUTH);
    assert_eq!(rename(HALL, "Near").await.status, 200);
    let path = format!("/rbac/users/{user_id}/roles/{role_id}");
    let end = api.call(Method::DELETE, &path, &owner, json!({"unit_id": NORTH})).await;
    assert_eq!(end.status, 200, "{}", end.body);
    assert_eq!(rename(HALL, "Again").await.status, 403);
    api.stop().await;
}

#[tokio::test]
async fn commands_of_one_batch_are_each_asked_where_they_act() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let Keeper { token, units, .. } = keeper_of_north(&api, &owner).await;
    let rename = |unit: &str| {
        let path = format!("{units}/{unit}");
        json!({"method": "PATCH", "path": path, "body": {"name": "Renamed"}})
    };
    for (others, expected) in [(YARD, [200, 200]), (SOUTH, [403, 403])] {
        let commands =
            json!({"commands": [rename(HALL), rename(others)], "atomic": "per_aggregate"});
        let done = api.post("/commands/batch", &token, commands).await;
        let of = |index: usize| done.body["items"][index]["status"].as_u64().unwrap();
        assert_eq!([of(0), of(1)], expected, "{}", done.body);
    }
    api.stop().await;
}

#[tokio::test]
async fn a_protected_role_is_given_and_taken_in_a_unit_by_whom_may_there() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let (anna, token) = api.newcomer("acme", &owner, "anna").await;
    let (bert, _) = api.newcomer("acme", &owner, "bert").await;
    with_units(&api, &owner).await;
    let keeper = role(&api, &owner, 50, &["rbac.assignments:assign"]).await;
    let guarded = json!({"name": "Guarded", "level": 10, "protected": true,
        "permissions": ["rbac.assignments:assign"]});
    let guarded = api.post("/rbac/roles", &owner, guarded).await;
    let guarded = guarded.made();
    let path = format!("/rbac/users/{bert}/protected-roles/{guarded}");
    let asked = [
        (Method::POST, json!({"unit_id": HALL}), 200),
        (Method::DELETE, json!({"unit_id": HALL}), 200),
        (Method::POST, json!({"unit_id": FIELD}), 403),
        (Method::DELETE, json!({"unit_id": FIELD}), 403),
        (Method::POST, json!({}), 403),
        (Method::DELETE, json!({}), 403),
    ];
    for (method, body, _) in &asked {
        let nothing = api.call(method.clone(), &path, &token, body.clone()).await;
        assert_eq!(nothing.status, 403, "{method} {body}");
    }
    let held = json!({"user_id": anna, "role_id": keeper, "unit_id": NORTH});
    assert_eq!(api.post("/rbac/assign", &owner, held).await.status, 200);
    for (method, body, expected) in asked {
        let answer = api.call(method.clone(), &path, &token, body.clone()).await;
        assert_eq!(answer.status, expected, "{method} {body}: {}", answer.body);
    }
    let high = json!({"name": "High", "level": 60, "protected": true, "permissions": []});
    let high = api.post("/rbac/roles", &owner, high).await;
    let high = high.made();
    let path = format!("/rbac/users/{bert}/protected-roles/{high}");
    let above = api.post(&path, &token, json!({"unit_id": HALL})).await;
    assert_eq!(above.body["code"], "ESCALATES_LEVEL", "no further than they stand there");
    api.stop().await;
}

#[tokio::test]
async fn what_is_the_organisation_s_as_a_whole_is_refused_with_a_word_that_says_so() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let (anna, token) = api.newcomer("acme", &owner, "anna").await;
    with_units(&api, &owner).await;
    let may = ["rbac.roles:manage", "settings.settings:manage"];
    let keeper = role(&api, &owner, 50, &may).await;
    let new_role = json!({"name": "Local", "unit_id": NORTH, "permissions": []});
    let paper = |unit: Value| json!({"value": "letter", "unit_id": unit});
    let on = json!({"enabled": true});
    let (setting, flag) = ("/settings/exports.paper", "/feature-flags/command_batches");
    let before = api.post("/rbac/roles", &token, new_role.clone()).await;
    assert!(before.body["detail"].as_str().unwrap().starts_with("you need the permission"));
    assert_eq!(api.call(Method::PUT, setting, &token, paper(json!(HALL))).await.status, 403);
    let held = json!({"user_id": anna, "role_id": keeper, "unit_id": NORTH});
    assert_eq!(api.post("/rbac/assign", &owner, held).await.status, 200);
    for (method, path, body) in [
        (Method::POST, "/rbac/roles", new_role),
        (Method::PUT, setting, paper(Value::Null)),
        (Method::DELETE, setting, json!({})),
        (Method::PUT, flag, on),
    ] {
        let answer = api.call(method, path, &token, body).await;
        let said = answer.body["detail"].as_str().unwrap();
        assert_eq!(answer.status, 403, "{path}: {}", answer.body);
        assert!(said.starts_with("this is about the organisation as a whole"), "{path}: {said}");
    }
    for (unit, expected) in [(NORTH, 200), (HALL, 200), (SOUTH, 403), (FIELD, 403)] {
        let of_unit = json!({"unit_id": unit});
        let put = api.call(Method::PUT, setting, &token, paper(json!(unit))).await;
        assert_eq!(put.status, expected, "{unit}: {}", put.body);
        let unset = api.call(Method::DELETE, setting, &token, of_unit).await;
        assert_eq!(unset.status, expected, "{unit}: {}", unset.body);
    }
    api.stop().await;
}

#[tokio::test]
async fn a_file_is_asked_for_in_a_unit_where_its_rows_belong_to_units() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let (anna, token) = api.newcomer("acme", &owner, "anna").await;
    with_units(&api, &owner).await;
    let may = ["exports.files:request", "rbac.assignments:read", "identity.users:read"];
    let reader = role(&api, &owner, 50, &may).await;
    let ask = |dataset: &str| json!({ "dataset": dataset });
    assert_eq!(api.post("/exports/csv", &token, ask("rbac.assignments")).await.status, 403);
    let held = json!({"user_id": anna, "role_id": reader, "unit_id": NORTH});
    assert_eq!(api.post("/rbac/assign", &owner, held).await.status, 200);
    let asked = api.post("/exports/csv", &token, ask("rbac.assignments")).await;
    assert_eq!(asked.status, 201, "{}", asked.body);
    let whole = api.post("/exports/csv", &token, ask("identity.users")).await;
    assert_eq!(whole.status, 403, "{}", whole.body);
    let said = whole.body["detail"].as_str().unwrap();
    assert!(said.starts_with("this is about the organisation as a whole"), "{said}");
    let of_owner = api.post("/exports/csv", &owner, ask("rbac.assignments")).await;
    let path = |of: &crate::kit::Answer| {
        let id = of.body["aggregate"]["id"].as_str().unwrap();
        format!("/exports/{id}/cancel")
    };
    assert_eq!(api.post(&path(&of_owner), &token, json!({})).await.status, 403, "another's");
    assert_eq!(api.post(&path(&asked), &token, json!({})).await.status, 200);
    api.stop().await;
}
