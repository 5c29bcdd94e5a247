//! The notary: follows every organisation's log, verifies what is new, and signs checkpoints of it; or says why it does not.

mod seal;
mod sign;
#[cfg(test)]
mod tests;

use std::time::Duration;

use anyhow::Context as _;
use events::TenantId;
use metrics::{counter, gauge};
use platform::commands::Commands;
use platform::config::Settings;
use platform::db::{self, Role, locks};
use platform::lifecycle::Shutdown;
use platform::secrets::MasterKey;
use platform::transparency::checkpoint::Origin;
use platform::transparency::note::VerifierKey;
use serde_json::json;
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use crate::runtime::id_caused_by;
use seal::Seal;
pub(crate) use seal::signing_pair;
use sign::{Refusal, Trouble};

/// A checkpoint is signed no later than after so many new events.
const EVENTS_MOST: i64 = 10_000;
/// How often the log is looked at.
const POLL: Duration = Duration::from_secs(1);
const STANDBY_POLL: Duration = Duration::from_secs(1);
/// Organisations of one look; the others have their turn with the next.
const ORGANIZATIONS_MOST: i64 = 100;

/// Signs checkpoints of every organisation's log.
pub(crate) struct Notary {
    url: String,
    issuer: String,
    master: MasterKey,
    /// Where it is told what is not signed.
    commands: Commands,
    /// From one checkpoint to the next.
    pace_seconds: f64,
}

/// An organisation whose log is not signed to its end.
#[derive(FromRow)]
struct Due {
    tenant_id: Uuid,
    epoch: i32,
}

impl Notary {
    /// Reads its settings; touches nothing yet.
    pub(crate) fn new(settings: &Settings, commands: Commands) -> anyhow::Result<Self> {
        let example = Origin::new(&settings.issuer, TenantId::default(), 1).to_string();
        VerifierKey::new(&example, [0; 32]).context("ANNALS_ISSUER cannot name a log")?;
        Ok(Self {
            url: settings.database_url.clone(),
            issuer: settings.issuer.clone(),
            master: MasterKey::parse(&settings.master_key)?,
            commands,
            pace_seconds: settings.checkpoint_seconds.into(),
        })
    }

    /// Leads or stands by until the signal; an outage is waited out.
    pub(crate) async fn run(self, shutdown: Shutdown) -> anyhow::Result<()> {
        // What is not committed is done again.
        shutdown.work("the notary's rounds", || self.lead(&shutdown)).await;
        Ok(())
    }

    async fn lead(&self, shutdown: &Shutdown) -> anyhow::Result<()> {
        let place = (self.url.as_str(), Role::Notary);
        let led = db::connect_leading(place, locks::NOTARY, STANDBY_POLL, shutdown).await?;
        let Some(mut connection) = led else { return Ok(()) };
        let seal = Seal::load(&mut connection, &self.master).await?;
        while !shutdown.begun() {
            if !self.round(&mut connection, &seal).await? {
                shutdown.sleep(POLL).await;
            }
        }
        Ok(())
    }

    /// Signs what is due, a checkpoint per organisation; whether there may be more. What cannot be done for one
    /// organisation does not hold up the others.
    async fn round(&self, connection: &mut PgConnection, seal: &Seal) -> anyhow::Result<bool> {
        let due: Vec<Due> = sqlx::query_as(DUE)
            .bind(self.pace_seconds)
            .bind(EVENTS_MOST)
            .bind(ORGANIZATIONS_MOST)
            .fetch_all(&mut *connection)
            .await?;
        let (mut signed, mut failure) = (false, None);
        for Due { tenant_id, epoch } in due {
            let origin = Origin::new(&self.issuer, TenantId(tenant_id), epoch);
            match sign::sign(connection, seal, &origin).await {
                Ok(size) => {
                    signed = true;
                    counter!("notary_checkpoints_total").increment(1);
                    tracing::debug!(tenant.id = %tenant_id, size, "signed a checkpoint");
                }
                Err(Trouble::Refused(refusal)) => {
                    let kept = refuse(connection, &origin, &refusal).await?;
                    self.tell(&origin, &refusal, &kept).await;
                }
                Err(Trouble::Failed(error)) => {
                    let what = format!("the log of {tenant_id} could not be read");
                    failure.get_or_insert(anyhow::Error::new(error).context(what));
                }
            }
        }
        let refused: i64 = sqlx::query_scalar(REFUSED).fetch_one(&mut *connection).await?;
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
        gauge!("notary_refused_organizations").set(refused as f64);
        failure.map_or(Ok(signed), Err)
    }
}

/// What is kept of a refusal.
#[derive(FromRow)]
struct Kept {
    since: jiff_sqlx::Timestamp,
    /// Whether the organisation is in the log at all; where it has vanished, nothing is added.
    is_there: bool,
}

impl Notary {
    /// Has the refusal recorded, whereupon administrators are told; what fails is tried again with the next look at the log.
    async fn tell(&self, origin: &Origin, refusal: &Refusal, kept: &Kept) {
        if !kept.is_there {
            return;
        }
        let since = kept.since.to_jiff();
        let body = json!({
            "epoch": origin.epoch,
            "since": since,
            "tenant_seq": refusal.tenant_seq,
            "event_id": refusal.event_id,
            "reason": refusal.reason,
        });
        let tenant = origin.tenant;
        let step = format!("refused/{}/{since}", origin.epoch);
        let key = id_caused_by("notary", &tenant.to_string(), &step);
        if let Err(error) = self.commands.post(tenant, "/audit-logs/refusals", key, &body).await {
            tracing::warn!(
                %error,
                tenant.id = %tenant,
                "nobody could be told that the log is not signed; it is tried again"
            );
        }
    }
}

/// Says loudly, and keeps for everybody to see, that an organisation's log is not what was signed before.
async fn refuse(
    connection: &mut PgConnection,
    origin: &Origin,
    refusal: &Refusal,
) -> anyhow::Result<Kept> {
    counter!("notary_refusals_total").increment(1);
    tracing::error!(
        tenant.id = %origin.tenant,
        event.seq = refusal.tenant_seq,
        event.id = refusal.event_id.map(tracing::field::display),
        reason = refusal.reason,
        "the log was tampered with, and the notary refuses to sign it"
    );
    sqlx::query_as(REFUSE)
        .bind(origin.tenant.0)
        .bind(origin.epoch)
        .bind(&refusal.reason)
        .bind(refusal.tenant_seq)
        .bind(refusal.event_id)
        .fetch_one(connection)
        .await
        .context("the refusal could not be kept")
}

/// An organisation that has vanished from the log is due too: the refusal is what has to be done. A log that was refused is
/// tried again at the usual pace, and one that has grown shorter is never waited for.
const DUE: &str = "
    with head as (select epoch from log.head),
    known as (select s.* from audit.notary_states s join head using (epoch))
    select tenant_id, head.epoch
      from head cross join (log.tenants t full join known s using (tenant_id))
     where coalesce(t.tenant_seq, 0) <> coalesce(s.size, 0)
       and (s.tried_at is null or s.tried_at <= clock_timestamp() - make_interval(secs => $1)
            or s.state = 'signing' and (t.tenant_seq >= s.size + $2 or coalesce(t.tenant_seq, 0) < s.size))
     order by s.tried_at nulls first, tenant_id
     limit $3";

const REFUSED: &str = "
    select count(*) from audit.notary_states s join log.head h using (epoch) where s.state = 'refusing'";

const REFUSE: &str = "
    insert into audit.notary_states as old (tenant_id, epoch, state, reason, tenant_seq, event_id)
    values ($1, $2, 'refusing', $3, $4, $5)
    on conflict (tenant_id, epoch) do update
       set state = 'refusing', reason = excluded.reason, tenant_seq = excluded.tenant_seq, event_id = excluded.event_id,
           since = case old.state when 'refusing' then old.since else excluded.since end, tried_at = excluded.tried_at
    returning since, exists (select from log.tenants t where t.tenant_id = old.tenant_id) as is_there";
