//! Building projections anew: fold the whole log in memory, copy the rows beside the present ones, switch when caught up.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::bail;
use futures::future::try_join_all;
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{Connection, Executor as _, PgConnection, PgPool, Postgres};

use super::checkpoints::{self, State};
use super::log::{self, Wanted};
use super::pack::{purge, write};
use super::projection::Projection;
use super::shadow::{CHUNK, Copier, Progress, Shadow, copy_rest, fold_all, wanted};
use super::statements::Statements;
use crate::model::Table;

/// The switch waits no longer than this for readers of the present table; then it lets them pass and tries again.
const SWITCH_WAIT: &str = "set local lock_timeout = '300ms'";
const SWITCH_TRIES: u32 = 100;
const SWITCH_PAUSE: Duration = Duration::from_millis(200);
/// Sessions that make the indexes of one table.
const INDEXERS: i32 = 2;
/// The state of Postgres for a lock that was not had in time.
const LOCK_NOT_AVAILABLE: &str = "55P03";

/// What a rebuild did.
#[derive(Debug, Clone, PartialEq)]
pub struct Rebuilt {
    /// The projection.
    pub name: &'static str,
    /// Where it stands.
    pub position: i64,
    /// Events read, of all kinds that the projections built together read.
    pub events: u64,
    /// Groups of rows whose fold failed, and which are parked.
    pub parked: usize,
    /// How long it took, in seconds.
    pub seconds: f64,
}

/// Builds projections anew in one pass over the log, and switches each to its new rows. Their present rows are read, and
/// fed, all the while.
pub(crate) async fn rebuild(
    pool: &PgPool,
    projections: &[Arc<dyn Projection>],
) -> anyhow::Result<Vec<Rebuilt>> {
    let mut guard = pool.acquire().await?;
    for projection in projections {
        begin(&mut guard, projection).await?;
    }
    let result = build(pool, projections).await;
    for projection in projections {
        let table = projection.table();
        sqlx::query("select read.next_drop($1, $2)")
            .bind(table.schema)
            .bind(table.table)
            .execute(&mut *guard)
            .await?;
        sqlx::query("update read.checkpoints set rebuild_position = null where projection = $1")
            .bind(table.name)
            .execute(&mut *guard)
            .await?;
        // The pool would give the lock up too, but after we have answered: the next rebuild could still meet it.
        sqlx::query("select pg_advisory_unlock(hashtextextended('annals rebuild ' || $1, 0))")
            .bind(table.name)
            .execute(&mut *guard)
            .await?;
    }
    result
}

async fn begin(guard: &mut PgConnection, projection: &Arc<dyn Projection>) -> anyhow::Result<()> {
    let table = projection.table();
    let free: bool = sqlx::query_scalar(
        "select pg_try_advisory_lock(hashtextextended('annals rebuild ' || $1, 0))",
    )
    .bind(table.name)
    .fetch_one(&mut *guard)
    .await?;
    if !free {
        bail!("{} is being rebuilt already; wait for it to end", table.name);
    }
    let epoch: i32 =
        sqlx::query_scalar("select epoch from log.head").fetch_one(&mut *guard).await?;
    let standing = (table.name, projection.build());
    checkpoints::create(guard, standing, epoch, State::Rebuilding).await?;
    sqlx::query("select read.next_begin($1, $2)")
        .bind(table.schema)
        .bind(table.table)
        .execute(guard)
        .await?;
    Ok(())
}

async fn build(pool: &PgPool, projections: &[Arc<dyn Projection>]) -> anyhow::Result<Vec<Rebuilt>> {
    let started = Instant::now();
    let mut shadows = Vec::new();
    for projection in projections {
        let copier = if projection.append_only() {
            Some(copier(pool, projection.table()).await?)
        } else {
            None
        };
        shadows.push((Shadow::new(projection), copier));
    }
    let (mut position, mut events) = (0, 0);
    let mut progress = Progress::of(projections);
    loop {
        let head = log::head(pool).await?.position;
        events += fold_all(pool, &mut shadows, (position, head), Some(&mut progress)).await?;
        position = head;
        if log::head(pool).await?.position - position < CHUNK {
            break;
        }
    }
    let mut done = Vec::new();
    for (mut shadow, early) in shadows {
        let table = shadow.table();
        let copier = match early {
            Some(copier) => copier,
            None => copier(pool, table).await?,
        };
        drop(copy_rest(&mut shadow, copier, &next_of(table)).await?);
        let position = switch(pool, &mut shadow, position).await?;
        let (name, parked) = (shadow.table().name, shadow.parked.len());
        let seconds = started.elapsed().as_secs_f64();
        done.push(Rebuilt { name, position, events, parked, seconds });
    }
    Ok(done)
}

fn next_of(table: &Table) -> Statements {
    Statements::on(table, &format!("{}__next", table.qualified()))
}

async fn copier(pool: &PgPool, table: &Table) -> anyhow::Result<Copier> {
    Ok(Copier::start(pool.acquire().await?, next_of(table).copy))
}

/// Makes the next table complete and puts it in the place of the present one; where it stands then.
async fn switch(pool: &PgPool, shadow: &mut Shadow, position: i64) -> anyhow::Result<i64> {
    let table = shadow.table();
    index(pool, table).await?;
    let mut connection = pool.acquire().await?;
    let mut position = position;
    for _ in 0..SWITCH_TRIES {
        let head = log::head(pool).await?;
        while position < head.position {
            let to = head.position.min(position + CHUNK);
            catch_up(pool, &mut connection, shadow, (position, to)).await?;
            position = to;
        }
        let mut transaction = connection.begin().await?;
        let live = checkpoints::lock(&mut transaction, table.name).await?;
        let fed = live.state == <&str>::from(State::Live) && live.epoch == head.epoch;
        if fed && live.position > position {
            catch_up(pool, &mut transaction, shadow, (position, live.position)).await?;
            position = live.position;
        }
        let switched = put_in_place(&mut transaction, shadow, (head.epoch, position)).await;
        transaction.commit().await?; // also when it was not switched: what was caught up stays
        match switched {
            Ok(()) => return Ok(position),
            Err(error) if is_busy(&error) => tokio::time::sleep(SWITCH_PAUSE).await,
            Err(error) => return Err(error.into()),
        }
    }
    bail!("{} is read without a pause; its next build could not be put in place", table.name)
}

/// Makes the indexes of the next table, several at once, and then its key.
async fn index(pool: &PgPool, table: &Table) -> Result<(), sqlx::Error> {
    let share = |share: i32| {
        let statement = sqlx::query("select read.next_share($1, $2, $3, $4)");
        patiently(pool, statement.bind(table.schema).bind(table.table).bind(share).bind(INDEXERS))
    };
    try_join_all((0..INDEXERS).map(share)).await?;
    let key = sqlx::query("select read.next_key($1, $2)");
    patiently(pool, key.bind(table.schema).bind(table.table)).await
}

/// Indexes of a large table take as long as they take.
async fn patiently(
    pool: &PgPool,
    statement: Query<'_, Postgres, PgArguments>,
) -> Result<(), sqlx::Error> {
    let mut transaction = pool.begin().await?;
    transaction.execute("set local statement_timeout = 0").await?;
    statement.execute(&mut *transaction).await?;
    transaction.commit().await
}

fn is_busy(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| code == LOCK_NOT_AVAILABLE)
}

async fn catch_up(
    pool: &PgPool,
    connection: &mut PgConnection,
    shadow: &mut Shadow,
    (after, to): (i64, i64),
) -> anyhow::Result<()> {
    let wanted: Wanted = wanted(&[&shadow.projection]);
    let facts = log::read(pool, after, to, &wanted).await?;
    shadow.fold(connection, &facts).await?;
    let changes = shadow.take(usize::MAX)?;
    let next = next_of(shadow.table());
    write(connection, &next, &changes).await?;
    Ok(purge(connection, &next, &shadow.take_purged()).await?)
}

/// In a nested transaction, so that a lock which is not had in time undoes nothing else.
async fn put_in_place(
    connection: &mut PgConnection,
    shadow: &Shadow,
    (epoch, position): (i32, i64),
) -> Result<(), sqlx::Error> {
    let table = shadow.table();
    let mut transaction = connection.begin().await?;
    sqlx::query(SWITCH_WAIT).execute(&mut *transaction).await?;
    sqlx::query("select read.next_swap($1, $2)")
        .bind(table.schema)
        .bind(table.table)
        .execute(&mut *transaction)
        .await?;
    sqlx::query("delete from read.parked where projection = $1")
        .bind(table.name)
        .execute(&mut *transaction)
        .await?;
    checkpoints::park(&mut transaction, &shadow.parked).await?;
    sqlx::query(
        "update read.checkpoints set build = $2, epoch = $3, position = $4, state = 'live', error = null,
           generation = generation + 1, rebuild_position = null, digest = null, digest_position = null,
           updated_at = now() where projection = $1",
    )
    .bind(table.name)
    .bind(shadow.projection.build())
    .bind(epoch)
    .bind(position)
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await
}
