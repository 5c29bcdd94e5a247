//! The rules of protected roles, which users hold by grant of the policy itself.

use super::commands::MAX_DESCRIPTION_CHARS;
use super::decide::Case;
use super::events::Event;
use super::rejections::Rejection;
use crate::ids::{RoleId, UnitId, UserId};
use crate::notice::Notice;
use crate::rbac::assignment::Assignment;
use crate::text;

impl Case<'_> {
    pub(super) fn grant_protected(
        &self,
        user_id: UserId,
        wanted: Assignment,
    ) -> Result<Vec<Event>, Rejection> {
        let Assignment { role_id, unit_id, expires_at } = wanted;
        if !self.facts.user_exists {
            return Err(Rejection::ProtectedHolderUnknown);
        }
        let role = self.role(role_id)?;
        if !role.facts.protected {
            return Err(Rejection::RoleNotProtected);
        }
        if let Some(unit_id) = unit_id.filter(|unit| self.facts.unit_path.first() != Some(unit)) {
            return Err(Rejection::RoleUnitUnknown { unit_id });
        }
        if let Some(expires_at) = expires_at.filter(|end| *end <= self.context.now) {
            return Err(Rejection::ProtectedExpiryPast { expires_at });
        }
        let held = self.find(user_id, role_id, unit_id);
        if held.is_some_and(|held| held.is_live(self.context.now)) {
            return Err(Rejection::ProtectedGrantExists);
        }
        self.caller.may_give(self.policy, role_id, role)?;
        // The timer has not come yet: what has ended is recorded before it begins again.
        let ended = held.map(|_| Event::ProtectedRoleExpired { user_id, role_id, unit_id });
        let granted = Event::ProtectedRoleGranted { user_id, role_id, unit_id, expires_at };
        Ok(ended.into_iter().chain([granted]).collect())
    }

    /// Who stands above the role may take it from others; everybody may lay down their own.
    pub(super) fn revoke_protected(
        &self,
        user_id: UserId,
        wanted: (RoleId, Option<UnitId>),
        reason: Option<String>,
    ) -> Result<Vec<Event>, Rejection> {
        let (role_id, unit_id) = wanted;
        if self.find(user_id, role_id, unit_id).is_none() {
            return Err(Rejection::ProtectedGrantUnknown { user_id });
        }
        let reason = reason.map(|text| text::lines(&text, MAX_DESCRIPTION_CHARS)).transpose();
        let reason = reason.map_err(Rejection::ProtectedReasonInvalid)?;
        if self.context.actor.user() != Some(user_id) {
            self.caller.is_above(self.role(role_id)?.facts.level)?;
        }
        Ok(vec![Event::ProtectedRoleRevoked { user_id, role_id, unit_id, reason }])
    }

    /// Timers come again: what is recorded already needs no second record.
    pub(super) fn expire_protected(
        &self,
        user_id: UserId,
        role_id: RoleId,
        unit_id: Option<UnitId>,
    ) -> Result<Vec<Event>, Rejection> {
        match self.find(user_id, role_id, unit_id) {
            None => Ok(Vec::new()),
            Some(held) if held.is_live(self.context.now) => Err(Rejection::ProtectedGrantNotDue),
            Some(_) => Ok(vec![Event::ProtectedRoleExpired { user_id, role_id, unit_id }]),
        }
    }

    /// Once for each grant: whoever was told, or has nothing to be told of any more, is left alone.
    pub(super) fn announce_protected(
        &self,
        user_id: UserId,
        role_id: RoleId,
        unit_id: Option<UnitId>,
    ) -> Result<Vec<Event>, Rejection> {
        let held = self.find(user_id, role_id, unit_id);
        let told = self.policy.announced.contains(&(user_id, role_id, unit_id));
        match held.filter(|_| !told).map(|held| held.notice(self.context.now)) {
            Some(Notice::Due(expires_at)) => {
                Ok(vec![Event::ProtectedRoleEndAnnounced { user_id, role_id, unit_id, expires_at }])
            }
            Some(Notice::Later) => Err(Rejection::ProtectedGrantEndsLater),
            Some(Notice::Never) | None => Ok(Vec::new()),
        }
    }

    fn find(
        &self,
        user_id: UserId,
        role_id: RoleId,
        unit_id: Option<UnitId>,
    ) -> Option<&Assignment> {
        let held = self.policy.protected_grants(user_id).iter();
        held.into_iter().find(|held| held.is_of(role_id, unit_id))
    }
}
