//! The organisation's events, page by page, as records that can be verified.

use ::events::{Module, Permission};
use axum::response::Response;
use platform::dataset::{Bind, Statement};
use platform::log::{COLUMNS, Record};
use platform::problem::Problem;
use platform::routes::{Parameter, Route};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use sqlx::FromRow as _;

use crate::ask::Asked;
use crate::call::Call;
use crate::endpoint::Endpoint;
use crate::paging::{self, Paged, SIZES, Start};
use crate::reads::EVENTS;
use crate::record;
use crate::shape::query;
use crate::stream::matching::Matcher;

const PAGE: &[Parameter] = &[
    query(
        "after",
        "events after this position, oldest first; or a cursor, from `page.next` or `page.prev`",
    ),
    query("before", "events before this position, newest first; or a cursor of such a page"),
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
    query(
        "after",
        "events after this version of the stream; or a cursor, from `page.next` or `page.prev`",
    ),
    query("limit", "events of a page: 50 unless told, at most 500"),
];

/// A page of events.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Events {
    items: Vec<EventRecord>,
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

/// What a page is ordered and continued by.
struct Order {
    column: &'static str,
    descending: bool,
    start: Start<i64>,
}

impl Order {
    fn key(&self, record: &Record<'_>) -> i64 {
        if self.column == "sequence" { record.sequence } else { record.position }
    }
}

/// The events of a page with their keys, in the order read, and the key from which there is more.
type Found = (Vec<(i64, String)>, Option<i64>);

pub(super) fn page() -> Endpoint {
    let route = Route::get("/events", Module::Audit, "audit_events")
        .summary("The organisation's events by position")
        .needs(Permission::AuditEventsRead)
        .answers::<Paged<Events>>(200)
        .parameters(PAGE);
    Endpoint::new(route, |call: Call| async move {
        call.only_parameters(&PAGE.iter().map(|parameter| parameter.name).collect::<Vec<_>>())?;
        let descending = call.parameter("before").is_some();
        if descending && call.parameter("after").is_some() {
            let detail = "send either after or before";
            return Err(Problem::parameter("before", detail));
        }
        let start = Start::read(&call, if descending { "before" } else { "after" })?;
        let order = Order { column: "position", descending, start };
        let mut filter = Vec::new();
        for name in ["event_type", "aggregate_type", "aggregate_id"] {
            filter.extend(call.parameter(name).map(|value| (name, value.to_owned())));
        }
        match matcher(&call)? {
            None => answer(&call, &filter, &order).await,
            Some(matcher) => filtered(&call, &filter, &order, &matcher).await,
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
        .answers::<Paged<Events>>(200)
        .parameters(STREAM);
    Endpoint::new(route, |call: Call| async move {
        call.only_parameters(&["after", "limit"])?;
        let filter = [
            ("aggregate_type", call.segment("type").to_owned()),
            ("aggregate_id", call.segment("id").to_owned()),
        ];
        let start = Start::read(&call, "after")?;
        let order = Order { column: "sequence", descending: false, start };
        answer(&call, &filter, &order).await
    })
}

async fn answer(
    call: &Call,
    filter: &[(&'static str, String)],
    order: &Order,
) -> Result<Response, Problem> {
    let limit = i64::from(paging::limit(call, SIZES)?);
    let asked = call.ask(&[], &statement(filter, order, order.start.from, limit)).await?;
    let more = i64::try_from(asked.rows.len()).is_ok_and(|rows| rows > limit);
    let mut items = Vec::with_capacity(asked.rows.len());
    for row in asked.rows.iter().take(usize::try_from(limit).unwrap_or_default()) {
        let record = Record::from_row(row)?;
        items.push((order.key(&record), written(&record)));
    }
    call.app.reads.note(call.by(), EVENTS, &described(call, filter), items.len());
    let beyond = items.last().map(|(key, _)| *key).filter(|_| more);
    respond(call, &asked, order, (items, beyond))
}

fn written(record: &Record<'_>) -> String {
    let mut text = String::with_capacity(record.payload.len() + record.metadata.len() + 512);
    record::write(record, &mut text);
    text
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
    order: &Order,
    matcher: &Matcher,
) -> Result<Response, Problem> {
    let most = usize::try_from(paging::limit(call, SIZES)?).unwrap_or_default();
    let (mut items, mut scanned, mut from) = (Vec::new(), 0, order.start.from);
    let (asked, beyond) = loop {
        let asked = call.ask(&[], &statement(filter, order, from, CHUNK)).await?;
        let mut full = false;
        for row in &asked.rows {
            let record = Record::from_row(row)?;
            from = Some(record.position);
            scanned += 1;
            if matcher.passes(&record) {
                items.push((record.position, written(&record)));
            }
            full = items.len() == most || scanned == MAX_SCANNED;
            if full {
                break;
            }
        }
        let ended = i64::try_from(asked.rows.len()).is_ok_and(|rows| rows <= CHUNK);
        if full || ended {
            break (asked, from.filter(|_| full));
        }
    };
    call.app.reads.note(call.by(), EVENTS, &described(call, filter), items.len());
    respond(call, &asked, order, (items, beyond))
}

fn respond(
    call: &Call,
    asked: &Asked,
    order: &Order,
    (items, beyond): Found,
) -> Result<Response, Problem> {
    let (items, beside) = order.start.shown(items, beyond, |(key, _)| *key);
    let page = order.start.page(call, asked, &beside, paging::limit(call, SIZES)?)?;
    let texts: Vec<String> = items.into_iter().map(|(_, text)| text).collect();
    let body = format!("{{\"items\":[{}]", texts.join(","));
    Ok(paging::respond(call, asked, body, &page, ""))
}

/// One event more than `limit`, to know whether there is a further page.
fn statement(
    filter: &[(&'static str, String)],
    order: &Order,
    from: Option<i64>,
    limit: i64,
) -> Statement {
    let mut statement = Statement::default();
    let mut conditions = vec!["true".to_owned()];
    for (column, value) in filter {
        let number = statement.bind(Bind::Text(Some(value.clone())));
        conditions.push(format!("e.{column} = ${number}"));
    }
    let column = order.column;
    let (symbol, direction) = order.start.order(order.descending);
    if let Some(from) = from {
        let number = statement.bind(Bind::Integer(from));
        conditions.push(format!("e.{column} {symbol} ${number}"));
    }
    let conditions = conditions.join(" and ");
    statement.sql = format!(
        "select {COLUMNS} from log.events e where {conditions} \
         order by e.{column} {direction} limit {}",
        limit + 1
    );
    statement
}
