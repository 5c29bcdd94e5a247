//! The rules of a user's roles.

use std::sync::Arc;

use jiff::Timestamp;

use super::commands::{Command, MAX_ASSIGNMENTS, MAX_REASON_CHARS, MAX_UNITS, Rejection};
use super::events::Event;
use super::state::UserAccess;
use crate::aggregate::{Context, Decider};
use crate::ids::{RoleId, UnitId, UserId};
use crate::modules::Module;
use crate::notice::Notice;
use crate::rbac::assignment::Assignment;
use crate::rbac::escalation::{Caller, Excess};
use crate::rbac::exclusion;
use crate::rbac::giving::Giver;
use crate::rbac::policy::Policy;
use crate::rbac::unit_access::UnitAccess;
use crate::text;

/// What a decision on a user's roles needs to know of other streams.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// The user whose roles these are: the id of the stream.
    pub user_id: UserId,
    /// Whether the organisation has that user.
    pub user_exists: bool,
    /// The organisation's policy.
    pub policy: Arc<Policy>,
    /// The roles of the caller, or of the user on whose behalf a service calls.
    pub actor_access: Arc<UserAccess>,
    /// The unit that the command names and all units above it, itself first; empty where it names
    /// none, or one that does not exist.
    pub unit_path: Vec<UnitId>,
}

impl Decider for UserAccess {
    const TYPE: &'static str = "rbac.user_access";
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
        let case = Case { access: self, facts, context };
        match command {
            Command::AssignRole { role_id, unit_id, expires_at } => {
                case.assign(Assignment { role_id, unit_id, expires_at })
            }
            Command::RemoveRole { role_id, unit_id, reason } => {
                case.remove(role_id, unit_id, reason)
            }
            Command::ChangeRoleExpiry { role_id, unit_id, expires_at } => {
                case.end_at(Assignment { role_id, unit_id, expires_at })
            }
            Command::ExpireRole { role_id, unit_id } => case.expire(role_id, unit_id),
            Command::AnnounceRoleEnd { role_id, unit_id } => case.announce(role_id, unit_id),
            Command::StripRole { role_id, unit_id } => case.strip(role_id, unit_id),
            Command::GrantUnitAccess(wanted) => case.open(wanted),
            Command::RevokeUnitAccess { unit_id, reason } => case.close(unit_id, reason),
            Command::ExpireUnitAccess { unit_id } => case.expire_unit(unit_id),
        }
    }

    fn evolve(&mut self, event: &Event) {
        self.apply(event);
    }
}

/// One decision: the state, and what it is decided by.
struct Case<'a> {
    access: &'a UserAccess,
    facts: &'a Facts,
    context: &'a Context,
}

impl Case<'_> {
    fn assign(&self, wanted: Assignment) -> Result<Vec<Event>, Rejection> {
        let Assignment { role_id, unit_id, expires_at } = wanted;
        if !self.facts.user_exists {
            return Err(Rejection::AssignmentUserUnknown);
        }
        self.giver().may_give(&wanted, &self.facts.unit_path)?;
        let held = self.access.find(role_id, unit_id);
        if held.is_some_and(|held| held.is_live(self.context.now)) {
            return Err(Rejection::RoleAlreadyAssigned { role_id });
        }
        if held.is_none() && self.access.assignments().len() >= MAX_ASSIGNMENTS {
            return Err(Rejection::TooManyAssignments);
        }
        self.stays_apart(role_id)?;
        // The timer has not come yet: what has ended is recorded before it begins again.
        let ended = held.map(|_| Event::RoleAssignmentExpired { role_id, unit_id });
        let assigned = Event::RoleAssigned { role_id, unit_id, expires_at };
        Ok(ended.into_iter().chain([assigned]).collect())
    }

    /// Whether the user, with one role more, still has no roles that exclude each other.
    fn stays_apart(&self, role_id: RoleId) -> Result<(), Rejection> {
        let Facts { policy, user_id, .. } = self.facts;
        let mut held = exclusion::held(policy, *user_id, self.access, self.context.now);
        held.insert(role_id);
        match exclusion::breached(policy, held) {
            None => Ok(()),
            Some(set) => Err(Rejection::AssignmentExclusive {
                set: set.name.clone(),
                cardinality: set.cardinality,
            }),
        }
    }

    fn remove(
        &self,
        role_id: RoleId,
        unit_id: Option<UnitId>,
        reason: Option<String>,
    ) -> Result<Vec<Event>, Rejection> {
        self.held(role_id, unit_id)?;
        let reason = self::reason(reason)?;
        self.may_take(role_id)?;
        Ok(vec![Event::RoleRemoved { role_id, unit_id, reason }])
    }

    fn end_at(&self, wanted: Assignment) -> Result<Vec<Event>, Rejection> {
        let Assignment { role_id, unit_id, expires_at } = wanted;
        let held = self.held(role_id, unit_id)?;
        let role = self.giver().role(role_id)?;
        if !held.is_live(self.context.now) {
            return Err(Rejection::AssignmentExpired { role_id });
        }
        self.giver().is_ahead(expires_at)?;
        let later = |end: Timestamp| held.expires_at.is_some_and(|present| end > present);
        match expires_at {
            same if same == held.expires_at => Ok(Vec::new()),
            Some(expires_at) if !later(expires_at) => {
                self.may_take(role_id)?;
                Ok(vec![Event::RoleShortened { role_id, unit_id, expires_at }])
            }
            Some(_) | None => {
                self.caller().may_give(&self.facts.policy, role_id, role)?;
                Ok(vec![Event::RoleExtended { role_id, unit_id, expires_at }])
            }
        }
    }

    /// Timers come again: what is recorded already needs no second record.
    fn expire(&self, role_id: RoleId, unit_id: Option<UnitId>) -> Result<Vec<Event>, Rejection> {
        match self.access.find(role_id, unit_id) {
            None => Ok(Vec::new()),
            Some(held) if held.is_live(self.context.now) => {
                Err(Rejection::AssignmentNotDue { role_id })
            }
            Some(_) => Ok(vec![Event::RoleAssignmentExpired { role_id, unit_id }]),
        }
    }

    /// Once for each end: whoever was told, or has nothing to be told of any more, is left alone.
    fn announce(&self, role_id: RoleId, unit_id: Option<UnitId>) -> Result<Vec<Event>, Rejection> {
        let held = self.access.find(role_id, unit_id);
        let held = held.filter(|held| !self.access.is_announced(held));
        match held.map(|held| held.notice(self.context.now)) {
            Some(Notice::Due(expires_at)) => {
                Ok(vec![Event::RoleEndAnnounced { role_id, unit_id, expires_at }])
            }
            Some(Notice::Later) => Err(Rejection::AssignmentEndsLater { role_id }),
            Some(Notice::Never) | None => Ok(Vec::new()),
        }
    }

    /// A role that was deleted gives nothing; what is left of it goes, once.
    fn strip(&self, role_id: RoleId, unit_id: Option<UnitId>) -> Result<Vec<Event>, Rejection> {
        if self.facts.policy.role(role_id).is_some() {
            return Err(Rejection::AssignmentRoleStands { role_id });
        }
        let held = self.access.find(role_id, unit_id);
        let reason = Some("the role was deleted".to_owned());
        Ok(held.map(|_| Event::RoleRemoved { role_id, unit_id, reason }).into_iter().collect())
    }

    /// The same access again changes nothing, and is no mistake.
    fn open(&self, wanted: UnitAccess) -> Result<Vec<Event>, Rejection> {
        let UnitAccess { unit_id, level, expires_at } = wanted;
        if !self.facts.user_exists {
            return Err(Rejection::AssignmentUserUnknown);
        }
        let undefined = Rejection::UnitAccessUndefined { code: level.code() };
        let as_role = wanted.assignment(&self.facts.policy).ok_or(undefined)?;
        self.giver().may_give(&as_role, &self.facts.unit_path)?;
        let held = self.access.unit(unit_id);
        if held == Some(&wanted) {
            return Ok(Vec::new());
        }
        if held.is_none() && self.access.units().len() >= MAX_UNITS {
            return Err(Rejection::TooManyUnits);
        }
        let held = held.filter(|held| held.is_live(self.context.now));
        if let Some(role_id) = held.and_then(|held| held.level.role(&self.facts.policy)) {
            self.may_take(role_id)?;
        }
        self.stays_apart(as_role.role_id)?;
        Ok(vec![Event::UnitAccessGranted { unit_id, level, expires_at }])
    }

    fn close(&self, unit_id: UnitId, reason: Option<String>) -> Result<Vec<Event>, Rejection> {
        let held = self.access.unit(unit_id).ok_or(Rejection::UnitAccessUnknown { unit_id })?;
        let reason = self::reason(reason)?;
        if let Some(role_id) = held.level.role(&self.facts.policy) {
            self.may_take(role_id)?;
        }
        Ok(vec![Event::UnitAccessRevoked { unit_id, reason }])
    }

    /// Timers come again: what is recorded already needs no second record.
    fn expire_unit(&self, unit_id: UnitId) -> Result<Vec<Event>, Rejection> {
        match self.access.unit(unit_id) {
            None => Ok(Vec::new()),
            Some(held) if held.is_live(self.context.now) => {
                Err(Rejection::UnitAccessNotDue { unit_id })
            }
            Some(_) => Ok(vec![Event::UnitAccessExpired { unit_id }]),
        }
    }

    fn held(&self, role_id: RoleId, unit_id: Option<UnitId>) -> Result<&Assignment, Rejection> {
        self.access.find(role_id, unit_id).ok_or(Rejection::RoleNotAssigned { role_id })
    }

    fn giver(&self) -> Giver<'_> {
        let Facts { policy, actor_access, .. } = self.facts;
        Giver { context: self.context, policy, access: actor_access }
    }

    fn caller(&self) -> Caller {
        self.giver().at(&self.facts.unit_path)
    }

    /// Who stands above the role may take it from others, everybody may lay down their own, and a
    /// role that is gone may be taken by anybody: it gives nothing.
    fn may_take(&self, role_id: RoleId) -> Result<(), Rejection> {
        let own = self.context.actor.user() == Some(self.facts.user_id);
        match self.facts.policy.role(role_id) {
            Some(role) if !own => Ok(self.caller().is_above(role.facts.level)?),
            Some(_) | None => Ok(()),
        }
    }
}

fn reason(reason: Option<String>) -> Result<Option<String>, Rejection> {
    let clean = reason.map(|reason| text::lines(&reason, MAX_REASON_CHARS)).transpose();
    clean.map_err(Rejection::RemovalReasonInvalid)
}

impl From<Excess> for Rejection {
    fn from(excess: Excess) -> Self {
        match excess {
            Excess::Permission(permission) => Self::AssignmentExceedsPermissions { permission },
            Excess::Level(level) => Self::AssignmentExceedsLevel { level },
        }
    }
}
