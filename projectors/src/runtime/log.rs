//! Reading the log in order: what the bus did not bring, and what a rebuild folds.

use anyhow::{Context as _, ensure};
use events::TenantId;
use jiff_sqlx::Timestamp;
use platform::lifecycle::{Shutdown, Tasks};
use platform::log::{BARE, UNCHAINED, recorded};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, PgPool};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::model::Fact;

/// The end of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) epoch: i32,
    pub(crate) position: i64,
    pub(crate) born_us: i64,
}

/// Where the log ends now.
pub(crate) async fn head(pool: &PgPool) -> Result<Head, sqlx::Error> {
    let (epoch, position, born_at): (i32, i64, Timestamp) =
        sqlx::query_as("select epoch, position, born_at from log.head").fetch_one(pool).await?;
    Ok(Head { epoch, position, born_us: born_at.to_jiff().as_microsecond() })
}

/// Which part of the log to read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    /// These stream names only; empty: all.
    pub(crate) types: Vec<String>,
    /// This organisation only.
    pub(crate) tenant: Option<TenantId>,
    /// Whether the metadata is needed.
    pub(crate) metadata: bool,
}

impl Wanted {
    /// Every event, whole.
    pub(crate) fn everything() -> Self {
        Self { metadata: true, ..Self::default() }
    }
}

/// The events after one position up to another.
pub(crate) async fn read(
    pool: &PgPool,
    after: i64,
    to: i64,
    wanted: &Wanted,
) -> anyhow::Result<Vec<Fact>> {
    let columns = if wanted.metadata { UNCHAINED } else { BARE };
    let select = format!(
        "select {columns} from log.events e where e.position > $1 and e.position <= $2 \
         and (cardinality($3::text[]) = 0 or e.aggregate_type = any($3)) \
         and ($4::uuid is null or e.tenant_id = $4) order by e.position"
    );
    let rows = sqlx::query(&select)
        .bind(after)
        .bind(to)
        .bind(&wanted.types)
        .bind(wanted.tenant.map(|tenant| tenant.0))
        .fetch_all(pool)
        .await?;
    let facts = rows.iter().map(fact).collect::<Result<Vec<Fact>, sqlx::Error>>()?;
    if wanted.types.is_empty() && wanted.tenant.is_none() {
        let mut expected = after;
        for fact in &facts {
            expected += 1;
            ensure!(
                fact.recorded.position == expected,
                "position {expected} is missing in the log, which its append makes impossible; run `annals verify`"
            );
        }
    }
    Ok(facts)
}

/// Every earlier event of the given streams, in order: `(tenant, type, id, before which version)`.
pub(crate) async fn streams(
    connection: &mut PgConnection,
    streams: &[(TenantId, &str, &str, i64)],
) -> Result<Vec<Fact>, sqlx::Error> {
    let tenants: Vec<Uuid> = streams.iter().map(|stream| stream.0.0).collect();
    let types: Vec<&str> = streams.iter().map(|stream| stream.1).collect();
    let ids: Vec<&str> = streams.iter().map(|stream| stream.2).collect();
    let before: Vec<i64> = streams.iter().map(|stream| stream.3).collect();
    let select = format!(
        "select {UNCHAINED} \
         from unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[]) s (tenant, type, id, before) \
         join log.events e on e.tenant_id = s.tenant and e.aggregate_type = s.type and e.aggregate_id = s.id \
          and e.sequence < s.before order by e.position"
    );
    let rows = sqlx::query(&select)
        .bind(&tenants)
        .bind(&types)
        .bind(&ids)
        .bind(&before)
        .fetch_all(connection)
        .await?;
    rows.iter().map(fact).collect()
}

fn fact(row: &PgRow) -> Result<Fact, sqlx::Error> {
    recorded(row).map(Fact::new)
}

/// Chunks of the log, read ahead by a task of its own while the ones before are folded.
pub(crate) struct Scan {
    chunks: mpsc::Receiver<anyhow::Result<Vec<Fact>>>,
    stop: Shutdown,
}

/// How many chunks are read ahead.
const AHEAD: usize = 3;

impl Scan {
    /// Starts to read from `after` up to `to`, `size` positions at a time.
    pub(crate) fn start(pool: &PgPool, after: i64, to: i64, size: i64, wanted: Wanted) -> Self {
        let (sender, chunks) = mpsc::channel(AHEAD);
        let tasks = Tasks::new(Shutdown::new());
        let stop = tasks.shutdown().clone();
        let pool = pool.clone();
        let ended = stop.clone();
        tasks.spawn("read the log", async move {
            let mut after = after;
            while after < to && !ended.begun() {
                let end = to.min(after.saturating_add(size));
                let chunk =
                    read(&pool, after, end, &wanted).await.context("the log could not be read");
                let failed = chunk.is_err();
                if sender.send(chunk).await.is_err() || failed {
                    break;
                }
                after = end;
            }
            Ok(())
        });
        Self { chunks, stop }
    }

    /// The next chunk; nothing at the end.
    pub(crate) async fn next(&mut self) -> anyhow::Result<Option<Vec<Fact>>> {
        self.chunks.recv().await.transpose()
    }
}

impl Drop for Scan {
    fn drop(&mut self) {
        self.stop.begin();
    }
}
