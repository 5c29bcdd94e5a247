//! Writing a backup: one snapshot of the database, then the files, streamed in bounded memory.

use std::collections::BTreeMap;
use std::io::{Read, Write};

use anyhow::Context as _;
use events::BackupId;
use events::envelope::Recorded;
use futures::TryStreamExt;
use jiff::Timestamp;
use platform::clock;
use platform::files::{FileError, Files, Listed};
use platform::log::{COLUMNS, recorded};
use sqlx::{PgConnection, PgPool};
use tokio::sync::mpsc;

use super::frames::{Part, Writer};
use super::lines::{Chains, EventLine, FilePiece};
use super::{FORMAT, Key, Kind, Manifest, Scope};

/// A chunk is closed when it has this many bytes or lines.
const CHUNK_BYTES: usize = 1024 * 1024;
const CHUNK_LINES: u64 = 10_000;
/// Chunks waiting for the disk.
const CHUNKS_IN_FLIGHT: usize = 2;

/// Where a backup is made from.
pub struct Source<'a> {
    /// The database, as a role that reads the log and the secrets.
    pub pool: &'a PgPool,
    /// The stored files.
    pub files: &'a Files,
    /// What to cover.
    pub scope: Scope,
    /// The backup.
    pub backup_id: BackupId,
}

/// Writes a backup into `sink`; what it says about itself. Every organisation's chain is checked on the way: a backup of an
/// altered log is refused rather than kept.
pub async fn write<W: Write + Send + 'static>(
    source: Source<'_>,
    key: &Key,
    sink: W,
) -> anyhow::Result<(W, Manifest)> {
    let writer = Writer::begin(sink, source.backup_id, key)?;
    let (sender, mut parts) = mpsc::channel::<Part>(CHUNKS_IN_FLIGHT);
    let writing = tokio::task::spawn_blocking(move || {
        let mut writer = writer;
        while let Some(part) = parts.blocking_recv() {
            writer.part(&part)?;
        }
        std::io::Result::Ok(writer)
    });
    let mut packing = Packing { sender, chains: Chains::default(), streams: BTreeMap::new() };
    let read = packing.everything(&source, key).await;
    drop(packing);
    // When the disk fails, the reading ends with it, and the disk's error is the one to tell.
    let writer = writing.await?.context("the backup cannot be written; check the free space")?;
    let manifest = read?;
    Ok(tokio::task::spawn_blocking(move || writer.finish(manifest)).await??)
}

struct Packing {
    sender: mpsc::Sender<Part>,
    chains: Chains,
    streams: BTreeMap<String, u64>,
}

impl Packing {
    async fn everything(&mut self, source: &Source<'_>, key: &Key) -> anyhow::Result<Manifest> {
        let mut snapshot =
            source.pool.begin_with("begin isolation level repeatable read read only").await?;
        for patience in ["set local statement_timeout = 0", "set local lock_timeout = 0"] {
            sqlx::query(patience).execute(&mut *snapshot).await?;
        }
        let (epoch, to_position): (i32, i64) =
            sqlx::query_as("select epoch, position from log.head")
                .fetch_one(&mut *snapshot)
                .await?;
        self.rows(&mut snapshot, Kind::SubjectKeys, source.scope).await?;
        let span = self.events(&mut snapshot, source.scope, to_position).await?;
        self.rows(&mut snapshot, Kind::Keys, source.scope).await?;
        self.rows(&mut snapshot, Kind::Secrets, source.scope).await?;
        snapshot.commit().await?;
        let files = self.files(source.files, source.scope).await?;
        Ok(Manifest {
            format: FORMAT,
            backup_id: source.backup_id,
            scope: source.scope,
            epoch,
            from_position: 1,
            to_position,
            first_recorded_at: span.first_recorded_at,
            last_recorded_at: span.last_recorded_at,
            events: span.events,
            files,
            streams: std::mem::take(&mut self.streams),
            tenants: self.chains.heads(),
            chunks: Vec::new(),
            key_id: hex::encode(key.id()),
            created_at: clock::now(),
        })
    }

    async fn send(&self, part: Part) -> anyhow::Result<()> {
        self.sender.send(part).await.context("the backup's writer ended")
    }

    async fn events(
        &mut self,
        database: &mut PgConnection,
        scope: Scope,
        to_position: i64,
    ) -> anyhow::Result<Span> {
        let whose = if scope.tenant().is_some() { "where e.tenant_id = $1" } else { "" };
        let select = format!("select {COLUMNS} from log.events e {whose} order by e.position");
        let query = match scope {
            Scope::Installation => sqlx::query(&select),
            Scope::Tenant(tenant) => sqlx::query(&select).bind(tenant.0),
        };
        let mut rows = query.fetch(database);
        let (mut span, mut lines) = (Span::default(), Lines::default());
        while let Some(row) = rows.try_next().await? {
            let event = recorded(&row)?;
            self.chains.take(&event).map_err(|error| {
                anyhow::anyhow!("{error}; run `annals verify` before making backups of this log")
            })?;
            let expected = span.last_position + 1;
            anyhow::ensure!(
                scope.tenant().is_some() || event.position == expected,
                "position {expected} is missing in the log"
            );
            span.take(&event);
            *self.streams.entry(event.aggregate_type.clone()).or_default() += 1;
            let position = event.position;
            lines.push(Some(position), &serde_json::to_vec(&EventLine::from(event))?);
            if lines.full() {
                self.send(lines.part(Kind::Events)).await?;
            }
        }
        let all = scope.tenant().is_some() || span.last_position == to_position;
        anyhow::ensure!(all, "the log ends before position {to_position}");
        if lines.items > 0 {
            self.send(lines.part(Kind::Events)).await?;
        }
        Ok(span)
    }

    /// Rows kept as Postgres writes them as JSON.
    async fn rows(
        &mut self,
        database: &mut PgConnection,
        kind: Kind,
        scope: Scope,
    ) -> anyhow::Result<()> {
        let query = match (kind, scope.tenant()) {
            (Kind::Keys, None) => sqlx::query_scalar(ALL_KEYS),
            (Kind::Keys, Some(tenant)) => sqlx::query_scalar(TENANT_KEYS).bind(tenant.0),
            (Kind::Secrets, tenant) => sqlx::query_scalar(SECRETS).bind(tenant.map(|t| t.0)),
            (Kind::SubjectKeys, tenant) => {
                sqlx::query_scalar(SUBJECT_KEYS).bind(tenant.map(|t| t.0))
            }
            (Kind::Events | Kind::File | Kind::Manifest, _) => return Ok(()),
        };
        let mut rows = query.fetch(database);
        let mut lines = Lines::default();
        while let Some(row) = rows.try_next().await? {
            let row: String = row;
            lines.push(None, row.as_bytes());
            if lines.full() {
                self.send(lines.part(kind)).await?;
            }
        }
        if lines.items > 0 {
            self.send(lines.part(kind)).await?;
        }
        Ok(())
    }

    async fn files(&mut self, files: &Files, scope: Scope) -> anyhow::Result<u64> {
        let mut listed = std::pin::pin!(files.list(scope.tenant()));
        let mut count = 0;
        while let Some(Listed { tenant: tenant_id, id: file_id, .. }) = listed.try_next().await? {
            let mut file = match files.open_local(tenant_id, file_id).await {
                Ok(file) => file,
                Err(FileError::Absent) => continue, // removed since it was listed
                Err(error) => return Err(error.into()),
            };
            count += 1;
            let size_bytes = file.metadata()?.len();
            let mut offset = 0;
            loop {
                let mut bytes = Vec::new();
                (&mut file).take(CHUNK_BYTES as u64).read_to_end(&mut bytes)?;
                let head = FilePiece { tenant_id, file_id, offset, size_bytes };
                offset += bytes.len() as u64;
                let mut body = serde_json::to_vec(&head)?;
                body.push(b'\n');
                body.append(&mut bytes);
                let part = Part { kind: Kind::File, first: None, last: None, items: 1, body };
                self.send(part).await?;
                if offset >= size_bytes {
                    break;
                }
            }
        }
        Ok(count)
    }
}

/// From where to where the events reach.
#[derive(Default)]
struct Span {
    events: u64,
    last_position: i64,
    first_recorded_at: Option<Timestamp>,
    last_recorded_at: Option<Timestamp>,
}

impl Span {
    fn take(&mut self, event: &Recorded) {
        self.events += 1;
        self.last_position = event.position;
        self.first_recorded_at.get_or_insert(event.recorded_at);
        self.last_recorded_at = Some(event.recorded_at);
    }
}

/// Lines that become a chunk.
#[derive(Default)]
struct Lines {
    first: Option<i64>,
    last: Option<i64>,
    items: u64,
    body: Vec<u8>,
}

impl Lines {
    fn push(&mut self, position: Option<i64>, line: &[u8]) {
        self.first = self.first.or(position);
        self.last = position;
        self.items += 1;
        self.body.extend_from_slice(line);
        self.body.push(b'\n');
    }

    fn full(&self) -> bool {
        self.body.len() >= CHUNK_BYTES || self.items >= CHUNK_LINES
    }

    fn part(&mut self, kind: Kind) -> Part {
        let Self { first, last, items, body } = std::mem::take(self);
        Part { kind, first, last, items, body }
    }
}

const ALL_KEYS: &str = "select row_to_json(i)::text from log.idempotency i order by first_position";
/// Positions become sequence numbers of the organisation, because that is what its positions are once it stands alone.
const TENANT_KEYS: &str = "
    select json_build_object('tenant_id', i.tenant_id, 'key', i.key, 'fingerprint', i.fingerprint,
        'first_position', f.tenant_seq, 'last_position', l.tenant_seq, 'recorded_at', i.recorded_at)::text
      from log.idempotency i
      join log.events f on f.position = i.first_position
      join log.events l on l.position = i.last_position
     where i.tenant_id = $1 order by f.tenant_seq";
const SECRETS: &str = "
    select row_to_json(s)::text from secrets.secrets s
     where $1::uuid is null or tenant_id = $1 order by tenant_id, secret_id";
const SUBJECT_KEYS: &str = "
    select row_to_json(k)::text from secrets.subject_keys k
     where $1::uuid is null or tenant_id = $1 order by tenant_id, subject_id";
