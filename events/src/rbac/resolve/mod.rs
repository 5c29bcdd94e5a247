//! Who may do what, and why: pure answers from a policy, a user's roles, a unit and a moment.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::{RoleId, UnitId, UserId};
use crate::permission::Permission;
use crate::rbac::assignment::{Assignment, counts_at};
use crate::rbac::name::{self, EVERYTHING};
use crate::rbac::policy::{CustomPermissions, Policy, Role};
use crate::rbac::user_access::UserAccess;

#[cfg(test)]
mod tests;

/// The most roles named in the answer to what would have helped.
pub const MAX_HINTS: usize = 20;

/// The service name of our own workers.
pub const WORKERS: &str = "workers";

/// Whether one of our services may do something: the workers what workers may, everybody else nothing.
pub fn service_allows(service: &str, permission: Permission) -> bool {
    service == WORKERS && Permission::WORKERS.contains(&permission)
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

/// All that a user may do at a unit, until [`Effective::valid_until`]; a clone shares it.
#[derive(Debug, Clone, Default)]
pub struct Effective {
    catalogue: [u64; WORDS],
    custom: Arc<[Arc<str>]>,
    patterns: Arc<[Arc<str>]>,
    known: CustomPermissions,
    max_level: Option<u16>,
    valid_until: Option<Timestamp>,
}

const WORDS: usize = Permission::ALL.len().div_ceil(64);

impl Effective {
    /// Whether it holds a permission of the catalogue.
    pub fn permits(&self, permission: Permission) -> bool {
        let (word, bit) = place(permission);
        self.catalogue.get(word).is_some_and(|bits| bits & bit != 0)
    }

    /// Whether it holds the permission of that name; never where no permission has that name.
    pub fn allows(&self, name: &str) -> bool {
        if let Some((permission, _)) = name::catalogue(name) {
            return self.permits(permission);
        }
        self.custom.binary_search_by(|held| (**held).cmp(name)).is_ok()
            || (self.patterns.iter().any(|pattern| name::covers(pattern, name))
                && self.known.get(name).is_some_and(|permission| !permission.retired))
    }

    /// Whether it holds all that a name or pattern can ever mean.
    pub fn contains(&self, grant: &str) -> bool {
        if name::is_pattern(grant) {
            self.patterns.iter().any(|pattern| name::covers(pattern, grant))
        } else {
            self.allows(grant)
        }
    }

    /// Whether it holds everything.
    pub fn is_everything(&self) -> bool {
        self.patterns.iter().any(|pattern| &**pattern == EVERYTHING)
    }

    /// The patterns it was built from, in order.
    pub fn patterns(&self) -> &[Arc<str>] {
        &self.patterns
    }

    /// Every permission it holds by name, patterns written out, in order.
    pub fn names(&self) -> Vec<Arc<str>> {
        let of_catalogue = name::catalogue_names()
            .filter(|(permission, _)| self.permits(*permission))
            .map(|(_, name)| name);
        let covered = |name: &Arc<str>| self.patterns.iter().any(|p| name::covers(p, name));
        let by_pattern = (!self.patterns.is_empty())
            .then(|| self.known.iter().filter(|(name, custom)| !custom.retired && covered(name)));
        let by_pattern = by_pattern.into_iter().flatten().map(|(name, _)| name);
        let names = of_catalogue.chain(self.custom.iter()).chain(by_pattern).cloned();
        names.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// The highest level among the roles it comes from.
    pub fn max_level(&self) -> Option<u16> {
        self.max_level
    }

    /// When the first of the assignments it comes from ends; it must not be used from then on.
    pub fn valid_until(&self) -> Option<Timestamp> {
        self.valid_until
    }
}

fn place(permission: Permission) -> (usize, u64) {
    let number = permission as usize;
    (number / 64, 1 << (number % 64))
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
    PermissionRetired,
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
        let mut seen = BTreeSet::new();
        let (mut names, mut patterns) = (Vec::new(), BTreeSet::new());
        for held in self.counting() {
            for step in self.reach(held.role_id, &mut seen, |role| self.counts(role)) {
                names.extend_from_slice(step.role.grants.names());
                patterns.extend(step.role.grants.patterns().iter().cloned());
            }
        }
        names.sort_unstable();
        names.dedup();
        let mut effective = Effective {
            patterns: patterns.into_iter().collect(),
            known: self.policy.custom_permissions().clone(),
            max_level: self.max_level(),
            valid_until: self.counting().filter_map(|held| held.expires_at).min(),
            ..Effective::default()
        };
        effective.add(self.policy, names);
        effective
    }

    /// The highest level among the roles that count.
    pub fn max_level(&self) -> Option<u16> {
        let roles = self.counting().filter_map(|held| self.policy.role(held.role_id));
        roles.filter(|role| self.counts(role)).map(|role| role.facts.level).max()
    }

    /// Whether the user may, and why, or what is missing.
    pub fn explain(&self, permission: &str) -> Verdict {
        if !self.policy.knows(permission) {
            let retired = self.policy.custom_permission(permission).is_some();
            let lack = if retired { Lack::PermissionRetired } else { Lack::PermissionUnknown };
            return Verdict::Deny { missing: vec![lack] };
        }
        let sufficient = Sufficient::of(self.policy, permission);
        let grounds = self.held().filter(|(held, _)| self.is_counting(held)).filter_map(|held| {
            let steps = self.reach(held.0.role_id, &mut BTreeSet::new(), |r| self.counts(r));
            grounds(held, &steps, &sufficient)
        });
        // The shortest way is the easiest to understand.
        match grounds.min_by_key(|grounds| grounds.role_path.len()) {
            Some(grounds) => Verdict::Allow(grounds),
            None => Verdict::Deny { missing: self.missing(&sufficient) },
        }
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
        let granted = self.policy.roles().filter(|(_, role)| {
            self.counts(role) && sufficient.names().any(|n| role.grants.covering(n).is_some())
        });
        vec![Lack::NotGranted { granted_to: granted.map(|(id, _)| id).take(MAX_HINTS).collect() }]
    }

    /// Every assignment, and whether the policy itself made it.
    fn held(&self) -> impl Iterator<Item = (Assignment, bool)> {
        let protected = self.policy.protected_grants(self.user_id).iter();
        let assigned = self.access.assignments().iter();
        protected.map(|held| (*held, true)).chain(assigned.map(|held| (*held, false)))
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

impl Effective {
    /// Takes in the names granted, what the patterns mean, and what comes with either.
    fn add(&mut self, policy: &Policy, names: Vec<Arc<str>>) {
        for (permission, name) in name::catalogue_names() {
            if self.patterns.iter().any(|pattern| name::covers(pattern, name)) {
                self.add_of_catalogue(permission);
            }
        }
        let mut open = names;
        if !self.patterns.is_empty() {
            let covered = |name: &&Arc<str>| self.patterns.iter().any(|p| name::covers(p, name));
            open.extend(policy.implying().filter(covered).cloned());
        }
        let mut custom = BTreeSet::new();
        while let Some(name) = open.pop() {
            if let Some((permission, _)) = name::catalogue(&name) {
                self.add_of_catalogue(permission);
            } else if let Some(made) = policy.custom_permission(&name).filter(|c| !c.retired)
                && custom.insert(name)
            {
                open.extend_from_slice(&made.implies);
            }
        }
        self.custom = custom.into_iter().collect();
    }

    fn add_of_catalogue(&mut self, permission: Permission) {
        let (word, bit) = place(permission);
        if let Some(bits) = self.catalogue.get_mut(word) {
            *bits |= bit;
        }
    }
}

/// The names of which each is enough for the permission in question: itself, and what implies it.
struct Sufficient(Vec<(Arc<str>, Option<usize>)>);

impl Sufficient {
    fn of(policy: &Policy, permission: &str) -> Self {
        let mut found: Vec<(Arc<str>, Option<usize>)> = vec![(Arc::from(permission), None)];
        let mut next = 0;
        while let Some((name, _)) = found.get(next) {
            let implied_by = policy.implied_by(name).iter().filter(|name| policy.knows(name));
            let new: Vec<_> = implied_by
                .filter(|name| found.iter().all(|(known, _)| known != *name))
                .map(|name| (Arc::clone(name), Some(next)))
                .collect();
            found.extend(new);
            next += 1;
        }
        Self(found)
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| &**name)
    }

    /// The chain from one of the names down to the permission in question.
    fn chain(&self, name: usize) -> Vec<String> {
        let links = std::iter::successors(self.0.get(name), |(_, next)| self.0.get((*next)?));
        links.map(|(name, _)| name.to_string()).collect()
    }
}

fn grounds(held: (Assignment, bool), steps: &[Step], sufficient: &Sufficient) -> Option<Grounds> {
    steps.iter().find_map(|step| {
        let mut grants = sufficient.names().map(|name| step.role.grants.covering(name));
        let (name, granted) = grants.by_ref().enumerate().find_map(|(n, g)| Some((n, g?)))?;
        let path = std::iter::successors(Some(step), |step| steps.get(step.from?));
        let mut role_path: Vec<_> = path.map(|step| step.role_id).collect();
        role_path.reverse();
        let (assignment, protected) = held;
        let (granted, implied) = (granted.to_string(), sufficient.chain(name));
        Some(Grounds { assignment, protected, role_path, granted, implied })
    })
}
