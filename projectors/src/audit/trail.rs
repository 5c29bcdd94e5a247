//! The audit trail: who did what to what, from where, with what effect; written once and never touched again.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use async_trait::async_trait;
use events::audit::ledger::{self, Ledger};
use events::audit::security_log::{Event as Noted, SecurityLog};
use events::{ActorKind, ApiKeyId, SessionId, TenantId};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use jiff_sqlx::ToSqlx;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use uuid::Uuid;

use super::changes::{Change, Effect, Members, detail, differences};
use crate::model::{Column, Fact, FoldError, Sql, Table, column};
use crate::runtime::log;
use crate::runtime::projection::{Changes, Fold, Projection, Swept, Trace, Traced, Work};
use crate::runtime::tuples::Tuples;

const TABLE: Table = Table {
    name: "audit_trail",
    schema: "audit",
    table: "trail",
    key: &["tenant_id", "tenant_seq", "at"],
    group: "aggregate_id",
    resource: ("audit.entry", "event_id"),
    columns: COLUMNS,
    reads: &[],
};

const COLUMNS: &[Column] = &[
    column("tenant_id", Sql::Uuid),
    column("tenant_seq", Sql::Bigint),
    column("event_id", Sql::Uuid),
    column("at", Sql::Timestamptz),
    column("actor_kind", Sql::Text),
    column("actor_id", Sql::Text),
    column("on_behalf_of", Sql::Text),
    column("session_id", Sql::Text),
    column("ip", Sql::Text),
    column("user_agent", Sql::Text),
    column("request_id", Sql::Text),
    column("correlation_id", Sql::Text),
    column("causation_id", Sql::Text),
    column("command", Sql::Text),
    column("action", Sql::Text),
    column("module", Sql::Text),
    column("resource_type", Sql::Text),
    column("resource_id", Sql::Text),
    column("aggregate_type", Sql::Text),
    column("aggregate_id", Sql::Text),
    column("version", Sql::Bigint),
    column("status", Sql::Text),
    column("reason", Sql::Text),
    column("changes", Sql::Jsonb),
    column("detail", Sql::Jsonb),
    column("api_key_id", Sql::Text),
    column("through", Sql::Text),
];

/// Raised when the trail itself is made in another way.
const BUILD: i32 = 6;
/// Streams followed at once; those not seen for longest are read from the log again when they come up.
const STREAMS_KEPT: usize = 40_000;

const SUCCESS: &str = "success";
const DENIED: &str = "denied";
const FAILED: &str = "failed";

/// One row: the members are the columns, in their order.
#[derive(Serialize)]
struct Entry<'a> {
    tenant_id: TenantId,
    tenant_seq: i64,
    event_id: Uuid,
    at: Timestamp,
    actor_kind: Option<Cow<'a, str>>,
    actor_id: Option<Cow<'a, str>>,
    on_behalf_of: Option<Cow<'a, str>>,
    session_id: Option<Cow<'a, str>>,
    ip: Option<Cow<'a, str>>,
    user_agent: Option<Cow<'a, str>>,
    request_id: Option<Cow<'a, str>>,
    correlation_id: Option<Cow<'a, str>>,
    causation_id: Option<Cow<'a, str>>,
    command: Option<Cow<'a, str>>,
    action: &'a str,
    module: &'a str,
    resource_type: &'a str,
    resource_id: Option<&'a str>,
    aggregate_type: &'a str,
    aggregate_id: &'a str,
    version: i64,
    status: &'static str,
    reason: Option<&'a str>,
    changes: &'a [Change<'a>],
    detail: Option<Members<'a>>,
    api_key_id: Option<Cow<'a, str>>,
    through: Option<Cow<'a, str>>,
}

/// What the envelope says of the caller.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Caller<'a> {
    #[serde(borrow)]
    actor_kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    actor_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    on_behalf_of: Option<Cow<'a, str>>,
    #[serde(borrow)]
    session_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    api_key_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    ip: Option<Cow<'a, str>>,
    #[serde(borrow)]
    user_agent: Option<Cow<'a, str>>,
    #[serde(borrow)]
    request_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    correlation_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    causation_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    command: Option<Cow<'a, str>>,
    #[serde(borrow)]
    through: Option<Cow<'a, str>>,
}

/// The projection. What other read models make of an event is part of it, and their builds of its build.
pub(crate) struct Trail {
    others: Arc<[Box<dyn Projection>]>,
}

impl Trail {
    pub(crate) fn new() -> Self {
        Self { others: crate::traced().into() }
    }
}

impl Projection for Trail {
    fn table(&self) -> &'static Table {
        &TABLE
    }

    fn build(&self) -> i32 {
        BUILD + self.others.iter().map(|other| other.build()).sum::<i32>()
    }

    fn append_only(&self) -> bool {
        true
    }

    fn reads_metadata(&self) -> bool {
        true
    }

    fn fold(&self, _complete: bool) -> Box<dyn Fold> {
        Box::new(Entries {
            others: Arc::clone(&self.others),
            recent: Streams::default(),
            older: Streams::default(),
            pending: Tuples::default(),
            swept: Vec::new(),
            months: BTreeSet::new(),
        })
    }

    fn trace(&self) -> Option<Box<dyn Trace>> {
        None
    }
}

/// One stream, and what the read models made of it so far.
struct Stream {
    traces: Vec<Box<dyn Trace>>,
}

impl Stream {
    /// What the event changed. When a read model fails, the stream is not followed any further: its entries then show what
    /// the events themselves say, and none is lost.
    fn follow(&mut self, fact: &Fact) -> Vec<Traced> {
        let traced: Result<Vec<_>, FoldError> =
            self.traces.iter_mut().map(|trace| trace.follow(fact)).collect();
        match traced {
            Ok(traced) => traced.into_iter().flatten().collect(),
            Err(error) => {
                let position = fact.recorded.position;
                tracing::warn!(position, %error, "the trail shows this stream without before and after");
                self.traces.clear();
                Vec::new()
            }
        }
    }
}

/// Streams by organisation and name.
#[derive(Default)]
struct Streams {
    of: HashMap<TenantId, HashMap<String, Stream>>,
    count: usize,
}

impl Streams {
    fn get_mut(&mut self, tenant: TenantId, name: &str) -> Option<&mut Stream> {
        self.of.get_mut(&tenant)?.get_mut(name)
    }

    fn insert(&mut self, tenant: TenantId, name: &str, stream: Stream) {
        let before = self.of.entry(tenant).or_default().insert(name.to_owned(), stream);
        self.count += usize::from(before.is_none());
    }

    fn remove(&mut self, tenant: TenantId, name: &str) -> Option<Stream> {
        let removed = self.of.get_mut(&tenant)?.remove(name)?;
        self.count -= 1;
        Some(removed)
    }

    fn forget(&mut self, tenant: TenantId) {
        self.count -= self.of.remove(&tenant).map_or(0, |streams| streams.len());
    }
}

struct Entries {
    others: Arc<[Box<dyn Projection>]>,
    recent: Streams,
    older: Streams,
    pending: Tuples,
    swept: Vec<Swept>,
    /// The months whose partitions are there.
    months: BTreeSet<(i16, i8)>,
}

#[async_trait]
impl Fold for Entries {
    fn group(&self, fact: &Fact) -> Result<Option<String>, FoldError> {
        let recorded = &fact.recorded;
        Ok(Some(format!("{}/{}", recorded.aggregate_type, recorded.aggregate_id)))
    }

    async fn load(
        &mut self,
        connection: &mut PgConnection,
        work: &[Work<'_>],
    ) -> Result<(), sqlx::Error> {
        self.make_room(connection, work).await?;
        if self.recent.count > STREAMS_KEPT / 2 {
            self.older = std::mem::take(&mut self.recent);
        }
        let mut missing = Vec::new();
        for Work { fact, group } in work {
            if self.recent.get_mut(fact.tenant(), group).is_some() {
                continue;
            }
            let stream = self.older.remove(fact.tenant(), group).unwrap_or_else(|| {
                let recorded = &fact.recorded;
                if recorded.sequence > 1 {
                    let (kind, id) = (&*recorded.aggregate_type, &*recorded.aggregate_id);
                    missing.push((fact.tenant(), kind, id, recorded.sequence));
                }
                begin(&self.others, &recorded.aggregate_type)
            });
            self.recent.insert(fact.tenant(), group, stream);
        }
        if missing.is_empty() {
            return Ok(());
        }
        for fact in log::streams(connection, &missing).await? {
            let group = self.group(&fact).ok().flatten().unwrap_or_default();
            if let Some(stream) = self.recent.get_mut(fact.tenant(), &group) {
                stream.follow(&fact);
            }
        }
        Ok(())
    }

    fn fold(&mut self, Work { fact, group }: &Work<'_>) -> Result<(), FoldError> {
        let traced = if let Some(stream) = self.recent.get_mut(fact.tenant(), group) {
            stream.follow(fact)
        } else {
            let mut stream = begin(&self.others, &fact.recorded.aggregate_type);
            let traced = stream.follow(fact);
            self.recent.insert(fact.tenant(), group, stream);
            traced
        };
        if let Ok(Some(ledger::Event::MonthDropped { month })) = fact.of::<Ledger>() {
            self.swept.extend(swept(fact.tenant(), *month));
        }
        let changes = differences(&fact.recorded.aggregate_type, &traced);
        self.pending.push(COLUMNS, &entry(fact, &traced, &changes))
    }

    fn take(&mut self, _rows: usize) -> Result<Changes, FoldError> {
        Ok(Changes {
            changed: self.pending.take(),
            gone: Tuples::default(),
            swept: std::mem::take(&mut self.swept),
        })
    }

    fn forget(&mut self) {
        self.recent = Streams::default();
        self.older = Streams::default();
        self.pending = Tuples::default();
        self.swept.clear();
        self.months.clear();
    }

    fn forget_tenant(&mut self, tenant: TenantId) {
        self.recent.forget(tenant);
        self.older.forget(tenant);
    }
}

/// The entries of a month.
fn swept(tenant: TenantId, month: Date) -> Option<Swept> {
    let start = |date: Date| date.to_zoned(TimeZone::UTC).ok().map(|start| start.timestamp());
    let next = month.checked_add(1.month()).ok()?;
    Some(Swept { tenant, from: start(month)?, before: start(next)? })
}

impl Entries {
    /// Has the partitions made that these events need, and those of the months to come.
    async fn make_room(
        &mut self,
        connection: &mut PgConnection,
        work: &[Work<'_>],
    ) -> Result<(), sqlx::Error> {
        let mut wanted = Vec::new();
        for Work { fact, .. } in work {
            let day = TimeZone::UTC.to_datetime(fact.at());
            if self.months.insert((day.year(), day.month())) {
                wanted.push(fact.at().to_sqlx());
            }
        }
        if !wanted.is_empty() {
            sqlx::query("select read.months_ahead($1, $2, $3)")
                .bind(TABLE.schema)
                .bind(TABLE.table)
                .bind(&wanted)
                .execute(connection)
                .await?;
        }
        Ok(())
    }
}

fn begin(others: &[Box<dyn Projection>], aggregate_type: &str) -> Stream {
    let reading = others.iter().filter(|other| other.table().reads(aggregate_type));
    Stream { traces: reading.filter_map(|other| other.trace()).collect() }
}

fn entry<'a>(fact: &'a Fact, traced: &'a [Traced], changes: &'a Effect<'a>) -> Entry<'a> {
    let recorded = &fact.recorded;
    let caller: Caller<'a> = serde_json::from_str(&recorded.metadata).unwrap_or_default();
    let mut entry = Entry {
        tenant_id: recorded.tenant_id,
        tenant_seq: recorded.tenant_seq,
        event_id: recorded.event_id,
        at: recorded.recorded_at,
        actor_kind: caller.actor_kind,
        actor_id: caller.actor_id,
        on_behalf_of: caller.on_behalf_of,
        session_id: caller.session_id,
        api_key_id: caller.api_key_id,
        through: caller.through,
        ip: caller.ip,
        user_agent: caller.user_agent,
        request_id: caller.request_id,
        correlation_id: caller.correlation_id,
        causation_id: caller.causation_id,
        command: caller.command,
        action: &recorded.event_type,
        module: recorded.module(),
        resource_type: &recorded.aggregate_type,
        resource_id: Some(&recorded.aggregate_id),
        aggregate_type: &recorded.aggregate_type,
        aggregate_id: &recorded.aggregate_id,
        version: recorded.sequence,
        status: SUCCESS,
        reason: None,
        changes: &changes.changes,
        detail: detail(&recorded.aggregate_type, &recorded.payload, traced),
    };
    if let Some((kind, id)) = changes.resource {
        (entry.resource_type, entry.resource_id) = (kind, Some(id));
    }
    if let Ok(Some(noted)) = fact.of::<SecurityLog>() {
        about(&mut entry, noted);
    }
    entry
}

impl<'a> Entry<'a> {
    /// By somebody else than the service that tells of it.
    fn by(
        &mut self,
        kind: ActorKind,
        id: &'a str,
        (session, key): (Option<SessionId>, Option<ApiKeyId>),
    ) {
        let kind: &'static str = kind.into();
        self.actor_kind = Some(Cow::Borrowed(kind));
        self.actor_id = Some(Cow::Borrowed(id));
        self.session_id = session.map(|id| Cow::Owned(id.to_string()));
        self.api_key_id = key.map(|id| Cow::Owned(id.to_string()));
        (self.ip, self.user_agent) = (None, None); // those of the service
    }
}

/// A refusal is about what would have been done, and by whom something was read is said by the service that showed it.
fn about<'a>(entry: &mut Entry<'a>, noted: &'a Noted) {
    match noted {
        Noted::CommandRefused(refused) => {
            entry.status = if matches!(refused.status, 401 | 403) { DENIED } else { FAILED };
            entry.command = Some(Cow::Borrowed(&refused.command));
            entry.reason = Some(&refused.code);
            entry.module = module_of(&refused.resource_type);
            entry.resource_type = &refused.resource_type;
            entry.resource_id = refused.resource_id.as_deref();
        }
        Noted::AccessDenied(denied) => {
            entry.status = DENIED;
            entry.reason = Some(&denied.reason);
            entry.module = module_of(&denied.permission);
            entry.resource_type = &denied.permission;
            entry.resource_id = None;
            if let Some(caller) = &denied.caller {
                entry.by(caller.kind, &caller.id, (caller.session_id, caller.api_key_id));
                entry.command = Some(Cow::Borrowed(&denied.path_template));
            }
        }
        Noted::DataRead(read) => {
            entry.by(read.reader_kind, &read.reader_id, (read.session_id, read.api_key_id));
            entry.command = None;
            entry.module = module_of(&read.dataset);
            entry.resource_type = &read.dataset;
            entry.resource_id = None;
        }
    }
}

fn module_of(name: &str) -> &str {
    name.split('.').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use events::catalogue;
    use events::envelope::Recorded;
    use events::testing::{at, id};

    use super::*;

    #[test]
    fn every_event_there_is_becomes_one_entry() {
        let samples = concat!(env!("CARGO_MANIFEST_DIR"), "/../events/samples");
        for kind in catalogue::all() {
            let sample = format!("{samples}/{}.json", kind.event_type);
            let fact = Fact::new(Recorded {
                position: 1,
                tenant_id: id(1),
                tenant_seq: 1,
                aggregate_type: kind.aggregate.to_owned(),
                aggregate_id: id::<TenantId>(2).to_string(),
                sequence: 1,
                event_id: Uuid::from_u128(3),
                event_type: kind.event_type.clone(),
                event_version: kind.version,
                payload: std::fs::read_to_string(sample).unwrap(),
                metadata: r#"{"actor_kind":"user","actor_id":"anna","command":"test"}"#.into(),
                recorded_at: at("2026-01-01T00:00:00Z"),
                chain: Vec::new(),
            });
            let mut entries = Trail::new().fold(true);
            let group = entries.group(&fact).unwrap().unwrap();
            entries.fold(&Work { fact: &fact, group }).unwrap();
            let rows = entries.take(1).unwrap().changed.len();
            assert_eq!(rows, 1, "{} leaves no entry in the trail", kind.event_type);
        }
    }
}
