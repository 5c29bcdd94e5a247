//! Roles that exclude each other, access to units, templates and chains of permissions, as questions show them.

use events::identity::organization::{self, Organization, UnitKind};
use events::rbac::policy::{self, Policy};
use events::rbac::unit_access::Level;
use events::rbac::user_access::{self, UserAccess};
use events::{ExclusiveSetId, UnitId};
use platform::clock;
use reqwest::Method;
use serde_json::json;

use crate::support::{World, column, json};

#[tokio::test]
async fn access_to_a_unit_is_listed_and_counts_as_the_role_of_its_level() {
    let world = World::start().await;
    let org = world.org("acme").await;
    let anna = world.person(org.tenant, "anna").await;
    let reader = world.role(&org, "unit-read", &["audit.trail:read"]).await;
    let unit_id: UnitId = clock::new_id();
    let added = organization::Event::UnitAdded {
        unit_id,
        kind: UnitKind::Plant,
        code: "north".into(),
        name: "North".into(),
        parent_id: None,
        time_zone: None,
    };
    let by = (org.tenant, "system");
    world.append::<Organization>(by, org.tenant, [added]).await;
    let (level, expires_at) = (Level::Read, None);
    let granted = user_access::Event::UnitAccessGranted { unit_id, level, expires_at };
    world.append::<UserAccess>(by, anna.user, [granted]).await;
    world.settled().await;
    let plants = world.body(&format!("/rbac/users/{}/plants", anna.user), &anna).await;
    assert_eq!(plants["items"][0]["unit_id"], json!(unit_id));
    assert_eq!(plants["items"][0]["level"], "read");
    let path = format!("/rbac/effective-permissions?filter=user_id={}", anna.user);
    let written_out = world.body(&path, &org.owner).await;
    assert_eq!(column(&written_out, "permission"), ["audit.trail:read"]);
    assert_eq!(written_out["items"][0]["unit_id"], json!(unit_id));
    assert_eq!(written_out["items"][0]["role_id"], json!(reader));
    let check = |unit: Option<UnitId>| {
        let body = json!({"permission": "audit.trail:read", "unit_id": unit});
        world.ask(Method::POST, "/rbac/check", Some(&anna)).json(&body).send()
    };
    assert_eq!(json(check(Some(unit_id)).await.unwrap()).await["allowed"], true);
    assert_eq!(json(check(None).await.unwrap()).await["allowed"], false);
    world.end().await;
}

#[tokio::test]
async fn roles_that_exclude_each_other_are_listed_and_shown() {
    let world = World::start().await;
    let org = world.org("acme").await;
    let (books, audit) =
        (world.role(&org, "books", &[]).await, world.role(&org, "audit", &[]).await);
    let set_id: ExclusiveSetId = clock::new_id();
    let (name, roles) = ("Books and audit".to_owned(), vec![books, audit]);
    let defined = policy::Event::ExclusiveRolesDefined { set_id, name, roles, cardinality: 2 };
    world.append::<Policy>((org.tenant, "system"), org.tenant, [defined]).await;
    world.settled().await;
    let sets = world.body("/rbac/exclusive-sets", &org.owner).await;
    assert_eq!(sets["items"][0]["roles"], json!([books, audit]));
    let set = world.body(&format!("/rbac/exclusive-sets/{set_id}"), &org.owner).await;
    assert_eq!((&set["name"], &set["cardinality"]), (&json!("Books and audit"), &json!(2)));
    world.end().await;
}

#[tokio::test]
async fn permissions_are_shown_with_what_comes_with_them_and_lists_with_what_they_lack() {
    let world = World::start().await;
    let org = world.org("acme").await;
    let made = |name: &str, implies: &[&str]| policy::Event::PermissionCreated {
        permission_id: clock::new_id(),
        name: name.into(),
        description: None,
        implies: implies.iter().map(|&name| name.into()).collect(),
    };
    let events = [
        made("shop.orders:read", &[]),
        made("shop.orders:update", &[]),
        made("shop.orders:manage", &["shop.orders:update", "shop.orders:read"]),
    ];
    world.append::<Policy>((org.tenant, "system"), org.tenant, events).await;
    let nodes = world.body("/rbac/permissions/hierarchy", &org.owner).await;
    let items = nodes["items"].as_array().unwrap();
    let manage = items.iter().find(|node| node["name"] == "shop.orders:manage").unwrap();
    assert_eq!(manage["implies_all"], json!(["shop.orders:read", "shop.orders:update"]));
    let validate = |permissions: &[&str]| {
        let body = json!({ "permissions": permissions });
        let path = "/rbac/permissions/validate";
        world.ask(Method::POST, path, Some(&org.owner)).json(&body).send()
    };
    let lacking = json(validate(&["shop.orders:update"]).await.unwrap()).await;
    assert_eq!(lacking["valid"], false);
    let gap = json!({"permission": "shop.orders:update", "fault": "needs", "prerequisite": "shop.orders:read"});
    assert_eq!(lacking["gaps"], json!([gap]));
    assert_eq!(json(validate(&["shop.orders:manage"]).await.unwrap()).await["valid"], true);
    let templates = world.body("/rbac/templates", &org.owner).await;
    assert_eq!(
        column(&templates, "template"),
        ["school", "maintenance", "manufacturing", "booking"]
    );
    world.end().await;
}
