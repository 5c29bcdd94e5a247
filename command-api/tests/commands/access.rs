//! Deny by default, and a revocation that holds from the next command.

use axum::http::Method;
use platform::routes::Access;
use serde_json::json;

use crate::kit::{Api, request, send};

/// Commands that ask for a permission once they know for which: that of each command in a batch, and that of the kind of work.
const ASK_LATER: [&str; 3] = ["audit_commands_batch", "exports_job_cancel", "exports_job_retry"];

#[tokio::test]
async fn every_route_refuses_a_caller_without_a_token_and_one_without_the_permission() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let (_, nobody) = api.newcomer("acme", &owner, "nobody").await;
    for route in command_api::routes() {
        let path =
            route
                .path
                .split('/')
                .map(|part| {
                    if part.starts_with('{') {
                        "0190a000-0000-7000-8000-000000000001"
                    } else {
                        part
                    }
                })
                .collect::<Vec<_>>()
                .join("/");
        if route.access == Access::Public {
            continue;
        }
        // What anybody may do about themselves they do themselves, and no program with a key.
        let asks_later = ASK_LATER.contains(&route.operation);
        assert!(asks_later || route.access != Access::SignedIn, "{} {}", route.method, route.path);
        let without = api.call(route.method.clone(), &path, "", json!({})).await;
        assert_eq!(
            without.status, 401,
            "{} {} without a token: {}",
            route.method, route.path, without.body
        );
        assert_eq!(without.headers["www-authenticate"], "Bearer", "{}", route.path);
        let wrong = api.call(route.method.clone(), &path, "wrong", json!({})).await;
        assert_eq!(wrong.status, 401, "{}", route.path);
        if route.method == Method::HEAD {
            continue; // its answers have no body
        }
        let detail = wrong.body["detail"].as_str().unwrap();
        let told = format!(r#"Bearer error="invalid_token", error_description="{detail}""#);
        assert_eq!(wrong.headers["www-authenticate"], *told, "{}", route.path);
        if let Some(permission) = route.access.permission() {
            let lacking = api.call(route.method.clone(), &path, &nobody, json!({})).await;
            assert_eq!(lacking.status, 403, "{} {}: {}", route.method, route.path, lacking.body);
            assert_eq!(lacking.body["params"]["permission"], permission.name());
        }
    }
    api.stop().await;
}

#[tokio::test]
async fn a_role_gives_what_it_grants_and_its_removal_holds_from_the_next_command_on_every_process()
{
    let api = Api::start().await;
    let second = api.beside().await;
    let owner = api.found("acme").await;
    let (user, token) = api.newcomer("acme", &owner, "anna").await;
    let role = json!({"name": "Registrar", "permissions": ["identity.users:register"]});
    let created = api.post("/rbac/roles", &owner, role).await;
    assert_eq!(created.status, 201, "{}", created.body);
    let location = created.headers["location"].to_str().unwrap();
    let role_id = location.rsplit('/').next().unwrap().to_owned();
    let assign = json!({"user_id": user, "role_id": role_id});
    assert_eq!(api.post("/rbac/assign", &owner, assign).await.status, 200);
    let register =
        |handle: &str| request(Method::POST, "/users", &token, &json!({"handle": handle}), &[]);
    assert_eq!(
        send(&second, register("one")).await.status,
        201,
        "granted, and seen by the second process"
    );
    let path = format!("/rbac/users/{user}/roles/{role_id}");
    assert_eq!(api.call(Method::DELETE, &path, &owner, json!({})).await.status, 200);
    assert_eq!(
        send(&second, register("two")).await.status,
        403,
        "revoked, although the second process knew otherwise"
    );
    assert_eq!(api.count("audit.security_log.access_denied").await, 1, "and the denial is kept");
    api.stop().await;
}

#[tokio::test]
async fn nobody_gives_what_they_do_not_have() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let (user, token) = api.newcomer("acme", &owner, "anna").await;
    let role = json!({"name": "Role maker", "level": 50, "permissions": ["rbac.roles:manage", "rbac.assignments:assign"]});
    let role_id = api.post("/rbac/roles", &owner, role).await.headers["location"]
        .to_str()
        .unwrap()
        .rsplit('/')
        .next()
        .unwrap()
        .to_owned();
    assert_eq!(
        api.post("/rbac/assign", &owner, json!({"user_id": user, "role_id": role_id})).await.status,
        200
    );
    let grab = json!({"name": "Grab", "level": 1, "permissions": ["backups.archives:request"]});
    let refused = api.post("/rbac/roles", &token, grab).await;
    assert_eq!(refused.status, 403, "{}", refused.body);
    assert_eq!(api.count("audit.security_log.command_refused").await, 1);
    let own = json!({"name": "Helper", "level": 1, "permissions": ["rbac.roles:manage"]});
    assert_eq!(api.post("/rbac/roles", &token, own).await.status, 201);
    api.stop().await;
}

#[tokio::test]
async fn a_dry_run_says_what_would_happen_and_stores_nothing() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let before = api.events().await.len();
    let dry = api.post("/users?validate_only=true", &owner, json!({"handle": "anna"})).await;
    assert_eq!(dry.body["committed"], false);
    assert_eq!(dry.body["events"][0]["data"]["handle"], "anna");
    assert_eq!(api.events().await.len(), before);
    api.stop().await;
}

#[tokio::test]
async fn a_stale_version_is_refused_with_the_present_one() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let (user, _) = api.newcomer("acme", &owner, "anna").await;
    let path = format!("/users/{user}");
    let rename = json!({"display_name": "Anna"});
    let stale =
        api.with(Method::PATCH, &path, &owner, rename.clone(), &[("if-match", "\"1\"")]).await;
    assert_eq!(
        (stale.status.as_u16(), stale.body["code"].as_str()),
        (412, Some("VERSION_CONFLICT"))
    );
    let current = stale.body["params"]["current_version"].as_i64().unwrap();
    let tag = format!("\"{current}\"");
    let right = api.with(Method::PATCH, &path, &owner, rename, &[("if-match", &tag)]).await;
    assert_eq!(right.status, 200, "{}", right.body);
    api.stop().await;
}

#[tokio::test]
async fn who_reaches_for_what_is_anothers_is_kept_with_the_permission_that_was_missing() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let (_, token) = api.newcomer("acme", &owner, "anna").await;
    let of_owner: String = sqlx::query_scalar(
        "select aggregate_id from log.events where aggregate_type = 'identity.session' order by position limit 1",
    )
    .fetch_one(&api.owner)
    .await
    .unwrap();
    let path = format!("/sessions/{of_owner}");
    assert_eq!(api.call(Method::DELETE, &path, &token, json!({})).await.status, 403);
    let lacked: String = sqlx::query_scalar(
        "select payload->>'permission' from log.events where event_type = 'audit.security_log.access_denied'",
    )
    .fetch_one(&api.owner)
    .await
    .unwrap();
    assert_eq!(lacked, "identity.sessions:manage");
    api.stop().await;
}

#[tokio::test]
async fn a_caller_in_a_loop_cannot_fill_the_log_and_none_of_its_refusals_is_lost() {
    const LOOP: usize = 200;
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let (_, token) = api.newcomer("acme", &owner, "anna").await;
    for number in 0..LOOP {
        let role = json!({"name": format!("Role {number}")});
        assert_eq!(api.post("/rbac/roles", &token, role).await.status, 403);
    }
    let denied = "audit.security_log.access_denied";
    assert_eq!(api.count(denied).await, 1, "the first stands in the log by itself");
    api.begin_shutdown();
    api.until(async || api.count(denied).await == 2).await;
    let counted: (i64, String) = sqlx::query_as(
        "select (payload->>'repeated')::bigint, metadata->>'actor_kind' from log.events
          where event_type = $1 order by position desc limit 1",
    )
    .bind(denied)
    .fetch_one(&api.owner)
    .await
    .unwrap();
    assert_eq!(counted, (i64::try_from(LOOP).unwrap() - 1, "user".into()));
    api.stop().await;
}
