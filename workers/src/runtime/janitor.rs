//! The janitor: sweeps through every organisation once an hour, whoever leads; what fails is found again at the next round.

use std::time::Duration;

use events::TenantId;
use events::identity::organization::Organization;
use platform::db::{self, Role, locks};
use platform::lifecycle::Shutdown;
use uuid::Uuid;

use super::{Office, Sweep};

/// Between two rounds; nothing that is swept is due to the minute.
const EVERY: Duration = Duration::from_hours(1);
/// How often whoever stands by looks whether the lead is free.
const POLL: Duration = Duration::from_secs(5);

/// Sweeps.
pub(super) struct Janitor {
    url: String,
    office: Office,
    sweeps: Vec<Sweep>,
}

impl Janitor {
    pub(super) fn new(url: &str, office: Office, sweeps: Vec<Sweep>) -> Self {
        Self { url: url.to_owned(), office, sweeps }
    }

    /// Leads or stands by until the signal; an outage is waited out.
    pub(super) async fn run(self, shutdown: Shutdown) -> anyhow::Result<()> {
        shutdown.work("janitor", || self.lead(&shutdown)).await;
        Ok(())
    }

    async fn lead(&self, shutdown: &Shutdown) -> anyhow::Result<()> {
        let mut connection = db::connect_alone(&self.url, Role::Workers).await?;
        if !db::lead(&mut connection, locks::JANITOR, POLL, shutdown).await? {
            return Ok(());
        }
        while !shutdown.begun() {
            self.round(shutdown).await?;
            shutdown.sleep(EVERY).await;
            // Whoever lost the lead with its session learns of it here.
            sqlx::query("select 1").execute(&mut connection).await?;
        }
        Ok(())
    }

    /// Every sweep in every organisation that is at work, and for what belongs to the whole installation.
    async fn round(&self, shutdown: &Shutdown) -> anyhow::Result<()> {
        let tenants: Vec<Uuid> =
            sqlx::query_scalar("select tenant_id from log.tenants order by tenant_id")
                .fetch_all(&self.office.pool)
                .await?;
        for tenant in tenants.into_iter().map(TenantId) {
            let id = tenant.to_string();
            let known = self.office.aggregates.refresh::<Organization>(tenant, &id).await?;
            if known.state.at_work().is_err() {
                continue;
            }
            for sweep in &self.sweeps {
                if shutdown.begun() {
                    return Ok(());
                }
                if let Err(error) = (sweep.run)(&self.office, tenant).await {
                    let error = format!("{error:#}");
                    tracing::warn!(sweep = sweep.name, %tenant, error, "not swept, the next round will");
                }
            }
        }
        Ok(())
    }
}
