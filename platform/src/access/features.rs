//! Features that are on for some: what a flag says of a caller.

use std::collections::BTreeSet;

use events::settings::configuration::Configuration;
use events::settings::{Caller, Flag, Verdict, verdict};
use events::{TenantId, UnitId};

use super::{Access, Standing};
use crate::clock;
use crate::fold::FoldError;
use crate::principal::Principal;

impl Access {
    /// The units in which somebody has a role now, and all units above them.
    pub async fn units(&self, tenant: TenantId, of: &Standing) -> Result<Vec<UnitId>, FoldError> {
        let rights = self.rights(tenant, of).await?;
        let (policy, access, now) = (&rights.policy.state, &rights.access.state, clock::now());
        let held = access.assignments().iter().chain(policy.protected_grants(of.user_id));
        let own: BTreeSet<UnitId> =
            held.filter(|held| held.is_live(now)).filter_map(|held| held.unit_id).collect();
        let above: BTreeSet<UnitId> =
            own.into_iter().flat_map(|unit| of.organization.state.path(unit)).collect();
        Ok(above.into_iter().collect())
    }

    /// A flag as it holds for a caller now; `environment` is what the installation says, if anything.
    pub async fn feature(
        &self,
        flag: Flag,
        (environment, organization): (Option<bool>, &Configuration),
        caller: &Principal,
    ) -> Result<Verdict, FoldError> {
        let asks_for_units = organization.switch(flag).is_some_and(|it| !it.units.is_empty());
        let standing = if asks_for_units { self.current(caller).await? } else { None };
        let units = match &standing {
            Some(standing) => self.units(caller.tenant, standing).await?,
            None => Vec::new(),
        };
        let caller = Caller { id: &caller.actor.id, units: &units };
        Ok(verdict(flag, environment, organization, caller))
    }
}
