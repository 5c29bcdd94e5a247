//! The organisation's whole history as NDJSON: copied out of Postgres in chunks and written down without decoding payloads.

use ::events::{Module, Permission, TenantId};
use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use futures::TryStreamExt as _;
use jiff::Timestamp;
use platform::db;
use platform::lifecycle::detach;
use platform::log::{COLUMNS, Record};
use platform::problem::Problem;
use platform::routes::{Parameter, Route};
use sqlx::PgPool;
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use uuid::Uuid;

use super::events::{EventRecord, FILTER, and_filter, matcher};
use crate::call::Call;
use crate::endpoint::Endpoint;
use crate::reads::EVENTS;
use crate::record;
use crate::shape::query;
use crate::stream::matching::Matcher;

const RANGE: &[Parameter] = &[
    query("from", "the first position; 1 unless told"),
    query("to", "the last position; the head of the log as seen at the start unless told"),
    FILTER,
];
/// A chunk is read as a whole before it is sent, so that a slow client never holds a connection to Postgres.
const CHUNK_EVENTS: i64 = 10_000;
const CHUNKS_AHEAD: usize = 1;
/// Replays at the same time; more wait for their turn.
static REPLAYS: Semaphore = Semaphore::const_new(4);

pub(super) fn replay() -> Endpoint {
    let route = Route::get("/events/replay", Module::Audit, "audit_replay")
        .summary(
            "The organisation's events as NDJSON, one per line, up to the head seen at the start",
        )
        .needs(Permission::AuditEventsRead)
        .answers::<EventRecord>(200)
        .media_type("application/x-ndjson")
        .parameters(RANGE);
    Endpoint::new(route, |call: Call| async move {
        call.only_parameters(&["from", "to", "filter"])?;
        let matcher = matcher(&call)?;
        let from = call.number("from")?.unwrap_or(1);
        let asked = call.head().await?;
        let to = call.number("to")?.unwrap_or(i64::MAX).min(asked.place.head);
        let headers = asked.headers(&call, &asked.place.as_of());
        let range = format!("position >= {from} AND position <= {to}");
        call.app.reads.note(call.by(), EVENTS, &and_filter(&call, vec![range]), 0);
        let body = replayed(call, from - 1, to, matcher);
        let kind = (header::CONTENT_TYPE, "application/x-ndjson");
        let mut response: Response = ([kind], body).into_response();
        response.headers_mut().extend(headers);
        Ok::<_, Problem>(response)
    })
}

/// The events after position `after` up to position `to`.
fn replayed(call: Call, after: i64, to: i64, matcher: Option<Matcher>) -> Body {
    let (sender, receiver) = mpsc::channel::<Result<Bytes, std::io::Error>>(CHUNKS_AHEAD);
    detach(async move {
        let Ok(_turn) = REPLAYS.acquire().await else { return };
        let mut after = after;
        while after < to {
            let pool = (&call.app.pool, call.tenant());
            let chunk = match chunk(pool, after, to, matcher.as_ref()).await {
                Ok(Some(chunk)) => chunk,
                Ok(None) => return,
                Err(error) => {
                    tracing::warn!(%error, "a replay ends early");
                    let cut = std::io::Error::other("the replay ends early");
                    let _client_is_gone = sender.send(Err(cut)).await;
                    return;
                }
            };
            after = chunk.last;
            call.app.reads.more(call.by(), EVENTS, chunk.rows);
            if chunk.lines.is_empty() && !sender.is_closed() {
                continue; // the filter left nothing
            }
            if sender.send(Ok(Bytes::from(chunk.lines))).await.is_err() {
                return; // the client has gone
            }
        }
    });
    Body::from_stream(ReceiverStream::new(receiver))
}

struct Chunk {
    lines: String,
    rows: usize,
    last: i64,
}

async fn chunk(
    (pool, tenant): (&PgPool, TenantId),
    after: i64,
    to: i64,
    matcher: Option<&Matcher>,
) -> Result<Option<Chunk>, sqlx::Error> {
    let mut transaction = db::begin_for(pool, tenant).await?;
    // COPY takes no parameters; these are numbers.
    let copy = format!(
        "copy (select {COLUMNS} from log.events e where e.position > {after} and e.position <= {to} \
         order by e.position limit {CHUNK_EVENTS}) to stdout (format binary)"
    );
    let mut copied = Vec::new();
    {
        let mut parts = transaction.copy_out_raw(&copy).await?;
        while let Some(part) = parts.try_next().await? {
            copied.extend_from_slice(&part);
        }
    }
    transaction.commit().await?;
    written(&copied, matcher)
        .ok_or_else(|| sqlx::Error::Protocol("a copy of events is malformed".into()))
}

/// The copied rows as lines; nothing when there are none.
#[expect(clippy::option_option, reason = "malformed, empty and filled are three things")]
fn written(copied: &[u8], matcher: Option<&Matcher>) -> Option<Option<Chunk>> {
    const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";
    let mut rest = copied.strip_prefix(SIGNATURE)?.get(8..)?; // after flags and extension length
    let mut chunk = Chunk { lines: String::with_capacity(copied.len() * 2), rows: 0, last: 0 };
    loop {
        let fields = i16::from_be_bytes(take::<2>(&mut rest)?);
        if fields == -1 {
            return Some((chunk.last > 0).then_some(chunk));
        }
        let record = next(&mut rest)?;
        chunk.last = record.position;
        if matcher.is_none_or(|matcher| matcher.passes(&record)) {
            chunk.rows += 1;
            record::write(&record, &mut chunk.lines);
            chunk.lines.push('\n');
        }
    }
}

fn next<'a>(rest: &mut &'a [u8]) -> Option<Record<'a>> {
    /// Postgres counts microseconds from the year 2000.
    const EPOCH_US: i64 = 946_684_800_000_000;
    Some(Record {
        position: number(rest)?,
        tenant_id: Uuid::from_slice(field(rest)?).ok()?,
        tenant_seq: number(rest)?,
        aggregate_type: text(rest)?,
        aggregate_id: text(rest)?,
        sequence: number(rest)?,
        event_id: Uuid::from_slice(field(rest)?).ok()?,
        event_type: text(rest)?,
        event_version: text(rest)?,
        recorded_at: Timestamp::from_microsecond(number(rest)?.checked_add(EPOCH_US)?).ok()?,
        payload: text(rest)?,
        metadata: text(rest)?,
        chain: field(rest)?,
    })
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_at_checked(N)?;
    *rest = tail;
    head.try_into().ok()
}

fn field<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(i32::from_be_bytes(take::<4>(rest)?)).ok()?;
    let (value, tail) = rest.split_at_checked(length)?;
    *rest = tail;
    Some(value)
}

fn number(rest: &mut &[u8]) -> Option<i64> {
    field(rest)?.try_into().ok().map(i64::from_be_bytes)
}

fn text<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    std::str::from_utf8(field(rest)?).ok()
}
