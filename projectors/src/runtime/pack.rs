//! All projections in step: one transaction per batch writes everybody's rows and moves everybody's checkpoint.

use std::sync::Arc;
use std::time::Instant;

use events::TenantId;
use jiff_sqlx::ToSqlx;
use sqlx::query::Query;
use sqlx::{Connection, Executor, PgConnection};
use uuid::Uuid;

use super::checkpoints::{self, Believed, Checkpoint, Held, Parked, State, stream_key};
use super::log::Head;
use super::projection::{Changes, Fold, Projection, Swept, Work, purged};
use super::statements::Statements;
use crate::model::{Fact, FoldError};

/// Events of one batch: enough to make a transaction worth while, few enough to be seen soon.
pub(crate) const BATCH_EVENTS: usize = 500;
/// Rows can be built again from the log, so a lost commit costs a repetition only: nobody waits for the disk. Rows are always
/// looked up by their keys; a plan made while a table was empty would go on to scan it when it is large.
const SESSION: &str = "set synchronous_commit = off; set plan_cache_mode = force_generic_plan; \
    set enable_seqscan = off; set enable_hashjoin = off; set enable_mergejoin = off";
/// A projection further behind than this is built anew from the log, which is quicker than catching up.
const REBUILD_BEHIND: i64 = 20_000;

/// The projections that are fed together.
pub(crate) struct Pack {
    connection: PgConnection,
    members: Vec<Member>,
    epoch: i32,
}

struct Member {
    projection: Arc<dyn Projection>,
    statements: Statements,
    fold: Box<dyn Fold>,
    held: Held,
    position: i64,
    generation: i64,
}

/// How a batch ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Everybody stands after it.
    Applied,
    /// Somebody else writes to the same rows; nothing was written.
    Fenced,
}

/// What the pack does not feed, because it has to be built first.
pub(crate) type Stale = Vec<Arc<dyn Projection>>;

impl Pack {
    /// Reads how far everybody is. Projections that are new, of another build or of another epoch are left out, and named.
    pub(crate) async fn open(
        mut connection: PgConnection,
        projections: &[Arc<dyn Projection>],
        head: Head,
    ) -> anyhow::Result<(Self, Stale)> {
        connection.execute(SESSION).await?;
        let mut pack = Self { connection, members: Vec::new(), epoch: head.epoch };
        let names: Vec<&str> = projections.iter().map(|p| p.table().name).collect();
        let known = checkpoints::read(&mut pack.connection, &names).await?;
        let mut stale = Vec::new();
        for projection in projections {
            let name = projection.table().name;
            let found = known.iter().find(|checkpoint| checkpoint.projection == name);
            match standing(found, projection.build(), head) {
                Standing::Fits(checkpoint) => pack.admit(projection, checkpoint).await?,
                Standing::Missing { far } => {
                    let begins = if far { State::Rebuilding } else { State::Live };
                    let made = checkpoints::create(
                        &mut pack.connection,
                        (name, projection.build()),
                        head.epoch,
                        begins,
                    )
                    .await?;
                    if far {
                        stale.push(Arc::clone(projection));
                    } else {
                        pack.admit(projection, &made).await?;
                    }
                }
                Standing::Stale => {
                    checkpoints::set_state(&mut pack.connection, name, State::Rebuilding, None)
                        .await?;
                    stale.push(Arc::clone(projection));
                }
                Standing::Newer => tracing::error!(
                    projection = name,
                    "its rows are of a newer build than this program, which leaves them alone; upgrade it"
                ),
            }
        }
        Ok((pack, stale))
    }

    async fn admit(
        &mut self,
        projection: &Arc<dyn Projection>,
        checkpoint: &Checkpoint,
    ) -> anyhow::Result<()> {
        let table = projection.table();
        if checkpoint.state == <&str>::from(State::Stopped) {
            checkpoints::set_state(&mut self.connection, table.name, State::Live, None).await?;
        }
        self.members.push(Member {
            projection: Arc::clone(projection),
            statements: Statements::new(table),
            fold: projection.fold(false),
            held: Held::read(&mut self.connection, table.name).await?,
            position: checkpoint.position,
            generation: checkpoint.generation,
        });
        Ok(())
    }

    pub(crate) fn into_connection(self) -> PgConnection {
        self.connection
    }

    /// Where everybody is at least; nothing when nobody is fed.
    pub(crate) fn position(&self) -> Option<i64> {
        self.members.iter().map(|member| member.position).min()
    }

    /// Whether checkpoints still stand as this pack believes, and nobody is to be fed whom it does not know.
    pub(crate) async fn is_current(
        &mut self,
        projections: &[Arc<dyn Projection>],
    ) -> Result<bool, sqlx::Error> {
        let names: Vec<&str> = projections.iter().map(|p| p.table().name).collect();
        let known = checkpoints::read(&mut self.connection, &names).await?;
        let live = || known.iter().filter(|found| found.state == <&str>::from(State::Live));
        Ok(live().count() == self.members.len()
            && live().all(|checkpoint| {
                self.epoch == checkpoint.epoch
                    && self.members.iter().any(|m| m.stands_at(checkpoint))
            }))
    }

    /// Applies events that follow on each other and on [`Self::position`]; those a projection has already are passed over.
    pub(crate) async fn apply(&mut self, facts: &[Fact]) -> anyhow::Result<Outcome> {
        loop {
            let failure = match self.try_apply(facts).await {
                Ok(outcome) => return Ok(outcome),
                Err(failure) => failure,
            };
            // Nothing was written: neither rows in memory nor what was parked on the way count.
            for member in &mut self.members {
                member.fold.forget();
                member.held =
                    Held::read(&mut self.connection, member.projection.table().name).await?;
            }
            match failure.fault {
                Fault::Rows(member) if self.isolate(member, facts).await? > 0 => {}
                Fault::Table(member) => self.stop(member, &failure.error).await?,
                Fault::Rows(_) | Fault::Nobody => return Err(failure.error),
            }
        }
    }

    async fn try_apply(&mut self, facts: &[Fact]) -> Result<Outcome, Failure> {
        let (Some(last), started) = (facts.last(), Instant::now()) else {
            return Ok(Outcome::Applied);
        };
        let position = last.recorded.position;
        let mut transaction = self.connection.begin().await?;
        if !advance(&self.members, &mut transaction, last).await? {
            return Ok(Outcome::Fenced);
        }
        let mut parked = Vec::new();
        for (index, member) in self.members.iter_mut().enumerate() {
            member
                .apply(&mut transaction, facts, &mut parked)
                .await
                .map_err(|error| Failure::of(index, error))?;
        }
        checkpoints::park(&mut transaction, &parked).await?;
        transaction.commit().await?;
        self.settle(position, &parked);
        metrics::counter!("projector_events_total").increment(facts.len() as u64);
        metrics::histogram!("projector_batch_seconds").record(started.elapsed());
        Ok(Outcome::Applied)
    }

    /// Goes on without a member whose table cannot be written at all.
    async fn stop(&mut self, member: usize, error: &anyhow::Error) -> anyhow::Result<()> {
        let member = self.members.swap_remove(member);
        let (name, error) = (member.projection.table().name, format!("{error:#}"));
        tracing::error!(
            projection = name,
            error,
            "stopped a projection, its table cannot be written"
        );
        checkpoints::set_state(&mut self.connection, name, State::Stopped, Some(&error)).await?;
        Ok(())
    }

    fn settle(&mut self, position: i64, parked: &[Parked]) {
        parked.iter().for_each(Parked::report);
        for member in &mut self.members {
            let name = member.projection.table().name;
            member.position = member.position.max(position);
            #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
            {
                metrics::gauge!("projector_position", "projection" => name)
                    .set(member.position as f64);
                metrics::gauge!("projector_parked", "projection" => name)
                    .set(member.held.len() as f64);
            }
        }
    }

    /// Finds out, in a transaction that is thrown away, which groups' rows Postgres refuses, and holds them back from the
    /// event on that did it. How many those are.
    async fn isolate(&mut self, guilty: usize, facts: &[Fact]) -> anyhow::Result<usize> {
        let member = &mut self.members[guilty];
        let mut transaction = self.connection.begin().await?;
        let mut found = Vec::new();
        let work = member.work(facts, &mut Vec::new());
        member.fold.load(&mut transaction, &work).await?;
        for one in &work {
            if member.held.holds(one.fact, &one.group) || member.fold.fold(one).is_err() {
                continue; // a failing fold is met again, and parked, when the batch is
            }
            let changes = member.fold.take(usize::MAX)?;
            let mut attempt = transaction.begin().await?;
            match write(&mut attempt, &member.statements, &changes).await {
                Ok(()) => attempt.commit().await?,
                Err(error) if is_of_the_rows(&error) => {
                    attempt.rollback().await?;
                    found.push(member.park(
                        one.fact,
                        one.group.clone(),
                        &FoldError(error.to_string()),
                    ));
                }
                Err(error) => return Err(error.into()),
            }
        }
        transaction.rollback().await?;
        member.fold.forget();
        checkpoints::park(&mut self.connection, &found).await?;
        found.iter().for_each(Parked::report);
        Ok(found.len())
    }
}

async fn advance(
    members: &[Member],
    connection: &mut PgConnection,
    last: &Fact,
) -> Result<bool, sqlx::Error> {
    let names: Vec<&str> = members.iter().map(|member| member.projection.table().name).collect();
    let positions: Vec<i64> = members.iter().map(|member| member.position).collect();
    let generations: Vec<i64> = members.iter().map(|member| member.generation).collect();
    let believed = Believed { names: &names, positions: &positions, generations: &generations };
    checkpoints::advance(connection, &believed, last).await
}

impl Member {
    fn stands_at(&self, checkpoint: &Checkpoint) -> bool {
        self.projection.table().name == checkpoint.projection
            && self.generation == checkpoint.generation
            && self.position == checkpoint.position
    }

    fn park(&mut self, fact: &Fact, group: String, error: &FoldError) -> Parked {
        self.held.hold(fact.tenant(), group.clone(), fact.recorded.position);
        Parked::new(self.projection.table().name, group, fact, error)
    }

    /// The events that this projection has to fold. One that cannot even be read parks its stream.
    fn work<'a>(&mut self, facts: &'a [Fact], parked: &mut Vec<Parked>) -> Vec<Work<'a>> {
        let table = self.projection.table();
        let (mut work, purged) = (Vec::new(), purged(facts));
        for fact in facts {
            let recorded = &fact.recorded;
            if recorded.position <= self.position
                || !table.reads(&recorded.aggregate_type)
                || purged.contains(&fact.tenant())
                || self.held.holds_stream(fact)
            {
                continue;
            }
            match self.fold.group(fact) {
                Ok(Some(group)) if self.held.holds(fact, &group) => {}
                Ok(Some(group)) => work.push(Work { fact, group }),
                Ok(None) => {}
                Err(error) => parked.push(self.park(fact, stream_key(fact), &error)),
            }
        }
        work
    }

    async fn apply(
        &mut self,
        connection: &mut PgConnection,
        facts: &[Fact],
        parked: &mut Vec<Parked>,
    ) -> anyhow::Result<()> {
        let work = self.work(facts, parked);
        self.fold.load(connection, &work).await?;
        for one in &work {
            if self.held.holds(one.fact, &one.group) {
                continue; // parked a moment ago
            }
            if let Err(error) = self.fold.fold(one) {
                parked.push(self.park(one.fact, one.group.clone(), &error));
            }
        }
        let changes = self.fold.take(usize::MAX)?;
        write(connection, &self.statements, &changes).await?;
        let purged = purged(facts);
        for tenant in &purged {
            self.fold.forget_tenant(*tenant);
            self.held.let_go(*tenant);
            checkpoints::unpark(connection, self.projection.table().name, *tenant).await?;
        }
        Ok(purge(connection, &self.statements, &purged).await?)
    }
}

/// Deletes the rows of organisations that were purged, however long that takes.
pub(crate) async fn purge(
    connection: &mut PgConnection,
    statements: &Statements,
    purged: &[TenantId],
) -> Result<(), sqlx::Error> {
    if purged.is_empty() {
        return Ok(());
    }
    connection.execute("set local statement_timeout = 0").await?;
    let tenants: Vec<Uuid> = purged.iter().map(|tenant| tenant.0).collect();
    sqlx::query(&statements.purge).bind(tenants).execute(connection).await.map(|_| ())
}

/// Writes rows to the table.
pub(crate) async fn write(
    connection: &mut PgConnection,
    statements: &Statements,
    changes: &Changes,
) -> Result<(), sqlx::Error> {
    for (sql, tuples, columns) in [
        (&statements.delete, &changes.gone, &*statements.key),
        (&statements.upsert, &changes.changed, statements.columns),
    ] {
        if !tuples.is_empty() {
            let arrays = tuples.arrays(statements.columns, columns);
            arrays
                .into_iter()
                .fold(sqlx::query(sql), Query::bind)
                .execute(&mut *connection)
                .await?;
        }
    }
    sweep(connection, statements, &changes.swept).await?;
    for Swept { from, .. } in &changes.swept {
        let (schema, table) = statements.place;
        let released = sqlx::query(statements.release).bind(schema).bind(table);
        released.bind(from.to_sqlx()).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Deletes what is swept away.
pub(crate) async fn sweep(
    connection: &mut PgConnection,
    statements: &Statements,
    swept: &[Swept],
) -> Result<(), sqlx::Error> {
    for Swept { tenant, from, before } in swept {
        sqlx::query(&statements.sweep)
            .bind(tenant.0)
            .bind(from.to_sqlx())
            .bind(before.to_sqlx())
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// Whether Postgres refuses the rows themselves (bad data, a broken constraint, too large), so that trying again is no use.
pub(crate) fn is_of_the_rows(error: &sqlx::Error) -> bool {
    has_class(error, &["22", "23", "54"])
}

fn has_class(error: &sqlx::Error, classes: &[&str]) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| classes.iter().any(|class| code.starts_with(class)))
}

/// A batch that was not applied, and by whose fault.
struct Failure {
    fault: Fault,
    error: anyhow::Error,
}

enum Fault {
    /// The database's, or the connection's: try again later.
    Nobody,
    /// Rows of that member are refused.
    Rows(usize),
    /// The table of that member is missing, of another shape, or forbidden.
    Table(usize),
}

impl Failure {
    fn of(member: usize, error: anyhow::Error) -> Self {
        let fault = match error.downcast_ref::<sqlx::Error>() {
            Some(error) if is_of_the_rows(error) => Fault::Rows(member),
            Some(error) if has_class(error, &["42"]) => Fault::Table(member),
            Some(_) | None => Fault::Nobody,
        };
        Self { fault, error }
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self { fault: Fault::Nobody, error: error.into() }
    }
}

enum Standing<'a> {
    Fits(&'a Checkpoint),
    Missing { far: bool },
    Stale,
    Newer,
}

fn standing(checkpoint: Option<&Checkpoint>, build: i32, head: Head) -> Standing<'_> {
    let Some(found) = checkpoint else {
        return Standing::Missing { far: head.position > REBUILD_BEHIND };
    };
    let fits = found.build == build && found.epoch == head.epoch && found.position <= head.position;
    if found.build > build {
        Standing::Newer
    } else if !fits || found.state == <&str>::from(State::Rebuilding) {
        Standing::Stale
    } else {
        Standing::Fits(found)
    }
}
