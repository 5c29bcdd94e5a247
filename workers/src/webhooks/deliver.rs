//! Telling one program of one event: whether it is still to be told, what it is told, and what its answer means.

use std::time::Duration;

use anyhow::Context as _;
use events::identity::user;
use events::webhooks::endpoint::{Endpoint, Status, TOLD_AFTER};
use events::{Permission, TenantId, UserId};
use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::Timestamp;
use platform::access::authorize;
use platform::clock;
use platform::cloud_event;
use platform::commands::CommandError;
use platform::log::{COLUMNS, Record};
use platform::principal::Principal;
use platform::secrets::{self, row_of};
use serde_json::{Value, json};
use sqlx::FromRow as _;

use super::book::{self, State};
use super::call::{Attempt, Message};
use super::dispatch::Body;
use super::sign;
use crate::runtime::{Done, Intent, Job, Office, Trouble, Went};

/// What is noted of a call, and the step of its job.
const WEBHOOK: &str = "webhook";
/// How long after an attempt in vain the next is made.
const SCHEDULE: [Duration; 9] = [
    Duration::from_secs(5),
    Duration::from_mins(5),
    Duration::from_mins(30),
    Duration::from_hours(2),
    Duration::from_hours(5),
    Duration::from_hours(10),
    Duration::from_hours(14),
    Duration::from_hours(20),
    Duration::from_hours(24),
];
/// So often a program is told of an event before it is given up.
pub(super) const ATTEMPTS: i32 = 10;
/// Longest body; what is longer goes without its data.
const BODY_MOST_BYTES: usize = 20 * 1024;
/// Answers that ask for patience, not only with this event.
const BUSY: [u16; 4] = [429, 502, 503, 504];
/// How long a program that asks for patience is left alone, unless it says; never longer than an hour.
const REST: Duration = Duration::from_mins(1);
const REST_MOST: Duration = Duration::from_hours(1);
/// The status of a program that is not there any more.
const GONE: u16 = 410;

pub(super) fn run<'a>(office: &'a Office, job: &'a Job) -> BoxFuture<'a, Result<Done, Trouble>> {
    deliver(office, job).boxed()
}

async fn deliver(office: &Office, job: &Job) -> Result<Done, Trouble> {
    let body = read(job)?;
    let known = office.aggregates.refresh::<Endpoint>(job.tenant_id, &job.subject_id).await?;
    let endpoint = &known.state;
    if endpoint.status != Status::Enabled {
        return cancelled(office, job, &body).await;
    }
    if !may_hear(office, job.tenant_id, endpoint.owned_by).await? {
        report(office, job, &json!({"kind": "owner_lost"})).await?;
        return cancelled(office, job, &body).await;
    }
    if let Some(rest) = book::rest(office, job).await? {
        return Ok(Done::NotYet(rest));
    }
    let Some(message) = message(office, job, (&body, endpoint)).await? else {
        return Ok(Done::Stuck(
            "the endpoint has no secret: rotate it, then `annals dlq retry`".into(),
        ));
    };
    if office.dry || office.intend(job, WEBHOOK, WEBHOOK).await? == Intent::Gone {
        return Ok(Done::Finished);
    }
    let attempt = office.caller.post(&endpoint.url, &message).await;
    settle(office, (job, &body), &attempt).await
}

fn read(job: &Job) -> anyhow::Result<Body> {
    serde_json::from_value(job.body.clone()).context("the job names no event")
}

/// The program is not to be told any more.
async fn cancelled(office: &Office, job: &Job, body: &Body) -> Result<Done, Trouble> {
    if !office.dry {
        book::note(office, (job, body), State::Cancelled, (None, None)).await?;
    }
    Ok(Done::Cancelled)
}

/// Whether in whose name the program is told may see events themselves.
async fn may_hear(office: &Office, tenant: TenantId, owner: UserId) -> anyhow::Result<bool> {
    let owner = Principal::somebody(tenant, owner);
    office.access.refresh(&owner).await?;
    let standing = office.access.last_known(&owner).await?;
    let standing = standing.filter(|it| it.user.state.status == user::Status::Active);
    let may = authorize(&owner, standing.as_ref(), Permission::AuditEventsRead);
    Ok(standing.is_some() && may.is_ok())
}

/// What the program is told: the event as streams have it, with what is personal sealed. Nothing where no secret is left to sign
/// it with.
async fn message(
    office: &Office,
    job: &Job,
    (body, endpoint): (&Body, &Endpoint),
) -> anyhow::Result<Option<Message>> {
    let now = clock::now();
    let secrets = signing(office, job.tenant_id, (endpoint, now)).await?;
    if secrets.is_empty() {
        return Ok(None);
    }
    let select =
        format!("select {COLUMNS} from log.events e where e.tenant_id = $1 and e.position = $2");
    let row = sqlx::query(&select)
        .bind(job.tenant_id.0)
        .bind(body.position)
        .fetch_one(&office.pool)
        .await
        .context("there is no such event")?;
    let record = Record::from_row(&row)?;
    anyhow::ensure!(record.event_id == body.event_id, "another event stands there");
    let (id, timestamp) = (record.event_id.to_string(), now.as_second());
    let body = text(&record);
    let signature = sign::signature(&secrets, (&id, timestamp), &body);
    let digests = secrets.iter().map(|secret| sign::digest(secret, &body)).collect();
    Ok(Some(Message { id, timestamp, signature, digests, body }))
}

/// The event as structured JSON; of a long one, where it can be read.
fn text(record: &Record<'_>) -> String {
    let mut text = String::new();
    cloud_event::write(record, &mut text);
    if text.len() > BODY_MOST_BYTES {
        let Record { aggregate_type, aggregate_id, recorded_at, .. } = record;
        let dataref =
            format!("/api/v1/streams/{aggregate_type}/{aggregate_id}?at={recorded_at:.6}");
        text.clear();
        cloud_event::write_thin(record, &dataref, &mut text);
    }
    text
}

/// The secrets that sign now, the newest first. Without the newest there are none; the one before may be forgotten meanwhile.
async fn signing(
    office: &Office,
    tenant: TenantId,
    (endpoint, now): (&Endpoint, Timestamp),
) -> anyhow::Result<Vec<Vec<u8>>> {
    let mut opened = Vec::new();
    for id in endpoint.secrets(now) {
        let sealed: Option<Vec<u8>> = sqlx::query_scalar(
            "select sealed from secrets.secrets where tenant_id = $1 and secret_id = $2",
        )
        .bind(tenant.0)
        .bind(id.0)
        .fetch_optional(&office.pool)
        .await?;
        match sealed {
            Some(sealed) => opened.push(office.master.open(&row_of(tenant, id), &sealed)?),
            None => break,
        }
    }
    Ok(opened)
}

/// Notes what came of a call, and says what is to be done.
async fn settle(
    office: &Office,
    (job, body): (&Job, &Body),
    attempt: &Attempt,
) -> Result<Done, Trouble> {
    let of = (job, body);
    let status = attempt.status.map(|status| status.to_string()).unwrap_or_default();
    if attempt.is_taken() {
        office.went(job, WEBHOOK, (Went::Done, &status)).await?;
        book::answered(office, job).await?;
        book::note(office, of, State::Delivered, (Some(attempt), None)).await?;
        return Ok(Done::Finished);
    }
    if attempt.status == Some(GONE) {
        office.went(job, WEBHOOK, (Went::Refused, &status)).await?;
        book::note(office, of, State::Gone, (Some(attempt), None)).await?;
        report(office, job, &json!({"kind": "gone"})).await?;
        return Ok(Done::Failed("the program says that it is gone".into()));
    }
    let busy = attempt.status.is_some_and(|status| BUSY.contains(&status));
    let rest = busy.then(|| attempt.retry_after.unwrap_or(REST).min(REST_MOST));
    let since = book::failed(office, job, rest).await?;
    let delay = delay(job.attempt).max(attempt.retry_after.unwrap_or_default());
    let next_at =
        (job.attempt < job.max_attempts).then(|| clock::now().checked_add(delay).ok()).flatten();
    book::note(office, of, State::Retrying, (Some(attempt), next_at)).await?;
    if clock::now().duration_since(since) >= TOLD_AFTER {
        report(office, job, &json!({"kind": "failing", "since": since})).await?;
    }
    Ok(Done::Later(delay, attempt.told()))
}

/// How long to wait after this attempt, a fifth more or less, so that what failed together does not come back together.
fn delay(attempt: i32) -> Duration {
    let step = usize::try_from(attempt.saturating_sub(1)).unwrap_or(0);
    let delay = SCHEDULE.get(step).or(SCHEDULE.last()).copied().unwrap_or_default();
    let [chance] = secrets::random::<1>();
    delay * 4 / 5 + delay * 2 / 5 * u32::from(chance) / 255
}

/// Says how the program answers; whether that changes anything is for the rules.
async fn report(office: &Office, job: &Job, how: &Value) -> Result<(), Trouble> {
    let path = format!("/webhooks/{}/report", job.subject_id);
    let key = job.key(&format!("report/{}/{}", how["kind"], job.attempt));
    match office.commands.post(job.tenant_id, &path, key, how).await {
        Ok(_) | Err(CommandError::Refused(_)) => Ok(()),
        Err(error @ CommandError::Unavailable(_)) => Err(Trouble(error.into())),
    }
}

/// Records that the program could not be told; the dead letter can be put back.
pub(super) fn give_up<'a>(office: &'a Office, job: &'a Job) -> BoxFuture<'a, anyhow::Result<()>> {
    async move {
        let body = read(job)?;
        book::note(office, (job, &body), State::Dead, (None, None)).await?;
        let Some((event_id, attempts, status)) = book::in_vain(office, (job, &body)).await? else {
            return Ok(());
        };
        office.went(job, WEBHOOK, (Went::Refused, &status.unwrap_or_default().to_string())).await?;
        let path =
            format!("/webhooks/{}/deliveries/{}/dead-letter", job.subject_id, body.delivery_id);
        let dead = json!({"event_id": event_id, "attempts": attempts, "last_status": status});
        let key = job.key(&format!("dead/{}", job.attempt));
        match office.commands.post(job.tenant_id, &path, key, &dead).await {
            Ok(_) | Err(CommandError::Refused(_)) => Ok(()),
            Err(error @ CommandError::Unavailable(_)) => Err(error.into()),
        }
    }
    .boxed()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn record(payload: &str) -> Record<'_> {
        Record {
            position: 42,
            tenant_id: Uuid::from_u128(1),
            tenant_seq: 7,
            aggregate_type: "rbac.policy",
            aggregate_id: "p",
            sequence: 14,
            event_id: Uuid::from_u128(2),
            event_type: "rbac.policy.role_created",
            event_version: "1",
            payload,
            metadata: "{}",
            recorded_at: Timestamp::UNIX_EPOCH,
            chain: &[],
        }
    }

    #[test]
    fn a_program_is_told_again_after_longer_and_longer_times_for_three_days() {
        let mut whole = Duration::ZERO;
        for (attempt, planned) in (1..).zip(SCHEDULE) {
            let delay = delay(attempt);
            assert!(delay >= planned * 4 / 5 && delay <= planned * 6 / 5, "{attempt}: {delay:?}");
            whole += planned;
        }
        assert_eq!(ATTEMPTS, i32::try_from(SCHEDULE.len()).unwrap() + 1);
        assert!(whole > Duration::from_hours(75), "{whole:?}");
        assert!(delay(99) <= Duration::from_hours(29));
    }

    #[test]
    fn a_short_event_is_told_whole_and_of_a_long_one_where_it_is() {
        let short: Value = serde_json::from_str(&text(&record(r#"{"code":"clerk"}"#))).unwrap();
        assert_eq!((&short["data"]["code"], &short["dataref"]), (&json!("clerk"), &Value::Null));
        let payload = json!({"code": "x".repeat(BODY_MOST_BYTES)}).to_string();
        let long = text(&record(&payload));
        assert!(long.len() < 1_000, "{}", long.len());
        let long: Value = serde_json::from_str(&long).unwrap();
        assert_eq!((&long["type"], &long["data"]), (&short["type"], &Value::Null));
        assert_eq!(long["dataref"], "/api/v1/streams/rbac.policy/p?at=1970-01-01T00:00:00.000000Z");
    }
}
