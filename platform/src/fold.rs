//! Folding a stream of the log into the state of its aggregate.

use std::sync::Arc;

use events::{Decider, Event as _, TenantId};
use futures::TryStreamExt as _;
use sqlx::PgPool;

use crate::personal::{Personal, PersonalError};

/// An aggregate's state and the version of its stream that it stands at; version 0 means absent.
#[derive(Debug)]
pub struct Folded<D> {
    /// The state.
    pub state: Arc<D>,
    /// How many events it was folded from.
    pub version: i64,
}

impl<D> Clone for Folded<D> {
    fn clone(&self) -> Self {
        Self { state: Arc::clone(&self.state), version: self.version }
    }
}

impl<D: Decider> Default for Folded<D> {
    fn default() -> Self {
        Self { state: Arc::new(D::default()), version: 0 }
    }
}

impl<D: Decider> Folded<D> {
    /// Folds further events in, copying the state only when somebody else holds it.
    pub fn advance<'a>(&mut self, events: impl IntoIterator<Item = &'a D::Event>) {
        let state = Arc::make_mut(&mut self.state);
        for event in events {
            state.evolve(event);
            self.version += 1;
        }
    }
}

/// Reads what happened to a stream since `from` and folds it in; from nothing, a snapshot saves the long way.
pub async fn fold<D: Decider>(
    pool: &PgPool,
    tenant: TenantId,
    id: &str,
    from: Folded<D>,
) -> Result<Folded<D>, FoldError> {
    fold_opening(pool, None, tenant, id, from).await
}

/// The same, with what is personal in the events opened; without `personal` it stays sealed.
pub(crate) async fn fold_opening<D: Decider>(
    pool: &PgPool,
    personal: Option<&Personal>,
    tenant: TenantId,
    id: &str,
    from: Folded<D>,
) -> Result<Folded<D>, FoldError> {
    if from.version > 0 || is_personal::<D>() {
        return fold_events(pool, personal, tenant, id, from).await;
    }
    let rows: Vec<(i64, String, bool)> =
        sqlx::query_as("select sequence, payload, is_snapshot from log.load($1, $2, $3, $4)")
            .bind(tenant.0)
            .bind(D::TYPE)
            .bind(id)
            .bind(D::SHAPE)
            .fetch_all(pool)
            .await?;
    let mut folded = from;
    for (sequence, payload, is_snapshot) in rows {
        if is_snapshot {
            match serde_json::from_str::<D>(&payload) {
                Ok(state) => folded = Folded { state: Arc::new(state), version: sequence },
                // A cache that cannot be read is no reason to fail: the log has everything.
                Err(error) => {
                    tracing::warn!(%error, aggregate = D::TYPE, "a snapshot is unreadable, folding from the start");
                    return fold_events(pool, personal, tenant, id, folded).await;
                }
            }
        } else {
            add::<D>(&mut folded, sequence, &payload)?;
        }
    }
    Ok(folded)
}

/// Whether the state of an aggregate holds what its events seal. There are no snapshots of it: they would hold it open.
pub fn is_personal<D: Decider>() -> bool {
    !D::Event::PERSONAL.is_empty()
}

async fn fold_events<D: Decider>(
    pool: &PgPool,
    personal: Option<&Personal>,
    tenant: TenantId,
    id: &str,
    mut from: Folded<D>,
) -> Result<Folded<D>, FoldError> {
    let mut rows: Vec<(i64, String)> =
        sqlx::query_as("select sequence, payload from log.stream($1, $2, $3, $4)")
            .bind(tenant.0)
            .bind(D::TYPE)
            .bind(id)
            .bind(from.version)
            .fetch_all(pool)
            .await?;
    if let Some(personal) = personal.filter(|_| is_personal::<D>()) {
        let mut payloads: Vec<&mut String> = rows.iter_mut().map(|(_, text)| text).collect();
        personal.open_events(pool, tenant, &mut payloads).await?;
    }
    for (sequence, payload) in rows {
        add::<D>(&mut from, sequence, &payload)?;
    }
    Ok(from)
}

/// Folds every stream of a type that an organisation has; also how many events they have together.
pub async fn every<D: Decider>(
    pool: &PgPool,
    tenant: TenantId,
) -> Result<(Vec<(String, D)>, i64), FoldError> {
    let mut transaction = crate::db::begin_for(pool, tenant).await?;
    let mut rows = sqlx::query_as::<_, (String, String)>(
        "select aggregate_id, payload::text from log.events
          where tenant_id = $1 and aggregate_type = $2 order by aggregate_id, sequence",
    )
    .bind(tenant.0)
    .bind(D::TYPE)
    .fetch(&mut *transaction);
    let (mut folded, mut version): (Vec<(String, D)>, i64) = (Vec::new(), 0);
    while let Some((id, payload)) = rows.try_next().await? {
        version += 1;
        if folded.last().is_none_or(|(last, _)| *last != id) {
            folded.push((id, D::default()));
        }
        if let Some((_, state)) = folded.last_mut() {
            state.evolve(&serde_json::from_str(&payload)?);
        }
    }
    drop(rows);
    transaction.commit().await?;
    Ok((folded, version))
}

fn add<D: Decider>(folded: &mut Folded<D>, sequence: i64, payload: &str) -> Result<(), FoldError> {
    if sequence != folded.version + 1 {
        return Err(FoldError::Gap { expected: folded.version + 1, found: sequence });
    }
    let event: D::Event = serde_json::from_str(payload)?;
    folded.advance([&event]);
    Ok(())
}

/// A stream this long gets a snapshot, and again each time it has grown by as much.
pub const SNAPSHOT_EVERY: i64 = 200;

/// Keeps a snapshot, unless a newer one is there.
pub async fn snapshot<D: Decider>(
    pool: &PgPool,
    tenant: TenantId,
    id: &str,
    folded: &Folded<D>,
) -> Result<(), FoldError> {
    let payload = serde_json::to_string(&*folded.state)?;
    let mut transaction = crate::db::begin_for(pool, tenant).await?;
    sqlx::query(
        "insert into log.snapshots as old
           (tenant_id, aggregate_type, aggregate_id, last_sequence, current_snapshot, payload)
         values ($1, $2, $3, $4, $5, $6::json)
         on conflict (tenant_id, aggregate_type, aggregate_id) do update
           set last_sequence = excluded.last_sequence, current_snapshot = excluded.current_snapshot,
               payload = excluded.payload
         where (old.current_snapshot, old.last_sequence) < (excluded.current_snapshot, excluded.last_sequence)",
    )
    .bind(tenant.0)
    .bind(D::TYPE)
    .bind(id)
    .bind(folded.version)
    .bind(D::SHAPE)
    .bind(payload)
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(())
}

/// Why a stream could not be folded.
#[derive(Debug, thiserror::Error)]
pub enum FoldError {
    /// The log could not be read.
    #[error("the log could not be read")]
    Database(#[from] sqlx::Error),
    /// What is personal in the events could not be opened.
    #[error("what is personal in the events could not be opened")]
    Personal(#[from] PersonalError),
    /// An event is of a shape that this build does not know.
    #[error("an event of the stream is of a shape that this build does not know")]
    Decode(#[from] serde_json::Error),
    /// The stream has a hole, which the log makes impossible.
    #[error("version {expected} of the stream is missing, {found} found instead")]
    Gap {
        /// The version that should come next.
        expected: i64,
        /// The version found.
        found: i64,
    },
}
