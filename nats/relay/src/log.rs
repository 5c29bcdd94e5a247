//! The relay's one session with Postgres: it holds the lock of the leader, and reads the log.

use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use nats::{LogId, Message};
use platform::db::{self, Role, locks};
use platform::lifecycle::Shutdown;
use platform::log::{COLUMNS, Record};
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Connection as _, Executor as _, FromRow as _, Row as _};

const ELECTION_EVERY: Duration = Duration::from_millis(250);

/// Ends a session that its relay forgot (a stopped process keeps its connection open): the lock goes to another.
/// Saved state is a hint, so it does not wait for the disk.
const SESSION: &str = "set idle_session_timeout = '5s'; set synchronous_commit = off";

/// Rows of one page; fewer where payloads are large, so that a page always fits into memory.
const PAGE_ROWS: i64 = 1000;
const PAGE_BYTES: i64 = 8 * 1024 * 1024;
const SAVE: &str = "insert into log.relay as old \
      (epoch, stream_created_ns, stream_sequence, published_position) values ($1, $2, $3, $4) \
    on conflict (only_row) do update set epoch = excluded.epoch, stream_created_ns = excluded.stream_created_ns, \
      stream_sequence = excluded.stream_sequence, published_position = excluded.published_position, saved_at = now()";

const HEAD: &str =
    "select epoch, (extract(epoch from born_at) * 1000000)::bigint, position from log.head";

/// How far the log goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    /// Which log it is.
    pub(crate) log: LogId,
    /// Its last position.
    pub(crate) position: i64,
}

/// What the relay remembers of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Saved {
    pub(crate) epoch: i32,
    pub(crate) stream_created_ns: i64,
    pub(crate) stream_sequence: i64,
    pub(crate) published_position: i64,
}

/// Some of the log.
pub(crate) struct Page {
    pub(crate) messages: Vec<Message>,
    /// Whether there was more than fits into a page.
    pub(crate) more: bool,
}

pub(crate) struct Log(PgConnection);

impl Log {
    pub(crate) async fn connect(url: &str) -> anyhow::Result<Self> {
        let mut connection = db::connect_alone(url, Role::Relay).await?;
        connection.execute(SESSION).await.context("cannot prepare the relay's session")?;
        Ok(Self(connection))
    }

    /// Waits until this session leads, until it ends; false when the process shall end before.
    pub(crate) async fn lead(&mut self, shutdown: &Shutdown) -> anyhow::Result<bool> {
        db::lead(&mut self.0, locks::RELAY, ELECTION_EVERY, shutdown)
            .await
            .context("cannot ask for the leader's lock")
    }

    pub(crate) async fn head(&mut self) -> anyhow::Result<Head> {
        let (epoch, born_us, position) = sqlx::query_as(HEAD)
            .fetch_one(&mut self.0)
            .await
            .context("cannot read the log's head")?;
        Ok(Head { log: LogId { epoch, born_us }, position })
    }

    /// The next events after a position, in order and without a gap.
    pub(crate) async fn page(&mut self, log: LogId, after: i64) -> anyhow::Result<Page> {
        let select = format!(
            "select {COLUMNS}, through \
             from (select e.*, pg_column_size(payload) as size, \
                 sum(pg_column_size(payload)) over (order by position rows unbounded preceding) as through \
               from log.events e where position > $1 order by position limit $2) e \
             where through - size < $3"
        );
        let rows = sqlx::query(&select)
            .bind(after)
            .bind(PAGE_ROWS)
            .bind(PAGE_BYTES)
            .fetch_all(&mut self.0)
            .await
            .context("cannot read the log")?;
        let mut messages = Vec::with_capacity(rows.len());
        for (row, expected) in rows.iter().zip(after + 1..) {
            let message = message(log, row).context("cannot decode an event of the log")?;
            anyhow::ensure!(
                message.position == expected,
                "the log has a gap: position {expected} is missing before {}",
                message.position
            );
            messages.push(message);
        }
        let bytes: i64 = rows.last().map_or(Ok(0), |row| row.try_get("through"))?;
        let more = i64::try_from(rows.len()) == Ok(PAGE_ROWS) || bytes >= PAGE_BYTES;
        Ok(Page { messages, more })
    }

    pub(crate) async fn saved(&mut self) -> anyhow::Result<Option<Saved>> {
        let found: Option<(i32, i64, i64, i64)> = sqlx::query_as(
            "select epoch, stream_created_ns, stream_sequence, published_position from log.relay",
        )
        .fetch_optional(&mut self.0)
        .await
        .context("cannot read the relay's state")?;
        Ok(found.map(|(epoch, stream_created_ns, stream_sequence, published_position)| Saved {
            epoch,
            stream_created_ns,
            stream_sequence,
            published_position,
        }))
    }

    pub(crate) async fn save(&mut self, saved: Saved) -> anyhow::Result<()> {
        sqlx::query(SAVE)
            .bind(saved.epoch)
            .bind(saved.stream_created_ns)
            .bind(saved.stream_sequence)
            .bind(saved.published_position)
            .execute(&mut self.0)
            .await
            .map(|_| ())
            .context("cannot save the relay's state")
    }

    /// The position up to which every fed projection has everything; 0 where nobody can say.
    pub(crate) async fn floor(&mut self, epoch: i32) -> anyhow::Result<i64> {
        let known: bool = sqlx::query_scalar("select to_regclass('read.checkpoints') is not null")
            .fetch_one(&mut self.0)
            .await
            .context("cannot look for checkpoints")?;
        if !known {
            return Ok(0);
        }
        sqlx::query_scalar(
            "select coalesce(min(case when epoch = $1 then position else 0 end), 0) \
             from read.checkpoints where state = 'live'",
        )
        .bind(epoch)
        .fetch_one(&mut self.0)
        .await
        .context("cannot read the projections' checkpoints")
    }

    /// Ends the session, and with it the lead.
    pub(crate) async fn close(self) {
        self.0.close().await.ok(); // a broken connection is closed too
    }
}

fn message(log: LogId, row: &PgRow) -> Result<Message, sqlx::Error> {
    let record = Record::from_row(row)?;
    Ok(Message {
        log,
        position: record.position,
        tenant_id: record.tenant_id,
        tenant_seq: record.tenant_seq,
        aggregate_type: record.aggregate_type.to_owned(),
        aggregate_id: record.aggregate_id.to_owned(),
        sequence: record.sequence,
        event_id: record.event_id,
        event_type: record.event_type.to_owned(),
        event_version: record.event_version.to_owned(),
        payload: Bytes::copy_from_slice(record.payload.as_bytes()),
        metadata: record.metadata.to_owned(),
        recorded_at: format!("{:.6}", record.recorded_at),
        chain: record.chain.to_vec(),
    })
}
