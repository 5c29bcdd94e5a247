//! The review functions of INCITS 359-2012, under its names: who has which role, and what a role or a user may do on what.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::exclusion::{self, ExclusiveSet};
use super::policy::Policy;
use super::resolve::{Effective, Holder};
use super::user_access::{Event, UserAccess};
use crate::aggregate::Decider as _;
use crate::ids::{ExclusiveSetId, RoleId, UnitId, UserId};

/// An organisation's access, looked at as a whole at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Review<'a> {
    /// The policy.
    pub policy: &'a Policy,
    /// The roles of everybody who has any.
    pub holders: &'a [(UserId, Arc<UserAccess>)],
    /// The moment.
    pub now: Timestamp,
}

impl Review<'_> {
    /// The users who hold a role themselves.
    pub fn assigned_users(&self, role_id: RoleId) -> BTreeSet<UserId> {
        self.users_whose(|held| held.contains(&role_id))
    }

    /// The users who hold a role or one that inherits from it.
    pub fn authorized_users(&self, role_id: RoleId) -> BTreeSet<UserId> {
        self.users_whose(|held| held.into_iter().any(|held| self.policy.inherits(held, role_id)))
    }

    /// The roles that a user holds, in whatever unit.
    pub fn assigned_roles(&self, user_id: UserId) -> BTreeSet<RoleId> {
        exclusion::held(self.policy, user_id, &self.access(user_id), self.now)
    }

    /// The roles that a user holds and all that these inherit from.
    pub fn authorized_roles(&self, user_id: UserId) -> BTreeSet<RoleId> {
        exclusion::authorized(self.policy, self.assigned_roles(user_id))
    }

    /// The permissions of a role, inheritance, patterns and implied ones written out.
    pub fn role_permissions(&self, role_id: RoleId) -> Vec<Arc<str>> {
        self.of_role(role_id).names()
    }

    /// What a user may do at a unit: itself first, and all units above it; or in the organisation.
    pub fn user_permissions(&self, user_id: UserId, unit_path: &[UnitId]) -> Vec<Arc<str>> {
        self.of_user(user_id, unit_path).names()
    }

    /// The actions that a role may take on a resource.
    pub fn role_operations_on_object(&self, role_id: RoleId, resource: &str) -> Vec<String> {
        operations(&self.role_permissions(role_id), resource)
    }

    /// The actions that a user may take on a resource of the organisation.
    pub fn user_operations_on_object(&self, user_id: UserId, resource: &str) -> Vec<String> {
        operations(&self.user_permissions(user_id, &[]), resource)
    }

    /// The sets of roles that exclude each other.
    pub fn ssd_role_sets(&self) -> Vec<ExclusiveSetId> {
        self.policy.exclusive_sets().map(|(id, _)| id).collect()
    }

    /// The roles of such a set.
    pub fn ssd_role_set_roles(&self, set_id: ExclusiveSetId) -> Option<&BTreeSet<RoleId>> {
        self.set(set_id).map(|set| &set.roles)
    }

    /// How many roles of such a set nobody may have.
    pub fn ssd_role_set_cardinality(&self, set_id: ExclusiveSetId) -> Option<u16> {
        self.set(set_id).map(|set| set.cardinality)
    }

    fn set(&self, set_id: ExclusiveSetId) -> Option<&ExclusiveSet> {
        self.policy.exclusive_set(set_id)
    }

    /// The users whose own roles are as asked for.
    fn users_whose(&self, wanted: impl Fn(BTreeSet<RoleId>) -> bool) -> BTreeSet<UserId> {
        let nothing = Arc::default();
        let of_policy = self.policy.protected_holders().map(|(user_id, _)| (user_id, &nothing));
        let assigned = self.holders.iter().map(|(user_id, access)| (*user_id, access));
        // Whoever holds something of both kinds is looked at by what was assigned.
        let all: BTreeMap<UserId, &Arc<UserAccess>> = of_policy.chain(assigned).collect();
        let held = |(user_id, access): (UserId, &Arc<UserAccess>)| {
            let roles = exclusion::held(self.policy, user_id, access, self.now);
            wanted(roles).then_some(user_id)
        };
        all.into_iter().filter_map(held).collect()
    }

    fn access(&self, user_id: UserId) -> Arc<UserAccess> {
        let found = self.holders.iter().find(|(holder, _)| *holder == user_id);
        found.map(|(_, access)| Arc::clone(access)).unwrap_or_default()
    }

    fn of_user(&self, user_id: UserId, unit_path: &[UnitId]) -> Effective {
        let (policy, access, now) = (self.policy, &*self.access(user_id), self.now);
        Holder { policy, user_id, access, unit_path, now }.effective()
    }

    /// What somebody may who holds this role alone, in the unit that the role belongs to.
    fn of_role(&self, role_id: RoleId) -> Effective {
        let unit_id = self.policy.role(role_id).and_then(|role| role.facts.unit_id);
        let mut access = UserAccess::default();
        access.evolve(&Event::RoleAssigned { role_id, unit_id, expires_at: None });
        let (policy, now) = (self.policy, self.now);
        let (user_id, unit_path) = (UserId::default(), unit_id.as_slice());
        Holder { policy, user_id, access: &access, unit_path, now }.effective()
    }
}

fn operations(permissions: &[Arc<str>], resource: &str) -> Vec<String> {
    let split = permissions.iter().filter_map(|name| name.split_once(':'));
    split.filter(|(of, _)| *of == resource).map(|(_, action)| action.to_owned()).collect()
}
