//! API keys at the door of commands: what a guess costs, what the append names, and when a revocation holds.

use std::net::SocketAddr;

use axum::extract::ConnectInfo;
use axum::http::Method;
use platform::secrets::fingerprint;
use serde_json::{Value, json};

use crate::kit::{Answer, Api, request, send};

/// A key of the owner's for users, and the path of what it names.
async fn make(api: &Api, owner: &str) -> (String, String) {
    make_for(api, owner, &Value::Null).await
}

/// The same for another user.
async fn make_for(api: &Api, owner: &str, user: &Value) -> (String, String) {
    let expires_at = (platform::clock::now() + std::time::Duration::from_hours(1)).to_string();
    let body = json!({"name": "Import", "scope": ["identity.users:register"],
        "expires_at": expires_at, "user_id": user});
    let made = api.post("/api-keys", owner, body).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let location = made.headers["location"].to_str().unwrap();
    let path = location.trim_start_matches("/api/v1").to_owned();
    (made.body["token"].as_str().unwrap().to_owned(), path)
}

async fn register(api: &Api, key: &str, handle: &str) -> Answer {
    let path = "/users?validate_only=true";
    let mut request = request(Method::POST, path, key, &json!({ "handle": handle }), &[]);
    let somewhere: SocketAddr = "192.0.2.7:4711".parse().unwrap();
    request.extensions_mut().insert(ConnectInfo(somewhere));
    send(&api.router, request).await
}

#[tokio::test]
async fn guesses_at_a_key_count_against_the_address_and_a_good_one_does_not() {
    let api = Api::start_with(|settings| settings.limit_address_per_minute = 4).await;
    let owner = api.found("acme").await;
    let (key, _) = make(&api, &owner).await;
    for round in 0..10 {
        assert_eq!(register(&api, &key, &format!("robot{round}")).await.status, 201);
    }
    let parts: Vec<&str> = key.split('.').collect();
    let secret: String = parts[3].chars().rev().collect();
    let body = format!("{}.{}.{}.{secret}", parts[0], parts[1], parts[2]);
    let guess = format!("{body}.{}", &fingerprint(&body)[..8]);
    let mut statuses = Vec::new();
    for _ in 0..5 {
        statuses.push(register(&api, &guess, "robot").await.status.as_u16());
    }
    assert_eq!(statuses, [401, 401, 401, 401, 429]);
    assert_eq!(register(&api, &key, "robot").await.status, 201);
    api.stop().await;
}

#[tokio::test]
async fn an_append_names_the_key_and_its_revocation_holds_from_the_next_command_on_every_process() {
    let api = Api::start().await;
    let second = api.beside().await;
    let owner = api.found("acme").await;
    let (key, path) = make(&api, &owner).await;
    let body = |handle: &str| json!({ "handle": handle });
    let register = |handle: &str| request(Method::POST, "/users", &key, &body(handle), &[]);
    assert_eq!(send(&second, register("one")).await.status, 201);
    let metadata: Value = sqlx::query_scalar(
        "select metadata::jsonb from log.events where event_type = 'identity.user.registered'
          order by position desc limit 1",
    )
    .fetch_one(&api.owner)
    .await
    .unwrap();
    let id = path.rsplit('/').next().unwrap();
    assert_eq!((&metadata["api_key_id"], &metadata["session_id"]), (&json!(id), &Value::Null));
    let facts = metadata["facts"].as_str().unwrap();
    assert!(facts.contains(&format!("identity.api_key/{id}@1")), "{facts}");

    let ended = api.call(Method::DELETE, &path, &owner, json!({"reason": "leaked"})).await;
    assert_eq!(ended.status, 200, "{}", ended.body);
    let refused = send(&second, register("two")).await;
    assert_eq!(refused.status, 401, "although the second process knew otherwise: {}", refused.body);
    api.stop().await;
}

#[tokio::test]
async fn a_key_is_shown_once_and_a_program_does_not_share_its_owners_idempotency_keys() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let (key, path) = make(&api, &owner).await;
    let once = [("idempotency-key", "once")];
    let rotate = format!("{path}/rotate");
    let overlap = json!({"overlap_minutes": 5});
    let first = api.with(Method::POST, &rotate, &owner, overlap.clone(), &once).await;
    let again = api.with(Method::POST, &rotate, &owner, overlap, &once).await;
    assert!(first.body["token"].is_string() && again.body["token"].is_null(), "{}", again.body);
    assert_eq!(again.headers["idempotent-replayed"], "true");
    let user = |token: &str, handle: &str| {
        request(Method::POST, "/users", token, &json!({ "handle": handle }), &once)
    };
    assert_eq!(send(&api.router, user(&owner, "one")).await.status, 201);
    assert_eq!(send(&api.router, user(&key, "two")).await.status, 201);
    let dry = api.post(&format!("{rotate}?validate_only=true"), &owner, json!({})).await;
    assert_eq!((&dry.body["committed"], &dry.body["token"]), (&json!(false), &Value::Null));
    api.stop().await;
}

/// What becomes of a command by a key in a second process, which perhaps knew otherwise, and here.
async fn outcomes(api: &Api, second: &axum::Router, key: &str) -> [u16; 2] {
    let register = |at: usize| {
        let body = json!({ "handle": format!("robot-{at}") });
        request(Method::POST, "/users", key, &body, &[])
    };
    let count = api.count("identity.user.registered").await * 2;
    let there = send(second, register(count)).await;
    let here = send(&api.router, register(count + 1)).await;
    [there, here].map(|answer| answer.status.as_u16())
}

#[tokio::test]
async fn a_key_is_refused_while_its_organisation_is_suspended_and_works_again_after() {
    let api = Api::start().await;
    let second = api.beside().await;
    let owner = api.found("acme").await;
    let (key, _) = make(&api, &owner).await;
    assert_eq!(outcomes(&api, &second, &key).await, [201, 201]);
    let tenant = api.login("acme", "owner").await.body["tenant_id"].clone();
    let organization = format!("/organizations/{}", tenant.as_str().unwrap());
    let rule = async |verb: &str, body: Value| {
        let path = format!("{organization}/{verb}");
        let ruled = api.post(&path, &api.settings.bootstrap_token, body).await;
        assert_eq!(ruled.status, 200, "{}", ruled.body);
    };
    rule("suspend", json!({"reason": "unpaid"})).await;
    assert_eq!(outcomes(&api, &second, &key).await, [403, 403]);
    let refused = register(&api, &key, "robot").await;
    assert_eq!(refused.body["code"], "ORGANIZATION_SUSPENDED", "{}", refused.body);
    rule("reactivate", json!({})).await;
    assert_eq!(outcomes(&api, &second, &key).await, [201, 201]);
    api.stop().await;
}

#[tokio::test]
async fn a_key_is_refused_when_its_owner_is_deactivated_and_for_good_when_they_are_erased() {
    let api = Api::start().await;
    let second = api.beside().await;
    let owner = api.found("acme").await;
    let role = json!({"name": "Registrar", "permissions": ["identity.users:register"]});
    let role = api.post("/rbac/roles", &owner, role).await;
    let role = role.made().to_owned();
    let (robot, _) = api.newcomer("acme", &owner, "importer").await;
    let given = json!({"user_id": robot, "role_id": role});
    assert!(api.post("/rbac/assign", &owner, given).await.status.is_success());
    let (key, path) = make_for(&api, &owner, &json!(robot)).await;
    assert_eq!(outcomes(&api, &second, &key).await, [201, 201]);

    let of_robot = async |verb: &str, body: Value| {
        let done = api.post(&format!("/users/{robot}/{verb}"), &owner, body).await;
        assert_eq!(done.status, 200, "{}", done.body);
    };
    of_robot("deactivate", json!({"reason": "replaced"})).await;
    assert_eq!(outcomes(&api, &second, &key).await, [401, 401]);
    let rotated = api.post(&format!("{path}/rotate"), &owner, json!({})).await;
    assert_eq!(rotated.body["code"], "API_KEY_OWNER_INACTIVE", "{}", rotated.body);
    of_robot("reactivate", json!({})).await;
    assert_eq!(outcomes(&api, &second, &key).await, [201, 201]);
    of_robot("deactivate", json!({"reason": "gone"})).await;
    of_robot("erase", json!({"handle": "importer"})).await;
    assert_eq!(outcomes(&api, &second, &key).await, [401, 401]);
    api.stop().await;
}
