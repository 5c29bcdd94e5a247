//! What is noted of telling programs elsewhere: each delivery with its last attempts, and how each program answers. Operational
//! facts, kept for a month; nothing of an answer but its status.

use std::time::Duration;

use anyhow::Context as _;
use events::TenantId;
use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::ToSqlx as _;
use platform::clock;
use serde_json::{Value, json};
use uuid::Uuid;

use super::call::Attempt;
use super::dispatch::Body;
use crate::runtime::{Job, Office};

/// How long deliveries are kept.
const KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Deliveries forgotten in one look; the next finds the rest.
const SWEPT_AT_ONCE: i64 = 50_000;

/// How a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(super) enum State {
    /// It was not taken yet.
    Retrying,
    /// It was taken.
    Delivered,
    /// The program says that it is gone.
    Gone,
    /// It was given up.
    Dead,
    /// Nobody was to be told any more.
    Cancelled,
}

/// Notes how a delivery stands after an attempt, or without one, and when the next is.
pub(super) async fn note(
    office: &Office,
    (job, body): (&Job, &Body),
    state: State,
    (attempt, next_at): (Option<&Attempt>, Option<Timestamp>),
) -> Result<(), sqlx::Error> {
    let state: &str = state.into();
    let history: Value = attempt.map_or_else(|| json!([]), |attempt| json!([entry(attempt)]));
    let status = attempt.and_then(|attempt| attempt.status).map(i32::from);
    sqlx::query(NOTE)
        .bind(job.tenant_id.0)
        .bind(&job.subject_id)
        .bind(body.delivery_id.0)
        .bind(body.position)
        .bind(state)
        .bind(i32::from(attempt.is_some()))
        .bind(status)
        .bind(attempt.and_then(|attempt| attempt.error.as_deref()))
        .bind(history)
        .bind(next_at.map(jiff_sqlx::ToSqlx::to_sqlx))
        .execute(&office.pool)
        .await
        .map(|_| ())
}

/// One attempt, as the history has it.
fn entry(attempt: &Attempt) -> Value {
    let took_ms = u64::try_from(attempt.took.as_millis()).unwrap_or(u64::MAX);
    json!({"at": clock::now(), "status": attempt.status, "error": attempt.error, "took_ms": took_ms})
}

/// The event, how often it was told in vain, and the status of the last answer.
pub(super) async fn in_vain(
    office: &Office,
    (job, body): (&Job, &Body),
) -> Result<Option<(Uuid, i32, Option<i32>)>, sqlx::Error> {
    sqlx::query_as(
        "select event_id, attempts, last_status from work.webhooks_deliveries
          where tenant_id = $1 and endpoint_id = $2::uuid and delivery_id = $3",
    )
    .bind(job.tenant_id.0)
    .bind(&job.subject_id)
    .bind(body.delivery_id.0)
    .fetch_optional(&office.pool)
    .await
}

/// For how long a program wants to be left alone yet.
pub(super) async fn rest(office: &Office, job: &Job) -> anyhow::Result<Option<Duration>> {
    let seconds: Option<f64> = sqlx::query_scalar(
        "select extract(epoch from rest_until - now())::float8 from work.webhooks_answers
          where tenant_id = $1 and endpoint_id = $2::uuid and rest_until > now()",
    )
    .bind(job.tenant_id.0)
    .bind(&job.subject_id)
    .fetch_optional(&office.pool)
    .await?;
    let rest = seconds.map(Duration::try_from_secs_f64).transpose();
    rest.context("a rest is longer than time")
}

/// Notes that a program answered well.
pub(super) async fn answered(office: &Office, job: &Job) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update work.webhooks_answers set failing_since = null, rest_until = null, changed_at = now()
          where tenant_id = $1 and endpoint_id = $2::uuid",
    )
    .bind(job.tenant_id.0)
    .bind(&job.subject_id)
    .execute(&office.pool)
    .await
    .map(|_| ())
}

/// Notes that a program did not answer well, and for how long it wants to be left alone; since when it has not.
pub(super) async fn failed(
    office: &Office,
    job: &Job,
    rest: Option<Duration>,
) -> Result<Timestamp, sqlx::Error> {
    let since: jiff_sqlx::Timestamp = sqlx::query_scalar(FAILED)
        .bind(job.tenant_id.0)
        .bind(&job.subject_id)
        .bind(rest.map(|rest| rest.as_secs_f64()))
        .fetch_one(&office.pool)
        .await?;
    Ok(since.to_jiff())
}

/// Forgets what is old.
pub(super) fn sweep(office: &Office, tenant: TenantId) -> BoxFuture<'_, anyhow::Result<()>> {
    async move {
        let before = (clock::now() - KEPT).to_sqlx();
        for forget in [FORGET_DELIVERIES, FORGET_ANSWERS] {
            sqlx::query(forget)
                .bind(tenant.0)
                .bind(before)
                .bind(SWEPT_AT_ONCE)
                .execute(&office.pool)
                .await?;
        }
        Ok(())
    }
    .boxed()
}

const NOTE: &str = "
    insert into work.webhooks_deliveries as known
      (tenant_id, endpoint_id, delivery_id, event_id, event_type, position, state, attempts, last_status, last_error, history, next_at)
    select $1, $2::uuid, $3, e.event_id, e.event_type, $4, $5, $6, $7, $8, $9, $10
      from log.events e where e.tenant_id = $1 and e.position = $4
    on conflict (tenant_id, endpoint_id, delivery_id) do update
       set state = excluded.state, attempts = known.attempts + excluded.attempts,
           last_status = case excluded.attempts when 0 then known.last_status else excluded.last_status end,
           last_error = case excluded.attempts when 0 then known.last_error else excluded.last_error end,
           history = (select coalesce(jsonb_agg(last.attempt order by last.number), '[]') from (
                        select attempt, number from jsonb_array_elements(known.history || excluded.history)
                          with ordinality of_all (attempt, number)
                         order by number desc limit 20) last),
           next_at = excluded.next_at, changed_at = now()";

const FAILED: &str = "
    insert into work.webhooks_answers as known (tenant_id, endpoint_id, failing_since, rest_until)
    values ($1, $2::uuid, now(), now() + make_interval(secs => $3))
    on conflict (tenant_id, endpoint_id) do update
       set failing_since = coalesce(known.failing_since, now()),
           rest_until = coalesce(excluded.rest_until, known.rest_until), changed_at = now()
    returning failing_since";

const FORGET_DELIVERIES: &str = "
    delete from work.webhooks_deliveries where tenant_id = $1 and (endpoint_id, delivery_id) in (
        select endpoint_id, delivery_id from work.webhooks_deliveries
         where tenant_id = $1 and changed_at < $2 limit $3)";

/// Who fails is noted again and again, so what was not noted for long is of nobody who does.
const FORGET_ANSWERS: &str = "
    delete from work.webhooks_answers where tenant_id = $1 and endpoint_id in (
        select endpoint_id from work.webhooks_answers where tenant_id = $1 and changed_at < $2 limit $3)";

#[cfg(test)]
mod tests {
    use events::rbac::user_access::{Event, UserAccess};
    use events::testing::id;
    use events::{EndpointId, UserId};
    use platform::commands::Cause;

    use super::*;
    use crate::testing::Log;

    fn job() -> Job {
        Job {
            id: Uuid::from_u128(5),
            tenant_id: id(1),
            subject_id: id::<EndpointId>(9).to_string(),
            body: json!({}),
            cause: Cause::default(),
            attempt: 1,
            max_attempts: 10,
            error: None,
        }
    }

    fn attempt(status: Option<u16>) -> Attempt {
        let error = status.is_none().then(|| "connection refused".to_owned());
        Attempt { status, error, retry_after: None, took: Duration::from_millis(12) }
    }

    async fn shown(office: &Office) -> Vec<(String, i32, Option<i32>, Option<String>, i32)> {
        sqlx::query_as(
            "select state, attempts, last_status, last_error, jsonb_array_length(history) from work.webhooks_deliveries",
        )
        .fetch_all(&office.pool)
        .await
        .unwrap()
    }

    #[tokio::test]
    async fn a_delivery_shows_its_last_attempts_and_is_forgotten_after_a_month() {
        let log = Log::new().await;
        let (office, _folder) = log.office("http://127.0.0.1:9").await;
        let event = Event::RoleAssignmentExpired { role_id: id(3), unit_id: None };
        let position = log.append::<UserAccess>(id(1), id::<UserId>(2), &[event]).await;
        let body = Body { delivery_id: id(8), event_id: Uuid::from_u128(4), position };
        let job = job();
        let of = (&job, &body);
        for status in [Some(500), None] {
            let attempt = attempt(status);
            let next_at = Some(clock::now());
            note(&office, of, State::Retrying, (Some(&attempt), next_at)).await.unwrap();
        }
        let refused = Some("connection refused".to_owned());
        assert_eq!(shown(&office).await, [("retrying".into(), 2, None, refused.clone(), 2)]);
        note(&office, of, State::Dead, (None, None)).await.unwrap();
        assert_eq!(shown(&office).await, [("dead".into(), 2, None, refused, 2)]);
        for _ in 0..30 {
            note(&office, of, State::Delivered, (Some(&attempt(Some(204))), None)).await.unwrap();
        }
        assert_eq!(shown(&office).await, [("delivered".into(), 32, Some(204), None, 20)]);
        let (_, attempts, status) = in_vain(&office, of).await.unwrap().unwrap();
        assert_eq!((attempts, status), (32, Some(204)));
        sweep(&office, id(1)).await.unwrap();
        assert_eq!(shown(&office).await.len(), 1);
        let age = "update work.webhooks_deliveries set changed_at = now() - interval '31 days'";
        sqlx::query(age).execute(&office.pool).await.unwrap();
        sweep(&office, id(2)).await.unwrap();
        assert_eq!(shown(&office).await.len(), 1, "of another organisation");
        sweep(&office, id(1)).await.unwrap();
        assert_eq!(shown(&office).await, []);
    }

    #[tokio::test]
    async fn a_program_fails_from_its_first_failure_until_it_answers() {
        let log = Log::new().await;
        let (office, _folder) = log.office("http://127.0.0.1:9").await;
        let job = job();
        assert_eq!(rest(&office, &job).await.unwrap(), None);
        let since = failed(&office, &job, None).await.unwrap();
        assert_eq!(failed(&office, &job, Some(Duration::from_mins(1))).await.unwrap(), since);
        let left = rest(&office, &job).await.unwrap().unwrap();
        assert!(left > Duration::from_secs(50) && left <= Duration::from_mins(1), "{left:?}");
        answered(&office, &job).await.unwrap();
        assert_eq!(rest(&office, &job).await.unwrap(), None);
        assert!(failed(&office, &job, None).await.unwrap() > since);
    }
}
