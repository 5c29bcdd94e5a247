//! What changes of users and units: absent, null and a value are three things, and everybody's own is theirs to change.

use axum::http::Method;
use serde_json::{Value, json};

use crate::kit::{Answer, Api, code};

async fn patch(api: &Api, path: &str, token: &str, body: Value) -> Answer {
    api.call(Method::PATCH, path, token, body).await
}

/// The payloads of all events of a type.
async fn payloads(api: &Api, event_type: &str) -> Vec<Value> {
    let events = api.events().await.into_iter().filter(|(_, kind, _)| kind == event_type);
    events.map(|(_, _, payload)| payload).collect()
}

#[tokio::test]
async fn null_moves_a_unit_to_the_top_and_what_is_absent_stays() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let tenant = api.login("acme", "owner").await.body["tenant_id"].as_str().unwrap().to_owned();
    let units = format!("/organizations/{tenant}/units");
    let id = |number: u8| format!("0190a000-0000-7000-8000-00000000000{number}");
    for (number, parent) in [(1, None), (2, Some(id(1)))] {
        let body = json!({"id": id(number), "kind": "plant", "code": format!("u{number}"),
            "name": "Unit", "parent_id": parent});
        assert_eq!(api.post(&units, &owner, body).await.status, 201);
    }
    let below = format!("{units}/{}", id(2));
    let moved = "identity.organization.unit_moved";
    assert_eq!(patch(&api, &below, &owner, json!({"name": "Other"})).await.status, 200);
    assert_eq!(api.count(moved).await, 0, "what is absent stays");
    let top = patch(&api, &below, &owner, json!({"parent_id": null})).await;
    assert_eq!((top.status.as_u16(), &top.body["events"][0]["type"]), (200, &json!(moved)));
    assert!(payloads(&api, moved).await[0]["parent_id"].is_null());
    assert_eq!(patch(&api, &below, &owner, json!({"parent_id": id(1)})).await.status, 200);
    assert_eq!(payloads(&api, moved).await[1]["parent_id"], json!(id(1)));
    let wrong = patch(&api, &below, &owner, json!({"parent_id": "top"})).await;
    assert_eq!(wrong.status, 422, "{}", wrong.body);
    api.stop().await;
}

#[tokio::test]
async fn null_takes_an_address_and_a_number_away_and_what_is_absent_stays() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let (anna, _) = api.newcomer("acme", &owner, "anna").await;
    let path = format!("/users/{anna}");
    let (email, phone) = ("identity.user.email_replaced", "identity.user.phone_replaced");
    let counts = async || (api.count(email).await, api.count(phone).await);
    let both = json!({"email": "anna@example.org", "phone": "+41446681800"});
    assert_eq!(patch(&api, &path, &owner, both).await.status, 200);
    assert_eq!(counts().await, (1, 1));
    let sealed = payloads(&api, phone).await[0].to_string();
    assert!(!sealed.contains("41446681800"), "it is stored sealed: {sealed}");
    assert_eq!(patch(&api, &path, &owner, json!({"display_name": "Anna"})).await.status, 200);
    assert_eq!(counts().await, (1, 1), "what is absent stays");
    let none = json!({"email": null, "phone": null});
    assert_eq!(patch(&api, &path, &owner, none.clone()).await.status, 200);
    assert_eq!(counts().await, (2, 2));
    assert!(payloads(&api, phone).await[1]["phone"].is_null());
    assert_eq!(patch(&api, &path, &owner, none).await.status, 200);
    assert_eq!(counts().await, (2, 2), "there is nothing to take away");
    let free = json!({"handle": "bea", "email": "anna@example.org"});
    assert_eq!(api.post("/users", &owner, free).await.status, 201, "the address is free again");
    let wrong = patch(&api, &path, &owner, json!({"phone": "0446681800"})).await;
    assert_eq!(code(&wrong), (422, "USER_PHONE_INVALID"));
    api.stop().await;
}

#[tokio::test]
async fn a_user_signs_in_by_the_new_handle_and_the_old_one_is_free() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let (anna, _) = api.newcomer("acme", &owner, "anna").await;
    let path = format!("/users/{anna}");
    let taken = patch(&api, &path, &owner, json!({"handle": "Owner"})).await;
    assert_eq!(code(&taken), (409, "USER_HANDLE_TAKEN"));
    assert_eq!(patch(&api, &path, &owner, json!({"handle": "beatrice"})).await.status, 200);
    assert_eq!(api.login("acme", "anna").await.status, 401);
    assert_eq!(api.login("acme", "beatrice").await.status, 200);
    let stored = payloads(&api, "identity.user.handle_replaced").await;
    let sealed = stored[0].to_string();
    assert!(
        !sealed.contains("anna") && !sealed.contains("beatrice"),
        "it is stored sealed: {sealed}"
    );
    assert_eq!(api.post("/users", &owner, json!({"handle": "anna"})).await.status, 201);
    api.stop().await;
}

#[tokio::test]
async fn language_and_clock_are_changed_each_on_its_own() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let (anna, _) = api.newcomer("acme", &owner, "anna").await;
    let path = format!("/users/{anna}");
    for body in [json!({"locale": "de-CH"}), json!({"time_zone": "Europe/Zurich"})] {
        assert_eq!(patch(&api, &path, &owner, body).await.status, 200);
    }
    let relocated = payloads(&api, "identity.user.relocated").await;
    let of = |event: &Value| (event["locale"].clone(), event["time_zone"].clone());
    assert_eq!(of(&relocated[0]), (json!("de-CH"), json!("UTC")));
    assert_eq!(of(&relocated[1]), (json!("de-CH"), json!("Europe/Zurich")));
    api.stop().await;
}

#[tokio::test]
async fn people_change_their_own_profile_and_neither_their_handle_nor_their_address() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let (anna, token) = api.newcomer("acme", &owner, "anna").await;
    let body = json!({"display_name": "Anna B.", "phone": "+41446681800", "locale": "de-CH"});
    let changed = patch(&api, "/me", &token, body).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    assert_eq!(changed.body["aggregate"]["id"], json!(anna));
    let kinds: Vec<_> =
        changed.body["events"].as_array().unwrap().iter().map(|it| it["type"].clone()).collect();
    let [renamed, reached, relocated] =
        ["renamed", "phone_replaced", "relocated"].map(|it| json!(format!("identity.user.{it}")));
    assert_eq!(kinds, [renamed, reached, relocated]);
    for member in ["handle", "email", "user_id"] {
        let refused = patch(&api, "/me", &token, json!({ member: "x" })).await;
        assert_eq!(refused.status, 422, "{member}: {}", refused.body);
    }
    let wrong = patch(&api, "/me", &token, json!({"time_zone": "Mars"})).await;
    assert_eq!(code(&wrong), (422, "USER_TIME_ZONE_UNKNOWN"));
    api.stop().await;
}
