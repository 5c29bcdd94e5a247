//! Folding a stream of the log into the state of its aggregate.

use std::sync::Arc;

use events::{Decider, TenantId};
use sqlx::PgExecutor;

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

/// Reads what happened to a stream since `from` and folds it in.
pub async fn fold<D: Decider>(
    database: impl PgExecutor<'_>,
    tenant: TenantId,
    id: &str,
    mut from: Folded<D>,
) -> Result<Folded<D>, FoldError> {
    let rows: Vec<(i64, String)> =
        sqlx::query_as("select sequence, payload from log.stream($1, $2, $3, $4)")
            .bind(tenant.0)
            .bind(D::TYPE)
            .bind(id)
            .bind(from.version)
            .fetch_all(database)
            .await?;
    for (sequence, payload) in rows {
        if sequence != from.version + 1 {
            return Err(FoldError::Gap { expected: from.version + 1, found: sequence });
        }
        let event: D::Event = serde_json::from_str(&payload)?;
        from.advance([&event]);
    }
    Ok(from)
}

/// Why a stream could not be folded.
#[derive(Debug, thiserror::Error)]
pub enum FoldError {
    /// The log could not be read.
    #[error("the log could not be read")]
    Database(#[from] sqlx::Error),
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
