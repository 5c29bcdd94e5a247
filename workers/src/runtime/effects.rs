//! What leaves the house leaves it once: noted before it goes and after it went, under an id that follows from what caused it, so
//! that whoever does the same work again, in another life of the job or of the whole log, finds that it is done.
//!
//! What was noted before and not after may have gone or not; whoever sends it says what is to be done then.

use super::{Job, Office};

/// Whether something is to leave the house.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Intent {
    /// It is, and may have tried to before.
    Go,
    /// It did.
    Gone,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum Went {
    /// Whoever it went to took it.
    Done,
    /// They did not, and would not take it again.
    Refused,
}

impl Office {
    /// Notes that a step of a job is about to leave the house, unless it did before: in this log, or in the one that this was
    /// restored from.
    pub(crate) async fn intend(
        &self,
        job: &Job,
        kind: &str,
        step: &str,
    ) -> Result<Intent, sqlx::Error> {
        if self.is_restored(job).await? {
            return Ok(Intent::Gone);
        }
        let noted = sqlx::query(INTEND)
            .bind(job.tenant_id.0)
            .bind(job.key(step))
            .bind(kind)
            .bind(job.id)
            .execute(&self.pool)
            .await?;
        Ok(if noted.rows_affected() == 1 { Intent::Go } else { Intent::Gone })
    }

    /// Notes how it ended, with an answer that says nothing of anybody.
    pub(crate) async fn went(
        &self,
        job: &Job,
        step: &str,
        (went, answer): (Went, &str),
    ) -> Result<(), sqlx::Error> {
        let state: &str = went.into();
        let note = sqlx::query(WENT).bind(job.tenant_id.0).bind(job.key(step)).bind(state);
        note.bind(answer).execute(&self.pool).await.map(|_| ())
    }

    /// Whether a job follows from an event that came back from a backup: what was to leave the house because of it did before.
    pub(crate) async fn is_restored(&self, job: &Job) -> Result<bool, sqlx::Error> {
        let Some(position) = job.cause.position else { return Ok(false) };
        sqlx::query_scalar("select exists (select from work.restored where position >= $1)")
            .bind(position)
            .fetch_one(&self.pool)
            .await
    }
}

const INTEND: &str = "
    insert into work.effects as known (tenant_id, effect_id, kind, job_id, state) values ($1, $2, $3, $4, 'intended')
    on conflict (tenant_id, effect_id) do update
       set state = 'intended', attempts = known.attempts + 1, changed_at = now()
     where known.state <> 'done'";

const WENT: &str = "
    update work.effects set state = $3, answer = left($4, 200), changed_at = now()
     where tenant_id = $1 and effect_id = $2";
