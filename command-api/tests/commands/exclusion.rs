//! Roles that exclude each other: whoever comes at the same moment, nobody ever has them together.

use std::collections::{BTreeMap, BTreeSet};

use axum::Router;
use axum::http::Method;
use futures::future::join_all;
use serde_json::{Value, json};

use crate::kit::{Answer, Api, made, request, send};

async fn role(api: &Api, owner: &str, name: &str, level: u16) -> String {
    let body = json!({"name": name, "level": level});
    made(&api.post("/rbac/roles", owner, body).await)
}

async fn user(api: &Api, owner: &str, handle: &str) -> String {
    let registered = api.post("/users", owner, json!({ "handle": handle })).await;
    registered.body["aggregate"]["id"].as_str().expect("an id").to_owned()
}

async fn call(router: &Router, path: &str, owner: &str, body: Value) -> Answer {
    send(router, request(Method::POST, path, owner, &body, &[])).await
}

/// Who holds which roles, by the log.
async fn held(api: &Api) -> BTreeMap<String, BTreeSet<String>> {
    let rows: Vec<(String, String, String)> = sqlx::query_as(
        "select aggregate_id, event_type, payload->>'role_id' from log.events
          where aggregate_type = 'rbac.user_access' order by position",
    )
    .fetch_all(&api.owner)
    .await
    .expect("the log");
    let mut held: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (user, event_type, role) in rows {
        let roles = held.entry(user).or_default();
        match event_type.as_str() {
            "rbac.user_access.role_assigned" => roles.insert(role),
            _ => roles.remove(&role),
        };
    }
    held
}

#[tokio::test]
async fn a_set_is_refused_with_the_names_of_those_who_have_its_roles_and_holds_from_then_on() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let (senior, books) =
        (role(&api, &owner, "Senior", 20).await, role(&api, &owner, "Books", 10).await);
    let audit = role(&api, &owner, "Audit", 10).await;
    let path = format!("/rbac/roles/{senior}/parents/{books}");
    assert_eq!(api.post(&path, &owner, json!({})).await.status, 200);
    let anna = user(&api, &owner, "anna").await;
    let assign = |role: &str| json!({"user_id": anna, "role_id": role});
    for role in [&senior, &audit] {
        assert_eq!(api.post("/rbac/assign", &owner, assign(role)).await.status, 200);
    }
    let define = json!({"name": "Books and audit", "roles": [books, audit]});
    let refused = api.post("/rbac/exclusive-sets", &owner, define.clone()).await;
    assert_eq!(
        (refused.status.as_u16(), &refused.body["code"]),
        (409, &json!("EXCLUSIVE_ROLES_HELD"))
    );
    assert!(refused.body["detail"].as_str().is_some_and(|text| text.contains(&anna)));
    let path = format!("/rbac/users/{anna}/roles/{senior}");
    assert_eq!(api.call(Method::DELETE, &path, &owner, json!({})).await.status, 200);
    let set = made(&api.post("/rbac/exclusive-sets", &owner, define).await);
    let refused = api.post("/rbac/assign", &owner, assign(&senior)).await;
    assert_eq!(
        (refused.status.as_u16(), &refused.body["code"]),
        (409, &json!("ASSIGNMENT_EXCLUSIVE"))
    );
    let path = format!("/rbac/exclusive-sets/{set}/roles/{senior}");
    assert_eq!(api.post(&path, &owner, json!({})).await.status, 200);
    let cardinality = format!("/rbac/exclusive-sets/{set}/cardinality");
    let three = api.call(Method::PUT, &cardinality, &owner, json!({"cardinality": 3})).await;
    assert_eq!(three.status, 200, "{}", three.body);
    assert_eq!(api.call(Method::DELETE, &path, &owner, json!({})).await.status, 422, "3 of 2");
    let path = format!("/rbac/exclusive-sets/{set}");
    assert_eq!(api.call(Method::DELETE, &path, &owner, json!({})).await.status, 200);
    assert_eq!(api.post("/rbac/assign", &owner, assign(&senior)).await.status, 200);
    api.stop().await;
}

#[tokio::test]
async fn a_set_defined_while_its_roles_are_assigned_by_two_processes_is_never_breached() {
    let api = Api::start().await;
    let second = api.beside().await;
    let owner = api.found("acme").await;
    let mut defined = 0;
    for round in 0..6 {
        let (one, other) = (
            role(&api, &owner, &format!("One {round}"), 10).await,
            role(&api, &owner, &format!("Other {round}"), 10).await,
        );
        // People without any role yet: their streams begin in the race itself.
        let users = join_all((0..4).map(|number| {
            let (api, owner) = (&api, &owner);
            async move { user(api, owner, &format!("user-{round}-{number}")).await }
        }))
        .await;
        let assigns = users.iter().flat_map(|user| [(user, &one), (user, &other)]);
        let assigns = assigns.enumerate().map(|(number, (user, role))| {
            let router = if number % 2 == 0 { &api.router } else { &second };
            let body = json!({"user_id": user, "role_id": role});
            call(router, "/rbac/assign", &owner, body)
        });
        let define = json!({"name": format!("Set {round}"), "roles": [one, other]});
        let define = call(&second, "/rbac/exclusive-sets", &owner, define);
        let (defining, assigning) = futures::future::join(define, join_all(assigns)).await;
        let statuses = [200, 201, 409];
        assert!(assigning.iter().all(|answer| statuses.contains(&answer.status.as_u16())));
        if defining.status == 201 {
            defined += 1;
            for (user, roles) in held(&api).await {
                assert!(!(roles.contains(&one) && roles.contains(&other)), "{user} has both");
            }
        } else {
            assert_eq!(defining.status, 409, "{}", defining.body);
        }
    }
    tracing::info!(defined, "rounds in which the set came before the second role");
    api.stop().await;
}

#[tokio::test]
async fn a_fact_about_all_streams_of_a_type_is_stale_as_soon_as_one_of_them_begins() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let (tenant, before): (uuid::Uuid, i64) = sqlx::query_as(
        "select tenant_id, sum(version)::bigint from log.streams where aggregate_type = 'identity.user' group by 1",
    )
    .fetch_one(&api.owner)
    .await
    .expect("a user");
    let leaning = |version: i64| {
        sqlx::query_as::<_, (Option<String>,)>(APPEND)
            .bind(tenant)
            .bind(version)
            .fetch_all(&api.owner)
    };
    let reasons =
        |rows: Vec<(Option<String>,)>| rows.into_iter().filter_map(|row| row.0).collect::<Vec<_>>();
    assert!(reasons(leaning(before).await.expect("stored")).is_empty());
    user(&api, &owner, "anna").await;
    assert_eq!(reasons(leaning(before).await.expect("refused")), ["fact"]);
    api.stop().await;
}

const APPEND: &str = "
    select reason from log.append(
      array[$1], array[null], array[null::bytea],
      '{}', '{}', '{}', '{}', '{}',
      array[1], array[$1], array['identity.user'], array['*'], array[$2::bigint],
      '{}', '{}', '{}', '{}', '{}', '{}', '{}',
      array[1], array[$1], array['test.thing'], array['1'],
      array[gen_random_uuid()], array['test.thing.made'], array['1'], array['{}'], array['{}'])";
