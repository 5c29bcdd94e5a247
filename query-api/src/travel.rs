//! Items as they were: at a moment or a version, how they came to be, and what changed in between; folded by their own rules.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use ::events::{Decider, Module, UnitId, UserId};
use axum::http::{HeaderName, header};
use axum::response::{IntoResponse as _, Response};
use events::audit::{MASK, is_secret};
use jiff::Timestamp;
use platform::access::Places;
use platform::clock;
use platform::cloud_event::Lifted;
use platform::dataset::{Bind, READERS, Statement, UNIT as UNIT_ID};
use platform::log::{PAYLOAD, Record, UNCHAINED};
use platform::problem::Problem;
use platform::routes::{Access, Parameter, Route};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};
use sqlx::FromRow as _;
use uuid::Uuid;

use crate::answer::{http_date, keep, plain};
use crate::call::Call;
use crate::endpoint::Endpoint;
use crate::paging::{self, Paged, SIZES, Start};
use crate::past::too_long;
use crate::shape::{dataset, query};

/// The most events between two versions that are compared.
const MAX_COMPARED: i64 = 5_000;
/// An event that is being stored while we read carries a time that has passed already; later nothing can come before it.
const SETTLED: Duration = Duration::from_mins(1);
const FOREVER: &str = "private, immutable, max-age=31536000";

/// An item whose past can be asked for: one declaration for all that follows from it.
pub(crate) struct Past<D: Decider> {
    /// The dataset of the item: what is shown of it, and what of that is sensitive.
    pub(crate) data: &'static str,
    /// What it is, for people.
    pub(crate) what: &'static str,
    /// The addresses of its history and of differences.
    pub(crate) names: Names,
    /// The parameters of the item's own route.
    pub(crate) parameters: &'static [Parameter],
    /// Those among them that say which item is meant.
    pub(crate) which: &'static [&'static str],
    /// Where the item is.
    pub(crate) place: fn(&Call) -> Result<Place, Problem>,
    /// The item as its aggregate has it, by the names of the dataset; nothing where it is not there.
    pub(crate) view: fn(&D, &str) -> Option<Value>,
    /// Members of its events that are as sensitive as columns are.
    pub(crate) masked: &'static [&'static str],
    /// Whose it is, where the dataset shows each to their owner alone.
    pub(crate) owner: Option<fn(&D) -> UserId>,
}

/// Where an item is in the log.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// The id of its stream.
    pub(crate) stream: String,
    /// Its own id.
    pub(crate) id: String,
    /// Where the stream holds other items as well, the text by which the events of this one are known.
    pub(crate) text: Option<String>,
}

impl Place {
    /// That of an item with a stream of its own, named by the path's `id`.
    pub(crate) fn of_item(call: &Call) -> Self {
        let id = call.segment("id").to_owned();
        Self { stream: id.clone(), id, text: None }
    }
}

/// The addresses and operation ids of what can be asked about the past of an item.
pub(crate) struct Names {
    pub(crate) history: (&'static str, &'static str),
    pub(crate) diff: (&'static str, &'static str),
}

/// The names that follow from an item's path and operation id.
macro_rules! names {
    ($path:literal, $operation:literal) => {
        $crate::travel::Names {
            history: (concat!($path, "/history"), concat!($operation, "_history")),
            diff: (concat!($path, "/diff"), concat!($operation, "_diff")),
        }
    };
}
pub(crate) use names;

/// What happened to an item, oldest first.
#[derive(Debug, Serialize, JsonSchema)]
struct History {
    items: Vec<Happening>,
}

/// One event of an item's history; sensitive members are masked.
#[derive(Debug, Serialize, JsonSchema)]
struct Happening {
    /// The version after it.
    version: i64,
    position: i64,
    event_id: Uuid,
    #[serde(rename = "type")]
    kind: String,
    #[schemars(with = "String")]
    at: Timestamp,
    actor_kind: Option<String>,
    actor_id: Option<String>,
    correlation_id: Option<String>,
    causation_id: Option<String>,
    data: Value,
}

/// What is different between two versions.
#[derive(Debug, Serialize, JsonSchema)]
struct Differences {
    from: i64,
    to: i64,
    ops: Vec<Change>,
}

/// One difference, as an operation of JSON Patch (RFC 6902) with what stood there before and the event that made it.
#[derive(Debug, Serialize, JsonSchema)]
struct Change {
    op: &'static str,
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Value>,
    /// The last event that changed it.
    event: Option<Uuid>,
    /// Who did it.
    actor: Option<String>,
    #[schemars(with = "Option<String>")]
    at: Option<Timestamp>,
}

const HISTORY: &[Parameter] = &[
    query("after", "events after this version; or a cursor, from `page.next` or `page.prev`"),
    query("limit", "events of a page: 50 unless told, at most 500"),
    UNIT,
];
const DIFF: &[Parameter] = &[
    query("from", "the earlier version; the one before `to` when absent"),
    query("to", "the later version; the present one when absent"),
    UNIT,
];
const UNIT: Parameter = query("unit_id", "the unit that the item belongs to, where items do");

/// The item's own endpoint, which now answers for the past as well, and those that follow from the declaration.
pub(crate) fn with_past<D: Decider>(past: &'static Past<D>, endpoint: Endpoint) -> Vec<Endpoint> {
    let Endpoint { route, handle } = endpoint;
    let (module, access) = (route.module, route.access);
    let now = Endpoint::new(route.parameters(past.parameters), move |call: Call| {
        let handle = Arc::clone(&handle);
        async move {
            match (call.parameter("as_of"), call.number("at_version")?, call.exact) {
                (None, None, _) => handle(call).await,
                (Some(_), None, None) => past.then(&call, None).await,
                (None, version @ Some(_), None) => past.then(&call, version).await,
                (Some(_) | None, Some(_) | None, _) => {
                    let detail = "send one of as_of, at_version and exact";
                    Err(Problem::bad_request("PARAMETER_INVALID", detail))
                }
            }
        }
    });
    vec![now, history(past, module, access), diff(past, module, access)]
}

fn history<D: Decider>(past: &'static Past<D>, module: Module, access: Access) -> Endpoint {
    let (path, operation) = past.names.history;
    let route = Route::get(path, module, operation)
        .summary("What happened to it, oldest first, and who did it")
        .access(access)
        .parameters(HISTORY)
        .answers::<Paged<History>>(200);
    Endpoint::new(route, move |call: Call| async move {
        past.only(&call, &["after", "limit"])?;
        let place = past.place(&call).await?;
        let start = Start::read(&call, "after")?;
        let limit = paging::limit(&call, SIZES)?;
        let mut statement = Statement::default();
        let condition = place.events::<D>(&mut statement);
        let number = statement.bind(Bind::Integer(start.from.unwrap_or_default()));
        let (symbol, direction) = start.order(false);
        statement.sql = format!(
            "select {UNCHAINED} from log.events e where {condition} \
             and e.sequence {symbol} ${number} order by e.sequence {direction} limit {}",
            limit + 1
        );
        let asked = call.ask(&[], &statement).await?;
        if asked.rows.is_empty() && start.from.is_none() {
            return Err(Problem::absent(past.what));
        }
        let mut items = Vec::with_capacity(asked.rows.len());
        let payloads = call.payloads(&asked.rows, PAYLOAD).await?;
        for (row, payload) in asked.rows.iter().zip(&payloads) {
            items.push(past.happening(&Record { payload, ..Record::from_row(row)? }));
        }
        let (items, beside) = start.cut(items, limit, |item| item.version);
        let page = start.page(&call, &asked, &beside, limit)?;
        Ok(paging::respond(&call, &asked, paging::items(&items), &page, ""))
    })
}

fn diff<D: Decider>(past: &'static Past<D>, module: Module, access: Access) -> Endpoint {
    let (path, operation) = past.names.diff;
    let route = Route::get(path, module, operation)
        .summary("What is different between two of its versions, and which events made it so")
        .access(access)
        .parameters(DIFF)
        .answers::<Differences>(200);
    Endpoint::new(route, move |call: Call| async move {
        past.only(&call, &["from", "to"])?;
        let place = past.place(&call).await?;
        let present = past.present(&call, &place).await?;
        let to = call.number("to")?.unwrap_or(present);
        let from = call.number("from")?.unwrap_or((to - 1).max(0));
        if from > to || to > present {
            return Err(unknown_version(present));
        }
        if to - from > MAX_COMPARED {
            return Err(too_long());
        }
        let ops = past.compare(&call, &place, (from, to)).await?;
        let mut response = plain(&Differences { from, to, ops });
        keep(response.headers_mut(), header::CACHE_CONTROL, FOREVER);
        Ok(response)
    })
}

impl Place {
    /// The condition on `log.events e` for the events of the item.
    fn events<D: Decider>(&self, statement: &mut Statement) -> String {
        let kind = statement.bind(Bind::Text(Some(D::TYPE.to_owned())));
        let stream = statement.bind(Bind::Text(Some(self.stream.clone())));
        let mut condition = format!("e.aggregate_type = ${kind} and e.aggregate_id = ${stream}");
        if let Some(text) = &self.text {
            let text = format!("%{}%", text.replace('_', "\\_"));
            let text = statement.bind(Bind::Text(Some(text)));
            let _never = write!(condition, " and e.payload::text like ${text}");
        }
        condition
    }
}

impl<D: Decider> Past<D> {
    fn only(&self, call: &Call, parameters: &[&'static str]) -> Result<(), Problem> {
        let known: Vec<&str> = parameters.iter().chain(self.which).copied().collect();
        call.only_parameters(&known)
    }

    /// Where the item is, if it is the caller's to see.
    async fn place(&self, call: &Call) -> Result<Place, Problem> {
        let place = (self.place)(call)?;
        let Some(owner) = self.owner else { return self.where_seen(call, place).await };
        let everybody = dataset(self.data).owner.as_ref().and_then(|owner| owner.everybody);
        if everybody.is_some_and(|all| call.permits(all)) {
            return Ok(place);
        }
        let item = call.aggregate::<D>(&place.stream).await?;
        let theirs = item.version > 0 && call.me() == Some(owner(&item.state));
        if theirs { Ok(place) } else { Err(Problem::absent(self.what)) }
    }

    /// The place of an item that belongs where the caller may. Where a parameter names the unit, the place was asked of it.
    async fn where_seen(&self, call: &Call, place: Place) -> Result<Place, Problem> {
        if call.places == Places::Everywhere || self.which.contains(&UNIT_ID) {
            return Ok(place);
        }
        let item = call.aggregate::<D>(&place.stream).await?;
        let item = (self.view)(&item.state, &place.id);
        let item = item.ok_or_else(|| Problem::absent(self.what))?;
        let unit = item[UNIT_ID].as_str().and_then(|unit| unit.parse::<UnitId>().ok());
        let is_seen = dataset(self.data).is_seen_from(&call.places, unit);
        // Only routes that show what is shared know the caller as a reader.
        let readers = item[READERS].as_array().into_iter().flatten();
        let is_shared = readers
            .filter_map(Value::as_str)
            .any(|reader| call.readers.iter().any(|of| of == reader));
        if is_seen || is_shared { Ok(place) } else { Err(Problem::absent(self.what)) }
    }

    /// The version of the item's stream now; 404 where there is none.
    async fn present(&self, call: &Call, place: &Place) -> Result<i64, Problem> {
        let (_, _, versions) = call.present(&[(D::TYPE, place.stream.clone())]).await?;
        let version = versions.first().copied().unwrap_or_default();
        if version > 0 { Ok(version) } else { Err(Problem::absent(self.what)) }
    }

    /// The item at a version, or at the moment that the caller names.
    async fn then(&self, call: &Call, version: Option<i64>) -> Result<Response, Problem> {
        self.only(call, &["as_of", "at_version"])?;
        let place = self.place(call).await?;
        let mut statement = Statement::default();
        let condition = place.events::<D>(&mut statement);
        let (column, at, settled) = if let Some(version) = version {
            let present = self.present(call, &place).await?;
            if version > present {
                return Err(unknown_version(present));
            }
            ("sequence", version, true)
        } else {
            let text = call.parameter("as_of").unwrap_or_default();
            let moment = call.moment("as_of", text).await?;
            let settled = text.parse::<i64>().is_ok() || moment.time < clock::now() - SETTLED;
            ("position", moment.position, settled)
        };
        let number = statement.bind(Bind::Integer(at));
        statement.sql = format!(
            "select {UNCHAINED} from log.events e where {condition} and e.{column} <= ${number} \
             order by e.sequence desc limit 1"
        );
        let asked = call.ask(&[], &statement).await?;
        let row = asked.rows.first().ok_or_else(|| Problem::absent(self.what))?;
        let last = Record::from_row(row)?;
        let folded = call.at_version::<D>(&place.stream, last.sequence).await?;
        let view = (self.view)(&folded.state, &place.id);
        let mut members = self.shown(view.ok_or_else(|| Problem::absent(self.what))?);
        members.insert("version".to_owned(), last.sequence.into());
        members.insert("as_of_event".to_owned(), last.event_id.to_string().into());
        let as_of = json!({"position": last.position, "time": last.recorded_at});
        members.insert("as_of".to_owned(), as_of);
        let mut response = plain(&members).into_response();
        let headers = response.headers_mut();
        let name = |name: &'static str| HeaderName::from_static(name);
        keep(headers, name("memento-datetime"), &http_date(last.recorded_at));
        keep(headers, name("aggregate-version"), &last.sequence.to_string());
        if settled {
            keep(headers, header::CACHE_CONTROL, FOREVER);
        }
        Ok(response)
    }

    /// What changed after the one version up to the other.
    async fn compare(
        &self,
        call: &Call,
        place: &Place,
        (from, to): (i64, i64),
    ) -> Result<Vec<Change>, Problem> {
        let mut state = D::clone(&*call.at_version::<D>(&place.stream, from).await?.state);
        let members = |state: &D| match (self.view)(state, &place.id) {
            Some(Value::Object(members)) => members,
            Some(_) | None => Map::new(),
        };
        let mut statement = Statement::default();
        let whole = Place { text: None, ..place.clone() };
        let condition = whole.events::<D>(&mut statement);
        let (from, to) = (Bind::Integer(from), Bind::Integer(to));
        let (from, to) = (statement.bind(from), statement.bind(to));
        statement.sql = format!(
            "select {UNCHAINED} from log.events e where {condition} \
             and e.sequence > ${from} and e.sequence <= ${to} order by e.sequence"
        );
        let asked = call.ask(&[], &statement).await?;
        let first = members(&state);
        let mut before = first.clone();
        let mut by: BTreeMap<String, Happening> = BTreeMap::new();
        let payloads = call.payloads(&asked.rows, PAYLOAD).await?;
        for (row, payload) in asked.rows.iter().zip(&payloads) {
            let record = Record { payload, ..Record::from_row(row)? };
            let event = serde_json::from_str::<D::Event>(record.payload);
            state.evolve(&event.map_err(|error| Problem::internal(&error))?);
            let after = members(&state);
            for name in after.keys().chain(before.keys()) {
                if after.get(name) != before.get(name) {
                    by.insert(name.clone(), self.happening(&record));
                }
            }
            before = after;
        }
        if first.is_empty() && before.is_empty() {
            return Err(Problem::absent(self.what)); // the stream holds others, and never this one
        }
        Ok(self.changes(&first, &before, &mut by))
    }

    fn changes(
        &self,
        before: &Map<String, Value>,
        after: &Map<String, Value>,
        by: &mut BTreeMap<String, Happening>,
    ) -> Vec<Change> {
        let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
        names.sort_unstable();
        names.dedup();
        let known = |members: &Map<String, Value>, name: &String| {
            members.get(name).filter(|value| !value.is_null()).cloned()
        };
        let changed = names.into_iter().filter_map(|name| {
            let (old, new) = (known(before, name), known(after, name));
            let op = match (&old, &new) {
                (old, new) if old == new => return None,
                (None, _) => "add",
                (Some(_), Some(_)) => "replace",
                (Some(_), None) => "remove",
            };
            if !self.is_shown(name) {
                return None;
            }
            let did = by.remove(name);
            let mask = |value: Value| self.mask(name, value);
            Some(Change {
                op,
                path: format!("/{name}"),
                from: old.map(mask),
                value: new.map(mask),
                event: did.as_ref().map(|did| did.event_id),
                at: did.as_ref().map(|did| did.at),
                actor: did.and_then(|did| did.actor_id),
            })
        });
        changed.collect()
    }

    /// Of a view what the dataset shows, the sensitive of it masked.
    fn shown(&self, view: Value) -> Map<String, Value> {
        let Value::Object(members) = view else { return Map::new() };
        let shown = members.into_iter().filter(|(name, _)| self.is_shown(name));
        shown
            .map(|(name, value)| {
                let value = self.mask(&name, value);
                (name, value)
            })
            .collect()
    }

    fn is_shown(&self, name: &str) -> bool {
        dataset(self.data).column(name).is_some()
    }

    fn mask(&self, name: &str, value: Value) -> Value {
        let column = dataset(self.data).column(name);
        let sensitive = column.is_some_and(|column| column.sensitive)
            || self.masked.contains(&name)
            || is_secret(name);
        // Whether there is something may be known.
        if sensitive && !value.is_null() && !value.is_boolean() { MASK.into() } else { value }
    }

    fn happening(&self, record: &Record<'_>) -> Happening {
        let lifted: Lifted<'_> = serde_json::from_str(record.metadata).unwrap_or_default();
        let data = match serde_json::from_str(record.payload) {
            Ok(Value::Object(members)) => {
                let said = members.into_iter().filter(|(name, _)| name != "type");
                said.map(|(name, value)| {
                    let value = self.mask(&name, value);
                    (name, value)
                })
                .collect()
            }
            Ok(_) | Err(_) => Value::Null,
        };
        Happening {
            version: record.sequence,
            position: record.position,
            event_id: record.event_id,
            kind: record.event_type.to_owned(),
            at: record.recorded_at,
            actor_kind: lifted.actor_kind.map(Into::into),
            actor_id: lifted.actor_id.map(Into::into),
            correlation_id: lifted.correlation_id.map(Into::into),
            causation_id: lifted.causation_id.map(Into::into),
            data,
        }
    }
}

fn unknown_version(present: i64) -> Problem {
    let detail = format!("versions go from 1 to {present}, and the earlier one comes first");
    Problem::bad_request("VERSION_UNKNOWN", detail).with("current_version", present)
}
