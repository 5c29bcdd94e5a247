//! Who may do what, and why: pure answers from a policy, a user's roles, a unit and a moment.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aggregate::Decider as _;
use crate::ids::{RoleId, UnitId, UserId};
use crate::permission::Permission;
use crate::rbac::assignment::{Assignment, counts_at};
use crate::rbac::name;
use crate::rbac::policy::{Key, Policy, Role};
use crate::rbac::user_access::UserAccess;

pub mod effect;
mod effective;
pub mod evidence;
pub mod review;
#[cfg(test)]
mod tests;

use effective::Draft;
pub use effective::Effective;

/// The most roles named in the answer to what would have helped.
pub const MAX_HINTS: usize = 20;

/// Raised whenever the same policy and roles come to mean something else, or are written out differently.
const RULES: u32 = 1;

/// By what an effective set was worked out: the rules, the shapes of the states and the catalogue. One that another edition
/// worked out may lack what this one would find.
pub fn edition() -> String {
    let (policy, access) = (Policy::SHAPE, UserAccess::SHAPE);
    format!("{RULES}.{policy}.{access}.{}", name::catalogue_edition().simple())
}

/// The service name of our own workers.
pub const WORKERS: &str = "workers";

/// The service name of our own query API.
pub const QUERY_API: &str = "query-api";

/// Whether one of our services may do something: each what it may, everybody else nothing.
pub fn service_allows(service: &str, permission: Permission) -> bool {
    let may = match service {
        WORKERS => Permission::WORKERS,
        QUERY_API => Permission::QUERY_API,
        _ => &[],
    };
    may.contains(&permission)
}

/// A user, seen at a unit and a moment.
#[derive(Debug, Clone, Copy)]
pub struct Holder<'a> {
    /// The policy of the organisation.
    pub policy: &'a Policy,
    /// The user.
    pub user_id: UserId,
    /// The roles assigned to the user.
    pub access: &'a UserAccess,
    /// The unit in question and all units above it, itself first; empty for the organisation.
    pub unit_path: &'a [UnitId],
    /// The moment.
    pub now: Timestamp,
}

/// The answer to whether a user may, with its reasons.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "decision", rename_all = "snake_case")]
pub enum Verdict {
    /// The user may.
    Allow(Grounds),
    /// The user may not.
    Deny {
        /// What is missing.
        missing: Vec<Lack>,
    },
}

impl Verdict {
    /// Whether the user may.
    pub fn is_allowed(&self) -> bool {
        matches!(self, Self::Allow(_))
    }
}

/// Why a user may.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Grounds {
    /// The assignment: role, unit and expiry.
    pub assignment: Assignment,
    /// Whether the policy itself granted it, as a protected role.
    pub protected: bool,
    /// The roles from the assigned one down to the one that is granted it.
    pub role_path: Vec<RoleId>,
    /// The name or pattern granted to the last role of the path.
    pub granted: String,
    /// The permissions from the one granted down to the one in question, each implying the next.
    pub implied: Vec<String>,
}

/// What is missing for a user to be allowed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "lack", rename_all = "snake_case")]
pub enum Lack {
    /// There is no permission of that name.
    PermissionUnknown,
    /// The permission was retired.
    PermissionRetired {
        /// The permission.
        permission: String,
    },
    /// The user holds no role that is granted it.
    NotGranted {
        /// Roles that are granted it, the first of them.
        granted_to: Vec<RoleId>,
    },
    /// An assignment gave it and has expired.
    Expired {
        /// The assignment.
        assignment: Assignment,
    },
    /// An assignment gives it in another unit only.
    ElsewhereOnly {
        /// The assignment.
        assignment: Assignment,
        /// The unit that the assignment or a role on the way is bound to.
        unit_id: UnitId,
    },
    /// There is no such user.
    UserUnknown,
    /// The account is deactivated.
    UserDeactivated,
    /// There is no such unit.
    UnitUnknown,
    /// The scope of the API key does not reach it.
    BeyondKey,
}

/// A role reached from an assigned one, and from which place it was reached.
struct Step<'a> {
    role_id: RoleId,
    role: &'a Role,
    from: Option<usize>,
}

impl<'a> Holder<'a> {
    /// All that the user may do.
    pub fn effective(&self) -> Effective {
        let (mut draft, mut seen) = (Draft::new(self.policy), BTreeSet::new());
        for held in self.counting() {
            for step in self.reach(held.role_id, &mut seen, |role| self.counts(role)) {
                draft.add(&step.role.grants);
            }
        }
        let valid_until = self.counting().filter_map(|held| held.expires_at).min();
        draft.finish(self.max_level(), valid_until)
    }

    /// The highest level among the roles that count.
    pub fn max_level(&self) -> Option<u16> {
        let roles = self.counting().filter_map(|held| self.policy.role(held.role_id));
        roles.filter(|role| self.counts(role)).map(|role| role.facts.level).max()
    }

    /// Whether the user may, and why, or what is missing.
    pub fn explain(&self, permission: &str) -> Verdict {
        let sufficient = match self.sufficient(permission) {
            Ok(sufficient) => sufficient,
            Err(lack) => return Verdict::Deny { missing: vec![lack] },
        };
        // The shortest way is the easiest to understand.
        match self.grounds(&sufficient).min_by_key(|grounds| grounds.role_path.len()) {
            Some(grounds) => Verdict::Allow(grounds),
            None => Verdict::Deny { missing: self.missing(&sufficient) },
        }
    }

    /// Every assignment by which the user may, with the shortest way from it.
    pub fn ways(&self, permission: &str) -> Vec<Grounds> {
        let sufficient = self.sufficient(permission);
        sufficient.map(|sufficient| self.grounds(&sufficient).collect()).unwrap_or_default()
    }

    fn sufficient(&self, permission: &str) -> Result<Sufficient, Lack> {
        match self.policy.key(permission) {
            None => Err(Lack::PermissionUnknown),
            Some(_) if !self.policy.knows(permission) => {
                Err(Lack::PermissionRetired { permission: permission.to_owned() })
            }
            Some(key) => Ok(Sufficient::of(self.policy, permission, key)),
        }
    }

    fn grounds(&self, sufficient: &Sufficient) -> impl Iterator<Item = Grounds> {
        self.held().filter(|(held, _)| self.is_counting(held)).filter_map(|held| {
            let steps = self.reach(held.0.role_id, &mut BTreeSet::new(), |r| self.counts(r));
            grounds(held, &steps, sufficient)
        })
    }

    fn missing(&self, sufficient: &Sufficient) -> Vec<Lack> {
        let lapsed = self.held().filter_map(|held| {
            let steps = self.reach(held.0.role_id, &mut BTreeSet::new(), |_| true);
            let grounds = grounds(held, &steps, sufficient)?;
            let assignment = grounds.assignment;
            if !assignment.is_live(self.now) {
                return Some(Lack::Expired { assignment });
            }
            let roles = grounds.role_path.iter().filter_map(|id| self.policy.role(*id));
            let mut units = roles.map(|role| role.facts.unit_id).chain([assignment.unit_id]);
            let bound = units.find(|unit| !counts_at(*unit, self.unit_path));
            bound.flatten().map(|unit_id| Lack::ElsewhereOnly { assignment, unit_id })
        });
        let lapsed: Vec<_> = lapsed.collect();
        if !lapsed.is_empty() {
            return lapsed;
        }
        let granted = self
            .policy
            .roles()
            .filter(|(_, role)| self.counts(role) && sufficient.among(role).is_some());
        vec![Lack::NotGranted { granted_to: granted.map(|(id, _)| id).take(MAX_HINTS).collect() }]
    }

    /// Every assignment, and whether the policy itself made it.
    pub(crate) fn held(&self) -> impl Iterator<Item = (Assignment, bool)> {
        let protected = self.policy.protected_grants(self.user_id).iter();
        let assigned = self.access.assignments().iter().copied();
        let units = self.access.units().iter().filter_map(|unit| unit.assignment(self.policy));
        protected.map(|held| (*held, true)).chain(assigned.chain(units).map(|held| (held, false)))
    }

    fn counting(&self) -> impl Iterator<Item = Assignment> {
        self.held().map(|(held, _)| held).filter(|held| self.is_counting(held))
    }

    fn is_counting(&self, held: &Assignment) -> bool {
        held.is_live(self.now) && counts_at(held.unit_id, self.unit_path)
    }

    /// A role that belongs to a unit counts there alone, however it is held or inherited.
    fn counts(&self, role: &Role) -> bool {
        counts_at(role.facts.unit_id, self.unit_path)
    }

    /// The role and what it inherits from, nearest first, as far as `gate` lets through.
    fn reach(
        &self,
        role_id: RoleId,
        seen: &mut BTreeSet<RoleId>,
        gate: impl Fn(&Role) -> bool,
    ) -> Vec<Step<'a>> {
        let mut steps: Vec<Step<'a>> = Vec::new();
        let mut visit = |role_id, from, steps: &mut Vec<Step<'a>>| {
            let role = self.policy.role(role_id).filter(|role| gate(role));
            if let Some(role) = role.filter(|_| seen.insert(role_id)) {
                steps.push(Step { role_id, role, from });
            }
        };
        visit(role_id, None, &mut steps);
        let mut next = 0;
        while let Some(role) = steps.get(next).map(|step| step.role) {
            for junior in &role.juniors {
                visit(*junior, Some(next), &mut steps);
            }
            next += 1;
        }
        steps
    }
}

/// The permissions of which each is enough for the one in question: itself, and what implies it.
struct Sufficient(Vec<Link>);

struct Link {
    name: Arc<str>,
    key: Key,
    /// The place of the permission that it implies.
    implies: Option<usize>,
}

impl Sufficient {
    fn of(policy: &Policy, name: &str, key: Key) -> Self {
        let mut found = vec![Link { name: Arc::from(name), key, implies: None }];
        let mut next = 0;
        while let Some(name) = found.get(next).map(|link| Arc::clone(&link.name)) {
            for name in policy.implied_by(&name).iter().filter(|name| policy.knows(name)) {
                let new = found.iter().all(|link| link.name != *name);
                if let Some(key) = policy.key(name).filter(|_| new) {
                    found.push(Link { name: Arc::clone(name), key, implies: Some(next) });
                }
            }
            next += 1;
        }
        Self(found)
    }

    /// The first of them that a role is granted itself, and the grant that covers it.
    fn among<'a>(&'a self, role: &'a Role) -> Option<(&'a Link, &'a str)> {
        self.0.iter().find_map(|link| Some((link, role.grants.covering(link.key, &link.name)?)))
    }

    /// The chain from one of them down to the permission in question.
    fn chain(&self, link: &Link) -> Vec<String> {
        let links = std::iter::successors(Some(link), |link| self.0.get(link.implies?));
        links.map(|link| link.name.to_string()).collect()
    }
}

fn grounds(held: (Assignment, bool), steps: &[Step], sufficient: &Sufficient) -> Option<Grounds> {
    steps.iter().find_map(|step| {
        let (link, granted) = sufficient.among(step.role)?;
        let path = std::iter::successors(Some(step), |step| steps.get(step.from?));
        let mut role_path: Vec<_> = path.map(|step| step.role_id).collect();
        role_path.reverse();
        let (assignment, protected) = held;
        let (granted, implied) = (granted.to_owned(), sufficient.chain(link));
        Some(Grounds { assignment, protected, role_path, granted, implied })
    })
}
