//! Who may see what of a unit: whoever holds the permission there or above, as a check of it says.

use events::identity::organization::{self, Organization, UnitKind};
use events::rbac::policy::{self, Policy, RoleCreated};
use events::rbac::user_access::{self, UserAccess};
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
    assert_eq!(shown("/rbac/roles", &anna, "code").await, ["local"]);
    assert_eq!(shown("/rbac/roles", &bert, "code").await, [""; 0]);
    assert_eq!(shown("/rbac/roles", &cara, "code").await, ["local", "owner", "viewer"]);
    let holders = format!("/rbac/roles/{role}/users");
    for path in ["/rbac/assignments", &holders] {
        assert_eq!(shown(path, &anna, "unit_id").await, [units.north.to_string()], "{path}");
        assert_eq!(shown(path, &bert, "unit_id").await, [units.field.to_string()], "{path}");
    }
    let beyond = format!("/rbac/assignments?count=exact&filter=unit_id={}", units.field);
    assert_eq!(world.body(&beyond, &anna).await["page"]["total"]["value"], 0);
    assert_eq!(world.problem("/rbac/roles", &nobody).await.0, StatusCode::FORBIDDEN);
    // What is about the organisation as a whole stays with whoever may everywhere.
    for whole in ["/rbac/roles/hierarchy", "/rbac/effective-permissions", "/rbac/exclusive-sets"] {
        assert_eq!(world.problem(whole, &anna).await.0, StatusCode::FORBIDDEN, "{whole}");
    }
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
