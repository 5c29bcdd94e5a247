//! What operators see of the queue and do with it.

use std::panic::AssertUnwindSafe;

use anyhow::Context as _;
use events::TenantId;
use futures::FutureExt as _;
use jiff::Timestamp;
use platform::commands::Cause;
use platform::config::Settings;
use serde_json::Value;
use sqlx::types::Json;
use sqlx::{FromRow, PgPool};
use uuid::Uuid;

use super::{Done, Job, Office, Trouble, every};

/// A job as operators see it.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// Its id.
    pub job_id: Uuid,
    /// The organisation.
    pub tenant_id: TenantId,
    /// What it does.
    pub kind: String,
    /// What it is about.
    pub subject_id: String,
    /// Where it stands: `queued`, `running`, `succeeded`, `failed`, `dead`, `cancelled` or `skipped`.
    pub state: String,
    /// How many times it was taken.
    pub attempt: i32,
    /// After so many attempts it is given up.
    pub max_attempts: i32,
    /// When it is due.
    pub run_at: Timestamp,
    /// What went wrong last.
    pub error: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its state changed last.
    pub changed_at: Timestamp,
}

/// All that is known of a job.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// What a list shows of it.
    pub listed: Listed,
    /// What it was told beside its subject; it may hold what is nobody's business.
    pub body: Value,
    /// What caused it.
    pub cause: Cause,
    /// Who had it last.
    pub worker: Option<String>,
}

/// Whether a job would be done now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It would.
    Passes,
    /// It would not, for this reason.
    Fails(String),
    /// It cannot be tried without its effect.
    Untestable,
}

/// The columns of [`Listed`] as Postgres gives them.
#[derive(FromRow)]
struct Stored {
    job_id: Uuid,
    tenant_id: Uuid,
    kind: String,
    subject_id: String,
    state: String,
    attempt: i32,
    max_attempts: i32,
    run_at: jiff_sqlx::Timestamp,
    error: Option<String>,
    created_at: jiff_sqlx::Timestamp,
    changed_at: jiff_sqlx::Timestamp,
}

impl From<Stored> for Listed {
    fn from(stored: Stored) -> Self {
        Self {
            job_id: stored.job_id,
            tenant_id: TenantId(stored.tenant_id),
            kind: stored.kind,
            subject_id: stored.subject_id,
            state: stored.state,
            attempt: stored.attempt,
            max_attempts: stored.max_attempts,
            run_at: stored.run_at.to_jiff(),
            error: stored.error,
            created_at: stored.created_at.to_jiff(),
            changed_at: stored.changed_at.to_jiff(),
        }
    }
}

/// The columns of [`Shown`] that lists do not have.
#[derive(FromRow)]
struct More {
    body: Value,
    cause: Json<Cause>,
    worker: Option<String>,
}

const COLUMNS: &str = "job_id, tenant_id, kind, subject_id, state, attempt, max_attempts, run_at, error, created_at, changed_at";

/// Jobs in one of `states`, or in any when there are none; the latest change first.
pub async fn list(pool: &PgPool, states: &[&str], limit: i64) -> Result<Vec<Listed>, sqlx::Error> {
    let select = format!(
        "select {COLUMNS} from work.jobs where cardinality($1::text[]) = 0 or state = any($1)
          order by changed_at desc, job_id limit $2"
    );
    let rows: Vec<Stored> =
        sqlx::query_as(&select).bind(states).bind(limit).fetch_all(pool).await?;
    Ok(rows.into_iter().map(Listed::from).collect())
}

/// The dead letters: jobs that were given up.
pub async fn dead(pool: &PgPool, limit: i64) -> Result<Vec<Listed>, sqlx::Error> {
    list(pool, &["dead"], limit).await
}

/// Puts dead letters back into the queue with all their attempts: one, or every one; how many there were.
pub async fn retry(pool: &PgPool, job_id: Option<Uuid>) -> Result<u64, sqlx::Error> {
    let done = sqlx::query(
        "update work.jobs set state = 'queued', attempt = 0, run_at = now(), changed_at = now()
          where state = 'dead' and ($1::uuid is null or job_id = $1)",
    )
    .bind(job_id)
    .execute(pool)
    .await?;
    Ok(done.rows_affected())
}

/// All that is known of one job.
pub async fn show(pool: &PgPool, job_id: Uuid) -> Result<Option<Shown>, sqlx::Error> {
    let select = format!("select {COLUMNS} from work.jobs where job_id = $1");
    let stored: Option<Stored> = sqlx::query_as(&select).bind(job_id).fetch_optional(pool).await?;
    let more = "select body, cause, worker from work.jobs where job_id = $1";
    let more: Option<More> = sqlx::query_as(more).bind(job_id).fetch_optional(pool).await?;
    Ok(stored.zip(more).map(|(stored, More { body, cause: Json(cause), worker })| Shown {
        listed: stored.into(),
        body,
        cause,
        worker,
    }))
}

/// Leaves a dead letter as it is for good, and says why; whether there was one.
pub async fn skip(pool: &PgPool, job_id: Uuid, reason: &str) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "update work.jobs set state = 'skipped', skipped_because = $2, changed_at = now()
          where job_id = $1 and state = 'dead'",
    )
    .bind(job_id)
    .bind(reason)
    .execute(pool)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Tries whether dead letters would be done now, without any effect; one verdict each, in their order.
pub async fn test(settings: &Settings, dead: &[Listed]) -> anyhow::Result<Vec<Verdict>> {
    let office = Office::open(settings).await?.dry();
    let mut verdicts = Vec::with_capacity(dead.len());
    for listed in dead {
        verdicts.push(tried(&office, listed).await?);
    }
    office.pool.close().await;
    Ok(verdicts)
}

async fn tried(office: &Office, listed: &Listed) -> anyhow::Result<Verdict> {
    let handlers = every().flat_map(|jobs| jobs.handlers);
    let handler = handlers.into_iter().find(|handler| handler.kind == listed.kind);
    let Some(test) = handler.and_then(|handler| handler.test) else {
        return Ok(Verdict::Untestable);
    };
    let select = "select job_id, tenant_id, subject_id, body, cause, attempt, max_attempts, error
                    from work.jobs where job_id = $1";
    let job: Option<Job> =
        sqlx::query_as(select).bind(listed.job_id).fetch_optional(&office.pool).await?;
    let job = job.context("the job is no longer there")?;
    let office = office.because(&job);
    Ok(match AssertUnwindSafe(test(&office, &job)).catch_unwind().await {
        Ok(Ok(Done::Finished | Done::Cancelled)) => Verdict::Passes,
        Ok(Ok(Done::Failed(reason) | Done::Stuck(reason) | Done::Later(_, reason))) => {
            Verdict::Fails(reason)
        }
        Ok(Ok(Done::NotYet(_))) => Verdict::Fails("it is not to be tried yet".into()),
        Ok(Err(Trouble(error))) => Verdict::Fails(format!("{error:#}")),
        Err(_) => Verdict::Fails("it panics".into()),
    })
}
