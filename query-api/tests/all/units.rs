//! Who may see what of a unit: whoever holds the permission there or above, as a check of it says.

use events::identity::organization::{self, Organization, UnitKind};
use events::rbac::policy::{self, Policy, RoleCreated};
use events::rbac::user_access::{self, UserAccess};
use events::settings::Key;
use events::settings::configuration::{self, Configuration};
use events::{RoleId, UnitId, UserId};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Org, Person, World, column, json as body_of, new};

/// Units of an organisation: North with Hall, South with Field.
struct Units {
    north: UnitId,
    hall: UnitId,
    south: UnitId,
    field: UnitId,
}

async fn units(world: &World, org: &Org) -> Units {
    let units = Units { north: new(), hall: new(), south: new(), field: new() };
    let added = |unit_id, code: &str, parent_id| organization::Event::UnitAdded {
        unit_id,
        kind: UnitKind::Site,
        code: code.into(),
        name: code.into(),
        parent_id,
        time_zone: None,
    };
    let events = [
        added(units.north, "north", None),
        added(units.hall, "hall", Some(units.north)),
        added(units.south, "south", None),
        added(units.field, "field", Some(units.south)),
    ];
    let by = (org.tenant, &*org.owner.user.to_string());
    world.append::<Organization>(by, org.tenant, events).await;
    units
}

async fn hold(world: &World, org: &Org, user: UserId, role_id: RoleId, unit_id: Option<UnitId>) {
    let assigned = user_access::Event::RoleAssigned { role_id, unit_id, expires_at: None };
    let by = (org.tenant, &*org.owner.user.to_string());
    world.append::<UserAccess>(by, user, [assigned]).await;
}

/// Whether a check says that the caller may see the organisation in a unit.
async fn checked(world: &World, person: &Person, permission: &str, unit: UnitId) -> bool {
    let check = json!({"permission": permission, "unit_id": unit});
    let asked = world.ask(Method::POST, "/rbac/check", Some(person)).json(&check);
    body_of(asked.send().await.unwrap()).await["allowed"].as_bool().unwrap()
}

#[tokio::test]
async fn a_unit_is_shown_to_whom_a_check_of_it_allows_and_lists_hold_no_others() {
    let world = World::start().await;
    let org = world.org("acme").await;
    let units = units(&world, &org).await;
    let (read, path) =
        ("identity.organizations:read", format!("/organizations/{}/units", org.tenant));
    let role =
        world.role(&org, "viewer", &[read, "rbac.assignments:read", "rbac.roles:read"]).await;
    let (anna, bert) =
        (world.person(org.tenant, "anna").await, world.person(org.tenant, "bert").await);
    let cara = world.person(org.tenant, "cara").await;
    hold(&world, &org, anna.user, role, Some(units.north)).await;
    hold(&world, &org, bert.user, role, Some(units.field)).await;
    hold(&world, &org, cara.user, role, None).await;
    let local = RoleCreated {
        role_id: new(),
        name: "Local".into(),
        code: "local".into(),
        description: None,
        level: 5,
        unit_id: Some(units.hall),
        system: false,
        protected: false,
    };
    let made = policy::Event::RoleCreated(local);
    world.append::<Policy>((org.tenant, "system"), org.tenant, [made]).await;
    world.settled().await;

    let nobody = world.person(org.tenant, "nobody").await;
    let every = [units.north, units.hall, units.south, units.field, new()];
    for person in [&anna, &bert, &cara, &org.owner, &nobody] {
        for unit in every {
            let allowed = checked(&world, person, read, unit).await;
            for path in [format!("{path}/{unit}"), format!("{path}/{unit}/history")] {
                let status = world.get(&path, person).send().await.unwrap().status();
                assert_eq!(status == StatusCode::OK, allowed, "{path}: {status}");
            }
        }
    }
    let shown = async |path: &str, person: &Person, name: &str| {
        let mut shown = column(&world.body(path, person).await, name);
        shown.sort();
        shown
    };
    assert_eq!(shown(&path, &anna, "code").await, ["hall", "north"]);
    assert_eq!(shown(&path, &bert, "code").await, ["field"]);
    assert_eq!(shown(&path, &cara, "code").await, ["field", "hall", "north", "south"]);
    // A role of no unit counts in each, so it is seen from each.
    assert_eq!(shown("/rbac/roles", &anna, "code").await, ["local", "owner", "viewer"]);
    assert_eq!(shown("/rbac/roles", &bert, "code").await, ["owner", "viewer"]);
    assert_eq!(shown("/rbac/roles", &cara, "code").await, ["local", "owner", "viewer"]);
    let holders = format!("/rbac/roles/{role}/users");
    let of_permissions = "/rbac/effective-permissions?permission=rbac.roles:read";
    for path in ["/rbac/assignments", &holders, of_permissions] {
        assert_eq!(shown(path, &anna, "unit_id").await, [units.north.to_string()], "{path}");
        assert_eq!(shown(path, &bert, "unit_id").await, [units.field.to_string()], "{path}");
    }
    let beyond = format!("/rbac/assignments?count=exact&filter=unit_id={}", units.field);
    assert_eq!(world.body(&beyond, &anna).await["page"]["total"]["value"], 0);
    assert_eq!(world.problem("/rbac/roles", &nobody).await.0, StatusCode::FORBIDDEN);
    // What is about the organisation as a whole stays with whoever may everywhere.
    for whole in ["/rbac/roles/hierarchy", "/rbac/exclusive-sets", "/rbac/review?from=1"] {
        let (status, refused) = world.problem(whole, &anna).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{whole}");
        let said = refused["detail"].as_str().unwrap();
        assert!(said.starts_with("this is about the organisation as a whole"), "{whole}: {said}");
        let (_, refused) = world.problem(whole, &nobody).await;
        assert!(refused["detail"].as_str().unwrap().starts_with("you need the permission"));
    }
    world.end().await;
}

#[tokio::test]
async fn a_role_is_shown_with_its_past_where_it_counts() {
    let world = World::start().await;
    let org = world.org("acme").await;
    let units = units(&world, &org).await;
    let role = world.role(&org, "viewer", &["rbac.roles:read"]).await;
    let (anna, nobody) =
        (world.person(org.tenant, "anna").await, world.person(org.tenant, "nobody").await);
    hold(&world, &org, anna.user, role, Some(units.north)).await;
    let local = |code: &str, unit_id| RoleCreated {
        role_id: new(),
        name: code.to_uppercase(),
        code: code.into(),
        description: None,
        level: 5,
        unit_id: Some(unit_id),
        system: false,
        protected: false,
    };
    let (hall, south) = (local("hall", units.hall), local("south", units.south));
    let (within, beyond) = (hall.role_id, south.role_id);
    let made = [policy::Event::RoleCreated(hall), policy::Event::RoleCreated(south)];
    world.append::<Policy>((org.tenant, "system"), org.tenant, made).await;
    world.settled().await;
    for (person, id, expected) in [
        (&anna, role, StatusCode::OK),
        (&anna, within, StatusCode::OK),
        (&anna, beyond, StatusCode::NOT_FOUND),
        (&anna, new(), StatusCode::NOT_FOUND),
        (&org.owner, beyond, StatusCode::OK),
        (&nobody, role, StatusCode::FORBIDDEN),
        (&nobody, within, StatusCode::FORBIDDEN),
    ] {
        for part in ["", "/permissions", "/history", "/diff?from=0", "?at_version=8"] {
            let path = format!("/rbac/roles/{id}{part}");
            let status = world.get(&path, person).send().await.unwrap().status();
            assert_eq!(status, expected, "{path}");
        }
    }
    world.end().await;
}

#[tokio::test]
async fn settings_of_a_unit_are_shown_to_whom_may_see_them_there() {
    let world = World::start().await;
    let org = world.org("acme").await;
    let units = units(&world, &org).await;
    let role = world.role(&org, "setter", &["settings.settings:read"]).await;
    let (anna, nobody) =
        (world.person(org.tenant, "anna").await, world.person(org.tenant, "nobody").await);
    hold(&world, &org, anna.user, role, Some(units.north)).await;
    for unit in [units.hall, units.south] {
        let letter = configuration::Event::SettingChosen {
            key: Key::ExportsPaper,
            value: events::settings::Value::Text("letter".into()),
        };
        world.append::<Configuration>((org.tenant, "system"), unit, [letter]).await;
    }
    world.settled().await;
    for (unit, allowed) in [
        (Some(units.north), true),
        (Some(units.hall), true),
        (Some(units.south), false),
        (Some(new()), false),
        (None, false),
    ] {
        let of_unit = unit.map(|unit| format!("unit_id={unit}")).unwrap_or_default();
        for path in ["/settings", "/settings/exports.paper"] {
            let path = format!("{path}?{of_unit}");
            let answer = world.get(&path, &anna).send().await.unwrap();
            let expected = if allowed { StatusCode::OK } else { StatusCode::FORBIDDEN };
            assert_eq!(answer.status(), expected, "{path}");
            assert_eq!(world.problem(&path, &nobody).await.0, StatusCode::FORBIDDEN, "{path}");
        }
    }
    let past = |unit: UnitId| format!("/settings/exports.paper/history?unit_id={unit}");
    assert_eq!(world.body(&past(units.hall), &anna).await["items"][0]["version"], 1);
    assert_eq!(world.problem(&past(units.south), &anna).await.0, StatusCode::FORBIDDEN);
    let whole = "/settings/exports.paper/history";
    assert_eq!(world.problem(whole, &anna).await.0, StatusCode::FORBIDDEN);
    let chosen = world.body("/settings/chosen", &anna).await;
    assert_eq!(column(&chosen, "unit_id"), [units.hall.to_string()]);
    let (status, refused) = world.problem("/settings", &anna).await;
    let said = refused["detail"].as_str().unwrap();
    assert!(said.starts_with("this is about the organisation as a whole"), "{status}: {said}");
    world.end().await;
}

#[tokio::test]
async fn what_others_may_in_a_unit_is_told_whom_may_see_it_there() {
    let world = World::start().await;
    let org = world.org("acme").await;
    let units = units(&world, &org).await;
    let role = world.role(&org, "viewer", &["rbac.assignments:read"]).await;
    let (anna, bert) =
        (world.person(org.tenant, "anna").await, world.person(org.tenant, "bert").await);
    let nobody = world.person(org.tenant, "nobody").await;
    hold(&world, &org, anna.user, role, Some(units.north)).await;
    for unit in [units.hall, units.south] {
        hold(&world, &org, bert.user, role, Some(unit)).await;
    }
    world.settled().await;
    let of_bert = |unit: Option<UnitId>| {
        let unit = unit.map(|unit| format!("?unit_id={unit}")).unwrap_or_default();
        format!("/rbac/users/{}/permissions{unit}", bert.user)
    };
    for (unit, allowed) in [(units.hall, true), (units.north, true), (units.south, false)] {
        let answer = world.get(&of_bert(Some(unit)), &anna).send().await.unwrap();
        assert_eq!(answer.status().is_success(), allowed, "{unit}");
        let check =
            json!({"permission": "rbac.assignments:read", "unit_id": unit, "user_id": bert.user});
        let asked = world.ask(Method::POST, "/rbac/check", Some(&anna)).json(&check);
        assert_eq!(asked.send().await.unwrap().status().is_success(), allowed, "{unit}");
    }
    let there = world.body(&of_bert(Some(units.hall)), &anna).await;
    assert_eq!(there["permissions"], json!(["rbac.assignments:read"]));
    assert_eq!(world.body(&of_bert(Some(units.north)), &anna).await["permissions"], json!([]));
    assert_eq!(world.problem(&of_bert(None), &anna).await.0, StatusCode::FORBIDDEN);
    let roles = format!("/rbac/users/{}/roles", bert.user);
    assert_eq!(column(&world.body(&roles, &anna).await, "unit_id"), [units.hall.to_string()]);
    assert_eq!(world.body(&roles, &bert).await["items"].as_array().unwrap().len(), 2);
    for path in [roles, of_bert(None), of_bert(Some(units.hall))] {
        assert_eq!(world.problem(&path, &nobody).await.0, StatusCode::FORBIDDEN, "{path}");
    }
    world.end().await;
}

#[tokio::test]
async fn exports_are_for_whom_may_ask_for_them_in_a_unit_and_show_their_own() {
    let world = World::start().await;
    let org = world.org("acme").await;
    let units = units(&world, &org).await;
    let role =
        world.role(&org, "exporter", &["exports.files:request", "rbac.assignments:read"]).await;
    let anna = world.person(org.tenant, "anna").await;
    hold(&world, &org, anna.user, role, Some(units.north)).await;
    let (own, others) = (world.export(&anna).await, world.export(&org.owner).await);
    world.settled().await;
    assert_eq!(column(&world.body("/exports", &anna).await, "export_id"), [own.to_string()]);
    for (id, status) in [(own, StatusCode::OK), (others, StatusCode::NOT_FOUND)] {
        for path in ["/exports", "/exports/jobs", "/jobs"] {
            let path = format!("{path}/{id}");
            assert_eq!(world.get(&path, &anna).send().await.unwrap().status(), status, "{path}");
        }
    }
    let offered = column(&world.body("/exports/datasets", &anna).await, "name");
    assert!(offered.contains(&"rbac.assignments".to_owned()), "{offered:?}");
    assert!(!offered.contains(&"identity.users".to_owned()), "{offered:?}");
    world.end().await;
}

#[tokio::test]
async fn what_one_may_in_a_unit_can_be_asked() {
    let world = World::without_projections().await;
    let org = world.org("acme").await;
    let units = units(&world, &org).await;
    let anna = world.person(org.tenant, "anna").await;
    let role = world.role(&org, "viewer", &["rbac.roles:read"]).await;
    hold(&world, &org, anna.user, role, Some(units.north)).await;
    let mine = async |unit: Option<UnitId>| {
        let query = unit.map(|unit| format!("?unit_id={unit}")).unwrap_or_default();
        world.body(&format!("/me/permissions{query}"), &anna).await
    };
    assert_eq!(mine(None).await["permissions"], json!([]));
    assert_eq!(mine(None).await["unit_id"], Value::Null);
    let below = mine(Some(units.hall)).await;
    assert_eq!(below["permissions"], json!(["rbac.roles:read"]));
    assert_eq!(below["unit_id"], json!(units.hall));
    assert_eq!(mine(Some(units.south)).await["permissions"], json!([]));
    let unknown = format!("/me/permissions?unit_id={}", new::<UnitId>());
    assert_eq!(world.problem(&unknown, &anna).await.0, StatusCode::NOT_FOUND);
    world.end().await;
}
