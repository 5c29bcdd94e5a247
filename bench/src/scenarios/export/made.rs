//! What the log says of an export, and what its file holds.

use std::io::BufReader;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use calamine::{Reader as _, Xlsx};
use events::FileId;
use platform::files::Files;
use sqlx::PgPool;

use super::LIMIT;
use crate::bed::{Bed, Founded};

const POLL: Duration = Duration::from_millis(20);

/// An export that ended well.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Made {
    /// From the start of the attempt to its completion.
    pub(super) seconds: f64,
    /// From the same start to the first word about how far it is, where there was one.
    pub(super) first_progress: Option<f64>,
    #[sqlx(try_from = "i64")]
    pub(super) rows: u64,
    #[sqlx(try_from = "i64")]
    pub(super) size_bytes: u64,
    file_id: uuid::Uuid,
}

/// An organisation's events of one export: all by the index of streams, so that the asking takes nothing from what is measured.
const OF_IT: &str = "
with of_it as materialized (
  select event_type, recorded_at, payload::jsonb as payload from log.events
   where tenant_id = $1 and aggregate_type = 'exports.export' and aggregate_id = $2)";

const MADE: &str = "
select extract(epoch from d.recorded_at - s.recorded_at)::float8 as seconds,
       extract(epoch from (select min(p.recorded_at) from of_it p where p.event_type = 'exports.export.progressed')
         - s.recorded_at)::float8 as first_progress,
       (d.payload ->> 'rows')::bigint as rows, (d.payload ->> 'size_bytes')::bigint as size_bytes,
       (d.payload ->> 'file_id')::uuid as file_id
  from of_it d join of_it s on s.event_type = 'exports.export.started'
 where d.event_type = 'exports.export.completed'";

const BETWEEN: &str = "
select extract(epoch from d.recorded_at - w.recorded_at)::float8
  from of_it d join of_it w on w.event_type = 'exports.export.cancel_requested'
 where d.event_type = 'exports.export.cancelled'";

impl Made {
    /// How many rows its file holds, as another reader counts them.
    pub(super) async fn count(&self, bed: &Bed, tenant: &str, format: &str) -> anyhow::Result<u64> {
        let files = Files::open(&bed.settings)?;
        let file = files.open_local(tenant.parse()?, FileId(self.file_id)).await?;
        let is_csv = format == "csv";
        let count = move || if is_csv { lines(file) } else { rows(file) };
        tokio::task::spawn_blocking(count).await.context("the reader panicked")?
    }
}

fn lines(file: std::fs::File) -> anyhow::Result<u64> {
    let mut reader = csv::Reader::from_reader(file);
    let (mut record, mut count) = (csv::ByteRecord::new(), 0);
    while reader.read_byte_record(&mut record)? {
        ensure!(record.len() == super::COLUMNS.len(), "a record has {} fields", record.len());
        count += 1;
    }
    Ok(count)
}

fn rows(file: std::fs::File) -> anyhow::Result<u64> {
    let mut book = Xlsx::new(BufReader::new(file))?;
    let mut cells = book.worksheet_cells_reader("Data")?;
    let mut last = 0;
    while let Some(cell) = cells.next_cell()? {
        last = cell.get_position().0;
    }
    Ok(last.into()) // the first is the head
}

/// An export that was asked for.
pub(super) struct Asked<'a> {
    owner: &'a PgPool,
    tenant: uuid::Uuid,
    id: &'a str,
}

impl<'a> Asked<'a> {
    pub(super) fn new(bed: &'a Bed, founded: &Founded, id: &'a str) -> anyhow::Result<Self> {
        Ok(Self { owner: &bed.owner, tenant: founded.tenant.parse()?, id })
    }

    /// Waits for the start of its attempt.
    pub(super) async fn started(&self) -> anyhow::Result<()> {
        self.happened("exports.export.started").await
    }

    /// Waits until it is being made.
    pub(super) async fn progressed(&self) -> anyhow::Result<()> {
        self.happened("exports.export.progressed").await
    }

    /// Waits for its completion.
    pub(super) async fn made(&self) -> anyhow::Result<Made> {
        self.happened("exports.export.completed").await?;
        let made = format!("{OF_IT} {MADE}");
        let made = sqlx::query_as(&made).bind(self.tenant).bind(self.id).fetch_one(self.owner);
        made.await.context("the export was not made in one attempt")
    }

    /// Waits until it is cancelled; the seconds since that was wished.
    pub(super) async fn cancelled(&self) -> anyhow::Result<f64> {
        self.happened("exports.export.cancelled").await?;
        let between = format!("{OF_IT} {BETWEEN}");
        let between = sqlx::query_scalar(&between).bind(self.tenant).bind(self.id);
        Ok(between.fetch_one(self.owner).await?)
    }

    /// Waits for an event; another end than that is an error.
    async fn happened(&self, expected: &str) -> anyhow::Result<()> {
        const ENDS: &[&str] =
            &["exports.export.completed", "exports.export.failed", "exports.export.cancelled"];
        let end = Instant::now() + LIMIT;
        let types = format!("{OF_IT} select event_type from of_it");
        loop {
            let types = sqlx::query_scalar(&types).bind(self.tenant).bind(self.id);
            let events: Vec<String> = types.fetch_all(self.owner).await?;
            if events.iter().any(|event| event == expected) {
                return Ok(());
            }
            if let Some(other) = events.iter().find(|event| ENDS.contains(&event.as_str())) {
                bail!("the export ended with {other} before {expected}");
            }
            ensure!(Instant::now() < end, "the export does not come to {expected}");
            tokio::time::sleep(POLL).await;
        }
    }
}
