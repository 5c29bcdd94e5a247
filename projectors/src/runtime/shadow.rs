//! Folding the log into rows from its first event on, and copying them out as they become final: for rebuilds and proofs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use events::Decider as _;
use events::TenantId;
use events::identity::organization::Organization;
use platform::lifecycle::{Shutdown, Tasks};
use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, PgPool, Postgres};
use tokio::sync::{mpsc, oneshot};

use super::checkpoints::{Held, Parked, stream_key};
use super::log::{Scan, Wanted};
use super::pack::{purge, sweep};
use super::projection::{Changes, Fold, Projection, Swept, Work, purged};
use super::statements::Statements;
use super::tuples::{COPY_HEADER, COPY_TRAILER};
use crate::model::{Fact, Table};

/// Positions read at a time.
pub(crate) const CHUNK: i64 = 10_000;
/// Rows copied at a time.
const COPY_ROWS: usize = 10_000;
const COPIES_AHEAD: usize = 2;

/// A projection folded from the beginning, by the code that also feeds it live.
pub(crate) struct Shadow {
    pub(crate) projection: Arc<dyn Projection>,
    pub(crate) parked: Vec<Parked>,
    fold: Box<dyn Fold>,
    held: Held,
    /// What is to go once all rows are copied.
    swept: Vec<Swept>,
    /// Whose rows are to go then.
    purged: Vec<TenantId>,
}

impl Shadow {
    pub(crate) fn new(projection: &Arc<dyn Projection>) -> Self {
        Self {
            projection: Arc::clone(projection),
            parked: Vec::new(),
            fold: projection.fold(true),
            held: Held::default(),
            swept: Vec::new(),
            purged: Vec::new(),
        }
    }

    pub(crate) fn table(&self) -> &'static Table {
        self.projection.table()
    }

    /// Folds further events in; a failing one parks its group, as it would live.
    pub(crate) async fn fold(
        &mut self,
        connection: &mut PgConnection,
        facts: &[Fact],
    ) -> anyhow::Result<()> {
        let table = self.table();
        let purged = purged(facts);
        let reads = |fact: &&Fact| {
            table.reads(&fact.recorded.aggregate_type) && !purged.contains(&fact.tenant())
        };
        let mut work = Vec::with_capacity(facts.len());
        for fact in facts.iter().filter(reads) {
            if self.held.holds_stream(fact) {
                continue;
            }
            match self.fold.group(fact) {
                Ok(Some(group)) => work.push(Work { fact, group }),
                Ok(None) => {}
                Err(error) => self.park(fact, stream_key(fact), &error),
            }
        }
        self.fold.load(connection, &work).await?;
        for one in work {
            if self.held.holds(one.fact, &one.group) {
                continue;
            }
            if let Err(error) = self.fold.fold(&one) {
                self.park(one.fact, one.group, &error);
            }
        }
        for tenant in &purged {
            self.fold.forget_tenant(*tenant);
            self.held.let_go(*tenant);
            self.parked.retain(|parked| parked.tenant != *tenant);
        }
        self.purged.extend(purged);
        Ok(())
    }

    /// The rows that changed since the last time.
    pub(crate) fn take(&mut self, rows: usize) -> anyhow::Result<Changes> {
        Ok(self.fold.take(rows)?)
    }

    /// The organisations that were purged since the last time.
    pub(crate) fn take_purged(&mut self) -> Vec<TenantId> {
        std::mem::take(&mut self.purged)
    }

    fn park(&mut self, fact: &Fact, group: String, error: &crate::model::FoldError) {
        self.held.hold(fact.tenant(), group.clone(), fact.recorded.position);
        self.parked.push(Parked::new(self.table().name, group, fact, error));
    }

    async fn copy_all(&mut self, copier: &Copier) -> anyhow::Result<()> {
        loop {
            let changes = self.take(COPY_ROWS)?;
            if changes.is_empty() {
                return Ok(());
            }
            self.swept.extend(&changes.swept);
            copier.send(changes.changed.into_copy()).await?;
        }
    }
}

/// How far a rebuild is, written down now and then.
pub(crate) struct Progress {
    names: Vec<&'static str>,
    noted: Instant,
}

/// How often the progress is written down.
const PROGRESS: Duration = Duration::from_secs(1);

impl Progress {
    pub(crate) fn of(projections: &[Arc<dyn Projection>]) -> Self {
        let names = projections.iter().map(|projection| projection.table().name).collect();
        Self { names, noted: Instant::now() }
    }

    async fn note(
        &mut self,
        connection: &mut PgConnection,
        position: i64,
    ) -> Result<(), sqlx::Error> {
        if self.noted.elapsed() < PROGRESS {
            return Ok(());
        }
        self.noted = Instant::now();
        sqlx::query("update read.checkpoints set rebuild_position = $2 where projection = any($1)")
            .bind(&self.names)
            .bind(position)
            .execute(connection)
            .await
            .map(|_| ())
    }
}

/// What of the log these projections need.
pub(crate) fn wanted(projections: &[&Arc<dyn Projection>]) -> Wanted {
    let all = projections.iter().any(|projection| projection.table().reads.is_empty());
    let types = projections.iter().flat_map(|projection| projection.table().reads);
    // That an organisation is no more concerns every read model.
    let types = types.chain(&[Organization::TYPE]).map(|name| (*name).to_owned());
    Wanted {
        types: if all { Vec::new() } else { types.collect() },
        tenant: None,
        metadata: projections.iter().any(|projection| projection.reads_metadata()),
    }
}

/// Folds a part of the log into shadows in one pass; how many events that were. Rows that nothing touches again go to their
/// copier at once, so that they need no memory.
pub(crate) async fn fold_all(
    pool: &PgPool,
    shadows: &mut [(Shadow, Option<Copier>)],
    (after, to): (i64, i64),
    mut progress: Option<&mut Progress>,
) -> anyhow::Result<u64> {
    let mut connection = pool.acquire().await?;
    let projections: Vec<_> = shadows.iter().map(|(shadow, _)| &shadow.projection).collect();
    let wanted = wanted(&projections);
    let mut scan = Scan::start(pool, after, to, CHUNK, wanted);
    let mut events = 0;
    while let Some(facts) = scan.next().await? {
        events += facts.len() as u64;
        for (shadow, copier) in &mut *shadows {
            shadow.fold(&mut connection, &facts).await?;
            if let Some(copier) = copier.as_ref().filter(|_| shadow.projection.append_only()) {
                shadow.copy_all(copier).await?;
            }
        }
        if let (Some(progress), Some(last)) = (progress.as_mut(), facts.last()) {
            progress.note(&mut connection, last.recorded.position).await?;
        }
    }
    Ok(events)
}

/// Copies what a shadow still holds, ends its copier, and takes out of the table what was swept away meanwhile.
pub(crate) async fn copy_rest(
    shadow: &mut Shadow,
    copier: Copier,
    table: &Statements,
) -> anyhow::Result<PoolConnection<Postgres>> {
    shadow.copy_all(&copier).await?;
    let mut connection = copier.finish().await?;
    sweep(&mut connection, table, &std::mem::take(&mut shadow.swept)).await?;
    purge(&mut connection, table, &shadow.take_purged()).await?;
    Ok(connection)
}

/// A task that feeds a COPY while others go on folding.
pub(crate) struct Copier {
    sender: mpsc::Sender<Vec<u8>>,
    done: oneshot::Receiver<anyhow::Result<PoolConnection<Postgres>>>,
}

impl Copier {
    /// Starts `statement` on a connection of its own.
    pub(crate) fn start(mut connection: PoolConnection<Postgres>, statement: String) -> Self {
        let (sender, mut tuples) = mpsc::channel::<Vec<u8>>(COPIES_AHEAD);
        let (finished, done) = oneshot::channel();
        Tasks::new(Shutdown::new()).spawn("copy rows", async move {
            let copied = async {
                let mut copy = connection.copy_in_raw(&statement).await?;
                copy.send(COPY_HEADER).await?;
                while let Some(tuples) = tuples.recv().await {
                    copy.send(tuples).await?;
                }
                copy.send(COPY_TRAILER).await?;
                copy.finish().await
            };
            let result = copied.await.map(|_| connection).context("rows could not be copied");
            drop(finished.send(result));
            Ok(())
        });
        Self { sender, done }
    }

    async fn send(&self, tuples: Vec<u8>) -> anyhow::Result<()> {
        // A closed channel means that the task has failed; its reason comes with `finish`.
        self.sender.send(tuples).await.context("rows could not be copied")
    }

    async fn finish(self) -> anyhow::Result<PoolConnection<Postgres>> {
        drop(self.sender);
        self.done.await.context("copying ended early")?
    }
}
