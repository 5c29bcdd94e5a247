//! Items as they were, how they came to be, and what changed in between.

use events::backups::backup::{self, Backup};
use events::envelope::encode;
use events::exports::export::{self, Export};
use events::identity::api_key::{self, ApiKey};
use events::identity::organization::{self, Organization, UnitKind};
use events::identity::session::{self, Session};
use events::identity::user::{self, User};
use events::rbac::policy::{self, Policy};
use events::settings::configuration::{self, Configuration};
use events::settings::{Flag, Key, Value as Setting};
use events::{ApiKeyId, BackupId, ExclusiveSetId, PermissionId, RoleId, SessionId, UnitId};
use platform::personal::Personal;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{Org, World, column, hours_from_now};

const FOREVER: &str = "private, immutable, max-age=31536000";

#[tokio::test]
async fn a_user_is_shown_as_they_were_with_what_is_sensitive_masked() {
    let world = World::without_projections().await;
    let org = world.org("acme").await;
    let ann = world.person(org.tenant, "ann").await;
    let by = (org.tenant, "system");
    let renamed = user::Event::Renamed { display_name: "Ann B".into() };
    let second = world.append::<User>(by, ann.user, [renamed]).await;
    let left = user::Event::Deactivated { reason: "moved away".into() };
    world.append::<User>(by, ann.user, [left]).await;
    let path = format!("/users/{}", ann.user);

    let then = world.get(&format!("{path}?at_version=1"), &org.owner).send().await.unwrap();
    assert_eq!(then.headers()["cache-control"], FOREVER);
    assert!(then.headers()["memento-datetime"].to_str().unwrap().ends_with(" GMT"));
    assert_eq!(then.headers()["aggregate-version"], "1");
    let then: Value = then.json().await.unwrap();
    assert_eq!((&then["display_name"], &then["status"]), (&"ANN".into(), &"active".into()));
    assert_eq!((&then["version"], &then["login_failures"]), (&1.into(), &"***".into()));
    let then = world.body(&format!("{path}?as_of={second}"), &org.owner).await;
    assert_eq!((&then["display_name"], &then["version"]), (&"Ann B".into(), &2.into()));
    let time = then["as_of"]["time"].as_str().unwrap();
    let at_time = world.body(&format!("{path}?as_of={time}"), &org.owner).await;
    assert_eq!(at_time["as_of_event"], then["as_of_event"]);

    let history = world.body(&format!("{path}/history?after=1"), &org.owner).await;
    assert_eq!(column(&history, "type"), ["identity.user.renamed", "identity.user.deactivated"]);
    assert_eq!(history["items"][0]["actor_id"], "system");
    assert_eq!(history["items"][0]["correlation_id"], "c-1");
    assert_eq!(history["items"][1]["data"]["reason"], "***");
    let page = world.body(&format!("{path}/history?limit=1"), &org.owner).await;
    let next = page["page"]["next"].as_str().unwrap();
    let rest = world.body(&format!("{path}/history?after={next}"), &org.owner).await;
    assert_eq!(rest["items"], history["items"]);

    let diff = world.body(&format!("{path}/diff?from=1&to=3"), &org.owner).await;
    let ops = diff["ops"].as_array().unwrap();
    assert_eq!(ops.len(), 2);
    assert_eq!((&ops[0]["path"], &ops[0]["from"]), (&"/display_name".into(), &"ANN".into()));
    assert_eq!((&ops[0]["op"], &ops[0]["value"]), (&"replace".into(), &"Ann B".into()));
    assert_eq!(ops[0]["event"], history["items"][0]["event_id"]);
    let previous = world.body(&format!("{path}/diff"), &org.owner).await;
    assert_eq!((&previous["from"], &previous["to"]), (&2.into(), &3.into()));
    assert_eq!(previous["ops"][0]["path"], "/status");

    for (query, code) in [
        ("?at_version=9", "VERSION_UNKNOWN"),
        ("/diff?from=3&to=1", "VERSION_UNKNOWN"),
        ("?as_of=soon", "AS_OF_INVALID"),
        ("?as_of=1&at_version=1", "PARAMETER_INVALID"),
        ("?at_version=1&color=red", "PARAMETER_UNKNOWN"),
    ] {
        let (status, problem) = world.problem(&format!("{path}{query}"), &org.owner).await;
        assert_eq!((status, &problem["code"]), (StatusCode::BAD_REQUEST, &code.into()), "{query}");
    }
    let before = world.problem(&format!("{path}?as_of=1"), &org.owner).await;
    assert_eq!(before.0, StatusCode::NOT_FOUND);
    let nobody = world.person(org.tenant, "nobody").await;
    for query in ["?at_version=1", "/history", "/diff"] {
        let (status, _) = world.problem(&format!("{path}{query}"), &nobody).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{query}");
    }
    let others = world.org("other").await;
    for query in ["?at_version=1", "/history", "/diff"] {
        let (status, _) = world.problem(&format!("{path}{query}"), &others.owner).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{query}");
    }
    world.end().await;
}

#[tokio::test]
async fn roles_settings_and_the_organisation_are_shown_as_they_were() {
    let world = World::without_projections().await;
    let org = world.org("acme").await;
    let by = (org.tenant, "system");
    let role = world.role(&org, "reader", &["rbac.roles:read"]).await;
    let other = world.role(&org, "other", &[]).await;
    let granted =
        policy::Event::PermissionGranted { role_id: role, permission: "audit.trail:read".into() };
    let granted = world.append::<Policy>(by, org.tenant, [granted]).await;
    let gone = policy::Event::RoleDeleted { role_id: role };
    world.append::<Policy>(by, org.tenant, [gone]).await;
    let path = format!("/rbac/roles/{role}");
    let then = world.body(&format!("{path}?as_of={}", granted - 1), &org.owner).await;
    assert_eq!(
        (&then["code"], &then["permissions"]),
        (&"reader".into(), &json!(["rbac.roles:read"]))
    );
    let then = world.body(&format!("{path}?as_of={granted}"), &org.owner).await;
    assert_eq!(then["permissions"], json!(["audit.trail:read", "rbac.roles:read"]));
    let history = world.body(&format!("{path}/history"), &org.owner).await;
    assert_eq!(
        column(&history, "type").last().map(String::as_str),
        Some("rbac.policy.role_deleted")
    );
    assert!(!history.to_string().contains(&other.to_string()), "of this role alone");
    let last = world.body(&format!("{path}/diff"), &org.owner).await;
    assert!(last["ops"].as_array().unwrap().iter().all(|op| op["op"] == "remove"));

    let key = Key::ALL.iter().find(|key| key.name() == "exports.kept_hours").unwrap();
    for hours in [24, 48] {
        let value = Setting::Integer(hours);
        let chosen = configuration::Event::SettingChosen { key: *key, value };
        world.append::<Configuration>(by, org.tenant, [chosen]).await;
    }
    let path = "/settings/exports.kept_hours";
    let then = world.body(&format!("{path}?at_version=1"), &org.owner).await;
    assert_eq!(then["value"], 24);
    let diff = world.body(&format!("{path}/diff"), &org.owner).await;
    assert_eq!((&diff["ops"][0]["from"], &diff["ops"][0]["value"]), (&24.into(), &48.into()));

    let path = format!("/organizations/{}", org.tenant);
    let then = world.body(&format!("{path}?at_version=1"), &org.owner).await;
    assert_eq!((&then["slug"], &then["currency"]), (&"acme".into(), &"EUR".into()));
    world.end().await;
}

#[tokio::test]
async fn units_permissions_and_flags_are_shown_as_they_were() {
    let world = World::without_projections().await;
    let org = world.org("acme").await;
    let by = (org.tenant, "system");
    let unit: UnitId = platform::clock::new_id();
    let added = organization::Event::UnitAdded {
        unit_id: unit,
        kind: UnitKind::Plant,
        code: "N".into(),
        name: "North".into(),
        parent_id: None,
        time_zone: None,
    };
    let first = world.append::<Organization>(by, org.tenant, [added]).await;
    let renamed = organization::Event::UnitRenamed { unit_id: unit, name: "Far north".into() };
    world.append::<Organization>(by, org.tenant, [renamed]).await;
    let path = format!("/organizations/{}/units/{unit}", org.tenant);
    let then = world.body(&format!("{path}?as_of={first}"), &org.owner).await;
    assert_eq!((&then["name"], &then["kind"]), (&"North".into(), &"plant".into()));
    let history = world.body(&format!("{path}/history"), &org.owner).await;
    let kinds = ["identity.organization.unit_added", "identity.organization.unit_renamed"];
    assert_eq!(column(&history, "type"), kinds);
    let diff = world.body(&format!("{path}/diff"), &org.owner).await;
    assert_eq!(diff["ops"][0]["value"], "Far north");

    let id: PermissionId = platform::clock::new_id();
    let created = policy::Event::PermissionCreated {
        permission_id: id,
        name: "shop.orders:read".into(),
        description: None,
        implies: vec![],
    };
    let first = world.append::<Policy>(by, org.tenant, [created]).await;
    let described = policy::Event::PermissionDescribed {
        permission_id: id,
        description: Some("See orders".into()),
    };
    world.append::<Policy>(by, org.tenant, [described]).await;
    let path = format!("/rbac/permissions/{id}");
    let then = world.body(&format!("{path}?as_of={first}"), &org.owner).await;
    assert_eq!((&then["name"], &then["description"]), (&"shop.orders:read".into(), &Value::Null));
    let diff = world.body(&format!("{path}/diff"), &org.owner).await;
    assert_eq!(
        (&diff["ops"][0]["op"], &diff["ops"][0]["value"]),
        (&"add".into(), &"See orders".into())
    );

    for rollout_pct in [10, 50] {
        let switched = configuration::Event::FlagSwitched {
            flag: Flag::Webhooks,
            enabled: true,
            rollout_pct,
            units: vec![],
        };
        world.append::<Configuration>(by, org.tenant, [switched]).await;
    }
    let then = world.body("/feature-flags/webhooks?at_version=1", &org.owner).await;
    assert_eq!((&then["flag"], &then["rollout_pct"]), (&"webhooks".into(), &10.into()));
    let diff = world.body("/feature-flags/webhooks/diff", &org.owner).await;
    assert_eq!((&diff["ops"][0]["from"], &diff["ops"][0]["value"]), (&10.into(), &50.into()));
    let nobody = world.person(org.tenant, "nobody").await;
    for path in [&*path, "/feature-flags/webhooks"] {
        let (status, _) = world.problem(&format!("{path}/history"), &nobody).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{path}");
    }
    world.end().await;
}

/// An item, a moment as a parameter, a member and its value then, and what has changed since.
type Then = (String, String, &'static str, Value, &'static str);

/// Something that happened to a key, an export, a backup and an exclusive set.
async fn items_with_a_past(world: &World, org: &Org) -> [Then; 4] {
    let by = (org.tenant, "system");
    let key: ApiKeyId = platform::clock::new_id();
    let created = api_key::Event::Created {
        owner_id: org.owner.user,
        name: "robot".into(),
        scope: vec!["audit.trail:read".into()],
        secret_sha256: "ab".repeat(32),
        expires_at: hours_from_now(1),
    };
    let renamed = api_key::Event::Revoked { reason: api_key::RevocationReason::Unneeded };
    world.append::<ApiKey>(by, key, [created, renamed]).await;
    let set: ExclusiveSetId = platform::clock::new_id();
    let roles: Vec<RoleId> = vec![world.role(org, "a", &[]).await, world.role(org, "b", &[]).await];
    let defined = policy::Event::ExclusiveRolesDefined {
        set_id: set,
        name: "Two".into(),
        roles: roles.into_iter().collect(),
        cardinality: 2,
    };
    let gone = policy::Event::ExclusiveRolesRemoved { set_id: set };
    let first = world.append::<Policy>(by, org.tenant, [defined]).await;
    world.append::<Policy>(by, org.tenant, [gone]).await;
    let export = world.export(&org.owner).await;
    let cancelled = export::Event::Cancelled;
    world.append::<Export>(by, export, [cancelled]).await;
    let backup: BackupId = platform::clock::new_id();
    let requested =
        backup::Event::Requested { name: "nightly".into(), scope: backup::Scope::Tenant };
    let started = backup::Event::Started { attempt: 1, worker: "w".into() };
    world.append::<Backup>(by, backup, [requested, started]).await;
    [
        (
            format!("/api-keys/{key}"),
            "at_version=1".to_owned(),
            "name",
            json!("robot"),
            "/revocation_reason",
        ),
        (
            format!("/rbac/exclusive-sets/{set}"),
            format!("as_of={first}"),
            "name",
            json!("Two"),
            "/cardinality",
        ),
        (
            format!("/exports/{export}"),
            "at_version=1".to_owned(),
            "status",
            json!("queued"),
            "/status",
        ),
        (
            format!("/backups/{backup}"),
            "at_version=1".to_owned(),
            "status",
            json!("queued"),
            "/attempts",
        ),
    ]
}

#[tokio::test]
async fn keys_exports_backups_and_exclusive_sets_are_shown_as_they_were() {
    let world = World::without_projections().await;
    let org = world.org("acme").await;
    let ann = world.person(org.tenant, "ann").await;
    for (path, then, member, value, changed) in items_with_a_past(&world, &org).await {
        let body = world.body(&format!("{path}?{then}"), &org.owner).await;
        assert_eq!(body[member], value, "{path}");
        let history = world.body(&format!("{path}/history"), &org.owner).await;
        assert_eq!(history["items"].as_array().map(Vec::len), Some(2), "{path}");
        assert!(!history.to_string().contains("abab"), "{path}");
        let diff = world.body(&format!("{path}/diff"), &org.owner).await;
        assert_eq!(diff["ops"][0]["path"], changed, "{path}");
        for query in ["?at_version=1", "/history", "/diff"] {
            let answer = world.get(&format!("{path}{query}"), &ann).send().await.unwrap();
            let status = answer.status();
            assert!(
                [StatusCode::FORBIDDEN, StatusCode::NOT_FOUND].contains(&status),
                "{path}{query}"
            );
        }
    }
    world.end().await;
}

#[tokio::test]
async fn what_is_personal_is_opened_in_histories_and_differences() {
    let world = World::without_projections().await;
    let org = world.org("acme").await;
    let ann = world.person(org.tenant, "ann").await;
    let mut renamed = encode(&user::Event::Renamed { display_name: "Ann B".into() }).unwrap();
    let stream = ann.user.to_string();
    let personal = Personal::new(world.master.clone());
    personal.seal_event(&world.log, (org.tenant, &stream), &mut renamed).await.unwrap();
    assert!(!renamed.payload.contains("Ann B"), "{}", renamed.payload);
    world.store::<User>((org.tenant, "system"), ann.user, vec![renamed]).await;
    let history = world.body(&format!("/users/{stream}/history"), &org.owner).await;
    assert_eq!(history["items"][1]["data"]["display_name"], "Ann B");
    let diff = world.body(&format!("/users/{stream}/diff"), &org.owner).await;
    assert_eq!(diff["ops"][0]["value"], "Ann B");
    world.end().await;
}

#[tokio::test]
async fn the_past_of_a_session_is_its_users_and_shows_no_secret() {
    let world = World::without_projections().await;
    let org = world.org("acme").await;
    let (ann, bob) = (world.person(org.tenant, "ann").await, world.person(org.tenant, "bob").await);
    let session: SessionId = platform::clock::new_id();
    let expires_at = platform::clock::now() + jiff::SignedDuration::from_hours(1);
    let started = session::Event::Started {
        user_id: ann.user,
        refresh_sha256: "a1".repeat(32),
        expires_at,
        amr: vec!["pwd".into()],
        ip: Some("192.0.2.7".into()),
        user_agent: Some("curl".into()),
        began_after: 0,
        issuer_id: None,
        issuer_endings: 0,
        token_sha256: None,
    };
    let revoked = session::Event::Revoked { reason: session::RevocationReason::Logout };
    world.append::<Session>((org.tenant, "system"), session, [started, revoked]).await;
    let path = format!("/sessions/{session}");
    for caller in [&ann, &org.owner] {
        let then = world.body(&format!("{path}?at_version=1"), caller).await;
        assert_eq!((&then["amr"], &then["revocation_reason"]), (&json!(["pwd"]), &Value::Null));
        let history = world.body(&format!("{path}/history"), caller).await;
        assert_eq!(history["items"][0]["data"]["ip"], "***");
        assert_eq!(history["items"][0]["data"]["refresh_sha256"], "***");
        let diff = world.body(&format!("{path}/diff"), caller).await;
        assert_eq!(diff["ops"][0]["path"], "/revocation_reason");
    }
    for query in ["?at_version=1", "/history", "/diff"] {
        let (status, _) = world.problem(&format!("{path}{query}"), &bob).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{query}");
    }
    world.end().await;
}
