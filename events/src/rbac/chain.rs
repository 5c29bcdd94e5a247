//! Chains of permissions: what comes with which, and what a list of permissions still needs to be of use.

use std::collections::BTreeSet;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::name::{self, Form};
use super::policy::Policy;

/// The action that the others on a resource build on.
const READ: &str = "read";

/// What is wrong with one permission of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Gap {
    /// The permission.
    pub permission: String,
    /// What is wrong with it.
    #[serde(flatten)]
    pub fault: Fault,
}

/// What can be wrong with a permission of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub enum Fault {
    /// It is no proper name.
    Malformed,
    /// There is no permission of that name.
    Unknown,
    /// It was retired.
    Retired,
    /// It is of little use without another one, which neither the list nor what it implies has.
    Needs {
        /// The other one.
        prerequisite: String,
    },
}

/// A permission and all that come with it, in order.
pub fn implied(policy: &Policy, name: &str) -> BTreeSet<Arc<str>> {
    let mut found: BTreeSet<Arc<str>> = BTreeSet::new();
    let mut next: Vec<Arc<str>> = vec![Arc::from(name)];
    while let Some(name) = next.pop() {
        if let Some(made) = policy.custom_permission(&name).filter(|made| !made.retired) {
            next.extend(made.implies.iter().filter(|name| !found.contains(*name)).cloned());
        }
        found.insert(name);
    }
    found
}

/// What a list of permissions and patterns lacks: each action on a resource builds on reading it,
/// where there is a permission to read it.
pub fn gaps(policy: &Policy, permissions: &[String]) -> Vec<Gap> {
    let listed: BTreeSet<&str> = permissions.iter().map(String::as_str).collect();
    let mut held: BTreeSet<Arc<str>> = BTreeSet::new();
    for name in listed.iter().filter(|name| policy.knows(name)) {
        held.extend(implied(policy, name));
    }
    let patterns: Vec<&str> =
        listed.iter().copied().filter(|name| name::is_pattern(name)).collect();
    let has = |name: &str| {
        held.contains(name) || patterns.iter().any(|pattern| name::covers(pattern, name))
    };
    let fault = |name: &str| match name::form(name) {
        None => Some(Fault::Malformed),
        Some(Form::Pattern) => None,
        Some(Form::Exact) if policy.knows(name) => {
            let (resource, action) = name.split_once(':')?;
            let prerequisite = format!("{resource}:{READ}");
            let needed = action != READ && policy.knows(&prerequisite) && !has(&prerequisite);
            needed.then_some(Fault::Needs { prerequisite })
        }
        Some(Form::Exact) if policy.custom_permission(name).is_some() => Some(Fault::Retired),
        Some(Form::Exact) => Some(Fault::Unknown),
    };
    let gaps = listed
        .iter()
        .filter_map(|name| Some(Gap { permission: (*name).to_owned(), fault: fault(name)? }));
    gaps.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::Decider as _;
    use crate::rbac::policy::Event;
    use crate::testing::id;

    fn policy() -> Policy {
        let mut policy = Policy::default();
        let made = |number: u128, name: &str, implies: &[&str]| Event::PermissionCreated {
            permission_id: id(number),
            name: name.to_owned(),
            description: None,
            implies: implies.iter().map(|&name| name.to_owned()).collect(),
        };
        for event in [
            made(1, "shop.orders:read", &[]),
            made(2, "shop.orders:update", &[]),
            made(3, "shop.orders:manage", &["shop.orders:update", "shop.orders:read"]),
            made(4, "shop.till:open", &[]),
            made(5, "shop.safe:open", &[]),
            Event::PermissionRetired { permission_id: id(5) },
        ] {
            policy.evolve(&event);
        }
        policy
    }

    fn gaps_of(permissions: &[&str]) -> Vec<(String, Fault)> {
        let permissions: Vec<String> = permissions.iter().map(|&name| name.to_owned()).collect();
        let gaps = gaps(&policy(), &permissions).into_iter();
        gaps.map(|gap| (gap.permission, gap.fault)).collect()
    }

    #[test]
    fn to_change_needs_to_read_wherever_that_comes_from() {
        let needs = Fault::Needs { prerequisite: "shop.orders:read".into() };
        assert_eq!(gaps_of(&["shop.orders:update"]), [("shop.orders:update".into(), needs)]);
        for enough in [
            &["shop.orders:update", "shop.orders:read"][..],
            &["shop.orders:update", "shop.orders:manage"],
            &["shop.orders:update", "shop.*:read"],
            &["shop.orders:update", "*:*"],
            &["shop.orders:manage"],
            &["shop.till:open"], // there is nothing to read
            &["rbac.roles:manage", "rbac.roles:read"],
        ] {
            assert_eq!(gaps_of(enough), [], "{enough:?}");
        }
        assert_eq!(gaps_of(&["rbac.roles:manage"]).len(), 1);
    }

    #[test]
    fn names_what_is_malformed_unknown_or_retired() {
        let faults = gaps_of(&["nonsense", "shop.moon:read", "shop.safe:open"]);
        let faults: Vec<Fault> = faults.into_iter().map(|(_, fault)| fault).collect();
        assert_eq!(faults, [Fault::Malformed, Fault::Unknown, Fault::Retired]);
    }

    #[test]
    fn what_comes_with_a_permission_is_found_to_any_depth() {
        let found = implied(&policy(), "shop.orders:manage");
        let found: Vec<&str> = found.iter().map(|name| &**name).collect();
        assert_eq!(found, ["shop.orders:manage", "shop.orders:read", "shop.orders:update"]);
    }
}
