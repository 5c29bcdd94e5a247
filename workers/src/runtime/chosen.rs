//! What organisations, units and users chose, as jobs ask for it: as the log has it now.

use events::settings::configuration::{Configuration, Scope};
use events::settings::{Key, effective_for};
use events::{TenantId, UnitId, UserId, settings};

use super::Office;

impl Office {
    /// What a setting holds in the organisation as a whole, as the log has it now.
    pub(crate) async fn setting(
        &self,
        tenant: TenantId,
        key: Key,
    ) -> anyhow::Result<settings::Value> {
        self.setting_in(tenant, &[], key).await
    }

    /// What a setting holds in a unit, which comes with those above it, nearest first.
    pub(crate) async fn setting_in(
        &self,
        tenant: TenantId,
        units: &[UnitId],
        key: Key,
    ) -> anyhow::Result<settings::Value> {
        self.held(tenant, (units, &Configuration::default()), key).await
    }

    /// What a setting holds for a user who is in a unit, which comes with those above it, nearest first.
    pub(crate) async fn setting_for(
        &self,
        (tenant, user): (TenantId, UserId),
        units: &[UnitId],
        key: Key,
    ) -> anyhow::Result<settings::Value> {
        let own = Scope::User(user).stream(tenant);
        let own = self.aggregates.refresh::<Configuration>(tenant, &own).await?;
        self.held(tenant, (units, &own.state), key).await
    }

    async fn held(
        &self,
        tenant: TenantId,
        (units, own): (&[UnitId], &Configuration),
        key: Key,
    ) -> anyhow::Result<settings::Value> {
        let chosen = &self.aggregates;
        let organization = chosen.refresh::<Configuration>(tenant, &tenant.to_string()).await?;
        let mut of_units = Vec::with_capacity(units.len());
        for unit in units {
            let of_unit = chosen.refresh::<Configuration>(tenant, &unit.to_string()).await?;
            of_units.push((*unit, of_unit.state));
        }
        let of_units: Vec<_> = of_units.iter().map(|(unit, chosen)| (*unit, &**chosen)).collect();
        Ok(effective_for(key, own, &organization.state, &of_units).value)
    }
}
