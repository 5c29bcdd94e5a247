//! What is written down about projections besides their rows: how far each is, and which groups are parked.

use std::collections::HashMap;

use events::TenantId;
use jiff_sqlx::Timestamp;
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use crate::model::{Fact, FoldError};

/// What a checkpoint's state can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr, strum::EnumString)]
#[strum(serialize_all = "snake_case")]
pub enum State {
    /// Fed with events.
    Live,
    /// Not fed until its next build is ready.
    Rebuilding,
    /// Not fed: its table cannot be written.
    Stopped,
}

/// One row of `read.checkpoints`.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct Checkpoint {
    pub(crate) projection: String,
    pub(crate) build: i32,
    pub(crate) position: i64,
    pub(crate) epoch: i32,
    pub(crate) generation: i64,
    pub(crate) state: String,
}

/// The checkpoints of these projections.
pub(crate) async fn read(
    connection: &mut PgConnection,
    names: &[&str],
) -> Result<Vec<Checkpoint>, sqlx::Error> {
    sqlx::query_as(
        "select projection, build, position, epoch, generation, state from read.checkpoints where projection = any($1)",
    )
    .bind(names)
    .fetch_all(connection)
    .await
}

/// Makes the checkpoint of a projection (its name and build) that has none; it as it stands then.
pub(crate) async fn create(
    connection: &mut PgConnection,
    (name, build): (&str, i32),
    epoch: i32,
    state: State,
) -> Result<Checkpoint, sqlx::Error> {
    sqlx::query_as(
        "insert into read.checkpoints (projection, build, epoch, state) values ($1, $2, $3, $4)
         on conflict (projection) do update set updated_at = now()
         returning projection, build, position, epoch, generation, state",
    )
    .bind(name)
    .bind(build)
    .bind(epoch)
    .bind(<&str>::from(state))
    .fetch_one(connection)
    .await
}

/// Sets a projection's state, and why.
pub(crate) async fn set_state(
    connection: &mut PgConnection,
    name: &str,
    state: State,
    error: Option<&str>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update read.checkpoints set state = $2, error = $3, updated_at = now() where projection = $1",
    )
    .bind(name)
    .bind(<&str>::from(state))
    .bind(error)
    .execute(connection)
    .await
    .map(|_| ())
}

/// Locks a projection's checkpoint against whoever feeds it, and reads it.
pub(crate) async fn lock(
    connection: &mut PgConnection,
    name: &str,
) -> Result<Checkpoint, sqlx::Error> {
    sqlx::query_as(
        "select projection, build, position, epoch, generation, state from read.checkpoints where projection = $1 for update",
    )
    .bind(name)
    .fetch_one(connection)
    .await
}

/// A projection as whoever feeds it believes it to stand.
pub(crate) struct Believed<'a> {
    pub(crate) names: &'a [&'a str],
    pub(crate) positions: &'a [i64],
    pub(crate) generations: &'a [i64],
}

/// Moves checkpoints on, those further ahead excepted, and thereby locks them; whether all stood where they were believed
/// to stand. If not, somebody else writes, and the transaction has to be rolled back.
pub(crate) async fn advance(
    connection: &mut PgConnection,
    believed: &Believed<'_>,
    last: &Fact,
) -> Result<bool, sqlx::Error> {
    let to = last.recorded.position;
    let done = sqlx::query(
        "update read.checkpoints c set position = $4, last_event_at = $5, updated_at = now()
           from unnest($1::text[], $2::bigint[], $3::bigint[]) e (projection, position, generation)
          where c.projection = e.projection and c.position = e.position and c.generation = e.generation
            and c.state = 'live' and c.position < $4",
    )
    .bind(believed.names)
    .bind(believed.positions)
    .bind(believed.generations)
    .bind(to)
    .bind(Timestamp::from(last.recorded.recorded_at))
    .execute(connection)
    .await?;
    let behind = believed.positions.iter().filter(|position| **position < to).count();
    Ok(usize::try_from(done.rows_affected()).is_ok_and(|moved| moved == behind))
}

/// A group of rows that is held back from the event on which its projection failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parked {
    pub(crate) projection: &'static str,
    pub(crate) tenant: TenantId,
    pub(crate) group: String,
    pub(crate) position: i64,
    pub(crate) event_type: String,
    pub(crate) error: String,
}

impl Parked {
    pub(crate) fn new(
        projection: &'static str,
        group: String,
        fact: &Fact,
        error: &FoldError,
    ) -> Self {
        Self {
            projection,
            tenant: fact.tenant(),
            group,
            position: fact.recorded.position,
            event_type: fact.recorded.event_type.clone(),
            error: error.to_string(),
        }
    }

    /// Says it as loudly as it is.
    pub(crate) fn report(&self) {
        metrics::counter!("projector_parked_total", "projection" => self.projection).increment(1);
        tracing::error!(
            projection = self.projection,
            tenant = %self.tenant,
            group = self.group,
            position = self.position,
            event.type = self.event_type,
            error = self.error,
            "parked a group of rows; mend the cause, then `annals projections retry`"
        );
    }
}

/// Writes down what is parked.
pub(crate) async fn park(
    connection: &mut PgConnection,
    parked: &[Parked],
) -> Result<(), sqlx::Error> {
    for one in parked {
        sqlx::query(
            "insert into read.parked (projection, tenant_id, group_key, position, event_type, error)
             values ($1, $2, $3, $4, $5, $6)
             on conflict (projection, tenant_id, group_key) do update
             set position = excluded.position, event_type = excluded.event_type, error = excluded.error,
                 attempts = read.parked.attempts + 1, last_at = now()",
        )
        .bind(one.projection)
        .bind(one.tenant.0)
        .bind(&one.group)
        .bind(one.position)
        .bind(&one.event_type)
        .bind(&one.error)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// Forgets what is parked of an organisation.
pub(crate) async fn unpark(
    connection: &mut PgConnection,
    projection: &str,
    tenant: TenantId,
) -> Result<(), sqlx::Error> {
    sqlx::query("delete from read.parked where projection = $1 and tenant_id = $2")
        .bind(projection)
        .bind(tenant.0)
        .execute(connection)
        .await
        .map(|_| ())
}

/// The groups of one projection that are held back, each from a position on.
#[derive(Debug, Default, Clone)]
pub(crate) struct Held(HashMap<TenantId, HashMap<String, i64>>);

impl Held {
    /// What is parked of a projection.
    pub(crate) async fn read(
        connection: &mut PgConnection,
        projection: &str,
    ) -> Result<Self, sqlx::Error> {
        let rows: Vec<(Uuid, String, i64)> = sqlx::query_as(
            "select tenant_id, group_key, position from read.parked where projection = $1",
        )
        .bind(projection)
        .fetch_all(connection)
        .await?;
        let mut held = Self::default();
        for (tenant, group, position) in rows {
            held.hold(TenantId(tenant), group, position);
        }
        Ok(held)
    }

    /// Holds nothing of an organisation any more.
    pub(crate) fn let_go(&mut self, tenant: TenantId) {
        self.0.remove(&tenant);
    }

    /// The same but for one group.
    pub(crate) fn without(mut self, tenant: TenantId, group: &str) -> Self {
        if let Some(groups) = self.0.get_mut(&tenant) {
            groups.remove(group);
        }
        self
    }

    pub(crate) fn hold(&mut self, tenant: TenantId, group: String, position: i64) {
        self.0.entry(tenant).or_default().insert(group, position);
    }

    /// Whether the event belongs to a stream that is held back as a whole.
    pub(crate) fn holds_stream(&self, fact: &Fact) -> bool {
        !self.0.is_empty() && self.holds(fact, &stream_key(fact))
    }

    /// Whether the event comes too late for its group.
    pub(crate) fn holds(&self, fact: &Fact, group: &str) -> bool {
        !self.0.is_empty()
            && self
                .0
                .get(&fact.tenant())
                .and_then(|groups| groups.get(group))
                .is_some_and(|position| fact.recorded.position >= *position)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.values().map(HashMap::len).sum()
    }
}

/// The group key of an event that cannot be read: its whole stream.
pub(crate) fn stream_key(fact: &Fact) -> String {
    format!("stream:{}/{}", fact.recorded.aggregate_type, fact.recorded.aggregate_id)
}
