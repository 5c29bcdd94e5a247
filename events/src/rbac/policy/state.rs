//! An access policy as folded from what happened: cheap to clone, quick to ask, small to store.

use std::collections::BTreeSet;
use std::slice;
use std::sync::Arc;

use imbl::{OrdMap, OrdSet, Vector};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::events::{Event, RoleCreated};
use super::grants::{Grants, Key};
use super::snapshot::Snapshot;
use crate::ids::{ExclusiveSetId, PermissionId, RoleId, UnitId, UserId};
use crate::rbac::assignment::Assignment;
use crate::rbac::exclusion::ExclusiveSet;
use crate::rbac::name::{self, EVERYTHING};
use crate::text;

/// The access policy of one organisation. A clone shares everything and takes constant time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Snapshot", into = "Snapshot")]
pub struct Policy {
    pub(super) owner_role_id: Option<RoleId>,
    pub(super) roles: OrdMap<RoleId, Arc<Role>>,
    pub(super) deleted_roles: OrdSet<RoleId>,
    permissions: CustomPermissions,
    pub(super) holders: OrdMap<UserId, Arc<Vec<Assignment>>>,
    pub(super) exclusive: OrdMap<ExclusiveSetId, Arc<ExclusiveSet>>,
    /// The grants of protected roles whose end was announced.
    pub(super) announced: OrdSet<(UserId, RoleId, Option<UnitId>)>,
    // What follows is derived from what stands above.
    role_names: OrdMap<(Option<UnitId>, String), RoleId>,
    role_codes: OrdMap<String, RoleId>,
    permission_names: OrdMap<PermissionId, Arc<str>>,
    pub(super) numbered: Vector<Arc<str>>,
    retired: OrdSet<u32>,
    implying: OrdSet<u32>,
    implied_by: OrdMap<Arc<str>, Arc<Vec<Arc<str>>>>,
}

/// The organisation's own permissions by name.
pub(crate) type CustomPermissions = OrdMap<Arc<str>, Arc<CustomPermission>>;

/// A role of the policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Role {
    /// What it is and how it stands.
    pub facts: RoleCreated,
    /// The permissions and patterns granted to the role itself.
    pub grants: Grants,
    /// The roles it inherits from, in the order of their ids.
    pub juniors: Vec<RoleId>,
    /// The roles that inherit from it, in the order of their ids.
    pub seniors: Vec<RoleId>,
}

/// A permission of the organisation's own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CustomPermission {
    /// Its id.
    pub permission_id: PermissionId,
    /// What it is for.
    pub description: Option<String>,
    /// The permissions that come with it.
    pub implies: Vec<Arc<str>>,
    /// Whether it authorises no longer.
    pub retired: bool,
    /// Its place in the order of creation, by which sets of permissions are kept.
    #[serde(skip)]
    pub(crate) number: u32,
}

impl Policy {
    /// Whether the organisation has a policy at all.
    pub fn exists(&self) -> bool {
        self.owner_role_id.is_some()
    }

    /// The role whose holders may do everything.
    pub fn owner_role_id(&self) -> Option<RoleId> {
        self.owner_role_id
    }

    /// A role that exists.
    pub fn role(&self, role_id: RoleId) -> Option<&Role> {
        self.roles.get(&role_id).map(|role| &**role)
    }

    /// The roles that exist, in the order of their ids.
    pub fn roles(&self) -> impl Iterator<Item = (RoleId, &Role)> {
        self.roles.iter().map(|(id, role)| (*id, &**role))
    }

    /// The role with that code, in whatever letters.
    pub fn role_with_code(&self, code: &str) -> Option<RoleId> {
        self.role_codes.get(&text::fold(code)).copied()
    }

    /// The role with that name in a unit, in whatever letters.
    pub fn role_with_name(&self, unit_id: Option<UnitId>, name: &str) -> Option<RoleId> {
        self.role_names.get(&(unit_id, text::fold(name))).copied()
    }

    /// Whether a role id is taken, be it by a role that is gone.
    pub fn role_id_is_taken(&self, role_id: RoleId) -> bool {
        self.roles.contains_key(&role_id) || self.deleted_roles.contains(&role_id)
    }

    /// The name of a permission by its id, of the catalogue or of the organisation's own.
    pub fn permission_name(&self, permission_id: PermissionId) -> Option<Arc<str>> {
        self.permission_names.get(&permission_id).cloned().or_else(|| {
            name::catalogue_names()
                .find(|(permission, _)| name::catalogue_id(*permission) == permission_id)
                .map(|(_, name)| Arc::clone(name))
        })
    }

    /// A permission of the organisation's own, retired or not.
    pub fn custom_permission(&self, name: &str) -> Option<&CustomPermission> {
        self.permissions.get(name).map(|permission| &**permission)
    }

    /// The names of all permissions, of the catalogue and of the organisation's own, in order.
    pub fn permission_names(&self) -> impl Iterator<Item = Arc<str>> + use<> {
        let catalogue = name::catalogue_names().map(|(_, name)| Arc::clone(name));
        let names: BTreeSet<Arc<str>> = catalogue.chain(self.permissions.keys().cloned()).collect();
        names.into_iter()
    }

    /// Whether a name is one that can authorise: of the catalogue, or made and not retired.
    pub fn knows(&self, name: &str) -> bool {
        name::catalogue(name).is_some()
            || self.permissions.get(name).is_some_and(|permission| !permission.retired)
    }

    /// The grants of protected roles to a user.
    pub fn protected_grants(&self, user_id: UserId) -> &[Assignment] {
        self.holders.get(&user_id).map(|grants| grants.as_slice()).unwrap_or_default()
    }

    /// The sets of roles that exclude each other, in the order of their ids.
    pub fn exclusive_sets(&self) -> impl ExactSizeIterator<Item = (ExclusiveSetId, &ExclusiveSet)> {
        self.exclusive.iter().map(|(id, set)| (*id, &**set))
    }

    /// A set of roles that exclude each other.
    pub fn exclusive_set(&self, set_id: ExclusiveSetId) -> Option<&ExclusiveSet> {
        self.exclusive.get(&set_id).map(|set| &**set)
    }

    /// The users to whom the policy itself granted a protected role, and what it granted.
    pub fn protected_holders(&self) -> impl Iterator<Item = (UserId, &[Assignment])> {
        self.holders.iter().map(|(user_id, grants)| (*user_id, grants.as_slice()))
    }

    /// A role and all it inherits from, without end to the depth, each once, nearest first.
    pub fn closure(&self, role_id: RoleId) -> Vec<(RoleId, &Role)> {
        let mut found: Vec<(RoleId, &Role)> =
            self.role(role_id).map(|r| (role_id, r)).into_iter().collect();
        let mut seen: BTreeSet<RoleId> = [role_id].into();
        let mut next = 0;
        while let Some((_, role)) = found.get(next).copied() {
            next += 1;
            for junior in &role.juniors {
                if seen.insert(*junior) {
                    found.extend(self.role(*junior).map(|role| (*junior, role)));
                }
            }
        }
        found
    }

    /// Whether `senior` is `junior` or inherits from it, directly or not.
    pub fn inherits(&self, senior: RoleId, junior: RoleId) -> bool {
        self.closure(senior).iter().any(|(id, _)| *id == junior)
    }

    /// Whether a role may do everything.
    pub fn reaches_everything(&self, role_id: RoleId) -> bool {
        self.closure(role_id).iter().any(|(_, role)| role.grants.contains(EVERYTHING))
    }

    /// The users who administer the organisation: they hold, everywhere and for good, a protected
    /// role that may do everything.
    pub fn administrators(&self) -> impl Iterator<Item = UserId> {
        self.holders.iter().filter_map(|(user_id, grants)| {
            let lasting = |held: &&Assignment| held.unit_id.is_none() && held.expires_at.is_none();
            let mut lasting = grants.iter().filter(lasting);
            lasting.any(|held| self.reaches_everything(held.role_id)).then_some(*user_id)
        })
    }

    /// How many grants of protected roles there are of one role.
    pub(super) fn holders_of(&self, role_id: RoleId, now: Timestamp) -> usize {
        let all = self.holders.values().flat_map(|grants| grants.iter());
        all.filter(|held| held.role_id == role_id && held.is_live(now)).count()
    }

    pub(crate) fn custom_permissions(&self) -> &CustomPermissions {
        &self.permissions
    }

    /// The permissions that imply a given one directly.
    pub(crate) fn implied_by(&self, name: &str) -> &[Arc<str>] {
        self.implied_by.get(name).map(|names| names.as_slice()).unwrap_or_default()
    }

    /// The permissions that imply others, by number and name.
    pub(crate) fn implying(&self) -> impl Iterator<Item = (u32, &Arc<str>)> {
        let numbers = self.implying.iter();
        numbers.filter_map(|number| Some((*number, self.numbered.get(*number as usize)?)))
    }

    /// The numbers of the permissions that were retired.
    pub(crate) fn retired(&self) -> impl Iterator<Item = u32> {
        self.retired.iter().copied()
    }

    /// How many permissions the organisation has made.
    pub(crate) fn custom_count(&self) -> usize {
        self.numbered.len()
    }

    /// A permission as sets keep it, retired or not. The catalogue comes first, so that a name that
    /// it takes up later means the same in every process.
    pub(crate) fn key(&self, name: &str) -> Option<Key> {
        let of_catalogue = name::catalogue(name).map(|(permission, _)| Key::Catalogue(permission));
        of_catalogue.or_else(|| self.permissions.get(name).map(|made| Key::Custom(made.number)))
    }
}

impl Policy {
    pub(super) fn apply(&mut self, event: &Event) {
        match event {
            Event::Initialized { owner_role_id } => self.owner_role_id = Some(*owner_role_id),
            Event::PermissionCreated { permission_id, name, description, implies } => {
                let implies = implies.iter().map(|name| self.shared(name)).collect();
                let (permission_id, description) = (*permission_id, description.clone());
                let (retired, number) = (false, 0);
                let made =
                    CustomPermission { permission_id, description, implies, retired, number };
                self.add_permission(Arc::from(name.as_str()), made);
            }
            Event::PermissionDescribed { permission_id, description } => {
                self.permission_mut(*permission_id, |p| p.description.clone_from(description));
            }
            Event::PermissionRetired { permission_id } => {
                let retire = |permission: &mut CustomPermission| permission.retired = true;
                let number = self.permission_mut(*permission_id, retire);
                self.retired.extend(number);
            }
            Event::RoleCreated(facts) => self.add_role(facts.clone()),
            Event::RoleRenamed { role_id, name } => {
                self.role_mut(*role_id, |role| role.facts.name.clone_from(name));
            }
            Event::RoleDescribed { role_id, description } => {
                self.role_mut(*role_id, |role| role.facts.description.clone_from(description));
            }
            Event::RoleRaised { role_id, level } | Event::RoleLowered { role_id, level } => {
                self.role_mut(*role_id, |role| role.facts.level = *level);
            }
            Event::RoleDeleted { role_id } => self.drop_role(*role_id),
            Event::RolePermissionsReplaced { role_id, added, removed } => {
                self.regrant(*role_id, added, removed);
            }
            Event::PermissionGranted { role_id, permission } => {
                self.regrant(*role_id, slice::from_ref(permission), &[]);
            }
            Event::PermissionRevoked { role_id, permission } => {
                self.regrant(*role_id, &[], slice::from_ref(permission));
            }
            Event::InheritanceAdded { senior_id, junior_id } => self.link(*senior_id, *junior_id),
            Event::InheritanceRemoved { senior_id, junior_id } => {
                self.unlink(*senior_id, *junior_id);
            }
            Event::TemplateInstantiated { .. } => {} // the roles say themselves
            Event::ExclusiveRolesDefined { .. }
            | Event::ExclusiveRoleAdded { .. }
            | Event::ExclusiveRoleRemoved { .. }
            | Event::ExclusiveRolesTightened { .. }
            | Event::ExclusiveRolesRelaxed { .. }
            | Event::ExclusiveRolesRemoved { .. } => self.apply_exclusion(event),
            Event::ProtectedRoleGranted { user_id, role_id, unit_id, expires_at } => {
                let (role_id, unit_id, expires_at) = (*role_id, *unit_id, *expires_at);
                let held = Assignment { role_id, unit_id, expires_at };
                Arc::make_mut(self.holders.entry(*user_id).or_default()).push(held);
            }
            Event::ProtectedRoleEndAnnounced { user_id, role_id, unit_id, .. } => {
                self.announced.insert((*user_id, *role_id, *unit_id));
            }
            Event::ProtectedRoleRevoked { user_id, role_id, unit_id, .. }
            | Event::ProtectedRoleExpired { user_id, role_id, unit_id } => {
                self.drop_holder(*user_id, |held| held.is_of(*role_id, *unit_id));
            }
        }
    }

    /// The one shared copy of a name, so that 300,000 grants hold few texts.
    pub(super) fn shared(&self, name: &str) -> Arc<str> {
        match (name::catalogue(name), self.permissions.get_key_value(name)) {
            (Some((_, name)), _) | (None, Some((name, _))) => Arc::clone(name),
            (None, None) => Arc::from(name),
        }
    }

    pub(super) fn add_permission(&mut self, name: Arc<str>, mut permission: CustomPermission) {
        let number = u32::try_from(self.numbered.len()).unwrap_or(u32::MAX);
        permission.number = number;
        self.numbered.push_back(Arc::clone(&name));
        if permission.retired {
            self.retired.insert(number);
        }
        self.permission_names.insert(permission.permission_id, Arc::clone(&name));
        for implied in &permission.implies {
            let implied_by = self.implied_by.entry(Arc::clone(implied)).or_default();
            insert(Arc::make_mut(implied_by), Arc::clone(&name));
            self.implying.insert(number);
        }
        self.permissions.insert(name, Arc::new(permission));
    }

    /// Changes a permission and tells its number.
    fn permission_mut(
        &mut self,
        id: PermissionId,
        change: impl FnOnce(&mut CustomPermission),
    ) -> Option<u32> {
        let permission = self.permissions.get_mut(self.permission_names.get(&id)?)?;
        change(Arc::make_mut(permission));
        Some(permission.number)
    }

    pub(super) fn add_role(&mut self, facts: RoleCreated) {
        let role_id = facts.role_id;
        self.index(role_id, &facts);
        let (grants, juniors, seniors) = Default::default();
        self.roles.insert(role_id, Arc::new(Role { facts, grants, juniors, seniors }));
    }

    fn index(&mut self, role_id: RoleId, facts: &RoleCreated) {
        self.role_names.insert((facts.unit_id, text::fold(&facts.name)), role_id);
        self.role_codes.insert(text::fold(&facts.code), role_id);
    }

    fn unindex(&mut self, facts: &RoleCreated) {
        self.role_names.remove(&(facts.unit_id, text::fold(&facts.name)));
        self.role_codes.remove(&text::fold(&facts.code));
    }

    fn role_mut(&mut self, role_id: RoleId, change: impl FnOnce(&mut Role)) {
        if let Some(role) = self.roles.get(&role_id).cloned() {
            self.unindex(&role.facts);
            let mut role = Arc::unwrap_or_clone(role);
            change(&mut role);
            self.index(role_id, &role.facts);
            self.roles.insert(role_id, Arc::new(role));
        }
    }

    fn drop_role(&mut self, role_id: RoleId) {
        if let Some(role) = self.roles.remove(&role_id) {
            self.unindex(&role.facts);
            for senior in &role.seniors {
                self.unlink(*senior, role_id);
            }
            for junior in &role.juniors {
                self.unlink(role_id, *junior);
            }
        }
        self.deleted_roles.insert(role_id);
        self.drop_exclusive(role_id);
        let holders: Vec<UserId> = self.holders.keys().copied().collect();
        for user_id in holders {
            self.drop_holder(user_id, |held| held.role_id == role_id);
        }
    }

    fn regrant(&mut self, role_id: RoleId, added: &[String], removed: &[String]) {
        let added: Vec<_> = added.iter().map(|name| (self.shared(name), self.key(name))).collect();
        let removed = removed.iter().map(|name| (name.as_str(), self.key(name))).collect();
        if let Some(role) = self.roles.get_mut(&role_id) {
            let grants = &mut Arc::make_mut(role).grants;
            grants.remove(&removed);
            grants.add(added);
        }
    }

    pub(super) fn link(&mut self, senior_id: RoleId, junior_id: RoleId) {
        if let Some(senior) = self.roles.get_mut(&senior_id) {
            insert(&mut Arc::make_mut(senior).juniors, junior_id);
        }
        if let Some(junior) = self.roles.get_mut(&junior_id) {
            insert(&mut Arc::make_mut(junior).seniors, senior_id);
        }
    }

    fn unlink(&mut self, senior_id: RoleId, junior_id: RoleId) {
        if let Some(senior) = self.roles.get_mut(&senior_id) {
            Arc::make_mut(senior).juniors.retain(|id| *id != junior_id);
        }
        if let Some(junior) = self.roles.get_mut(&junior_id) {
            Arc::make_mut(junior).seniors.retain(|id| *id != senior_id);
        }
    }

    fn drop_holder(&mut self, user_id: UserId, gone: impl Fn(&Assignment) -> bool) {
        if let Some(grants) = self.holders.get_mut(&user_id) {
            for held in grants.iter().filter(|held| gone(held)) {
                self.announced.remove(&(user_id, held.role_id, held.unit_id));
            }
            Arc::make_mut(grants).retain(|held| !gone(held));
            if grants.is_empty() {
                self.holders.remove(&user_id);
            }
        }
    }
}

fn insert<T: Ord>(ordered: &mut Vec<T>, new: T) {
    if let Err(place) = ordered.binary_search(&new) {
        ordered.insert(place, new);
    }
}
