//! The rules of roles that exclude each other.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::commands::{
    Command, DefineExclusiveRoles, MAX_EXCLUSIVE_ROLES, MAX_EXCLUSIVE_SETS, MAX_NAME_CHARS,
};
use super::decide::{Case, Facts, Touched};
use super::events::Event;
use super::rejections::Rejection;
use super::state::Policy;
use crate::aggregate::Context;
use crate::ids::{ExclusiveSetId, RoleId, UserId};
use crate::rbac::exclusion::{self, ExclusiveSet};
use crate::rbac::user_access::UserAccess;
use crate::text;

/// As many users are named to whoever is refused.
const MAX_NAMED: usize = 20;

impl Case<'_> {
    pub(super) fn define_exclusive(
        &self,
        wanted: DefineExclusiveRoles,
    ) -> Result<Vec<Event>, Rejection> {
        let DefineExclusiveRoles { set_id, cardinality, .. } = wanted;
        if self.policy.exclusive_set(set_id).is_some() {
            return Err(Rejection::ExclusiveSetIdTaken { set_id });
        }
        if self.policy.exclusive_sets().len() >= MAX_EXCLUSIVE_SETS {
            return Err(Rejection::ExclusiveSetsTooMany);
        }
        let name = text::line(&wanted.name, MAX_NAME_CHARS);
        let name = name.map_err(Rejection::ExclusiveSetNameInvalid)?;
        let roles: BTreeSet<RoleId> = wanted.roles.into_iter().collect();
        if !(2..=MAX_EXCLUSIVE_ROLES).contains(&roles.len()) {
            return Err(Rejection::ExclusiveRolesInvalid);
        }
        is_cardinality(cardinality, roles.len())?;
        roles.iter().try_for_each(|role_id| self.role_below(*role_id).map(|_| ()))?;
        let roles = roles.into_iter().collect();
        Ok(vec![Event::ExclusiveRolesDefined { set_id, name, roles, cardinality }])
    }

    pub(super) fn add_exclusive(
        &self,
        set_id: ExclusiveSetId,
        role_id: RoleId,
    ) -> Result<Vec<Event>, Rejection> {
        let set = self.set_below(set_id)?;
        self.role_below(role_id)?;
        if set.roles.contains(&role_id) {
            return Err(Rejection::ExclusiveRoleExists);
        }
        if set.roles.len() >= MAX_EXCLUSIVE_ROLES {
            return Err(Rejection::ExclusiveRolesInvalid);
        }
        Ok(vec![Event::ExclusiveRoleAdded { set_id, role_id }])
    }

    pub(super) fn remove_exclusive(
        &self,
        set_id: ExclusiveSetId,
        role_id: RoleId,
    ) -> Result<Vec<Event>, Rejection> {
        let set = self.set_below(set_id)?;
        if !set.roles.contains(&role_id) {
            return Err(Rejection::ExclusiveRoleAbsent);
        }
        if set.roles.len() <= 2 {
            return Err(Rejection::ExclusiveRolesInvalid);
        }
        is_cardinality(set.cardinality, set.roles.len() - 1)?;
        Ok(vec![Event::ExclusiveRoleRemoved { set_id, role_id }])
    }

    /// The same number again changes nothing, and is no mistake.
    pub(super) fn set_cardinality(
        &self,
        set_id: ExclusiveSetId,
        cardinality: u16,
    ) -> Result<Vec<Event>, Rejection> {
        let set = self.set_below(set_id)?;
        is_cardinality(cardinality, set.roles.len())?;
        Ok(match cardinality.cmp(&set.cardinality) {
            std::cmp::Ordering::Less => {
                vec![Event::ExclusiveRolesTightened { set_id, cardinality }]
            }
            std::cmp::Ordering::Equal => Vec::new(),
            std::cmp::Ordering::Greater => {
                vec![Event::ExclusiveRolesRelaxed { set_id, cardinality }]
            }
        })
    }

    pub(super) fn remove_exclusive_set(
        &self,
        set_id: ExclusiveSetId,
    ) -> Result<Vec<Event>, Rejection> {
        self.set_below(set_id)?;
        Ok(vec![Event::ExclusiveRolesRemoved { set_id }])
    }

    /// A set of roles all of which the caller stands above.
    fn set_below(&self, set_id: ExclusiveSetId) -> Result<&ExclusiveSet, Rejection> {
        let set = self.policy.exclusive_set(set_id);
        let set = set.ok_or(Rejection::ExclusiveSetUnknown { set_id })?;
        set.roles.iter().try_for_each(|role_id| self.role_below(*role_id).map(|_| ()))?;
        Ok(set)
    }
}

fn is_cardinality(cardinality: u16, roles: usize) -> Result<(), Rejection> {
    let proper = (2..=roles).contains(&usize::from(cardinality));
    if proper { Ok(()) } else { Err(Rejection::ExclusiveCardinalityInvalid { roles }) }
}

impl Policy {
    /// Whose roles have to be known to decide on a command, because it could bring them roles that
    /// exclude each other.
    pub fn touched_by(&self, command: &Command) -> Touched {
        match command {
            Command::AddInheritance { .. }
            | Command::InstantiateTemplate { .. }
            | Command::GrantProtectedRole { .. }
                if self.exclusive.is_empty() =>
            {
                Touched::Nobody
            }
            Command::DefineExclusiveRoles(_)
            | Command::AddExclusiveRole { .. }
            | Command::SetExclusiveCardinality { .. }
            | Command::AddInheritance { .. }
            | Command::InstantiateTemplate { .. } => Touched::Everybody,
            Command::GrantProtectedRole { user_id, .. } => Touched::User(*user_id),
            Command::Initialize { .. }
            | Command::CreatePermission(_)
            | Command::DescribePermission { .. }
            | Command::RetirePermission { .. }
            | Command::CreateRole(_)
            | Command::RenameRole { .. }
            | Command::DescribeRole { .. }
            | Command::ChangeRoleLevel { .. }
            | Command::DeleteRole { .. }
            | Command::ReplaceRolePermissions { .. }
            | Command::GrantPermission { .. }
            | Command::RevokePermission { .. }
            | Command::RemoveInheritance { .. }
            | Command::RemoveExclusiveRole { .. }
            | Command::RemoveExclusiveRoles { .. }
            | Command::RevokeProtectedRole { .. }
            | Command::AnnounceProtectedRoleEnd { .. }
            | Command::ExpireProtectedRole { .. } => Touched::Nobody,
        }
    }

    /// Nobody comes to have roles that exclude each other.
    pub(super) fn keeps_roles_apart(
        &self,
        events: &[Event],
        facts: &Facts,
        context: &Context,
    ) -> Result<(), Rejection> {
        if !events.iter().any(can_bring_together) {
            return Ok(());
        }
        let mut after = self.clone();
        for event in events {
            after.apply(event);
        }
        if after.exclusive.is_empty() {
            return Ok(());
        }
        let nothing = UserAccess::default();
        let of_policy = after.protected_holders().map(|(user_id, _)| (user_id, &nothing));
        let assigned = facts.holders.iter().map(|(user_id, access)| (*user_id, &**access));
        let mut users: Vec<UserId> = Vec::new();
        let mut first = None;
        let known: BTreeSet<UserId> = facts.holders.iter().map(|(user_id, _)| *user_id).collect();
        let unknown = of_policy.filter(|(user_id, _)| !known.contains(user_id));
        for (user_id, access) in assigned.chain(unknown) {
            let held = exclusion::held(&after, user_id, access, context.now);
            if let Some(set) = exclusion::breached(&after, held) {
                first.get_or_insert_with(|| set.name.clone());
                users.push(user_id);
            }
        }
        match first {
            None => Ok(()),
            Some(set) => Err(held_together(set, &users)),
        }
    }

    pub(super) fn apply_exclusion(&mut self, event: &Event) {
        match event {
            Event::ExclusiveRolesDefined { set_id, name, roles, cardinality } => {
                let (roles, cardinality) = (roles.iter().copied().collect(), *cardinality);
                let set = ExclusiveSet { name: name.clone(), roles, cardinality };
                self.exclusive.insert(*set_id, Arc::new(set));
            }
            Event::ExclusiveRoleAdded { set_id, role_id } => self.change_set(*set_id, |set| {
                set.roles.insert(*role_id);
            }),
            Event::ExclusiveRoleRemoved { set_id, role_id } => self.change_set(*set_id, |set| {
                set.roles.remove(role_id);
            }),
            Event::ExclusiveRolesTightened { set_id, cardinality }
            | Event::ExclusiveRolesRelaxed { set_id, cardinality } => {
                self.change_set(*set_id, |set| set.cardinality = *cardinality);
            }
            Event::ExclusiveRolesRemoved { set_id } => {
                self.exclusive.remove(set_id);
            }
            Event::Initialized { .. }
            | Event::PermissionCreated { .. }
            | Event::PermissionDescribed { .. }
            | Event::PermissionRetired { .. }
            | Event::RoleCreated(_)
            | Event::RoleRenamed { .. }
            | Event::RoleDescribed { .. }
            | Event::RoleRaised { .. }
            | Event::RoleLowered { .. }
            | Event::RoleDeleted { .. }
            | Event::RolePermissionsReplaced { .. }
            | Event::PermissionGranted { .. }
            | Event::PermissionRevoked { .. }
            | Event::InheritanceAdded { .. }
            | Event::InheritanceRemoved { .. }
            | Event::TemplateInstantiated { .. }
            | Event::ProtectedRoleGranted { .. }
            | Event::ProtectedRoleRevoked { .. }
            | Event::ProtectedRoleEndAnnounced { .. }
            | Event::ProtectedRoleExpired { .. } => {}
        }
    }

    /// A role that is gone excludes nothing.
    pub(super) fn drop_exclusive(&mut self, role_id: RoleId) {
        let sets = self.exclusive.iter().filter(|(_, set)| set.roles.contains(&role_id));
        for set_id in sets.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.change_set(set_id, |set| {
                set.roles.remove(&role_id);
            });
        }
    }

    fn change_set(&mut self, set_id: ExclusiveSetId, change: impl FnOnce(&mut ExclusiveSet)) {
        if let Some(set) = self.exclusive.get_mut(&set_id) {
            change(Arc::make_mut(set));
        }
    }
}

fn held_together(set: String, users: &[UserId]) -> Rejection {
    let named: Vec<String> = users.iter().take(MAX_NAMED).map(UserId::to_string).collect();
    Rejection::ExclusiveRolesHeld { set, count: users.len(), users: named.join(", ") }
}

fn can_bring_together(event: &Event) -> bool {
    match event {
        Event::InheritanceAdded { .. }
        | Event::ExclusiveRolesDefined { .. }
        | Event::ExclusiveRoleAdded { .. }
        | Event::ExclusiveRolesTightened { .. }
        | Event::ProtectedRoleGranted { .. } => true,
        Event::Initialized { .. }
        | Event::PermissionCreated { .. }
        | Event::PermissionDescribed { .. }
        | Event::PermissionRetired { .. }
        | Event::RoleCreated(_)
        | Event::RoleRenamed { .. }
        | Event::RoleDescribed { .. }
        | Event::RoleRaised { .. }
        | Event::RoleLowered { .. }
        | Event::RoleDeleted { .. }
        | Event::RolePermissionsReplaced { .. }
        | Event::PermissionGranted { .. }
        | Event::PermissionRevoked { .. }
        | Event::InheritanceRemoved { .. }
        | Event::TemplateInstantiated { .. }
        | Event::ExclusiveRoleRemoved { .. }
        | Event::ExclusiveRolesRelaxed { .. }
        | Event::ExclusiveRolesRemoved { .. }
        | Event::ProtectedRoleRevoked { .. }
        | Event::ProtectedRoleEndAnnounced { .. }
        | Event::ProtectedRoleExpired { .. } => false,
    }
}
