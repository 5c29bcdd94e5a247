//! Forgetting somebody: written down in the ledger first, then their keys deleted, then every file that may hold them.

use std::time::Duration;

use anyhow::{Context as _, anyhow, ensure};
use events::identity::invitation::Invitation;
use events::identity::organization::Organization;
use events::identity::user::User;
use events::{Decider as _, FileId, TenantId, UserId};
use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::Timestamp;
use platform::lifecycle::Shutdown;
use platform::personal::Erasure;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use crate::runtime::{Done, Job, Office, Trouble, id_caused_by};

/// Between two attempts to erase again whom a restored log does not know to be erased.
const AGAIN: Duration = Duration::from_secs(2);

/// The event, as the reaction put it into the job.
#[derive(Deserialize)]
struct Cause {
    stream: String,
    position: i64,
    erased_at: Timestamp,
}

pub(super) fn run<'a>(office: &'a Office, job: &'a Job) -> BoxFuture<'a, Result<Done, Trouble>> {
    async move {
        let cause: Cause =
            serde_json::from_value(job.body.clone()).context("the job has no event")?;
        let tenant_id = job.tenant_id;
        let subject_id = Uuid::parse_str(&job.subject_id).context("the stream is nobody's")?;
        let ledger = office.ledger.clone();
        let erasure = Erasure { tenant_id, subject_id, erased_at: cause.erased_at };
        let written = tokio::task::spawn_blocking(move || ledger.add(&erasure)).await;
        written.context("the ledger panicked")??;
        if cause.stream == User::TYPE
            && let Some(invitation) = invitation_of(office, job).await?
        {
            post(office, job, &format!("/invitations/{invitation}/erase")).await?;
        }
        let path = path(&cause.stream, subject_id).context("nobody is erased by this event")?;
        post(office, job, &path).await?;
        withdraw_files(office, job, cause.position).await?;
        if cause.stream == User::TYPE {
            crate::files::withdraw(office, job, (UserId(subject_id), cause.position)).await?;
        }
        Ok(Done::Finished)
    }
    .boxed()
}

/// Where the keys of somebody are deleted, or all keys of an organisation.
pub(super) fn path(stream: &str, subject: Uuid) -> Option<String> {
    match stream {
        User::TYPE => Some(format!("/users/{subject}/shred")),
        Invitation::TYPE => Some(format!("/invitations/{subject}/shred")),
        Organization::TYPE => Some(format!("/organizations/{subject}/shred")),
        _ => None,
    }
}

pub(super) async fn post(office: &Office, job: &Job, path: &str) -> anyhow::Result<()> {
    office.commands.post(job.tenant_id, path, job.key(path), &json!({})).await?;
    Ok(())
}

/// The invitation that became this user: it was accepted by the event right before the one that registered them.
async fn invitation_of(office: &Office, job: &Job) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar(
        "select i.aggregate_id from log.events u join log.events i on i.position = u.position - 1
          where u.tenant_id = $1 and u.aggregate_type = 'identity.user' and u.aggregate_id = $2 and u.sequence = 1
            and i.tenant_id = $1 and i.event_type = 'identity.invitation.accepted'
            and i.payload::jsonb ->> 'user_id' = $2",
    )
    .bind(job.tenant_id.0)
    .bind(&job.subject_id)
    .fetch_optional(&office.pool)
    .await
}

/// Takes away every export of the organisation that was asked for before: any of them may hold the person.
async fn withdraw_files(office: &Office, job: &Job, position: i64) -> anyhow::Result<()> {
    let known: Option<i64> = sqlx::query_scalar(
        "select position from read.checkpoints where projection = 'exports_exports'",
    )
    .fetch_optional(&office.pool)
    .await?;
    ensure!(known >= Some(position), "the read model of exports is behind");
    for (export, file, status) in files_before(office, job.tenant_id, position).await? {
        let Some(file) = file.filter(|_| status == "succeeded") else {
            return Err(anyhow!("the export {export} is still being made"));
        };
        office.files.delete(job.tenant_id, FileId(file)).await?;
        post(office, job, &format!("/exports/{export}/withdraw")).await?;
    }
    Ok(())
}

async fn files_before(
    office: &Office,
    tenant: TenantId,
    position: i64,
) -> anyhow::Result<Vec<(Uuid, Option<Uuid>, String)>> {
    let mut transaction = platform::db::begin_for(&office.pool, tenant).await?;
    let found = sqlx::query_as(
        "select x.export_id, x.file_id, x.status from read.exports_exports x
          where x.tenant_id = $1 and x.status in ('queued', 'running', 'cancelling', 'succeeded')
            and x.created_at <= (select recorded_at from log.events where position = $2)
          order by x.status, x.export_id",
    )
    .bind(tenant.0)
    .bind(position)
    .fetch_all(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(found)
}

/// Erases again whoever the ledger names and the log does not know to be erased or purged: it was restored from before.
pub(crate) async fn erase_again(office: Office, shutdown: Shutdown) -> anyhow::Result<()> {
    while !shutdown.begun() {
        let Err(error) = try_again(&office).await else { return Ok(()) };
        tracing::warn!(error = format!("{error:#}"), "the erasure ledger waits, trying again");
        shutdown.sleep(AGAIN).await;
    }
    Ok(())
}

async fn try_again(office: &Office) -> anyhow::Result<()> {
    let erased = office.ledger.read()?;
    let (tenants, subjects): (Vec<Uuid>, Vec<String>) =
        erased.iter().map(|of| (of.tenant_id.0, of.subject_id.to_string())).unzip();
    let unknown: Vec<(Uuid, String, String, i32)> = sqlx::query_as(
        "select s.tenant_id, s.aggregate_type, s.aggregate_id, (select epoch from log.head)
           from unnest($1::uuid[], $2::text[]) l (tenant_id, subject_id)
           join log.streams s on s.tenant_id = l.tenant_id and s.aggregate_id = l.subject_id
            and s.aggregate_type in ('identity.user', 'identity.invitation', 'identity.organization')
          where not exists (select from log.events e
            where e.tenant_id = s.tenant_id and e.aggregate_type = s.aggregate_type
              and e.aggregate_id = s.aggregate_id and e.event_type = s.aggregate_type || '.erased')
            and not exists (select from log.events e
            where e.tenant_id = s.tenant_id and e.aggregate_type = 'identity.organization'
              and e.aggregate_id = s.tenant_id::text and e.event_type = 'identity.organization.purged')
          order by s.aggregate_type = 'identity.organization'",
    )
    .bind(tenants)
    .bind(subjects)
    .fetch_all(&office.pool)
    .await?;
    for (tenant, stream, subject, epoch) in unknown {
        let path = path(&stream, Uuid::parse_str(&subject)?).context("nobody's stream")?;
        let key = id_caused_by("erasure_ledger", &epoch.to_string(), &path);
        office.commands.post(TenantId(tenant), &path, key, &json!({})).await?;
        tracing::info!(stream, "erased again what the restored log still knew");
    }
    Ok(())
}
