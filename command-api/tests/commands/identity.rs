//! Organisations, signing in, sessions.

use axum::http::Method;
use serde_json::json;

use crate::kit::Api;

#[tokio::test]
async fn an_organisation_is_founded_in_one_append_and_its_owner_may_do_everything() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let kinds: Vec<String> = api.events().await.into_iter().map(|(_, kind, _)| kind).collect();
    assert_eq!(kinds[0], "identity.organization.created");
    assert!(kinds.contains(&"rbac.policy.protected_role_granted".to_owned()), "{kinds:?}");
    let registered = api.post("/users", &owner, json!({"handle": "anna"})).await;
    assert_eq!(registered.status, 201, "{}", registered.body);
    assert_eq!(registered.headers["etag"], "\"1\"");
    assert!(registered.headers.contains_key("consistency-token"));
    api.stop().await;
}

#[tokio::test]
async fn a_slug_is_unique_in_the_installation() {
    let api = Api::start().await;
    api.found("acme").await;
    let body = json!({"name": "Other", "slug": "ACME", "owner":
        {"handle": "o", "display_name": "O", "password": crate::kit::PASSWORD}});
    let again = api.post("/organizations", &api.settings.bootstrap_token, body).await;
    assert_eq!(
        (again.status.as_u16(), again.body["code"].as_str()),
        (409, Some("ORGANIZATION_SLUG_TAKEN"))
    );
    api.stop().await;
}

#[tokio::test]
async fn without_the_bootstrap_token_nobody_founds() {
    let api = Api::start().await;
    let body = json!({"name": "X", "slug": "xx", "owner": {"handle": "o", "display_name": "O", "password": "p"}});
    for token in ["", "wrong"] {
        assert_eq!(api.post("/organizations", token, body.clone()).await.status, 401);
    }
    assert!(api.events().await.is_empty());
    api.stop().await;
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_user_are_answered_alike() {
    let api = Api::start().await;
    api.found("acme").await;
    let mut bodies = Vec::new();
    for (organization, login) in [("acme", "owner"), ("acme", "nobody"), ("nowhere", "owner")] {
        let body =
            json!({"organization": organization, "login": login, "password": "not the password"});
        let answer = api.post("/auth/login", "", body).await;
        assert_eq!(answer.status, 401);
        bodies.push((answer.body["code"].clone(), answer.body["detail"].clone()));
    }
    assert_eq!(bodies[0], bodies[1]);
    assert_eq!(bodies[0], bodies[2]);
    assert_eq!(api.count("identity.user.login_failed").await, 1);
    api.stop().await;
}

#[tokio::test]
async fn ten_wrong_passwords_lock_the_user_out_even_with_the_right_one() {
    let api = Api::start().await;
    api.found("acme").await;
    for _ in 0..10 {
        let body =
            json!({"organization": "acme", "login": "owner", "password": "not the password"});
        assert_eq!(api.post("/auth/login", "", body).await.status, 401);
    }
    let answer = api.login("acme", "owner").await;
    assert_eq!((answer.status.as_u16(), answer.body["code"].as_str()), (403, Some("USER_LOCKED")));
    api.stop().await;
}

#[tokio::test]
async fn a_refresh_token_is_good_once_and_presenting_it_twice_ends_the_session() {
    let api = Api::start().await;
    api.found("acme").await;
    let login = api.login("acme", "owner").await.body;
    let first = json!({"refresh_token": login["refresh_token"]});
    let refreshed = api.post("/auth/refresh", "", first.clone()).await;
    assert_eq!(refreshed.status, 200, "{}", refreshed.body);
    let reused = api.post("/auth/refresh", "", first).await;
    assert_eq!(
        (reused.status.as_u16(), reused.body["code"].as_str()),
        (401, Some("REFRESH_TOKEN_REUSED"))
    );
    let next = json!({"refresh_token": refreshed.body["refresh_token"]});
    assert_eq!(api.post("/auth/refresh", "", next).await.status, 401, "the whole session is over");
    let token = refreshed.body["access_token"].as_str().unwrap();
    assert_eq!(api.post("/users", token, json!({"handle": "x"})).await.status, 401);
    api.stop().await;
}

#[tokio::test]
async fn signing_out_ends_the_access_token_at_once() {
    let api = Api::start().await;
    let token = api.found("acme").await;
    assert_eq!(api.post("/auth/logout", &token, json!({})).await.status, 200);
    assert_eq!(api.post("/users", &token, json!({"handle": "x"})).await.status, 401);
    api.stop().await;
}

#[tokio::test]
async fn a_deactivated_user_can_do_nothing_from_the_next_command() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let (id, token) = api.newcomer("acme", &owner, "anna").await;
    let path = format!("/users/{id}/deactivate");
    assert_eq!(api.post(&path, &owner, json!({"reason": "left"})).await.status, 200);
    assert_eq!(api.post("/auth/logout", &token, json!({})).await.status, 401);
    api.stop().await;
}

#[tokio::test]
async fn another_organisation_does_not_exist_for_the_caller() {
    let api = Api::start().await;
    let acme = api.found("acme").await;
    let other = api.found("other").await;
    let (id, _) = api.newcomer("acme", &acme, "anna").await;
    let foreign = api.post(&format!("/users/{id}/unlock"), &other, json!({})).await;
    assert_eq!(foreign.status, 404, "{}", foreign.body);
    let rename = api
        .call(Method::PATCH, &format!("/organizations/{id}"), &other, json!({"name": "X"}))
        .await;
    assert_eq!(rename.status, 404);
    api.stop().await;
}
