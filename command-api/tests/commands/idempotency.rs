//! The same key leads to one effect and the same answer, however often and from wherever it comes.

use axum::http::Method;
use futures::future::join_all;
use futures::{StreamExt as _, stream};
use serde_json::{Value, json};

use crate::kit::{Answer, Api, request, send};

#[tokio::test]
async fn eight_at_once_with_one_key_have_one_effect_and_equal_answers() {
    let api = Api::start().await;
    let second = api.beside().await;
    let owner = api.found("acme").await;
    for round in 0..20 {
        let key = format!("round-{round}");
        let body = json!({"handle": format!("user-{round}")});
        let calls = (0..8).map(|caller| {
            let router = if caller % 2 == 0 { &api.router } else { &second };
            send(
                router,
                request(Method::POST, "/users", &owner, &body, &[("idempotency-key", &key)]),
            )
        });
        let answers = join_all(calls).await;
        for answer in &answers {
            assert_eq!(answer.status, 201, "{}", answer.body);
            assert_eq!(answer.body, answers[0].body);
        }
        let replayed =
            answers.iter().filter(|a| a.headers.contains_key("idempotent-replayed")).count();
        assert_eq!(replayed, 7);
    }
    assert_eq!(api.count("identity.user.registered").await, 21);
    api.stop().await;
}

#[tokio::test]
async fn keys_used_eight_times_at_once_have_one_effect_each() {
    // Ten thousand where that takes half a minute: in a build as for users.
    const KEYS: usize = if cfg!(debug_assertions) { 1_000 } else { 10_000 };
    const AT_ONCE: usize = 16;
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let (router, owner) = (&api.router, &owner);
    let differing: usize = stream::iter(0..KEYS)
        .map(|number| async move {
            let (key, body) = (format!("k-{number}"), json!({"handle": format!("user-{number}")}));
            let calls = (0..8).map(|_| {
                let headers = [("idempotency-key", key.as_str())];
                send(router, request(Method::POST, "/users", owner, &body, &headers))
            });
            let answers = join_all(calls).await;
            let same = |answer: &Answer| answer.status == 201 && answer.body == answers[0].body;
            answers.iter().filter(|answer| !same(answer)).count()
        })
        .buffer_unordered(AT_ONCE)
        .fold(0, |sum, count| async move { sum + count })
        .await;
    assert_eq!(differing, 0, "answers that are not those of the first");
    assert_eq!(api.count("identity.user.registered").await, KEYS + 1);
    api.stop().await;
}

#[tokio::test]
async fn a_key_with_another_body_is_refused() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let with_key = |handle: &str| {
        let body = json!({ "handle": handle });
        request(Method::POST, "/users", &owner, &body, &[("idempotency-key", "\"k\"")])
    };
    assert_eq!(send(&api.router, with_key("anna")).await.status, 201);
    let other = send(&api.router, with_key("berta")).await;
    assert_eq!(
        (other.status.as_u16(), other.body["code"].as_str()),
        (422, Some("IDEMPOTENCY_KEY_REUSED"))
    );
    api.stop().await;
}

#[tokio::test]
async fn a_refusal_is_repeated_for_its_key_even_when_the_command_would_pass_by_now() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let (anna, _) = api.newcomer("acme", &owner, "anna").await;
    let body = json!({"handle": "ANNA"});
    let again = || request(Method::POST, "/users", &owner, &body, &[("idempotency-key", "k")]);
    let refused = send(&api.router, again()).await;
    assert_eq!(
        (refused.status.as_u16(), refused.body["code"].as_str()),
        (409, Some("USER_HANDLE_TAKEN"))
    );
    let path = format!("/users/{anna}/deactivate");
    assert_eq!(api.post(&path, &owner, json!({"reason": "left"})).await.status, 200);
    let repeated = send(&api.router, again()).await;
    assert_eq!((repeated.status, alike(&repeated)), (refused.status, alike(&refused)));
    assert_eq!(repeated.headers["idempotent-replayed"], "true");
    assert_eq!(api.count("audit.security_log.command_refused").await, 1, "kept once");
    api.stop().await;
}

/// An answer without what belongs to the one request.
fn alike(answer: &Answer) -> Value {
    let mut body = answer.body.clone();
    for of_request in ["instance", "trace_id"] {
        body.as_object_mut().unwrap().remove(of_request);
    }
    body
}

#[tokio::test]
async fn a_refusal_is_repeated_with_everything_that_it_said() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let role = json!({"name": "Clerk", "permissions": ["audit.trail:read"]});
    assert_eq!(api.post("/rbac/roles", &owner, role.clone()).await.status, 201);
    let stale = [("idempotency-key", "stale"), ("if-match", "\"1\"")];
    let wrong = json!({"name": "Broken", "permissions": ["nothing"]});
    for (body, headers, status, told) in [
        (role, &stale[..], 412, "/since/0/summary"),
        (wrong, &[("idempotency-key", "wrong")][..], 422, "/errors/0/pointer"),
    ] {
        let ask = async || {
            let body = body.clone();
            api.with(Method::POST, "/rbac/roles", &owner, body, headers).await
        };
        let (refused, repeated) = (ask().await, ask().await);
        assert_eq!(refused.status, status, "{}", refused.body);
        assert!(refused.body.pointer(told).is_some(), "{}", refused.body);
        assert!(!refused.headers.contains_key("idempotent-replayed"));
        assert_eq!(alike(&repeated), alike(&refused));
        assert_eq!(repeated.headers["idempotent-replayed"], "true");
    }
    api.stop().await;
}

#[tokio::test]
async fn where_the_organisation_wants_a_key_a_command_without_one_is_refused() {
    let api = Api::start().await;
    let second = api.beside().await;
    let owner = api.found("acme").await;
    let users = |router: &axum::Router, handle: &str, headers: &[(&str, &str)]| {
        let (body, router) = (json!({ "handle": handle }), router.clone());
        let request = request(Method::POST, "/users", &owner, &body, headers);
        async move { send(&router, request).await }
    };
    assert_eq!(users(&second, "before", &[]).await.status, 201);
    let path = "/settings/api.idempotency_key_required";
    let set = api.call(Method::PUT, path, &owner, json!({"value": true})).await;
    assert_eq!(set.status, 200, "{}", set.body);
    let refused = users(&api.router, "without", &[]).await;
    assert_eq!(
        (refused.status.as_u16(), &refused.body["code"]),
        (400, &json!("IDEMPOTENCY_KEY_MISSING"))
    );
    assert_eq!(users(&api.router, "with", &[("idempotency-key", "k1")]).await.status, 201);
    let began = std::time::Instant::now();
    let mut handles = 0..;
    while users(&second, &format!("u{}", handles.next().unwrap()), &[]).await.status != 400 {
        let late = began.elapsed() > std::time::Duration::from_secs(20);
        assert!(!late, "another process never hears of it");
    }
    let unset = request(Method::DELETE, path, &owner, &json!({}), &[("idempotency-key", "k2")]);
    assert_eq!(send(&api.router, unset).await.status, 200);
    assert_eq!(users(&api.router, "after", &[]).await.status, 201);
    api.stop().await;
}
