//! Lists and items: filters, pages, counts, entity tags.

use std::collections::HashSet;

use events::identity::issuer::{self, Issuer};
use events::identity::session::{self, Session};
use events::identity::user::{self, User};
use events::{IssuerId, Permission, SessionId, UserId};
use reqwest::StatusCode;
use serde_json::Value;

use crate::support::{World, column, json, new};

#[tokio::test]
async fn a_list_is_filtered_sorted_paged_and_counted() {
    let world = World::start().await;
    let org = world.org("acme").await;
    for number in 0..7 {
        world.role(&org, &format!("r{number}"), &["audit.trail:read"]).await;
    }
    world.settled().await;
    let get = |path: &'static str| world.body(path, &org.owner);

    let all = get("/rbac/roles?sort=code&count=exact").await;
    assert_eq!(column(&all, "code"), ["owner", "r0", "r1", "r2", "r3", "r4", "r5", "r6"]);
    assert_eq!(all["page"]["total"], serde_json::json!({"value": 8, "kind": "exact"}));
    assert_eq!(all["page"]["next"], Value::Null);
    assert!(all["as_of"]["position"].as_i64().unwrap() > 8);
    assert_eq!(all["as_of"]["lag_ms"], 0);

    let some = get("/rbac/roles?filter=code>%3Dr2 AND code<r5&sort=-code&fields=code,level").await;
    assert_eq!(column(&some, "code"), ["r4", "r3", "r2"]);
    assert_eq!(some["items"][0], serde_json::json!({"code": "r4", "level": 10}));
    assert_eq!(column(&get("/rbac/roles?code=r1").await, "code"), ["r1"]);
    assert_eq!(column(&get("/rbac/roles?is_system=true").await, "code"), ["owner"]);
    assert_eq!(
        get("/rbac/roles?filter=permissions:audit.trail:read&limit=0").await["page"]["limit"],
        1
    );
    assert_eq!(get("/rbac/roles?limit=100000").await["page"]["limit"], 500);
    let estimate = get("/rbac/roles?count=estimate").await;
    assert_eq!(estimate["page"]["total"]["kind"], "estimate");
    world.end().await;
}

#[tokio::test]
async fn following_the_cursors_shows_every_row_once_and_leads_back() {
    let world = World::start().await;
    let org = world.org("acme").await;
    for number in 0..20 {
        world.person(org.tenant, &format!("user-{number:02}")).await;
    }
    world.settled().await;
    for sort in ["handle", "-created_at", "status,-handle", "email,-created_at"] {
        let mut seen = Vec::new();
        let mut path = format!("/users?sort={sort}&limit=6");
        let last = loop {
            let body = world.body(&path, &org.owner).await;
            seen.extend(column(&body, "handle"));
            match body["page"]["next"].as_str() {
                Some(next) => path = format!("/users?sort={sort}&limit=6&after={next}"),
                None => break body,
            }
        };
        assert_eq!(seen.len(), 21, "{sort}");
        assert_eq!(seen.iter().collect::<HashSet<_>>().len(), 21, "{sort}");
        let previous = last["page"]["prev"].as_str().unwrap();
        let body =
            world.body(&format!("/users?sort={sort}&limit=6&after={previous}"), &org.owner).await;
        assert_eq!(column(&body, "handle"), seen[12..18], "{sort}");
    }
    let first = world.get("/users?limit=5&sort=handle", &org.owner).send().await.unwrap();
    let link = first.headers()["link"].to_str().unwrap().to_owned();
    assert!(link.starts_with("</api/v1/users?limit=5&sort=handle&after=c1."), "{link}");
    assert!(link.ends_with("rel=\"next\""), "{link}");
    world.end().await;
}

#[tokio::test]
async fn what_cannot_be_meant_is_refused_with_the_place() {
    let world = World::start().await;
    let org = world.org("acme").await;
    world.role(&org, "one", &[]).await;
    world.settled().await;
    for (path, code) in [
        ("/rbac/roles?filter=colour=red", "FILTER_INVALID"),
        ("/rbac/roles?filter=code=a AND level>1 OR level<3", "FILTER_MIXED"),
        ("/rbac/roles?sort=permissions", "SORT_INVALID"),
        ("/rbac/roles?fields=code,colour", "FIELDS_INVALID"),
        ("/rbac/roles?limit=-1", "PARAMETER_INVALID"),
        ("/rbac/roles?limit=ten", "PARAMETER_INVALID"),
        ("/rbac/roles?count=perhaps", "PARAMETER_INVALID"),
        ("/rbac/roles?colour=red", "PARAMETER_UNKNOWN"),
        ("/rbac/roles?after=c1.abc", "CURSOR_INVALID"),
        ("/events?after=1&before=2", "PARAMETER_INVALID"),
        ("/events?colour=red", "PARAMETER_UNKNOWN"),
    ] {
        let (status, problem) = world.problem(path, &org.owner).await;
        assert_eq!((status, &problem["code"]), (StatusCode::BAD_REQUEST, &code.into()), "{path}");
    }
    let (_, mixed) =
        world.problem("/rbac/roles?filter=code=a AND level>1 OR level<3", &org.owner).await;
    assert_eq!(mixed["params"]["suggestion"], "(code=a AND level>1) OR level<3");
    assert_eq!(mixed["errors"][0]["pointer"], "filter");

    let page = world.body("/rbac/roles?limit=1", &org.owner).await;
    let cursor = page["page"]["next"].as_str().unwrap();
    let path = format!("/rbac/roles?limit=1&sort=code&after={cursor}");
    assert_eq!(world.problem(&path, &org.owner).await.1["code"], "CURSOR_MISMATCH");
    let stranger = world.org("other").await;
    world.settled().await;
    let path = format!("/rbac/roles?limit=1&after={cursor}");
    assert_eq!(world.problem(&path, &stranger.owner).await.1["code"], "CURSOR_MISMATCH");
    world.end().await;
}

#[tokio::test]
async fn an_item_has_a_version_and_is_not_sent_twice() {
    let world = World::start().await;
    let org = world.org("acme").await;
    let user = world.person(org.tenant, "ann").await.user;
    world.settled().await;
    let path = format!("/users/{user}");
    let answer = world.get(&path, &org.owner).send().await.unwrap();
    let tag = answer.headers()["etag"].to_str().unwrap().to_owned();
    assert!(tag.starts_with("W/\"1.p"), "{tag}");
    assert_eq!(answer.headers()["aggregate-version"], "1");
    let body = json(answer).await;
    assert_eq!((&body["handle"], &body["version"]), (&"ann".into(), &1.into()));
    assert!(body["as_of"]["position"].is_i64());

    let again = world.get(&path, &org.owner).header("if-none-match", &tag).send().await.unwrap();
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    let renamed = user::Event::Renamed { display_name: "Ann B".into() };
    world.append::<User>((org.tenant, "system"), user, [renamed]).await;
    world.settled().await;
    let again = world.get(&path, &org.owner).header("if-none-match", &tag).send().await.unwrap();
    assert_eq!(again.headers()["aggregate-version"], "2");
    assert_eq!(json(again).await["display_name"], "Ann B");

    let nobody: UserId = new();
    for absent in [format!("/users/{nobody}"), "/users/seven".into(), "/rbac/roles/x".into()] {
        let (status, problem) = world.problem(&absent, &org.owner).await;
        assert_eq!((status, &problem["code"]), (StatusCode::NOT_FOUND, &"NOT_FOUND".into()));
    }
    world.end().await;
}

#[tokio::test]
async fn people_see_their_own_exports_and_with_the_permission_everybodys() {
    let world = World::start().await;
    let org = world.org("acme").await;
    let request = [Permission::ExportsFilesRequest];
    let ann = world.entitled(&org, "ann", &request).await;
    let bob = world.entitled(&org, "bob", &request).await;
    let export = world.export(&ann).await;
    world.settled().await;
    assert_eq!(column(&world.body("/exports", &ann).await, "export_id"), [export.to_string()]);
    assert_eq!(column(&world.body("/exports", &bob).await, "export_id"), [""; 0]);
    assert_eq!(column(&world.body("/exports", &org.owner).await, "export_id").len(), 1);
    for path in ["exports", "exports/jobs", "jobs"] {
        let path = format!("/{path}/{export}");
        assert_eq!(world.problem(&path, &bob).await.0, StatusCode::NOT_FOUND, "{path}");
        world.body(&path, &ann).await;
    }
    let job = world.body(&format!("/jobs/{export}"), &ann).await;
    assert_eq!((&job["kind"], &job["state"]), (&"export".into(), &"queued".into()));
    assert_eq!(job["links"]["events"], format!("/api/v1/streams/jobs/{export}"));
    let sessions = world.body("/sessions", &ann).await;
    assert_eq!(column(&sessions, "session_id"), [ann.session.to_string()]);
    world.end().await;
}

#[tokio::test]
async fn the_trail_shows_who_did_what_to_whom() {
    let world = World::start().await;
    let org = world.org("acme").await;
    let ann = world.person(org.tenant, "ann").await;
    let role = world.role(&org, "clerk", &[]).await;
    world.assign(&org, ann.user, role).await;
    world.settled().await;
    let trail = world.body("/audit-logs?limit=1", &org.owner).await;
    let row = &trail["items"][0];
    assert_eq!(row["action"], "rbac.user_access.role_assigned");
    assert_eq!(row["actor_id"], org.owner.user.to_string());
    assert_eq!((&row["ip"], &row["status"]), (&"192.0.2.7".into(), &"success".into()));
    let own = world.body(&format!("/audit-logs/user/{}", ann.user), &org.owner).await;
    assert_eq!(column(&own, "action"), ["identity.session.started"]);
    let access = world.body("/rbac/audit-logs", &org.owner).await;
    assert!(column(&access, "module").iter().all(|module| module == "rbac"));
    world.end().await;
}

#[tokio::test]
async fn an_alias_answers_as_its_route_does() {
    let world = World::start().await;
    let org = world.org("acme").await;
    world.settled().await;
    let role = format!("/rbac/roles/{}", org.owner_role);
    for (alias, own) in [
        ("/roles".to_owned(), "/rbac/roles".to_owned()),
        (role.replace("/rbac", ""), role),
        ("/logs/audit-trail".to_owned(), "/audit-logs".to_owned()),
    ] {
        let (alias, own) =
            (world.body(&alias, &org.owner).await, world.body(&own, &org.owner).await);
        assert_eq!(alias.get("items"), own.get("items"));
        assert_eq!(alias.get("role_id"), own.get("role_id"));
    }
    let nobody = world.person(org.tenant, "nobody").await;
    let refused = world.get("/roles", &nobody).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::FORBIDDEN, "an alias has the guard of its route");
    let of_owner = format!("/rbac/audit-logs?user_id={}", org.owner.user);
    let entries = world.body(&of_owner, &org.owner).await;
    assert_eq!(entries["items"], serde_json::json!([]), "the installation made the policy");
    world.end().await;
}

#[tokio::test]
async fn sessions_that_rest_on_an_issuer_are_shown_as_ended_with_it() {
    let world = World::start().await;
    let org = world.org("acme").await;
    let ann = world.person(org.tenant, "ann").await;
    let issuer_id: IssuerId = new();
    let system = (org.tenant, "system");
    let rule = async |event| {
        world.append::<Issuer>(system, issuer_id, [event]).await;
    };
    let enter = async |issuer_endings| {
        let session_id: SessionId = new();
        let started = session::Event::Started {
            user_id: ann.user,
            refresh_sha256: "0".repeat(64),
            expires_at: platform::clock::now() + std::time::Duration::from_hours(1),
            amr: vec!["oidc".into()],
            ip: None,
            user_agent: None,
            began_after: 0,
            issuer_id: Some(issuer_id),
            issuer_endings,
            token_sha256: Some(session_id.to_string()),
        };
        world.append::<Session>(system, session_id, [started]).await;
        session_id.to_string()
    };
    let name = "https://login.example.org".to_owned();
    let terms = issuer::Terms::default();
    rule(issuer::Event::Trusted { name: "Login".into(), issuer: name.clone(), terms }).await;
    let left = enter(0).await;
    let revoked = session::Event::Revoked { reason: session::RevocationReason::Logout };
    world.append::<Session>(system, &left, [revoked]).await;
    let before = enter(0).await;
    rule(issuer::Event::Suspended { reason: "breached".into() }).await;
    rule(issuer::Event::Reactivated).await;
    let after = enter(1).await;
    let shown = async || {
        world.settled().await;
        let path = "/sessions?fields=session_id,revoked_at,revocation_reason&sort=created_at";
        let body = world.body(path, &ann).await;
        let items = body["items"].as_array().unwrap().clone();
        let of = |id: &str| items.iter().find(|item| item["session_id"] == id).unwrap().clone();
        [&ann.session.to_string(), &left, &before, &after].map(|id| {
            let item = of(id);
            assert_eq!(item["revoked_at"].is_null(), item["revocation_reason"].is_null());
            item["revocation_reason"].as_str().unwrap_or("open").to_owned()
        })
    };
    assert_eq!(shown().await, ["open", "logout", "issuer_suspended", "open"]);
    rule(issuer::Event::Distrusted { issuer: name }).await;
    let expected = ["open", "logout", "issuer_suspended", "issuer_distrusted"];
    assert_eq!(shown().await, expected);
    world.end().await;
}
