//! The resolver against one that is slow, obvious and written from the rules alone.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;

/// What a random organisation is made of, before any of it is folded.
#[derive(Debug, Clone)]
struct World {
    roles: Vec<(Option<usize>, Vec<&'static str>)>,
    edges: Vec<(usize, usize)>,
    implies: Vec<Vec<Index>>,
    retired: BTreeSet<usize>,
    deleted: BTreeSet<usize>,
    assigned: Vec<(usize, Option<usize>, i8)>,
    protected: Vec<(usize, Option<usize>, i8)>,
}

const CUSTOM: [&str; 6] = [
    "shop.till:see",
    "shop.till:open",
    "shop.door:open",
    "shop:open",
    "lab.cold.box:see",
    "lab.cold:see",
];

const ASKED: [&str; 12] = [
    "shop.till:see",
    "shop.till:open",
    "shop.door:open",
    "shop:open",
    "lab.cold.box:see",
    "lab.cold:see",
    "rbac.roles:read",
    "rbac.roles:manage",
    "audit.trail:read",
    "exports.files:request",
    "shop.till:close",
    "rbac.roles:fly",
];

const GRANTABLE: [&str; 16] = [
    "shop.till:see",
    "shop.till:open",
    "shop.door:open",
    "shop:open",
    "lab.cold.box:see",
    "lab.cold:see",
    "rbac.roles:read",
    "rbac.roles:manage",
    "audit.trail:read",
    "*:*",
    "*:read",
    "*:open",
    "shop.*:*",
    "shop.till:*",
    "lab.*:see",
    "lab.cold.*:*",
];

const ROLES: usize = 8;

/// A tree of units: 1 and 2 under 0, 3 under 1.
const PATHS: [&[usize]; 5] = [&[], &[0], &[1, 0], &[2, 0], &[3, 1, 0]];

fn unit(number: usize) -> UnitId {
    id(200 + number as u128)
}

fn assignments() -> impl Strategy<Value = Vec<(usize, Option<usize>, i8)>> {
    let assignment = (0..ROLES, prop::option::weighted(0.4, 0..4_usize), -1..=1_i8);
    prop::collection::vec(assignment, 0..4)
}

fn world() -> impl Strategy<Value = World> {
    let grants = prop::collection::vec(select(&GRANTABLE[..]), 0..3);
    let role = (prop::option::weighted(0.2, 0..4_usize), grants);
    let edge = (1..ROLES).prop_flat_map(|senior| (Just(senior), 0..senior));
    let implied = prop::collection::vec(any::<Index>(), 0..2);
    (
        prop::collection::vec(role, ROLES),
        prop::collection::vec(edge, 0..10),
        prop::collection::vec(implied, CUSTOM.len()),
        prop::collection::btree_set(0..CUSTOM.len(), 0..2),
        prop::collection::btree_set(0..ROLES, 0..2),
        assignments(),
        assignments(),
    )
        .prop_map(|(roles, edges, implies, retired, deleted, assigned, protected)| World {
            roles,
            edges,
            implies,
            retired,
            deleted,
            assigned,
            protected,
        })
}

impl World {
    /// A permission implies some of those made before it and one of the catalogue.
    fn implied(&self, permission: usize) -> Vec<&'static str> {
        let earlier = &ASKED[..permission];
        let of = |index: &Index| (permission > 0).then(|| earlier[index.index(permission)]);
        let mut implied: Vec<_> = self.implies[permission].iter().filter_map(of).collect();
        if permission == 3 {
            implied.push("audit.trail:read");
        }
        implied
    }

    fn policy(&self) -> Policy {
        let permissions = CUSTOM.iter().enumerate();
        let permissions =
            permissions.map(|(n, name)| made(400 + n as u128, name, &self.implied(n)));
        let retired = self.retired.iter();
        let retired =
            retired.map(|n| Event::PermissionRetired { permission_id: id(400 + *n as u128) });
        let roles = self.roles.iter().enumerate().flat_map(|(n, (unit_id, grants))| {
            let level = u16::try_from(n).unwrap();
            let role = RoleCreated { unit_id: unit_id.map(unit), ..created(n as u128, level) };
            let grants = grants.iter().map(move |grant| granted(n as u128, grant));
            [Event::RoleCreated(role)].into_iter().chain(grants)
        });
        let edges = self.edges.iter().map(|(s, j)| inherits(*s as u128, *j as u128));
        let deleted = self.deleted.iter();
        let deleted = deleted.map(|n| Event::RoleDeleted { role_id: role(*n as u128) });
        let protected = self.protected.iter().map(|assigned| {
            let Assignment { role_id, unit_id, expires_at } = assignment(assigned);
            Event::ProtectedRoleGranted { user_id: id(1), role_id, unit_id, expires_at }
        });
        policy(permissions.chain(retired).chain(roles).chain(edges).chain(protected).chain(deleted))
    }

    fn access(&self) -> UserAccess {
        access(self.assigned.iter().map(assignment))
    }

    /// Whether user 1 may, by the rules read one after the other.
    fn may(&self, asked: &str, path: &[usize]) -> bool {
        let exists = |n: usize| !self.deleted.contains(&n);
        let on_path = |unit: Option<usize>| unit.is_none_or(|unit| path.contains(&unit));
        let all = self.assigned.iter().chain(&self.protected);
        let live = all.filter(|(_, unit, end)| *end != -1 && on_path(*unit));
        let counts = |n: usize| exists(n) && on_path(self.roles[n].0);
        let mut roles: BTreeSet<usize> = live.map(|(n, ..)| *n).filter(|n| counts(*n)).collect();
        for _ in 0..ROLES {
            let juniors = self.edges.iter().filter(|(s, j)| roles.contains(s) && counts(*j));
            let juniors: Vec<_> = juniors.map(|(_, junior)| *junior).collect();
            roles.extend(juniors);
        }
        let is_custom = |name: &str| CUSTOM.iter().position(|custom| *custom == name);
        let usable = |name: &str| match is_custom(name) {
            Some(n) => !self.retired.contains(&n),
            None => Permission::ALL.iter().any(|permission| permission.name() == name),
        };
        let granted: Vec<_> = roles.iter().flat_map(|n| self.roles[*n].1.clone()).collect();
        let mut held: BTreeSet<&str> = ASKED
            .into_iter()
            .filter(|name| usable(name) && granted.iter().any(|grant| matches(grant, name)))
            .collect();
        for _ in 0..CUSTOM.len() {
            let implied = held.iter().filter_map(|name| is_custom(name));
            let implied: Vec<_> = implied.flat_map(|n| self.implied(n)).collect();
            held.extend(implied.into_iter().filter(|name| usable(name)));
        }
        held.contains(asked)
    }
}

fn assignment((number, unit_id, end): &(usize, Option<usize>, i8)) -> Assignment {
    let expires_at = match end {
        -1 => Some(context().now),
        0 => None,
        _ => Some(at("2026-02-01T00:00:00Z")),
    };
    held(*number as u128, unit_id.map(unit), expires_at)
}

/// Patterns by their words, segment after segment.
fn matches(grant: &str, name: &str) -> bool {
    let split = |text: &str| -> (Vec<String>, String) {
        let (resource, action) = text.split_once(':').unwrap();
        (resource.split('.').map(str::to_owned).collect(), action.to_owned())
    };
    let ((resource, action), (of, to)) = (split(grant), split(name));
    let resource = match resource.split_last() {
        Some((last, stem)) if last == "*" => of.len() > stem.len() && of.starts_with(stem),
        _ => resource == of,
    };
    resource && (action == "*" || action == to)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn set_and_reasons_agree_with_the_naive_resolver(world in world()) {
        let (policy, access) = (world.policy(), world.access());
        for path in PATHS {
            let unit_path: Vec<_> = path.iter().map(|number| unit(*number)).collect();
            let holder = Holder { unit_path: &unit_path, ..holder(&policy, &access) };
            let effective = holder.effective();
            let listed = names(&effective);
            let written = serde_json::to_string(&effective).unwrap();
            let read: Effective = serde_json::from_str(&written).unwrap();
            prop_assert_eq!(names(&read), listed.clone());
            prop_assert_eq!(read.valid_until(), effective.valid_until());
            prop_assert_eq!(serde_json::to_string(&read).unwrap(), written);
            for asked in ASKED {
                prop_assert_eq!(read.allows(asked), effective.allows(asked), "{}", asked);
                let expected = world.may(asked, path);
                prop_assert_eq!(effective.allows(asked), expected, "{} at {:?}", asked, path);
                prop_assert_eq!(listed.iter().any(|name| name == asked), expected, "{}", asked);
                let verdict = holder.explain(asked);
                prop_assert_eq!(verdict.is_allowed(), expected, "{}: {:?}", asked, verdict);
                check_reasons(&policy, &holder, asked, &verdict)?;
            }
            for grant in GRANTABLE {
                prop_assert_eq!(read.contains(grant), effective.contains(grant), "{}", grant);
            }
        }
    }
}

/// Every reason given must itself be true.
fn check_reasons(
    policy: &Policy,
    holder: &Holder<'_>,
    asked: &str,
    verdict: &Verdict,
) -> Result<(), TestCaseError> {
    let Verdict::Allow(grounds) = verdict else { return Ok(()) };
    let user: UserId = id(1);
    let all =
        if grounds.protected { policy.protected_grants(user) } else { holder.access.assignments() };
    prop_assert!(all.contains(&grounds.assignment));
    prop_assert_eq!(grounds.role_path.first(), Some(&grounds.assignment.role_id));
    for pair in grounds.role_path.windows(2) {
        prop_assert!(policy.role(pair[0]).unwrap().juniors.contains(&pair[1]));
    }
    let last = grounds.role_path.last().and_then(|id| policy.role(*id)).unwrap();
    prop_assert!(last.grants.contains(&grounds.granted));
    prop_assert!(matches(&grounds.granted, &grounds.implied[0]));
    prop_assert_eq!(grounds.implied.last().map(String::as_str), Some(asked));
    for pair in grounds.implied.windows(2) {
        let implies = &policy.custom_permission(&pair[0]).unwrap().implies;
        prop_assert!(implies.iter().any(|name| **name == *pair[1]));
    }
    Ok(())
}
