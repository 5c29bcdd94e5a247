//! The rules of an access policy: who may change it, and what must stay true of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::commands::{Command, OWNER_LEVEL};
use super::events::{Event, RoleCreated};
use super::rejections::Rejection;
use super::state::{Policy, Role};
use crate::aggregate::{ActorKind, Context, Decider};
use crate::ids::{RoleId, UnitId, UserId};
use crate::modules::Module;
use crate::rbac::assignment::Assignment;
use crate::rbac::escalation::{Caller, Excess};
use crate::rbac::name::EVERYTHING;
use crate::rbac::user_access::UserAccess;

/// What a decision on a policy needs to know of other streams.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// The roles of the caller, or of the user on whose behalf a service calls.
    pub actor_access: Arc<UserAccess>,
    /// The unit that [`Policy::unit_of`] names for the command and all units above it, itself
    /// first; empty where it names none, or one that does not exist.
    pub unit_path: Vec<UnitId>,
    /// Whether the organisation has the user that the command names.
    pub user_exists: bool,
    /// The roles of those whom [`Policy::touched_by`] names for the command.
    pub holders: Vec<(UserId, Arc<UserAccess>)>,
    /// Those of [`Policy::administrators`] who may not sign in, where [`Policy::may_cost_an_administrator`].
    pub inactive: BTreeSet<UserId>,
}

/// Whom a command could bring roles that exclude each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Touched {
    /// Nobody.
    Nobody,
    /// One user.
    User(UserId),
    /// Whoever holds a role.
    Everybody,
}

impl Decider for Policy {
    const TYPE: &'static str = "rbac.policy";
    const MODULE: Module = Module::Rbac;
    const SHAPE: i64 = 3;
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;
    type Facts = Facts;

    fn decide(
        &self,
        command: Command,
        facts: &Facts,
        context: &Context,
    ) -> Result<Vec<Event>, Rejection> {
        if let Command::Initialize { owner_role_id } = command {
            return self.initialize(owner_role_id, context);
        }
        if !self.exists() {
            return Err(Rejection::PolicyAbsent);
        }
        let caller = Caller::of(context, self, &facts.actor_access, &facts.unit_path);
        let events = Case { policy: self, facts, context, caller }.decide(command)?;
        self.keeps_an_administrator(&events, &facts.inactive)?;
        self.keeps_roles_apart(&events, facts, context)?;
        Ok(events)
    }

    fn evolve(&mut self, event: &Event) {
        self.apply(event);
    }
}

impl Policy {
    /// The unit that a command is about: the one it names, or the one that owns the role it names.
    pub fn unit_of(&self, command: &Command) -> Option<UnitId> {
        let of_role = |id: &RoleId| self.role(*id).and_then(|role| role.facts.unit_id);
        match command {
            Command::Initialize { .. }
            | Command::CreatePermission(_)
            | Command::DescribePermission { .. }
            | Command::RetirePermission { .. }
            | Command::DefineExclusiveRoles(_)
            | Command::AddExclusiveRole { .. }
            | Command::RemoveExclusiveRole { .. }
            | Command::SetExclusiveCardinality { .. }
            | Command::RemoveExclusiveRoles { .. } => None,
            Command::CreateRole(role) => role.unit_id,
            Command::RenameRole { role_id, .. }
            | Command::DescribeRole { role_id, .. }
            | Command::ChangeRoleLevel { role_id, .. }
            | Command::DeleteRole { role_id }
            | Command::ReplaceRolePermissions { role_id, .. }
            | Command::GrantPermission { role_id, .. }
            | Command::RevokePermission { role_id, .. } => of_role(role_id),
            Command::AddInheritance { senior_id, .. }
            | Command::RemoveInheritance { senior_id, .. } => of_role(senior_id),
            Command::InstantiateTemplate { unit_id, .. }
            | Command::GrantProtectedRole { unit_id, .. }
            | Command::RevokeProtectedRole { unit_id, .. }
            | Command::AnnounceProtectedRoleEnd { unit_id, .. }
            | Command::ExpireProtectedRole { unit_id, .. } => *unit_id,
        }
    }

    fn initialize(
        &self,
        owner_role_id: RoleId,
        context: &Context,
    ) -> Result<Vec<Event>, Rejection> {
        match context.actor.kind {
            ActorKind::System if self.exists() => return Err(Rejection::PolicyExists),
            ActorKind::System => {}
            ActorKind::User | ActorKind::Service => return Err(Rejection::PolicySetUpReserved),
        }
        let owner = RoleCreated {
            role_id: owner_role_id,
            name: "Owner".to_owned(),
            code: "owner".to_owned(),
            description: Some("May do everything in the organisation.".to_owned()),
            level: OWNER_LEVEL,
            unit_id: None,
            system: true,
            protected: true,
        };
        let permission = EVERYTHING.to_owned();
        Ok(vec![
            Event::Initialized { owner_role_id },
            Event::RoleCreated(owner),
            Event::PermissionGranted { role_id: owner_role_id, permission },
        ])
    }

    /// Whether a command could leave the organisation without an administrator.
    pub fn may_cost_an_administrator(&self, command: &Command) -> bool {
        match command {
            Command::RevokeProtectedRole { .. } => true,
            Command::DeleteRole { role_id }
            | Command::ReplaceRolePermissions { role_id, .. }
            | Command::RevokePermission { role_id, .. }
            | Command::RemoveInheritance { senior_id: role_id, .. } => {
                self.protected_holders().flat_map(|(_, grants)| grants).any(|held| {
                    self.reaches_everything(held.role_id) && self.inherits(held.role_id, *role_id)
                })
            }
            Command::Initialize { .. }
            | Command::CreatePermission(_)
            | Command::DescribePermission { .. }
            | Command::RetirePermission { .. }
            | Command::CreateRole(_)
            | Command::RenameRole { .. }
            | Command::DescribeRole { .. }
            | Command::ChangeRoleLevel { .. }
            | Command::GrantPermission { .. }
            | Command::AddInheritance { .. }
            | Command::InstantiateTemplate { .. }
            | Command::DefineExclusiveRoles(_)
            | Command::AddExclusiveRole { .. }
            | Command::RemoveExclusiveRole { .. }
            | Command::SetExclusiveCardinality { .. }
            | Command::RemoveExclusiveRoles { .. }
            | Command::GrantProtectedRole { .. }
            | Command::AnnounceProtectedRoleEnd { .. }
            | Command::ExpireProtectedRole { .. } => false,
        }
    }

    /// Once there is an administrator who may sign in, one remains.
    fn keeps_an_administrator(
        &self,
        events: &[Event],
        inactive: &BTreeSet<UserId>,
    ) -> Result<(), Rejection> {
        let has_one = |policy: &Self| policy.administrators().any(|user| !inactive.contains(&user));
        if !events.iter().any(can_cost_an_administrator) || !has_one(self) {
            return Ok(());
        }
        let mut after = self.clone();
        for event in events {
            after.apply(event);
        }
        if has_one(&after) { Ok(()) } else { Err(Rejection::LastAdministrator) }
    }
}

fn can_cost_an_administrator(event: &Event) -> bool {
    match event {
        Event::RoleDeleted { .. }
        | Event::RolePermissionsReplaced { .. }
        | Event::PermissionRevoked { .. }
        | Event::InheritanceRemoved { .. }
        | Event::ProtectedRoleRevoked { .. } => true,
        Event::Initialized { .. }
        | Event::PermissionCreated { .. }
        | Event::PermissionDescribed { .. }
        | Event::PermissionRetired { .. }
        | Event::RoleCreated(_)
        | Event::RoleRenamed { .. }
        | Event::RoleDescribed { .. }
        | Event::RoleRaised { .. }
        | Event::RoleLowered { .. }
        | Event::PermissionGranted { .. }
        | Event::InheritanceAdded { .. }
        | Event::TemplateInstantiated { .. }
        | Event::ExclusiveRolesDefined { .. }
        | Event::ExclusiveRoleAdded { .. }
        | Event::ExclusiveRoleRemoved { .. }
        | Event::ExclusiveRolesTightened { .. }
        | Event::ExclusiveRolesRelaxed { .. }
        | Event::ExclusiveRolesRemoved { .. }
        | Event::ProtectedRoleGranted { .. }
        // It had an end, so its holder never counted.
        | Event::ProtectedRoleEndAnnounced { .. }
        | Event::ProtectedRoleExpired { .. } => false,
    }
}

/// One decision: the state, and what it is decided by.
pub(super) struct Case<'a> {
    pub(super) policy: &'a Policy,
    pub(super) facts: &'a Facts,
    pub(super) context: &'a Context,
    pub(super) caller: Caller,
}

impl<'a> Case<'a> {
    fn decide(&self, command: Command) -> Result<Vec<Event>, Rejection> {
        match command {
            Command::Initialize { .. } => Err(Rejection::PolicyExists),
            Command::CreatePermission(wanted) => self.create_permission(wanted),
            Command::DescribePermission { permission_id, description } => {
                self.describe_permission(permission_id, description)
            }
            Command::RetirePermission { permission_id } => self.retire_permission(permission_id),
            Command::CreateRole(wanted) => self.create_role(wanted),
            Command::RenameRole { role_id, name } => self.rename_role(role_id, &name),
            Command::DescribeRole { role_id, description } => {
                self.describe_role(role_id, description)
            }
            Command::ChangeRoleLevel { role_id, level } => self.change_level(role_id, level),
            Command::DeleteRole { role_id } => self.delete_role(role_id),
            Command::ReplaceRolePermissions { role_id, permissions } => {
                self.replace_permissions(role_id, permissions)
            }
            Command::GrantPermission { role_id, permission } => {
                self.grant(role_id, self.named(permission)?)
            }
            Command::RevokePermission { role_id, permission } => {
                self.revoke(role_id, self.named(permission)?)
            }
            Command::AddInheritance { senior_id, junior_id } => {
                self.add_inheritance(senior_id, junior_id)
            }
            Command::RemoveInheritance { senior_id, junior_id } => {
                self.remove_inheritance(senior_id, junior_id)
            }
            Command::InstantiateTemplate { template, unit_id } => {
                self.instantiate(template, unit_id)
            }
            Command::DefineExclusiveRoles(wanted) => self.define_exclusive(wanted),
            Command::AddExclusiveRole { set_id, role_id } => self.add_exclusive(set_id, role_id),
            Command::RemoveExclusiveRole { set_id, role_id } => {
                self.remove_exclusive(set_id, role_id)
            }
            Command::SetExclusiveCardinality { set_id, cardinality } => {
                self.set_cardinality(set_id, cardinality)
            }
            Command::RemoveExclusiveRoles { set_id } => self.remove_exclusive_set(set_id),
            Command::GrantProtectedRole { user_id, role_id, unit_id, expires_at } => {
                self.grant_protected(user_id, Assignment { role_id, unit_id, expires_at })
            }
            Command::RevokeProtectedRole { user_id, role_id, unit_id, reason } => {
                self.revoke_protected(user_id, (role_id, unit_id), reason)
            }
            Command::AnnounceProtectedRoleEnd { user_id, role_id, unit_id } => {
                self.announce_protected(user_id, role_id, unit_id)
            }
            Command::ExpireProtectedRole { user_id, role_id, unit_id } => {
                self.expire_protected(user_id, role_id, unit_id)
            }
        }
    }

    pub(super) fn role(&self, role_id: RoleId) -> Result<&'a Role, Rejection> {
        self.policy.role(role_id).ok_or(Rejection::RoleUnknown { role_id })
    }

    /// A role that the caller may change: it exists, and the caller stands above it.
    pub(super) fn role_below(&self, role_id: RoleId) -> Result<&'a Role, Rejection> {
        let role = self.role(role_id)?;
        self.caller.is_above(role.facts.level)?;
        Ok(role)
    }
}

impl From<Excess> for Rejection {
    fn from(excess: Excess) -> Self {
        match excess {
            Excess::Permission(permission) => Self::EscalatesPermissions { permission },
            Excess::Level(level) => Self::EscalatesLevel { level },
        }
    }
}
