//! What the log says of an export, and what its file holds.

use std::io::BufReader;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use calamine::{Reader as _, Xlsx};
use events::FileId;
use platform::files::Files;
use sqlx::PgPool;

use super::LIMIT;
use crate::bed::Bed;

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

const MADE: &str = "
select extract(epoch from d.recorded_at - s.recorded_at)::float8 as seconds,
       extract(epoch from (select min(p.recorded_at) from log.events p
         where p.aggregate_type = d.aggregate_type and p.aggregate_id = d.aggregate_id
           and p.event_type = 'exports.export.progressed') - s.recorded_at)::float8 as first_progress,
       (d.payload::jsonb ->> 'rows')::bigint as rows, (d.payload::jsonb ->> 'size_bytes')::bigint as size_bytes,
       (d.payload::jsonb ->> 'file_id')::uuid as file_id
  from log.events d join log.events s on s.aggregate_type = d.aggregate_type and s.aggregate_id = d.aggregate_id
   and s.event_type = 'exports.export.started'
 where d.aggregate_type = 'exports.export' and d.aggregate_id = $1 and d.event_type = 'exports.export.completed'";

const BETWEEN: &str = "
select extract(epoch from d.recorded_at - w.recorded_at)::float8
  from log.events d join log.events w on w.aggregate_type = d.aggregate_type and w.aggregate_id = d.aggregate_id
   and w.event_type = 'exports.export.cancel_requested'
 where d.aggregate_type = 'exports.export' and d.aggregate_id = $1 and d.event_type = 'exports.export.cancelled'";

impl Made {
    /// Waits for the completion of an export.
    pub(super) async fn wait(owner: &PgPool, id: &str) -> anyhow::Result<Self> {
        happened(owner, id, "exports.export.completed").await?;
        let made = sqlx::query_as(MADE).bind(id).fetch_one(owner).await;
        made.context("the export was not made in one attempt")
    }

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

/// Waits for the start of an export's attempt.
pub(super) async fn started(owner: &PgPool, id: &str) -> anyhow::Result<()> {
    happened(owner, id, "exports.export.started").await
}

/// Waits until an export is being made.
pub(super) async fn progressed(owner: &PgPool, id: &str) -> anyhow::Result<()> {
    happened(owner, id, "exports.export.progressed").await
}

/// Waits until an export is cancelled; the seconds since that was wished.
pub(super) async fn cancelled(owner: &PgPool, id: &str) -> anyhow::Result<f64> {
    happened(owner, id, "exports.export.cancelled").await?;
    Ok(sqlx::query_scalar(BETWEEN).bind(id).fetch_one(owner).await?)
}

/// Waits for an event of an export; another end than that is an error.
async fn happened(owner: &PgPool, id: &str, expected: &str) -> anyhow::Result<()> {
    const ENDS: &[&str] =
        &["exports.export.completed", "exports.export.failed", "exports.export.cancelled"];
    let end = Instant::now() + LIMIT;
    loop {
        let events: Vec<String> = sqlx::query_scalar(
            "select event_type from log.events where aggregate_type = 'exports.export' and aggregate_id = $1",
        )
        .bind(id)
        .fetch_all(owner)
        .await?;
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
