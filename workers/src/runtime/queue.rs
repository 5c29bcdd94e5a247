//! The queue of jobs in Postgres: taken under a lease, kept by heartbeats, ended, tried again, or given up.

use std::collections::HashSet;
use std::time::Duration;

use events::TenantId;
use platform::commands::Cause;
use platform::secrets;
use serde_json::Value;
use sqlx::types::Json;
use sqlx::{FromRow, PgConnection, PgExecutor, PgPool};
use uuid::Uuid;

/// Delay before the second attempt; every further one waits four times as long.
const BACK_OFF_FIRST: Duration = Duration::from_secs(5);
/// No delay is longer.
const BACK_OFF_MOST: Duration = Duration::from_mins(15);
/// How much of an error is kept.
const ERROR_MOST_CHARS: usize = 1_000;

/// A piece of work to be done.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NewJob {
    /// Its id, which follows from what caused it.
    pub(crate) job_id: Uuid,
    /// The organisation.
    pub(crate) tenant: TenantId,
    /// What to do.
    pub(crate) kind: &'static str,
    /// What it is about: mostly the id of an aggregate.
    pub(crate) subject_id: String,
    /// Whatever else the work needs to know.
    pub(crate) body: Value,
    /// What caused it.
    pub(crate) cause: Cause,
}

/// A piece of work in hand.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct Job {
    /// Its id.
    #[sqlx(rename = "job_id")]
    pub(crate) id: Uuid,
    /// The organisation.
    #[sqlx(try_from = "Uuid")]
    pub(crate) tenant_id: TenantId,
    /// What it is about.
    pub(crate) subject_id: String,
    /// Whatever else the work needs to know.
    pub(crate) body: Value,
    /// What caused it.
    #[sqlx(json)]
    pub(crate) cause: Cause,
    /// How many times it was taken, this one included.
    pub(crate) attempt: i32,
    /// After so many attempts it is given up.
    pub(crate) max_attempts: i32,
    /// What went wrong in the attempt before.
    pub(crate) error: Option<String>,
}

/// How a job ended for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum Ended {
    /// It is done.
    Succeeded,
    /// It cannot be done, and its subject knows.
    Failed,
    /// It was tried often enough.
    Dead,
    /// It is no longer wanted.
    Cancelled,
}

/// How a worker stands to the job in its hands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hold {
    /// It is to go on.
    Ours,
    /// It is to let go.
    Interrupted,
    /// It is somebody else's, or nobody's any more.
    Lost,
}

impl Hold {
    fn of(interrupted: Option<bool>) -> Self {
        match interrupted {
            Some(false) => Self::Ours,
            Some(true) => Self::Interrupted,
            None => Self::Lost,
        }
    }
}

/// Adds jobs; those that are there already stay as they are. The new ones.
pub(super) async fn add(
    database: &mut PgConnection,
    mut jobs: Vec<NewJob>,
    max_attempts: impl Fn(&str) -> i32,
) -> Result<Vec<NewJob>, sqlx::Error> {
    if jobs.is_empty() {
        return Ok(jobs);
    }
    let new: Vec<Uuid> = sqlx::query_scalar(ADD)
        .bind(jobs.iter().map(|job| job.job_id).collect::<Vec<_>>())
        .bind(jobs.iter().map(|job| job.tenant.0).collect::<Vec<_>>())
        .bind(jobs.iter().map(|job| job.kind).collect::<Vec<_>>())
        .bind(jobs.iter().map(|job| job.subject_id.as_str()).collect::<Vec<_>>())
        .bind(jobs.iter().map(|job| job.body.clone()).collect::<Vec<_>>())
        .bind(jobs.iter().map(|job| max_attempts(job.kind)).collect::<Vec<_>>())
        .bind(jobs.iter().map(|job| Json(&job.cause)).collect::<Vec<_>>())
        .fetch_all(database)
        .await?;
    let new: HashSet<Uuid> = new.into_iter().collect();
    jobs.retain(|job| new.contains(&job.job_id));
    Ok(jobs)
}

/// Ends what is queued or running about a subject; a worker that is at it finds out at its next heartbeat.
pub(super) async fn cancel(
    database: &mut PgConnection,
    tenant: TenantId,
    kind: &str,
    subject_id: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(CANCEL).bind(tenant.0).bind(kind).bind(subject_id).execute(database).await?;
    Ok(())
}

/// Asks the worker that is at a subject to let go of it; whoever takes it next finds out at once.
pub(super) async fn interrupt(
    database: &mut PgConnection,
    tenant: TenantId,
    kind: &str,
    subject_id: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(INTERRUPT).bind(tenant.0).bind(kind).bind(subject_id).execute(database).await?;
    Ok(())
}

/// Takes the job that is due, by turns between organisations: first who has the fewest running, then who waited longest.
pub(super) async fn take(
    pool: &PgPool,
    kind: &str,
    worker: &str,
    lease: Duration,
) -> Result<Option<Job>, sqlx::Error> {
    sqlx::query_as(TAKE)
        .bind(kind)
        .bind(worker)
        .bind(lease.as_secs_f64())
        .fetch_optional(pool)
        .await
}

/// Puts jobs back whose worker fell silent; how many.
pub(super) async fn reclaim(pool: &PgPool, kind: &str) -> Result<u64, sqlx::Error> {
    Ok(sqlx::query(RECLAIM).bind(kind).execute(pool).await?.rows_affected())
}

/// Forgets jobs that ended well a week ago.
pub(super) async fn prune(pool: &PgPool, kind: &str) -> Result<(), sqlx::Error> {
    sqlx::query(PRUNE).bind(kind).execute(pool).await?;
    Ok(())
}

impl Job {
    /// Whether this attempt is one too many, so that all that is left is to say so.
    pub(super) fn exhausted(&self) -> bool {
        self.attempt > self.max_attempts
    }

    /// Extends the lease, and says whether the job is still ours to do.
    pub(super) async fn heartbeat(
        &self,
        pool: &PgPool,
        lease: Duration,
    ) -> Result<Hold, sqlx::Error> {
        let beat = sqlx::query_scalar(HEARTBEAT).bind(self.id).bind(self.attempt);
        Ok(Hold::of(beat.bind(lease.as_secs_f64()).fetch_optional(pool).await?))
    }

    /// Whether the job is still ours to do.
    pub(super) async fn look(&self, pool: &PgPool) -> Result<Hold, sqlx::Error> {
        let look = sqlx::query_scalar(LOOK).bind(self.id).bind(self.attempt);
        Ok(Hold::of(look.fetch_optional(pool).await?))
    }

    /// Ends the job; false when it is no longer ours.
    pub(super) async fn end(
        &self,
        pool: &PgPool,
        ended: Ended,
        error: Option<&str>,
    ) -> Result<bool, sqlx::Error> {
        let state: &str = ended.into();
        let done = sqlx::query(END)
            .bind(self.id)
            .bind(self.attempt)
            .bind(state)
            .bind(error.map(shortened))
            .execute(pool)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Puts the job back, to be tried again after `delay`; false when it is no longer ours.
    pub(super) async fn retry(
        &self,
        pool: &PgPool,
        delay: Duration,
        error: &str,
    ) -> Result<bool, sqlx::Error> {
        let done = sqlx::query(RETRY)
            .bind(self.id)
            .bind(self.attempt)
            .bind(delay.as_secs_f64())
            .bind(shortened(error))
            .execute(pool)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Puts the job back as if it had not been taken, because this process ends.
    pub(super) async fn give_back(&self, database: impl PgExecutor<'_>) -> Result<(), sqlx::Error> {
        sqlx::query(GIVE_BACK).bind(self.id).bind(self.attempt).execute(database).await?;
        Ok(())
    }

    /// Puts the job back as if it had not been taken, to be taken after `delay`.
    pub(super) async fn put_off(&self, pool: &PgPool, delay: Duration) -> Result<(), sqlx::Error> {
        let put_off = sqlx::query(PUT_OFF).bind(self.id).bind(self.attempt);
        put_off.bind(delay.as_secs_f64()).execute(pool).await.map(|_| ())
    }

    /// How long to wait after this attempt: 5 s, 20 s, 80 s ... capped, and up to a quarter more, so that jobs that failed
    /// together do not come back together.
    pub(super) fn back_off(&self) -> Duration {
        let step = u32::try_from(self.attempt.saturating_sub(1)).unwrap_or(0).min(10);
        let delay = BACK_OFF_FIRST.saturating_mul(4_u32.saturating_pow(step)).min(BACK_OFF_MOST);
        let [chance] = secrets::random::<1>();
        delay + delay / 4 * u32::from(chance) / 255
    }
}

fn shortened(error: &str) -> String {
    error.chars().take(ERROR_MOST_CHARS).collect()
}

const ADD: &str = "
    insert into work.jobs (job_id, tenant_id, kind, subject_id, body, max_attempts, cause)
    select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::jsonb[], $6::integer[], $7::jsonb[])
    on conflict (job_id) do nothing returning job_id";

const CANCEL: &str = "
    update work.jobs set state = 'cancelled', lease_until = null, changed_at = now()
     where tenant_id = $1 and kind = $2 and subject_id = $3 and state in ('queued', 'running')";

const INTERRUPT: &str = "
    update work.jobs
       set interrupted_at = now(), changed_at = now(), run_at = case state when 'queued' then now() else run_at end
     where tenant_id = $1 and kind = $2 and subject_id = $3 and state in ('queued', 'running')";

/// The organisations with something due are found one by one in the index, however many jobs each has.
const TAKE: &str = "
    with recursive tenants as (
        (select tenant_id from work.jobs
          where kind = $1 and state = 'queued' and run_at <= now() order by tenant_id limit 1)
        union all
        select (select j.tenant_id from work.jobs j
                 where j.kind = $1 and j.state = 'queued' and j.run_at <= now() and j.tenant_id > t.tenant_id
                 order by j.tenant_id limit 1)
          from tenants t where t.tenant_id is not null
    ), picked as (
        select j.job_id
          from tenants t
          cross join lateral (
            select job_id, run_at from work.jobs
             where kind = $1 and state = 'queued' and tenant_id = t.tenant_id and run_at <= now()
             order by run_at, job_id limit 1 for update skip locked) j
         order by (select count(*) from work.jobs r
                    where r.kind = $1 and r.state = 'running' and r.tenant_id = t.tenant_id),
                  (select max(r.taken_at) from work.jobs r where r.kind = $1 and r.tenant_id = t.tenant_id)
                    nulls first,
                  j.run_at
         limit 1
    )
    update work.jobs j
       set state = 'running', attempt = attempt + 1, worker = $2, taken_at = clock_timestamp(), heartbeat_at = now(),
           lease_until = now() + make_interval(secs => $3), changed_at = now()
      from picked where j.job_id = picked.job_id
    returning j.job_id, j.tenant_id, j.subject_id, j.body, j.cause, j.attempt, j.max_attempts, j.error";

const RECLAIM: &str = "
    update work.jobs
       set state = 'queued', run_at = now(), lease_until = null, changed_at = now(),
           error = 'the worker ' || worker || ' fell silent'
     where kind = $1 and state = 'running' and lease_until < now()";

const PRUNE: &str = "
    delete from work.jobs where job_id in (
        select job_id from work.jobs
         where kind = $1 and state in ('succeeded', 'cancelled') and changed_at < now() - interval '7 days'
         limit 50000)";

const HEARTBEAT: &str = "
    update work.jobs set lease_until = now() + make_interval(secs => $3), heartbeat_at = now()
     where job_id = $1 and attempt = $2 and state = 'running'
    returning interrupted_at is not null";

const LOOK: &str = "
    select interrupted_at is not null from work.jobs where job_id = $1 and attempt = $2 and state = 'running'";

const END: &str = "
    update work.jobs set state = $3, error = $4, lease_until = null, changed_at = now()
     where job_id = $1 and attempt = $2 and state = 'running'";

const RETRY: &str = "
    update work.jobs
       set state = 'queued', run_at = now() + make_interval(secs => $3), error = $4, lease_until = null, changed_at = now()
     where job_id = $1 and attempt = $2 and state = 'running'";

const GIVE_BACK: &str = "
    update work.jobs set state = 'queued', attempt = attempt - 1, run_at = now(), lease_until = null, changed_at = now()
     where job_id = $1 and attempt = $2 and state = 'running'";

const PUT_OFF: &str = "
    update work.jobs
       set state = 'queued', attempt = attempt - 1, run_at = now() + make_interval(secs => $3), lease_until = null, changed_at = now()
     where job_id = $1 and attempt = $2 and state = 'running'";
