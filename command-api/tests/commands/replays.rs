//! A repeated command is answered like the first: with where the result is, with its job, and before anything is asked anew.

use axum::http::Method;
use serde_json::{Value, json};
use sha2::Digest as _;

use crate::kit::{Answer, Api, PASSWORD};

const ONCE: (&str, &str) = ("idempotency-key", "once");
const ANOTHER: &str = "a new password for this";

async fn twice(api: &Api, path: &str, token: &str, body: Value, prefer: &str) -> [Answer; 2] {
    let headers = [ONCE, ("prefer", prefer)];
    let first = api.with(Method::POST, path, token, body.clone(), &headers).await;
    assert!(first.status.is_success(), "{path}: {}", first.body);
    let again = api.with(Method::POST, path, token, body, &headers).await;
    assert_eq!(again.headers["idempotent-replayed"], "true", "{path}: {}", again.body);
    [first, again]
}

#[tokio::test]
async fn a_repetition_tells_where_the_result_is_though_the_server_made_its_id() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let tenant = api.login("acme", "owner").await.body["tenant_id"].clone();
    let units = format!("/organizations/{}/units", tenant.as_str().unwrap());
    let unit = json!({"kind": "branch", "code": "N", "name": "North"});
    let role = json!({"name": "Clerk", "permissions": []});
    for (path, body) in
        [(&*units, unit), ("/users", json!({"handle": "anna"})), ("/rbac/roles", role)]
    {
        let [first, again] = twice(&api, path, &owner, body, "").await;
        let location = first.headers["location"].to_str().unwrap();
        assert_eq!(again.headers["location"], location);
        let id = location.strip_prefix(&format!("/api/v1{path}/")).unwrap();
        assert!(id.parse::<uuid::Uuid>().is_ok(), "{location}");
        assert_eq!(again.body["aggregate"], first.body["aggregate"]);
    }
    api.stop().await;
}

#[tokio::test]
async fn a_repetition_of_work_that_goes_on_tells_its_job() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let body = json!({"dataset": "rbac.roles"});
    let [first, again] = twice(&api, "/exports/csv", &owner, body, "respond-async").await;
    assert_eq!((first.status.as_u16(), again.status.as_u16()), (202, 202));
    assert!(first.headers["location"].to_str().unwrap().starts_with("/api/v1/jobs/"));
    assert_eq!(first.headers["location"], again.headers["location"]);
    api.stop().await;
}

#[tokio::test]
async fn a_new_password_is_answered_again_although_the_one_before_is_no_longer_right() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let body = json!({"current_password": PASSWORD, "new_password": ANOTHER});
    twice(&api, "/auth/password", &owner, body, "").await;
    assert_eq!(api.count("identity.user.login_failed").await, 0);
    let other = json!({"current_password": PASSWORD, "new_password": "yet another password"});
    let other = api.with(Method::POST, "/auth/password", &owner, other, &[ONCE]).await;
    assert_eq!(other.body["code"], "IDEMPOTENCY_KEY_REUSED", "{}", other.body);
    let digests = "select count(*) from log.idempotency where fingerprint = any($1)";
    let plain = |text: &str| sha2::Sha256::digest(text.as_bytes()).to_vec();
    let body = format!(r#"{{"current_password":"{PASSWORD}","new_password":"{ANOTHER}"}}"#);
    let guess = format!("/api/v1/auth/password\0None false\0{body}");
    let found: i64 =
        sqlx::query_scalar(digests).bind(vec![plain(&guess)]).fetch_one(&api.owner).await.unwrap();
    assert_eq!(found, 0, "a password cannot be guessed by what is kept of the request");
    api.stop().await;
}

#[tokio::test]
async fn what_the_bootstrap_token_commands_is_done_once_for_a_key() {
    let api = Api::start().await;
    let bootstrap = api.settings.bootstrap_token.clone();
    let body = json!({ "name": "nightly" });
    let [first, again] = twice(&api, "/installation/backups", &bootstrap, body, "").await;
    assert_eq!(first.headers["location"], again.headers["location"]);
    assert_eq!(api.count("backups.backup.requested").await, 1);
    api.stop().await;
}

#[tokio::test]
async fn where_the_organisation_wants_keys_no_command_goes_without() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let path = "/settings/api.idempotency_key_required";
    let set = api.call(Method::PUT, path, &owner, json!({"value": true})).await;
    assert_eq!(set.status, 200, "{}", set.body);
    for (method, path) in [
        (Method::POST, "/invitations"),
        (Method::POST, "/invitations/0190a000-0000-7000-8000-000000000001/resend"),
        (Method::POST, "/api-keys"),
        (Method::POST, "/api-keys/0190a000-0000-7000-8000-000000000001/rotate"),
        (Method::POST, "/auth/password"),
        (Method::PUT, "/users/0190a000-0000-7000-8000-000000000001/password"),
        (Method::POST, "/auth/email"),
        (Method::POST, "/auth/identities"),
        (Method::POST, "/users/0190a000-0000-7000-8000-000000000001/identities"),
        (Method::POST, "/exports/0190a000-0000-7000-8000-000000000001/downloads"),
    ] {
        let refused = api.call(method, path, &owner, json!({})).await;
        assert_eq!(refused.body["code"], "IDEMPOTENCY_KEY_MISSING", "{path}: {}", refused.body);
    }
    api.stop().await;
}
