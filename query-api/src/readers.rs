//! The connections that questions are asked over. Nothing but single statements ever runs on them, each a transaction of
//! its own, so there is nothing to roll back or to reset between two questions, and no round trip is spent on it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;
use platform::db::{self, Role};
use platform::problem::Problem;
use sqlx::PgConnection;
use sqlx::postgres::{PgArguments, PgRow};
use tokio::sync::Semaphore;
use tokio::time::{Duration, timeout};

const ACQUIRE_LIMIT: Duration = Duration::from_secs(5);

/// Connections, opened when they are needed.
pub(crate) struct Readers {
    url: String,
    turns: Semaphore,
    idle: Mutex<Vec<PgConnection>>,
}

/// A connection in use; it goes back even when the question is abandoned, for what is left of an answer is skipped when the
/// next question is asked.
struct Reader<'a> {
    readers: &'a Readers,
    connection: Option<PgConnection>,
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        self.readers.idle().extend(self.connection.take());
    }
}

impl Readers {
    /// At most `size` connections; one is opened now, so that a wrong address is found out at the start.
    pub(crate) async fn open(url: &str, size: u32) -> anyhow::Result<Self> {
        let first = db::connect_alone(url, Role::QueryApi).await?;
        let size = usize::try_from(size).context("the pool is too large")?;
        Ok(Self {
            url: url.to_owned(),
            turns: Semaphore::new(size.max(1)),
            idle: Mutex::new(vec![first]),
        })
    }

    /// Runs one statement.
    pub(crate) async fn fetch(
        &self,
        sql: &str,
        arguments: impl Fn() -> Result<PgArguments, sqlx::Error>,
    ) -> Result<Vec<PgRow>, Problem> {
        let turn = timeout(ACQUIRE_LIMIT, self.turns.acquire()).await;
        let Ok(Ok(_turn)) = turn else {
            return Err(Problem::unavailable("the database is busy; try again"));
        };
        loop {
            let (mut reader, fresh) = match self.take() {
                Some(reader) => (reader, false),
                None => (self.connect().await?, true),
            };
            let Some(connection) = reader.connection.as_mut() else { continue };
            let asked = sqlx::query_with(sql, arguments()?);
            match asked.fetch_all(&mut *connection).await {
                Ok(rows) => return Ok(rows),
                Err(error) if lost(&error) => {
                    reader.connection = None; // it does not go back
                    if fresh {
                        return Err(error.into());
                    }
                    // It was idle while Postgres restarted, perhaps; reading again does no harm.
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn take(&self) -> Option<Reader<'_>> {
        let connection = self.idle().pop()?;
        Some(Reader { readers: self, connection: Some(connection) })
    }

    async fn connect(&self) -> Result<Reader<'_>, Problem> {
        let connection = db::connect_alone(&self.url, Role::QueryApi).await.map_err(|error| {
            tracing::warn!(error = format!("{error:#}"), "no further connection to the database");
            Problem::unavailable("the database is not answering; try again")
        })?;
        Ok(Reader { readers: self, connection: Some(connection) })
    }

    fn idle(&self) -> MutexGuard<'_, Vec<PgConnection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the connection is of no further use: it is broken, the server ends it (57P...), or a plan that it keeps is of
/// a table that was replaced by one of other columns (0A000).
fn lost(error: &sqlx::Error) -> bool {
    if let Some(code) = error.as_database_error().and_then(sqlx::error::DatabaseError::code) {
        return code.starts_with("57P") || code == "0A000";
    }
    matches!(error, sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed)
}
