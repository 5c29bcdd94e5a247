//! What is left of an organisation that was purged: written down in the ledger first, then its keys and secrets deleted, then
//! what was to be done for it, its files and what processes share. The read models forget it by themselves.
//!
//! Each step finds done what was done before, so it does not matter where a worker was killed.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use events::identity::organization::Organization;
use events::{Decider as _, Module, TenantId};
use futures::future::BoxFuture;
use futures::{FutureExt, TryStreamExt};
use jiff::Timestamp;
use platform::files::{Files, Parts};
use platform::personal::Erasure;
use serde::Deserialize;
use sqlx::PgPool;

use super::erase::{path, post};
use crate::runtime::{Done, Job, Office, Trouble, jobs};

/// The event, as the reaction put it into the job.
#[derive(Deserialize)]
struct Cause {
    position: i64,
    erased_at: Timestamp,
}

pub(super) fn run<'a>(office: &'a Office, job: &'a Job) -> BoxFuture<'a, Result<Done, Trouble>> {
    async move {
        let cause: Cause =
            serde_json::from_value(job.body.clone()).context("the job has no event")?;
        let tenant = job.tenant_id;
        let ledger = office.ledger.clone();
        let erasure =
            Erasure { tenant_id: tenant, subject_id: tenant.0, erased_at: cause.erased_at };
        let written = tokio::task::spawn_blocking(move || ledger.add(&erasure)).await;
        written.context("the ledger panicked")??;
        let shred = path(Organization::TYPE, tenant.0).context("an organisation has a path")?;
        post(office, job, &shred).await?;
        check_reactions(&office.pool, tenant, cause.position).await?;
        end_work(&office.pool, job).await?;
        delete_all(&office.files, tenant).await?;
        delete_parts(&office.files, tenant).await?;
        delete_all(&office.archives, tenant).await?;
        office.access.forget(tenant).await.context("what is shared could not be dropped")?;
        check_read_models(&office.pool, cause.position).await?;
        // A request that was under way when the organisation ended may have had a key made for nothing.
        post(office, job, &shred).await?;
        Ok(Done::Finished)
    }
    .boxed()
}

/// Whether every reaction has looked at all that it wants to see of the organisation, so that none adds work for it any more.
async fn check_reactions(pool: &PgPool, tenant: TenantId, position: i64) -> anyhow::Result<()> {
    for reaction in Module::ALL.iter().flat_map(|module| jobs(*module).reactions) {
        let behind: bool = sqlx::query_scalar(
            "select exists (select from log.events e
              where e.tenant_id = $1 and e.event_type = any($2) and e.position <= $3
                and e.position > coalesce((select position from work.reactions where name = $4), 0))",
        )
        .bind(tenant.0)
        .bind(reaction.events)
        .bind(position)
        .bind(reaction.name)
        .fetch_one(pool)
        .await?;
        ensure!(!behind, "the reaction {} is behind", reaction.name);
    }
    Ok(())
}

/// Forgets what was to be done for the organisation; what is being done is waited for, and then refused by the log.
async fn end_work(pool: &PgPool, job: &Job) -> anyhow::Result<()> {
    sqlx::query("delete from work.timers where tenant_id = $1")
        .bind(job.tenant_id.0)
        .execute(pool)
        .await?;
    sqlx::query(
        "delete from work.jobs
          where tenant_id = $1 and job_id <> $2 and (state <> 'running' or lease_until < now())",
    )
    .bind(job.tenant_id.0)
    .bind(job.id)
    .execute(pool)
    .await?;
    let busy: i64 = sqlx::query_scalar(
        "select count(*) from work.jobs where tenant_id = $1 and job_id <> $2 and state = 'running'",
    )
    .bind(job.tenant_id.0)
    .bind(job.id)
    .fetch_one(pool)
    .await?;
    ensure!(busy == 0, "{busy} jobs of the organisation are still being done");
    for forget in [
        "delete from work.effects where tenant_id = $1",
        "delete from work.processes where tenant_id = $1",
        "delete from work.webhooks_deliveries where tenant_id = $1",
        "delete from work.webhooks_answers where tenant_id = $1",
    ] {
        sqlx::query(forget).bind(job.tenant_id.0).execute(pool).await?;
    }
    Ok(())
}

/// Deletes every file of the organisation, or every backup of it alone; those of the whole installation are not its own.
async fn delete_all(files: &Files, tenant: TenantId) -> anyhow::Result<()> {
    let listed: Vec<_> = files.list(Some(tenant)).try_collect().await?;
    for file in listed {
        files.delete(file.tenant, file.id).await?;
    }
    Ok(())
}

/// Deletes what was sent of files that never came to their end.
async fn delete_parts(files: &Files, tenant: TenantId) -> anyhow::Result<()> {
    let parts = Parts::of(files);
    let swept = tokio::task::spawn_blocking(move || parts.sweep(tenant, Duration::ZERO)).await;
    swept.context("the sweep of parts panicked")??;
    Ok(())
}

/// Whether every read model has come past the end of the organisation, where it forgets it.
async fn check_read_models(pool: &PgPool, position: i64) -> anyhow::Result<()> {
    let behind: Vec<String> = sqlx::query_scalar(
        "select projection from read.checkpoints where position < $1 or state <> 'live' order by projection",
    )
    .bind(position)
    .fetch_all(pool)
    .await?;
    ensure!(behind.is_empty(), "read models are behind: {}", behind.join(", "));
    Ok(())
}
