//! No escalation: whoever gives access has it, and stands above what is given.

use super::name;
use super::policy::{Policy, Role};
use super::resolve::{Effective, Holder};
use super::user_access::UserAccess;
use crate::aggregate::{ActorKind, Context};
use crate::ids::{RoleId, UnitId};

/// Whether a refusal of that code is one of somebody who tried to give what they do not have.
pub fn is_escalation(code: &str) -> bool {
    let codes = [
        "ESCALATES_PERMISSIONS",
        "ESCALATES_LEVEL",
        "ASSIGNMENT_EXCEEDS_PERMISSIONS",
        "ASSIGNMENT_EXCEEDS_LEVEL",
        "API_KEY_SCOPE_EXCEEDS",
    ];
    codes.contains(&code)
}

/// How far the caller of a command may go.
pub(super) enum Caller {
    /// The installation itself, or somebody who may do everything.
    Unbound,
    /// Everybody else.
    Bound(Effective),
}

/// How a command goes too far.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Excess {
    /// The caller does not have what would be given.
    Permission(String),
    /// The caller does not stand above this level.
    Level(u16),
}

impl Caller {
    pub(super) fn of(
        context: &Context,
        policy: &Policy,
        access: &UserAccess,
        unit_path: &[UnitId],
    ) -> Self {
        let now = context.now;
        let effective = match (context.actor.kind, context.actor.user()) {
            (ActorKind::System, _) => return Self::Unbound,
            (ActorKind::User | ActorKind::Service, Some(user_id)) => {
                let all = Holder { policy, user_id, access, unit_path, now }.effective();
                context.scope.as_ref().map_or_else(|| all.clone(), |scope| all.within(scope))
            }
            (ActorKind::User | ActorKind::Service, None) => Effective::default(),
        };
        if effective.is_everything() { Self::Unbound } else { Self::Bound(effective) }
    }

    /// Whether the caller stands above a level.
    pub(super) fn is_above(&self, level: u16) -> Result<(), Excess> {
        match self {
            Self::Unbound => Ok(()),
            Self::Bound(effective) if effective.max_level() > Some(level) => Ok(()),
            Self::Bound(_) => Err(Excess::Level(level)),
        }
    }

    /// Whether the caller has all that these names and patterns give.
    pub(super) fn has<'n>(&self, grants: impl IntoIterator<Item = &'n str>) -> Result<(), Excess> {
        let Self::Bound(effective) = self else { return Ok(()) };
        match grants.into_iter().find(|grant| !effective.contains(grant)) {
            Some(grant) => Err(Excess::Permission(grant.to_owned())),
            None => Ok(()),
        }
    }

    /// Whether the caller has all that a role gives, inheritance included.
    pub(super) fn has_all_of(&self, policy: &Policy, role_id: RoleId) -> Result<(), Excess> {
        let closure = policy.closure(role_id);
        let grants = closure.iter().flat_map(|(_, role)| role.grants.iter()).map(|name| &**name);
        // What was retired gives nothing.
        self.has(grants.filter(|grant| name::is_pattern(grant) || policy.knows(grant)))
    }

    /// Whether the caller may give a role to somebody.
    pub(super) fn may_give(&self, policy: &Policy, id: RoleId, role: &Role) -> Result<(), Excess> {
        self.is_above(role.facts.level)?;
        self.has_all_of(policy, id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::Rejection as _;
    use crate::identity::api_key;
    use crate::rbac::{policy, user_access};

    #[test]
    fn every_excess_is_known_by_its_code() {
        for excess in [Excess::Permission("a:b".into()), Excess::Level(7)] {
            assert!(is_escalation(policy::Rejection::from(excess.clone()).code()));
            assert!(is_escalation(user_access::Rejection::from(excess).code()));
        }
        assert!(is_escalation(api_key::Rejection::ScopeExceeds("a:b".into()).code()));
        assert!(!is_escalation(policy::Rejection::PolicyAbsent.code()));
    }
}
