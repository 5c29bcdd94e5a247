//! What operators see of the queue and do with it.

use events::TenantId;
use jiff::Timestamp;
use sqlx::{FromRow, PgPool};
use uuid::Uuid;

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
    /// Where it stands: `queued`, `running`, `succeeded`, `failed`, `dead` or `cancelled`.
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

/// Jobs in one of `states`, or in any when there are none; the latest change first.
pub async fn list(pool: &PgPool, states: &[&str], limit: i64) -> Result<Vec<Listed>, sqlx::Error> {
    let rows: Vec<Stored> = sqlx::query_as(
        "select job_id, tenant_id, kind, subject_id, state, attempt, max_attempts, run_at, error, created_at, changed_at
           from work.jobs where cardinality($1::text[]) = 0 or state = any($1)
          order by changed_at desc, job_id limit $2",
    )
    .bind(states)
    .bind(limit)
    .fetch_all(pool)
    .await?;
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
