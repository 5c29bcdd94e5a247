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

#[tokio::test]
async fn the_oldest_session_ends_when_a_user_opens_more_than_may_be() {
    let api = Api::start().await;
    let second = api.beside().await;
    let first = api.found("acme").await;
    let path = "/settings/identity.sessions_per_user";
    let set = api.call(Method::PUT, path, &first, json!({"value": 2})).await;
    assert_eq!(set.status, 200, "{}", set.body);
    let body = json!({"organization": "acme", "login": "owner", "password": crate::kit::PASSWORD});
    let mut tokens = Vec::new();
    for router in [&api.router, &second, &second] {
        let login = crate::kit::request(Method::POST, "/auth/login", "", &body, &[]);
        let answer = crate::kit::send(router, login).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        tokens.push(answer.body["access_token"].as_str().unwrap().to_owned());
    }
    let ended = "select count(*) from log.events where event_type = 'identity.session.revoked'
        and payload ->> 'reason' = 'displaced'";
    let count: i64 = sqlx::query_scalar(ended).fetch_one(&api.owner).await.unwrap();
    assert_eq!(count, 2, "the first two of four");
    let users = async |token: &str, handle: &str| {
        api.post("/users", token, json!({ "handle": handle })).await.status.as_u16()
    };
    let statuses = [
        users(&first, "a").await,
        users(&tokens[0], "b").await,
        users(&tokens[1], "c").await,
        users(&tokens[2], "d").await,
    ];
    assert_eq!(statuses, [401, 401, 201, 201]);
    let ended = api.post("/auth/logout", &tokens[1], json!({})).await;
    assert_eq!(ended.status, 200, "{}", ended.body);
    let again = api.post("/auth/login", "", body).await;
    assert_eq!(again.status, 200, "{}", again.body);
    assert_eq!(users(&tokens[2], "e").await, 201, "who signed out left room");
    api.stop().await;
}

#[tokio::test]
async fn nothing_is_added_to_what_a_purged_organisation_left() {
    let api = Api::start().await;
    let second = api.beside().await;
    let owner = api.found("acme").await;
    let other = api.found("globex").await;
    let tenant: String = sqlx::query_scalar(
        "select aggregate_id from log.events where event_type = 'identity.organization.created' order by position limit 1",
    )
    .fetch_one(&api.owner)
    .await
    .unwrap();
    let service =
        json!({"service": "workers", "secret": api.settings.service_secret, "tenant_id": tenant});
    let token = api.post("/auth/service-token", "", service).await;
    let workers = token.body["access_token"].as_str().unwrap().to_owned();
    let notify = json!({"user_id": tenant, "kind": "message", "title": "Hello"});
    let told = crate::kit::request(Method::POST, "/notifications/send", &workers, &notify, &[]);
    assert_eq!(crate::kit::send(&second, told).await.status, 201);
    let shred = format!("/organizations/{tenant}/shred");
    assert_eq!(api.post(&shred, &owner, json!({})).await.status, 403, "people do not");
    for _ in 0..2 {
        let done = api.post(&shred, &workers, json!({})).await;
        assert_eq!(done.status, 200, "{}", done.body);
    }
    let before = api.events().await.len();
    for (router, token) in [(&api.router, &owner), (&second, &owner), (&second, &workers)] {
        let told = crate::kit::request(Method::POST, "/notifications/send", token, &notify, &[]);
        let refused = crate::kit::send(router, told).await;
        assert_eq!(refused.status, 403, "{}", refused.body);
        assert_eq!(refused.body["code"], "ORGANIZATION_PURGED");
    }
    let path = format!("/organizations/{tenant}");
    let rename = api.call(Method::PATCH, &path, &workers, json!({"name": "x"})).await;
    assert_eq!(rename.status, 403);
    let login = json!({"organization": "acme", "login": "owner", "password": crate::kit::PASSWORD});
    assert_eq!(api.post("/auth/login", "", login).await.status, 401, "nobody is known there");
    assert_eq!(api.events().await.len(), before, "not even who was refused");
    let left = "select (select count(*) from secrets.subject_keys where tenant_id = $1::uuid)
        + (select count(*) from secrets.secrets where tenant_id = $1::uuid)
        + (select count(*) from log.claims where tenant_id = $1::uuid)";
    let left: i64 = sqlx::query_scalar(left).bind(&tenant).fetch_one(&api.owner).await.unwrap();
    assert_eq!(left, 0);
    assert_eq!(api.post("/users", &other, json!({"handle": "b"})).await.status, 201);
    api.stop().await;
}
