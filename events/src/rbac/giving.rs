//! Who may give which role to somebody, where and until when: one rule for assigning and for inviting.

use jiff::Timestamp;

use super::Assignment;
use super::escalation::Caller;
use super::policy::{Policy, Role};
use super::user_access::{Rejection, UserAccess};
use crate::aggregate::Context;
use crate::ids::{RoleId, UnitId};
use crate::permission::Permission;

/// Whoever would give a role, and the policy that says what it gives.
#[derive(Debug, Clone, Copy)]
pub struct Giver<'a> {
    /// Who gives, and when.
    pub context: &'a Context,
    /// The organisation's policy.
    pub policy: &'a Policy,
    /// The roles of whoever gives.
    pub access: &'a UserAccess,
}

impl<'a> Giver<'a> {
    /// Whether the role may be given as wanted; `unit_path` is the path of the unit it names, itself
    /// first, and empty where it names none or one that does not exist.
    pub fn may_give(&self, wanted: &Assignment, unit_path: &[UnitId]) -> Result<(), Rejection> {
        let Assignment { role_id, unit_id, expires_at } = *wanted;
        let role = self.role(role_id)?;
        if let Some(unit_id) = unit_id.filter(|unit| unit_path.first() != Some(unit)) {
            return Err(Rejection::AssignmentUnitUnknown { unit_id });
        }
        self.is_ahead(expires_at)?;
        Ok(self.at(unit_path).may_give(self.policy, role_id, role)?)
    }

    /// Whether a role that somebody has could be given by the giver, be it protected; one that is gone gives nothing.
    pub fn may_give_any(&self, role_id: RoleId, unit_path: &[UnitId]) -> bool {
        let caller = self.at(unit_path);
        let role = self.policy.role(role_id);
        role.is_none_or(|role| caller.may_give(self.policy, role_id, role).is_ok())
    }

    /// Whether the giver holds a permission for the organisation as a whole.
    pub fn has(&self, permission: Permission) -> bool {
        self.at(&[]).has([permission.name()]).is_ok()
    }

    /// Whether the giver holds all that a name or pattern gives, at a unit.
    pub fn holds(&self, grant: &str, unit_path: &[UnitId]) -> bool {
        self.at(unit_path).has([grant]).is_ok()
    }

    /// The role, if it is one that is given by assignment.
    pub(super) fn role(&self, role_id: RoleId) -> Result<&'a Role, Rejection> {
        match self.policy.role(role_id) {
            None => Err(Rejection::AssignmentRoleUnknown { role_id }),
            Some(role) if role.facts.protected => {
                Err(Rejection::AssignmentRoleProtected { role_id })
            }
            Some(role) => Ok(role),
        }
    }

    /// Whether an end lies in the future.
    pub(super) fn is_ahead(&self, expires_at: Option<Timestamp>) -> Result<(), Rejection> {
        match expires_at.filter(|end| *end <= self.context.now) {
            Some(expires_at) => Err(Rejection::AssignmentExpiryPast { expires_at }),
            None => Ok(()),
        }
    }

    /// How far they may go at a unit.
    pub(super) fn at(&self, unit_path: &[UnitId]) -> Caller {
        Caller::of(self.context, self.policy, self.access, unit_path)
    }
}
