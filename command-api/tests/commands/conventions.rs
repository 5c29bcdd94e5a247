//! What every command has in common: conflicts that tell what happened, preferences, limits, and the header of every answer.

use std::sync::Arc;

use axum::http::Method;
use serde_json::json;

use crate::kit::{Answer, Api, request, send};

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn header<'a>(answer: &'a Answer, name: &str) -> &'a str {
    answer.headers.get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn a_version_conflict_tells_what_happened_since() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let (anna, own) = api.newcomer("acme", &owner, "anna").await;
    let path = format!("/users/{anna}");
    let rename = |name: &str| json!({ "display_name": name });
    let known = api.call(Method::PATCH, &path, &owner, rename("Anna")).await;
    let version = header(&known, "aggregate-version").to_owned();
    assert_eq!(header(&known, "etag"), format!("\"{version}\""));
    let moved = api.call(Method::PATCH, &path, &owner, rename("Anna B")).await;
    assert_eq!(moved.status, 200, "{}", moved.body);

    let tag = format!("\"{version}\"");
    let again = |token: &str, name: &str| {
        request(Method::PATCH, &path, token, &rename(name), &[("if-match", &tag)])
    };
    let stale = send(&api.router, again(&owner, "Anna C")).await;
    assert_eq!((stale.status.as_u16(), &stale.body["code"]), (412, &"VERSION_CONFLICT".into()));
    let version: i64 = version.parse().unwrap();
    assert_eq!(stale.body["params"]["current_version"], version + 1);
    assert_eq!(stale.body["safe_to_retry"], false);
    let since = &stale.body["since"];
    assert_eq!(since.as_array().unwrap().len(), 1, "{since}");
    assert_eq!(since[0]["type"], "identity.user.renamed");
    assert_eq!(since[0]["version"], version + 1);
    assert!(since[0]["actor"].is_string() && since[0]["at"].is_string(), "{since}");
    assert!(since[0]["summary"].as_str().is_some_and(|text| !text.is_empty()), "{since}");
    assert_eq!(
        send(&api.router, again(&own, "Anna D")).await.status,
        403,
        "who may not, learns nothing"
    );
    api.stop().await;
}

#[tokio::test]
async fn what_commutes_with_all_that_happened_is_safe_to_retry() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let (anna, _) = api.newcomer("acme", &owner, "anna").await;
    let path = format!("/users/{anna}");
    let known = api.call(Method::PATCH, &path, &owner, json!({"display_name": "Anna"})).await;
    let wrong = json!({"organization": "acme", "login": "anna", "password": "not the password"});
    assert_eq!(api.call(Method::POST, "/auth/login", "", wrong).await.status, 401);
    let headers = [("if-match", header(&known, "etag"))];
    let body = json!({"display_name": "Anna B"});
    let stale = api.with(Method::PATCH, &path, &owner, body, &headers).await;
    assert_eq!(stale.status, 412, "{}", stale.body);
    assert_eq!(stale.body["since"][0]["type"], "identity.user.login_failed");
    assert_eq!(stale.body["safe_to_retry"], true);
    api.stop().await;
}

#[tokio::test]
async fn every_answer_says_which_request_it_answers_and_what_the_time_went_into() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let body = json!({"handle": "anna"});
    let headers = [("request-id", "r-1"), ("traceparent", TRACE)];
    let made = api.with(Method::POST, "/users", &owner, body.clone(), &headers).await;
    assert_eq!((made.status.as_u16(), header(&made, "request-id")), (201, "r-1"));
    for phase in ["auth;dur=", "load;dur=", "decide;dur=", "append;dur=", "total;dur="] {
        assert!(header(&made, "server-timing").contains(phase), "{:?}", made.headers);
    }
    assert!(header(&made, "ratelimit-policy").starts_with("\"user\";q=60000;w=60, \"tenant\";"));
    assert!(header(&made, "ratelimit").starts_with("\"user\";r="));

    let refused = api.with(Method::POST, "/users", &owner, body, &headers).await;
    assert_eq!(refused.status, 409);
    assert_eq!(refused.body["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(refused.body["instance"], "urn:annals:request:r-1");
    assert_eq!(refused.body["retryable"], false);
    assert_eq!(refused.body["type"], "https://annals.dev/problems/user-handle-taken");
    let refused = api.post("/users", "", json!({})).await;
    assert_eq!(refused.body["trace_id"].as_str().map(str::len), Some(32), "{}", refused.body);
    api.stop().await;
}

#[tokio::test]
async fn who_can_do_without_the_body_gets_none() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let prefer = [("prefer", "return=minimal")];
    let body = json!({"handle": "anna"});
    let made = api.with(Method::POST, "/users", &owner, body, &prefer).await;
    assert_eq!((made.status.as_u16(), made.body.is_null()), (201, true));
    assert_eq!(header(&made, "preference-applied"), "return=minimal");
    let path = header(&made, "location").trim_start_matches("/api/v1").to_owned();
    let body = json!({"display_name": "Anna"});
    let changed = api.with(Method::PATCH, &path, &owner, body, &prefer).await;
    assert_eq!((changed.status.as_u16(), header(&changed, "etag")), (204, "\"2\""));
    api.stop().await;
}

#[tokio::test]
async fn work_that_goes_on_is_told_by_the_address_of_its_job() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let body = json!({"dataset": "rbac.roles"});
    let prefer = [("prefer", "respond-async")];
    let made = api.with(Method::POST, "/exports/csv", &owner, body.clone(), &prefer).await;
    assert_eq!(made.status, 202, "{}", made.body);
    let id = made.body["aggregate"]["id"].as_str().unwrap();
    assert_eq!(header(&made, "location"), format!("/api/v1/jobs/{id}"));
    assert_eq!(header(&made, "preference-applied"), "respond-async");
    assert_eq!(api.post("/exports/csv", &owner, body).await.status, 201);
    api.stop().await;
}

#[tokio::test]
async fn a_command_says_what_it_waited_for_in_vain() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let body = json!({"handle": "anna"});
    let headers = [("prefer", "wait=0"), ("wait-for", "\"identity_users\", nothing")];
    sqlx::query(
        "insert into read.checkpoints (projection, build, position, epoch, state)
         values ('identity_users', 1, 1000000, 1, 'live'), ('rbac_roles', 1, 0, 1, 'live')",
    )
    .execute(&api.owner)
    .await
    .unwrap();
    let made = api.with(Method::POST, "/users", &owner, body, &headers).await;
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(made.body["visible_in"], json!(["identity_users"]));
    assert_eq!(made.body["pending_in"], json!(["nothing"]));
    assert_eq!(header(&made, "preference-applied"), "wait=0");
    let all = api.with(Method::POST, "/users", &owner, json!({"handle": "b"}), &headers[..1]).await;
    let pending = all.body["pending_in"].as_array().unwrap();
    assert_eq!(pending.len(), platform::projections::NAMES.len() - 1, "also without a row");
    assert!(pending.contains(&json!("rbac_roles")) && !pending.contains(&json!("identity_users")));
    let body = json!({"commands": [{"method": "POST", "path": "/users", "body": {"handle": "c"}}]});
    let batch = api.with(Method::POST, "/commands/batch", &owner, body, &headers).await;
    assert_eq!(batch.body["visible_in"], json!(["identity_users"]), "{}", batch.body);
    assert_eq!(batch.body["pending_in"], json!(["nothing"]));
    api.stop().await;
}

#[tokio::test]
async fn who_asks_too_often_is_told_when_to_come_back() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let mut settings = (*api.settings).clone();
    settings.redis_url.clear();
    (settings.limit_user_per_minute, settings.limit_login_per_minute) = (3, 2);
    let limited = api.over(Arc::new(settings)).await;
    let post = |path: &str, token: &str, body| {
        send(&limited, request(Method::POST, path, token, &body, &[]))
    };
    for name in ["a", "b", "c"] {
        assert_eq!(post("/users", &owner, json!({ "handle": name })).await.status, 201);
    }
    let refused = post("/users", &owner, json!({"handle": "d"})).await;
    assert_eq!((refused.status.as_u16(), &refused.body["code"]), (429, &"QUOTA_EXCEEDED".into()));
    assert_eq!(
        refused.body["type"],
        "https://iana.org/assignments/http-problem-types#quota-exceeded"
    );
    assert_eq!(refused.body["violated-policies"], json!(["user"]));
    assert!((20..=30).contains(&header(&refused, "retry-after").parse().unwrap()));
    let login = json!({"organization": "acme", "login": "owner", "password": "wrong wrong wrong"});
    let statuses = [
        post("/auth/login", "", login.clone()).await.status.as_u16(),
        post("/auth/login", "", login.clone()).await.status.as_u16(),
        post("/auth/login", "", login).await.status.as_u16(),
    ];
    assert_eq!(statuses, [401, 401, 429]);
    drop(limited);
    api.stop().await;
}

#[tokio::test]
async fn what_a_refusal_tells_and_keeps_is_not_what_was_sent() {
    const SENT: &str = "zebrafish";
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let (anna, own) = api.newcomer("acme", &owner, "anna").await;
    let password = format!("/users/{anna}/password");
    let wrong = json!({"current_password": SENT.repeat(2), "new_password": SENT.repeat(3)});
    for (method, path, token, body, status) in [
        (Method::POST, "/users", &owner, json!({"handle": "anna", "display_name": SENT}), 409),
        (Method::POST, "/users", &owner, json!({"handle": format!("{SENT} {SENT}")}), 422),
        (Method::POST, "/users", &owner, json!({"handle": "bob", "email": SENT}), 422),
        (Method::PATCH, "/me", &own, json!({"phone": SENT}), 422),
        (Method::PUT, &password, &owner, json!({"password": SENT}), 422),
        (Method::POST, "/auth/password", &own, wrong, 422),
        (Method::POST, "/invitations", &own, json!({"email": SENT}), 403),
    ] {
        let refused = api.call(method, path, token, body.clone()).await;
        assert_eq!(refused.status, status, "{path} {body}: {}", refused.body);
        assert!(!refused.body.to_string().contains(SENT), "{path} {body}: {}", refused.body);
    }
    for (_, kind, payload) in api.events().await {
        assert!(!payload.to_string().contains(SENT), "{kind}: {payload}");
    }
    api.stop().await;
}
