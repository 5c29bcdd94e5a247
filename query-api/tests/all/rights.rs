//! Who may ask: every route without a token, without the permission, and from another organisation; and the checks themselves.

use std::sync::Arc;

use events::Permission;
use events::identity::organization::{self, Organization};
use events::identity::session::{self, RevocationReason, Session};
use events::identity::user::{self, User};
use platform::routes::{Access, Route};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::support::{Org, Person, World, column, problem};

/// The route's path with ids of this organisation.
pub(crate) fn path(route: &Route, org: &Org, export: &str) -> String {
    let mut path = route.path.to_owned();
    for (name, value) in [
        ("{role_id}", org.owner_role.to_string()),
        ("{user_id}", org.owner.user.to_string()),
        ("{*stream}", "all".to_owned()),
        ("{type}", "rbac.policy".to_owned()),
        ("{backup_id}", org.tenant.to_string()),
        ("{key}", "exports.kept_hours".to_owned()),
    ] {
        path = path.replace(name, &value);
    }
    let id = match path.split('/').nth(1) {
        Some("users" | "audit-logs") => org.owner.user.to_string(),
        Some("exports" | "jobs") => export.to_owned(),
        _ => org.tenant.to_string(),
    };
    let path = path.replace("{id}", &id);
    match path.rsplit('/').next() {
        Some("review") => format!("{path}?from=0"),
        Some("inclusion") => format!("{path}?tenant_seq=1"),
        Some(_) | None => path,
    }
}

/// The answer to a question to the route.
pub(crate) async fn answer(
    world: &World,
    route: &Route,
    path: &str,
    person: Option<&Person>,
) -> Response {
    let request = world.ask(route.method.clone(), path, person);
    let request = match route.method {
        Method::POST if path.ends_with("/validate") => request.json(&json!({"permissions": []})),
        Method::POST if path.ends_with("/preview") => request.json(&json!({
            "spec": {"kind": "daily", "time": "09:00:00"}, "modifiers": {"time_zone": "UTC"},
        })),
        Method::POST => request.json(&json!({"permission": "audit.trail:read"})),
        _ => request,
    };
    request.send().await.unwrap()
}

async fn status(world: &World, route: &Route, path: &str, person: Option<&Person>) -> StatusCode {
    answer(world, route, path, person).await.status()
}

#[tokio::test]
async fn every_route_refuses_who_is_not_signed_in_or_not_entitled() {
    let world = World::start().await;
    let org = world.org("acme").await;
    let nobody = world.person(org.tenant, "nobody").await;
    let export = world.export(&org.owner).await.to_string();
    world.settled().await;
    for route in query_api::routes() {
        let path = path(&route, &org, &export);
        match route.access {
            Access::Public => {
                assert!(route.summary.contains("public"), "{path} does not say why it is public");
                continue;
            }
            Access::Bootstrap => panic!("{path} is no query"),
            Access::SignedIn
            | Access::Needs(_)
            | Access::InUnit(_)
            | Access::Shared(_)
            | Access::InPerson(_) => {}
        }
        assert_eq!(status(&world, &route, &path, None).await, StatusCode::UNAUTHORIZED, "{path}");
        let by_nobody = status(&world, &route, &path, Some(&nobody)).await;
        if route.access.permission().is_some() {
            assert_eq!(by_nobody, StatusCode::FORBIDDEN, "{path}");
        } else {
            assert!(!by_nobody.is_server_error(), "{path}");
        }
        let by_owner = status(&world, &route, &path, Some(&org.owner)).await;
        // Nobody makes backups or keys here, nobody signs, nobody is invited or trusted, nothing is set or recurs, and no role
        // excludes another.
        let absent = [
            "{backup_id}",
            "{size}",
            "/audit/proofs/",
            "/proof",
            "/manifest",
            "/audit/leaves",
            "/invitations/{id}",
            "/api-keys/{id}",
            "/issuers/{id}",
            "/triggers/{id}",
            "/blackout-calendars/{id}",
            "/exports/templates/{id}",
            "/exports/schedule/{id}",
            "/exports/batch/{id}",
            "{set_id}",
            "/settings/{key}/",
            "/audit-logs/correlation/",
            "/units/{unit_id}",
            "/rbac/permissions/{permission_id}",
            "/feature-flags/{flag}",
            "/sessions/{id}",
            "/files/{id}",
            "/assets/{id}",
            "/advanced-schedules/{id}",
            "/tasks/{id}",
            "/task-enhancements/{id}",
            "/comments/{id}",
            "/webhooks/{id}",
        ];
        let absent = absent.iter().any(|part| route.path.contains(part));
        let expected = if absent { 404 } else { route.status };
        assert_eq!(by_owner.as_u16(), expected, "{path}");
    }
    world.end().await;
}

/// What a program with an API key may ask about itself whatever its scope; everything else takes a permission or a person.
const BY_ANY_KEY: [&str; 16] = [
    "/exports/datasets",
    "/feature-flags",
    "/jobs",
    "/jobs/{id}",
    "/me",
    "/me/permissions",
    "/rbac/check",
    "/rbac/incits359/users/{user_id}/assigned-roles",
    "/rbac/incits359/users/{user_id}/authorized-roles",
    "/rbac/incits359/users/{user_id}/operations/{object}",
    "/rbac/incits359/users/{user_id}/permissions",
    "/rbac/user-roles/{user_id}",
    "/rbac/users/{user_id}/permissions",
    "/rbac/users/{user_id}/plants",
    "/rbac/users/{user_id}/roles",
    "/streams/{*stream}",
];

#[test]
fn what_a_key_may_ask_whatever_its_scope_is_a_closed_list() {
    let routes = query_api::routes();
    let open = routes.iter().filter(|route| route.access == Access::SignedIn);
    let mut open: Vec<&str> = open.map(|route| route.path).collect();
    open.sort_unstable();
    assert_eq!(open, BY_ANY_KEY);
}

#[tokio::test]
async fn nothing_of_another_organisation_is_found() {
    let world = World::start().await;
    let (ours, theirs) = (world.org("ours").await, world.org("theirs").await);
    let export = world.export(&theirs.owner).await.to_string();
    world.settled().await;
    for route in query_api::routes() {
        if route.access == Access::Public || route.method == Method::POST {
            continue;
        }
        let path = path(&route, &theirs, &export);
        let answer = world.get(&path, &ours.owner).send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(
            status == StatusCode::OK || status == StatusCode::NOT_FOUND,
            "{path} {status} {text}"
        );
        // Filters may be repeated in links, but nothing that only they know may appear.
        for secret in [theirs.owner.session.to_string(), theirs.owner_role.to_string()] {
            assert!(!text.contains(&secret), "{path} tells {secret}");
        }
        assert!(!text.contains("theirs"), "{path} tells their name");
        // A stream of ours, and a setting that every organisation has.
        let everybodys = route.path.contains("stream") || route.path.contains("{key}");
        if route.path.contains('{') && !everybodys && status == StatusCode::OK {
            let body: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(body["items"], json!([]), "{path}");
        }
    }
    world.end().await;
}

#[tokio::test]
async fn a_token_that_is_not_good_does_not_open_anything() {
    let world = World::start().await;
    let org = world.org("acme").await;
    let owner = &org.owner;
    let get = |token: String| {
        let person = Person { token, ..owner.clone() };
        let world = &world;
        async move { world.get("/me", &person).send().await.unwrap().status() }
    };
    assert_eq!(get(owner.token.clone()).await, StatusCode::OK);
    assert_eq!(get(format!("{}x", owner.token)).await, StatusCode::UNAUTHORIZED);
    assert_eq!(get("x.y.z".into()).await, StatusCode::UNAUTHORIZED);
    let no_session = world.token(org.tenant, owner.user, None, 600);
    assert_eq!(get(no_session).await, StatusCode::UNAUTHORIZED);
    let stranger = world.org("other").await;
    let foreign = world.token(stranger.tenant, owner.user, Some(owner.session), 600);
    assert_eq!(get(foreign).await, StatusCode::UNAUTHORIZED);
    world.end().await;
}

#[tokio::test]
async fn a_right_given_counts_at_once_and_a_session_ended_soon() {
    let world = Arc::new(World::start().await);
    let org = world.org("acme").await;
    let ann = world.person(org.tenant, "ann").await;
    assert_eq!(world.problem("/rbac/roles", &ann).await.0, StatusCode::FORBIDDEN);
    let role = world.role(&org, "reader", &[Permission::RbacRolesRead.name()]).await;
    world.assign(&org, ann.user, role).await;
    world.body("/rbac/roles", &ann).await;

    world.unassign(&org, ann.user, role).await;
    world
        .until("the right is gone", || async {
            world.get("/rbac/roles", &ann).send().await.unwrap().status() == StatusCode::FORBIDDEN
        })
        .await;
    let revoked = session::Event::Revoked { reason: RevocationReason::Admin };
    world.append::<Session>((org.tenant, "system"), ann.session, [revoked]).await;
    world
        .until("the session is over", || async {
            world.get("/me", &ann).send().await.unwrap().status() == StatusCode::UNAUTHORIZED
        })
        .await;
    Arc::into_inner(world).unwrap().end().await;
}

#[tokio::test]
async fn a_suspended_organisation_is_asked_nothing_and_an_ended_user_neither() {
    let world = Arc::new(World::start().await);
    let org = world.org("acme").await;
    let ann = world.person(org.tenant, "ann").await;
    let status = async || world.get("/me", &ann).send().await.unwrap().status();
    let rule = async |event| {
        world.append::<Organization>((org.tenant, "system"), org.tenant, [event]).await;
    };
    rule(organization::Event::Suspended { reason: "unpaid".into() }).await;
    world.until("it is suspended", || async { status().await == StatusCode::FORBIDDEN }).await;
    let (_, refused) = world.problem("/me", &ann).await;
    assert_eq!(refused["code"], "ORGANIZATION_SUSPENDED");
    rule(organization::Event::Reactivated).await;
    world.until("it is at work again", || async { status().await == StatusCode::OK }).await;

    let ended = user::Event::SessionsEnded { reason: RevocationReason::Logout, except: None };
    world.append::<User>((org.tenant, "system"), ann.user, [ended]).await;
    world
        .until("every session is over", || async { status().await == StatusCode::UNAUTHORIZED })
        .await;
    Arc::into_inner(world).unwrap().end().await;
}

#[tokio::test]
async fn a_check_says_why() {
    let world = World::start().await;
    let org = world.org("acme").await;
    let ann = world.person(org.tenant, "ann").await;
    let role = world.role(&org, "auditor", &["audit.trail:read"]).await;
    let position = world.assign(&org, ann.user, role).await;
    let check = async |body: Value, person: &Person| {
        let request = world.ask(Method::POST, "/rbac/check", Some(person)).json(&body);
        let place = world.place(org.tenant, 1, position);
        request.header("consistency-token", place).send().await.unwrap()
    };
    let answer = check(json!({"permission": "audit.trail:read"}), &ann).await;
    let answer: Value = answer.json().await.unwrap();
    assert_eq!((&answer["allowed"], &answer["active"]), (&true.into(), &true.into()));
    assert_eq!(answer["reason"]["decision"], "allow");
    assert_eq!(answer["reason"]["role_path"], json!([role]));

    let checks = json!({"checks": [
        {"permission": "audit.trail:read", "user_id": ann.user},
        {"permission": "rbac.roles:manage", "user_id": ann.user},
        {"permission": "no.such:thing"},
    ]});
    let answers: Value = check(checks.clone(), &org.owner).await.json().await.unwrap();
    let allowed: Vec<_> =
        answers["items"].as_array().unwrap().iter().map(|a| a["allowed"].as_bool()).collect();
    assert_eq!(allowed, [Some(true), Some(false), Some(false)]);
    assert_eq!(answers["items"][1]["reason"]["missing"][0]["lack"], "not_granted");
    assert_eq!(answers["items"][2]["reason"]["missing"][0]["lack"], "permission_unknown");

    let of_owner = json!({"permission": "audit.trail:read", "user_id": org.owner.user});
    assert_eq!(problem(check(of_owner, &ann).await).await.0, StatusCode::FORBIDDEN);
    let (status, refused) = problem(check(json!({"permision": "x"}), &ann).await).await;
    assert_eq!(
        (status, &refused["code"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &"BODY_INVALID".into())
    );
    let (_, refused) = problem(check(json!({}), &ann).await).await;
    assert_eq!(refused["code"], "CHECK_INVALID");
    world.end().await;
}

#[tokio::test]
async fn one_can_see_who_one_is_and_what_one_may() {
    let world = World::start().await;
    let org = world.org("acme").await;
    let ann = world.entitled(&org, "ann", &[Permission::AuditTrailRead]).await;
    let me = world.body("/me", &ann).await;
    assert_eq!((&me["handle"], &me["organization"]["slug"]), (&"ann".into(), &"acme".into()));
    let may = world.body("/me/permissions", &ann).await;
    assert_eq!(may["permissions"], json!(["audit.trail:read"]));
    assert_eq!(may["everything"], false);
    let path = format!("/rbac/users/{}/permissions", ann.user);
    assert_eq!(world.body(&path, &org.owner).await["permissions"], may["permissions"]);
    assert_eq!(world.body("/me/permissions", &org.owner).await["everything"], true);

    world.settled().await;
    let effective = world.body("/rbac/effective-permissions?handle=ann", &org.owner).await;
    assert_eq!(column(&effective, "permission"), ["audit.trail:read"]);
    let roles = world.body(&format!("/rbac/users/{}/roles", ann.user), &ann).await;
    assert_eq!(column(&roles, "role_code"), ["ann"]);
    assert_eq!(column(&roles, "role_name"), ["ANN"]);
    let hierarchy = world.body("/rbac/roles/hierarchy", &org.owner).await;
    assert_eq!(column(&hierarchy, "code"), ["owner", "ann"]);
    let path = format!("/rbac/roles/{}/permissions", org.owner_role);
    let granted = world.body(&path, &org.owner).await;
    assert_eq!(column(&granted, "permission"), ["*:*"]);
    let admin = sqlx::PgPool::connect(&world.settings.database_url).await.unwrap();
    let logged: jiff_sqlx::Timestamp = sqlx::query_scalar(
        "select recorded_at from log.events where event_type = 'rbac.policy.initialized'
          order by position limit 1",
    )
    .fetch_one(&admin)
    .await
    .unwrap();
    assert_eq!(granted["items"][0]["granted_at"], json!(logged.to_jiff()));
    world.end().await;
}

#[tokio::test]
async fn everybody_who_comes_with_a_new_signing_key_at_once_is_let_in() {
    let world = World::start().await;
    let org = world.org("acme").await;
    world.rotate_keys().await;
    let token = world.token(org.tenant, org.owner.user, Some(org.owner.session), 600);
    let owner = Person { token, ..org.owner.clone() };
    let asked = (0..32).map(|_| world.ask(Method::GET, "/me", Some(&owner)).send());
    for response in futures::future::join_all(asked).await {
        assert_eq!(response.unwrap().status(), StatusCode::OK);
    }
    world.end().await;
}
