//! How far somebody is let in to a record: by a permission where it belongs, or by the record itself, as one with whom it is shared or
//! who is assigned.

use std::collections::BTreeSet;

use events::maintenance::asset::{Asset, Level, seen_as};
use events::maintenance::task::Task;
use events::{ActorKind, Permission, TenantId, UnitId, UserId};

use super::guard::{authorize, lacking};
use super::{Access, Standing};
use crate::clock;
use crate::fold::FoldError;
use crate::principal::Principal;
use crate::problem::Problem;

/// A record that lets people in so far.
pub trait LetsIn: Sync {
    /// The unit that it belongs to; none for the organisation as a whole.
    fn unit_id(&self) -> Option<UnitId>;

    /// How far it lets in one of the people of these units, whatever permission they hold.
    fn lets_in(&self, user: UserId, units: &[UnitId]) -> Option<Level>;

    /// What lets somebody in so far where it belongs.
    fn permission(level: Level) -> Permission;
}

impl LetsIn for Asset {
    fn unit_id(&self) -> Option<UnitId> {
        self.unit_id
    }

    fn lets_in(&self, user: UserId, units: &[UnitId]) -> Option<Level> {
        self.lets_in(user, units)
    }

    fn permission(level: Level) -> Permission {
        match level {
            Level::View => Permission::MaintenanceAssetsRead,
            Level::Work => Permission::MaintenanceTasksWork,
            Level::Manage => Permission::MaintenanceAssetsManage,
        }
    }
}

impl LetsIn for Task {
    fn unit_id(&self) -> Option<UnitId> {
        self.unit_id
    }

    /// Whoever is assigned sees it; to work on it they hold the permission as well.
    fn lets_in(&self, user: UserId, _: &[UnitId]) -> Option<Level> {
        self.assignees.contains(&user).then_some(Level::View)
    }

    fn permission(level: Level) -> Permission {
        match level {
            Level::View => Permission::MaintenanceTasksRead,
            Level::Work => Permission::MaintenanceTasksWork,
            Level::Manage => Permission::MaintenanceTasksAssign,
        }
    }
}

/// The plan of an asset, which is for whoever may where the asset belongs, and for nobody whom that is shared with.
pub struct PlanOf<'a>(pub &'a Asset);

impl LetsIn for PlanOf<'_> {
    fn unit_id(&self) -> Option<UnitId> {
        self.0.unit_id
    }

    fn lets_in(&self, _: UserId, _: &[UnitId]) -> Option<Level> {
        None
    }

    fn permission(level: Level) -> Permission {
        match level {
            Level::View | Level::Work => Permission::MaintenancePlansRead,
            Level::Manage => Permission::MaintenancePlansManage,
        }
    }
}

/// Whether somebody may come to what is shared with them: a user, a program as far as its key reaches the permission.
pub fn check_shared(
    principal: &Principal,
    standing: Option<&Standing>,
    permission: Permission,
) -> Result<(), Problem> {
    match principal.actor.kind {
        ActorKind::User if reaches(principal, permission) => Ok(()),
        ActorKind::User => Err(lacking(principal, permission)),
        ActorKind::Service | ActorKind::System => authorize(principal, standing, permission),
    }
}

impl Access {
    /// The units of whose people somebody is one: those in which they have a role or access now, and all above.
    pub async fn belongs_to(
        &self,
        tenant: TenantId,
        of: &Standing,
    ) -> Result<Vec<UnitId>, FoldError> {
        let rights = self.rights(tenant, of).await?;
        let (policy, access, now) = (&rights.policy.state, &rights.access.state, clock::now());
        let held = access.assignments().iter().chain(policy.protected_grants(of.user_id));
        let held = held.filter(|held| held.is_live(now)).filter_map(|held| held.unit_id);
        let opened = access.units().iter().filter(|unit| unit.is_live(now));
        let own: BTreeSet<UnitId> = held.chain(opened.map(|unit| unit.unit_id)).collect();
        let organization = &of.organization.state;
        let above: BTreeSet<UnitId> =
            own.into_iter().flat_map(|unit| organization.path(unit)).collect();
        Ok(above.into_iter().collect())
    }

    /// As whom the caller stands among the readers of what is shared.
    pub async fn seen_as(
        &self,
        principal: &Principal,
        standing: Option<&Standing>,
    ) -> Result<Vec<String>, FoldError> {
        let Some(standing) = standing.filter(|_| principal.actor.kind == ActorKind::User) else {
            return Ok(Vec::new());
        };
        let units = self.belongs_to(principal.tenant, standing).await?;
        Ok(seen_as(standing.user_id, units))
    }

    /// How far the caller is let in; nothing where they may not know of the record.
    pub async fn reach<R: LetsIn>(
        &self,
        principal: &Principal,
        standing: Option<&Standing>,
        record: &R,
    ) -> Result<Option<Level>, FoldError> {
        let mut held = None;
        for level in Level::ALL.iter().rev() {
            let permission = R::permission(*level);
            let permitted = match record.unit_id() {
                Some(unit) => self.permits_in(principal, standing, (permission, unit)).await?,
                None => authorize(principal, standing, permission).is_ok(),
            };
            if permitted {
                held = Some(*level);
                break;
            }
        }
        let Some(standing) = standing.filter(|_| principal.actor.kind == ActorKind::User) else {
            return Ok(held);
        };
        let units = self.belongs_to(principal.tenant, standing).await?;
        let shared = record.lets_in(standing.user_id, &units);
        let within = |level: &&Level| reaches(principal, R::permission(**level));
        let shared = Level::ALL.iter().filter(|level| Some(**level) <= shared).rfind(within);
        Ok(held.max(shared.copied()))
    }
}

fn reaches(principal: &Principal, permission: Permission) -> bool {
    principal.key.as_ref().is_none_or(|key| key.scope.allows(permission.name()))
}
