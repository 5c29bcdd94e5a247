//! Rights that hold in a unit and below it, for whoever does not hold them everywhere: what `/rbac/check` answers for the unit.

use std::collections::BTreeSet;
use std::sync::Arc;

use events::rbac::resolve::review::Person;
use events::{ActorKind, Permission, UnitId};

use super::guard::{authorize, lacking};
use super::{Access, Rights, Standing};
use crate::clock;
use crate::fold::FoldError;
use crate::principal::Principal;
use crate::problem::Problem;

/// Where a caller may do something.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Places {
    /// In the organisation as a whole.
    Everywhere,
    /// In these units alone, those below them included.
    In(BTreeSet<UnitId>),
    /// Nowhere.
    #[default]
    Nowhere,
}

impl Places {
    /// Where both hold.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Nowhere, _) | (_, Self::Nowhere) => Self::Nowhere,
            (Self::Everywhere, places) | (places, Self::Everywhere) => places,
            (Self::In(ours), Self::In(others)) => {
                let both: BTreeSet<UnitId> = ours.intersection(&others).copied().collect();
                if both.is_empty() { Self::Nowhere } else { Self::In(both) }
            }
        }
    }

    /// Whether what belongs to a unit belongs there; what belongs to none belongs to the organisation as a whole.
    pub fn hold(&self, unit: Option<UnitId>) -> bool {
        match self {
            Self::Everywhere => true,
            Self::In(units) => unit.is_some_and(|unit| units.contains(&unit)),
            Self::Nowhere => false,
        }
    }
}

impl Access {
    /// Where the caller may do what needs `permission`; `standing` is a user's.
    pub async fn places(
        &self,
        principal: &Principal,
        standing: Option<&Standing>,
        permission: Permission,
    ) -> Result<Places, FoldError> {
        if authorize(principal, standing, permission).is_ok() {
            return Ok(Places::Everywhere);
        }
        let Some(standing) = reaching(principal, standing, permission) else {
            return Ok(Places::Nowhere);
        };
        let rights = self.rights(principal.tenant, standing).await?;
        let units = person(&rights, standing).units_permitting(permission.name());
        let units = standing.organization.state.below(&units);
        Ok(if units.is_empty() { Places::Nowhere } else { Places::In(units) })
    }

    /// A standing as it is in a unit of the organisation; nothing where there is no such unit.
    pub async fn seen_in(
        &self,
        principal: &Principal,
        standing: Standing,
        unit: UnitId,
    ) -> Result<Option<Standing>, FoldError> {
        let path = standing.organization.state.path(unit);
        if path.is_empty() {
            return Ok(None);
        }
        let rights = self.rights(principal.tenant, &standing).await?;
        let all = rights.holder(standing.user_id, &path, clock::now()).effective();
        let effective = match &principal.key {
            Some(key) => all.within(&key.scope),
            None => all,
        };
        let (versions, effective) = (rights.versions(), Arc::new(effective));
        Ok(Some(Standing { versions, effective, ..standing }))
    }

    /// Whether the caller may do what needs `permission` in a unit, or everywhere.
    pub async fn permits_in(
        &self,
        principal: &Principal,
        standing: Option<&Standing>,
        (permission, unit): (Permission, UnitId),
    ) -> Result<bool, FoldError> {
        if authorize(principal, standing, permission).is_ok() {
            return Ok(true);
        }
        let Some(standing) = reaching(principal, standing, permission) else { return Ok(false) };
        let rights = self.rights(principal.tenant, standing).await?;
        Ok(person(&rights, standing).explain(permission.name(), Some(unit)).is_allowed())
    }

    /// The refusal of a caller who lacks a permission, saying so where they hold it in units alone: what they asked is about the
    /// organisation as a whole.
    pub async fn clarified(&self, principal: &Principal, problem: Problem) -> Problem {
        let lacks = problem.lacks().filter(|_| !problem.params.contains_key("unit_id"));
        let Some(permission) = lacks.and_then(|name| name.parse::<Permission>().ok()) else {
            return problem;
        };
        let Ok(standing) = self.last_known(principal).await else { return problem };
        let Ok(Places::In(_)) = self.places(principal, standing.as_ref(), permission).await else {
            return problem;
        };
        let name = permission.name();
        let detail = format!(
            "this is about the organisation as a whole: you hold the permission {name} in units alone; ask whoever holds it \
             everywhere"
        );
        Problem { detail, ..problem }
    }
}

/// The refusal of a caller who lacks a permission in a unit.
pub fn lacking_in(principal: &Principal, permission: Permission, unit: UnitId) -> Problem {
    lacking(principal, permission).with("unit_id", unit.to_string())
}

/// The standing of a user whose key, where they act by one, reaches the permission at all.
fn reaching<'a>(
    principal: &Principal,
    standing: Option<&'a Standing>,
    permission: Permission,
) -> Option<&'a Standing> {
    let reaches = principal.key.as_ref().is_none_or(|key| key.scope.allows(permission.name()));
    standing.filter(|_| reaches && principal.actor.kind == ActorKind::User)
}

fn person<'a>(rights: &'a Rights, standing: &'a Standing) -> Person<'a> {
    Person {
        user_id: standing.user_id,
        status: standing.user.state.status,
        access: &rights.access.state,
        policy: &rights.policy.state,
        organization: &standing.organization.state,
        now: clock::now(),
    }
}
