//! The review functions of INCITS 359 over HTTP, on the project hierarchy of Sandhu et al. 1996 (RBAC96, figure 2).

use std::collections::BTreeMap;

use events::rbac::policy::{self, Policy};
use events::rbac::unit_access::Level;
use events::rbac::user_access::{self, UserAccess};
use events::{ExclusiveSetId, RoleId, UnitId};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{Org, Person, World, new};

const EDGES: [(&str, &str); 13] = [
    ("ed", "e"),
    ("e1", "ed"),
    ("pe1", "e1"),
    ("qe1", "e1"),
    ("pl1", "pe1"),
    ("pl1", "qe1"),
    ("e2", "ed"),
    ("pe2", "e2"),
    ("qe2", "e2"),
    ("pl2", "pe2"),
    ("pl2", "qe2"),
    ("dir", "pl1"),
    ("dir", "pl2"),
];

/// Every role with a permission of its own and one holder.
struct Project {
    org: Org,
    roles: BTreeMap<&'static str, RoleId>,
    holders: BTreeMap<&'static str, Person>,
    set: ExclusiveSetId,
}

impl Project {
    async fn begin(world: &World) -> Self {
        let org = world.org("lab").await;
        let by = (org.tenant, "system");
        let names = EDGES.iter().flat_map(|(senior, junior)| [*senior, *junior]);
        let (mut roles, mut holders) = (BTreeMap::new(), BTreeMap::new());
        for name in names {
            if roles.contains_key(name) {
                continue;
            }
            let permission = format!("work.{name}:do");
            let made = policy::Event::PermissionCreated {
                permission_id: new(),
                name: permission.clone(),
                description: None,
                implies: Vec::new(),
            };
            world.append::<Policy>(by, org.tenant, [made]).await;
            let role = world.role(&org, name, &[&permission]).await;
            let person = world.person(org.tenant, &format!("of-{name}")).await;
            world.assign(&org, person.user, role).await;
            roles.insert(name, role);
            holders.insert(name, person);
        }
        let inherits = EDGES.iter().map(|(senior, junior)| policy::Event::InheritanceAdded {
            senior_id: roles[senior],
            junior_id: roles[junior],
        });
        let set = new();
        let excluding = policy::Event::ExclusiveRolesDefined {
            set_id: set,
            name: "projects".into(),
            roles: vec![roles["pe1"], roles["pe2"]],
            cardinality: 2,
        };
        world.append::<Policy>(by, org.tenant, inherits.chain([excluding])).await;
        world.settled().await;
        Self { org, roles, holders, set }
    }

    async fn ask(&self, world: &World, path: &str) -> Value {
        world.body(&format!("/rbac/incits359{path}"), &self.org.owner).await
    }

    /// The names of the roles or of the holders that an answer lists.
    async fn named(&self, world: &World, path: &str) -> Vec<&'static str> {
        let answer = self.ask(world, path).await;
        let items = answer["items"].as_array().unwrap();
        let roles = self.roles.iter().map(|(name, id)| (json!(id), *name));
        let holders = self.holders.iter().map(|(name, person)| (json!(person.user), *name));
        let known: Vec<(Value, &str)> = roles.chain(holders).collect();
        let name = |item| known.iter().find(|(id, _)| id == item).map(|(_, name)| *name);
        let mut found: Vec<_> = items.iter().map(|item| name(item).unwrap()).collect();
        found.sort_unstable();
        found
    }

    fn role(&self, name: &str) -> String {
        format!("/roles/{}", self.roles[name])
    }

    fn user(&self, name: &str) -> String {
        format!("/users/{}", self.holders[name].user)
    }
}

#[tokio::test]
async fn every_review_function_is_answered_by_its_name() {
    let world = World::start().await;
    let lab = Project::begin(&world).await;
    let named = async |path: String| lab.named(&world, &path).await;
    let items = async |path: String| lab.ask(&world, &path).await["items"].clone();

    let (e1, pl1) = (lab.role("e1"), lab.role("pl1"));
    assert_eq!(named(format!("{e1}/assigned-users")).await, ["e1"]);
    let authorized_users = named(format!("{e1}/authorized-users")).await;
    assert_eq!(authorized_users, ["dir", "e1", "pe1", "pl1", "qe1"], "and none of E2's");
    assert_eq!(named(format!("{}/assigned-roles", lab.user("pl1"))).await, ["pl1"]);
    let authorized_roles = named(format!("{}/authorized-roles", lab.user("pl1"))).await;
    assert_eq!(authorized_roles, ["e", "e1", "ed", "pe1", "pl1", "qe1"]);
    let of_e1 = ["work.e1:do", "work.e:do", "work.ed:do"];
    assert_eq!(items(format!("{e1}/permissions")).await, json!(of_e1));
    assert_eq!(items(format!("{}/permissions", lab.user("e1"))).await, json!(of_e1));
    assert_eq!(items(format!("{pl1}/operations/work.qe1")).await, json!(["do"]));
    assert_eq!(items(format!("{pl1}/operations/work.qe2")).await, json!([]));
    let of_dir = format!("{}/operations/work.qe2", lab.user("dir"));
    assert_eq!(items(of_dir).await, json!(["do"]));
    assert_eq!(items("/ssd-sets".into()).await, json!([lab.set]));
    assert_eq!(named(format!("/ssd-sets/{}/roles", lab.set)).await, ["pe1", "pe2"]);
    let cardinality = lab.ask(&world, &format!("/ssd-sets/{}/cardinality", lab.set)).await;
    assert_eq!(cardinality["cardinality"], 2);
    world.end().await;
}

#[tokio::test]
async fn review_functions_page_look_back_and_know_access_to_units_and_who_may_ask() {
    let world = World::start().await;
    let lab = Project::begin(&world).await;
    let by = (lab.org.tenant, "system");
    let before = world.unassign(&lab.org, lab.holders["qe1"].user, lab.roles["qe1"]).await - 1;
    let reader = world.role(&lab.org, "unit-read", &["work.e:do"]).await;
    let (unit_id, level, expires_at): (UnitId, _, _) = (new(), Level::Read, None);
    let granted = user_access::Event::UnitAccessGranted { unit_id, level, expires_at };
    world.append::<UserAccess>(by, lab.holders["pe2"].user, [granted]).await;
    world.settled().await;

    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let path = format!("{}/authorized-users?limit=2{after}", lab.role("e1"));
        let page = lab.ask(&world, &path).await;
        seen.extend(page["items"].as_array().unwrap().clone());
        let Some(next) = page["page"]["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    assert_eq!(seen.len(), 4, "the holder of QE1 has it no longer");
    let readers = lab.named(&world, &format!("/roles/{reader}/assigned-users")).await;
    assert_eq!(readers, ["pe2"], "access to a unit is the role of its level there");
    let then = format!("{}/assigned-roles?as_of={before}", lab.user("qe1"));
    assert_eq!(lab.named(&world, &then).await, ["qe1"]);
    assert!(lab.named(&world, &format!("{}/assigned-roles", lab.user("qe1"))).await.is_empty());

    let (e1, pl1) = (&lab.holders["e1"], &lab.holders["pl1"]);
    let own = format!("/rbac/incits359/users/{}/authorized-roles", e1.user);
    assert_eq!(world.get(&own, e1).send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(world.get(&own, pl1).send().await.unwrap().status(), StatusCode::FORBIDDEN);
    for absent in ["/users/{}/permissions", "/roles/{}/permissions", "/ssd-sets/{}/roles"] {
        let path = format!("/rbac/incits359{}", absent.replace("{}", &new::<RoleId>().to_string()));
        let answer = world.get(&path, &lab.org.owner).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
    }
    world.end().await;
}
