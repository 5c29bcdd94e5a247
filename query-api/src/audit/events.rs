//! The organisation's events, page by page, as records that can be verified.

use ::events::{Module, Permission};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use platform::dataset::{Bind, DEFAULT_LIMIT, MAX_LIMIT, Statement};
use platform::log::{COLUMNS, Record};
use platform::problem::Problem;
use platform::routes::{Parameter, Route};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use sqlx::FromRow as _;

use crate::ask::{AsOf, Asked};
use crate::call::Call;
use crate::endpoint::Endpoint;
use crate::list::push_json;
use crate::reads::EVENTS;
use crate::record;
use crate::shape::query;
use crate::stream::matching::Matcher;

const PAGE: &[Parameter] = &[
    query("after", "events after this position, oldest first"),
    query("before", "events before this position, newest first"),
    query("limit", "events of a page: 50 unless told, at most 500"),
    query("event_type", "only events of this type"),
    query("aggregate_type", "only events of streams of this type"),
    query("aggregate_id", "only events of this stream"),
    FILTER,
];
/// The filter over events, in the grammar of lists.
pub(super) const FILTER: Parameter = query(
    "filter",
    "which events, for example `type=rbac.* AND data.role_id=\"...\"`: by what a CloudEvent says of them",
);
/// The most events that are looked at for one filtered page, which then says where to go on.
const MAX_SCANNED: i64 = 20_000;
const CHUNK: i64 = 2_000;
const STREAM: &[Parameter] = &[
    query("after", "events after this version of the stream"),
    query("limit", "events of a page: 50 unless told, at most 500"),
];

/// A page of events.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Events {
    items: Vec<EventRecord>,
    page: EventPage,
    as_of: AsOf,
}

/// An event as it stands in the log. The chain covers the exact text of `payload` and `metadata`.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct EventRecord {
    position: i64,
    tenant_id: uuid::Uuid,
    tenant_seq: i64,
    aggregate_type: String,
    aggregate_id: String,
    sequence: i64,
    event_id: uuid::Uuid,
    event_type: String,
    event_version: String,
    recorded_at: String,
    payload: Value,
    metadata: Value,
    /// The organisation's chain after this event: SHA-256, in hexadecimal digits.
    chain: String,
}

/// Where the next page begins.
#[derive(Debug, Serialize, JsonSchema)]
struct EventPage {
    /// For `after` (or `before`, when that was asked for); nothing at the end.
    next: Option<i64>,
    limit: i64,
}

/// What a page is ordered and continued by.
struct Order {
    column: &'static str,
    descending: bool,
    from: Option<i64>,
}

pub(super) fn page() -> Endpoint {
    let route = Route::get("/events", Module::Audit, "audit_events")
        .summary("The organisation's events by position")
        .needs(Permission::AuditEventsRead)
        .answers::<Events>(200)
        .parameters(PAGE);
    Endpoint::new(route, |call: Call| async move {
        call.only_parameters(&PAGE.iter().map(|parameter| parameter.name).collect::<Vec<_>>())?;
        let before = call.number("before")?;
        let after = call.number("after")?;
        if before.is_some() && after.is_some() {
            let detail = "send either after or before";
            return Err(Problem::parameter("before", detail));
        }
        let order =
            Order { column: "position", descending: before.is_some(), from: before.or(after) };
        let mut filter = Vec::new();
        for name in ["event_type", "aggregate_type", "aggregate_id"] {
            filter.extend(call.parameter(name).map(|value| (name, value.to_owned())));
        }
        match matcher(&call)? {
            None => answer(&call, &filter, &order).await,
            Some(matcher) => filtered(&call, &filter, order, &matcher).await,
        }
    })
}

/// The filter that the caller sends.
pub(super) fn matcher(call: &Call) -> Result<Option<Matcher>, Problem> {
    let text = call.parameter("filter").filter(|text| !text.is_empty());
    Ok(text.map(|text| Matcher::parse(text, call.me())).transpose()?)
}

pub(super) fn of_stream() -> Endpoint {
    let route = Route::get("/events/streams/{type}/{id}", Module::Audit, "audit_events_of_stream")
        .summary("The history of one aggregate")
        .needs(Permission::AuditEventsRead)
        .answers::<Events>(200)
        .parameters(STREAM);
    Endpoint::new(route, |call: Call| async move {
        call.only_parameters(&["after", "limit"])?;
        let filter = [
            ("aggregate_type", call.segment("type").to_owned()),
            ("aggregate_id", call.segment("id").to_owned()),
        ];
        let order = Order { column: "sequence", descending: false, from: call.number("after")? };
        answer(&call, &filter, &order).await
    })
}

async fn answer(
    call: &Call,
    filter: &[(&'static str, String)],
    order: &Order,
) -> Result<Response, Problem> {
    let limit = limit(call)?;
    let asked = call.ask(&[], &statement(filter, order, limit)).await?;
    let more = i64::try_from(asked.rows.len()).is_ok_and(|rows| rows > limit);
    let shown = asked.rows.iter().take(usize::try_from(limit).unwrap_or_default());
    let mut body = String::from("{\"items\":[");
    let (mut last, mut shown_rows) = (None, 0);
    for row in shown {
        shown_rows += 1;
        if last.is_some() {
            body.push(',');
        }
        let record = Record::from_row(row)?;
        record::write(&record, &mut body);
        last = Some(if order.column == "sequence" { record.sequence } else { record.position });
    }
    call.app.reads.note(&call.principal, EVENTS, &described(call, filter), shown_rows);
    body.push_str("],\"page\":");
    push_json(&mut body, &EventPage { next: last.filter(|_| more), limit });
    Ok(respond(call, &asked, body))
}

/// What was asked, in the manner of the filter grammar.
fn described(call: &Call, filter: &[(&'static str, String)]) -> String {
    let parts = filter.iter().map(|(column, value)| format!("{column} = \"{value}\""));
    and_filter(call, parts.collect())
}

/// What was asked, and the filter that came with it.
pub(super) fn and_filter(call: &Call, mut parts: Vec<String>) -> String {
    let filter = call.parameter("filter").filter(|text| !text.is_empty());
    parts.extend(filter.map(|text| format!("({text})")));
    parts.join(" AND ")
}

/// Looks at events until the page is full, the log ends, or enough were looked at.
async fn filtered(
    call: &Call,
    filter: &[(&'static str, String)],
    mut order: Order,
    matcher: &Matcher,
) -> Result<Response, Problem> {
    let limit = limit(call)?;
    let mut body = String::from("{\"items\":[");
    let (mut found, mut scanned) = (0, 0);
    let limit_rows = usize::try_from(limit).unwrap_or_default();
    let (asked, next) = loop {
        let asked = call.ask(&[], &statement(filter, &order, CHUNK)).await?;
        let mut full = false;
        for row in &asked.rows {
            let record = Record::from_row(row)?;
            order.from = Some(record.position);
            scanned += 1;
            if matcher.passes(&record) {
                if found > 0 {
                    body.push(',');
                }
                record::write(&record, &mut body);
                found += 1;
            }
            full = found == limit_rows || scanned == MAX_SCANNED;
            if full {
                break;
            }
        }
        let ended = i64::try_from(asked.rows.len()).is_ok_and(|rows| rows <= CHUNK);
        if full || ended {
            break (asked, order.from.filter(|_| full));
        }
    };
    call.app.reads.note(&call.principal, EVENTS, &described(call, filter), found);
    body.push_str("],\"page\":");
    push_json(&mut body, &EventPage { next, limit });
    Ok(respond(call, &asked, body))
}

fn limit(call: &Call) -> Result<i64, Problem> {
    let limit = call.number("limit")?.unwrap_or(i64::from(DEFAULT_LIMIT));
    Ok(limit.clamp(1, i64::from(MAX_LIMIT)))
}

fn respond(call: &Call, asked: &Asked, mut body: String) -> Response {
    let as_of = asked.place.as_of();
    body.push_str(",\"as_of\":");
    push_json(&mut body, &as_of);
    body.push('}');
    let mut headers = asked.headers(call, &as_of);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    (headers, body).into_response()
}

/// One event more than `limit`, to know whether there is a further page.
fn statement(filter: &[(&'static str, String)], order: &Order, limit: i64) -> Statement {
    let mut statement = Statement::default();
    let mut conditions = vec!["true".to_owned()];
    for (column, value) in filter {
        let number = statement.bind(Bind::Text(Some(value.clone())));
        conditions.push(format!("e.{column} = ${number}"));
    }
    let column = order.column;
    if let Some(from) = order.from {
        let number = statement.bind(Bind::Integer(from));
        let symbol = if order.descending { '<' } else { '>' };
        conditions.push(format!("e.{column} {symbol} ${number}"));
    }
    let conditions = conditions.join(" and ");
    let direction = if order.descending { "desc" } else { "asc" };
    statement.sql = format!(
        "select {COLUMNS} from log.events e where {conditions} \
         order by e.{column} {direction} limit {}",
        limit + 1
    );
    statement
}
