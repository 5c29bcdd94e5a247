//! The stored form of a folded policy: only what cannot be derived, the many grants as numbers.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::events::RoleCreated;
use super::grants::Key;
use super::state::{CustomPermission, Policy, Role};
use crate::ids::{ExclusiveSetId, RoleId, UnitId, UserId};
use crate::rbac::assignment::Assignment;
use crate::rbac::exclusion::ExclusiveSet;
use crate::rbac::name;

/// A policy as it is stored.
#[derive(Serialize, Deserialize)]
pub(super) struct Snapshot {
    owner_role_id: Option<RoleId>,
    roles: Vec<RoleSnapshot>,
    deleted_roles: Vec<RoleId>,
    /// In the order of their numbers, from 0.
    permissions: Vec<PermissionSnapshot>,
    holders: Vec<(UserId, Vec<Assignment>)>,
    exclusive: Vec<(ExclusiveSetId, ExclusiveSet)>,
    announced: Vec<(UserId, RoleId, Option<UnitId>)>,
}

#[derive(Serialize, Deserialize)]
struct RoleSnapshot {
    facts: RoleCreated,
    /// Grants of permissions of the organisation's own, by number.
    custom: Vec<u32>,
    /// All other grants.
    others: Vec<Arc<str>>,
    juniors: Vec<RoleId>,
}

#[derive(Serialize, Deserialize)]
struct PermissionSnapshot {
    name: Arc<str>,
    #[serde(flatten)]
    permission: CustomPermission,
}

impl From<Policy> for Snapshot {
    fn from(policy: Policy) -> Self {
        let role = |role: &Arc<Role>| {
            let numbered = |name: &&Arc<str>| matches!(policy.key(name), Some(Key::Custom(_)));
            RoleSnapshot {
                facts: role.facts.clone(),
                custom: role.grants.custom().to_vec(),
                others: role.grants.iter().filter(|name| !numbered(name)).cloned().collect(),
                juniors: role.juniors.clone(),
            }
        };
        let permission = |name: &Arc<str>| {
            let permission = policy.custom_permission(name)?.clone();
            Some(PermissionSnapshot { name: Arc::clone(name), permission })
        };
        let holder = |(user, grants): (&UserId, &Arc<Vec<_>>)| (*user, (**grants).clone());
        Self {
            owner_role_id: policy.owner_role_id,
            roles: policy.roles.values().map(role).collect(),
            deleted_roles: policy.deleted_roles.iter().copied().collect(),
            permissions: policy.numbered.iter().filter_map(permission).collect(),
            holders: policy.holders.iter().map(holder).collect(),
            exclusive: policy.exclusive.iter().map(|(id, set)| (*id, (**set).clone())).collect(),
            announced: policy.announced.iter().copied().collect(),
        }
    }
}

impl From<Snapshot> for Policy {
    fn from(snapshot: Snapshot) -> Self {
        let mut policy = Self::default();
        policy.owner_role_id = snapshot.owner_role_id;
        policy.deleted_roles = snapshot.deleted_roles.into_iter().collect();
        for PermissionSnapshot { name, permission } in snapshot.permissions {
            policy.add_permission(name, permission);
        }
        // Looked up once per permission, not once per grant.
        let keyed = policy.numbered.iter().map(|name| (Arc::clone(name), policy.key(name)));
        let keyed: Vec<_> = keyed.collect();
        let mut edges = Vec::new();
        for RoleSnapshot { facts, custom, others, juniors } in snapshot.roles {
            let role_id = facts.role_id;
            policy.add_role(facts);
            let custom = custom.iter().filter_map(|number| keyed.get(*number as usize)).cloned();
            policy.add_stored_grants(role_id, custom, &others);
            edges.extend(juniors.into_iter().map(|junior| (role_id, junior)));
        }
        for (senior, junior) in edges {
            policy.link(senior, junior);
        }
        let holders = snapshot.holders.into_iter();
        policy.holders = holders.map(|(user, grants)| (user, Arc::new(grants))).collect();
        let exclusive = snapshot.exclusive.into_iter();
        policy.exclusive = exclusive.map(|(id, set)| (id, Arc::new(set))).collect();
        policy.announced = snapshot.announced.into_iter().collect();
        policy
    }
}

impl Policy {
    fn add_stored_grants(
        &mut self,
        role_id: RoleId,
        custom: impl Iterator<Item = (Arc<str>, Option<Key>)>,
        others: &[Arc<str>],
    ) {
        let key = |name: &str| name::catalogue(name).map(|found| Key::Catalogue(found.0));
        let others = others.iter().map(|name| (self.shared(name), key(name)));
        let grants: Vec<_> = custom.chain(others).collect();
        if let Some(role) = self.roles.get_mut(&role_id) {
            Arc::make_mut(role).grants.add(grants);
        }
    }
}
