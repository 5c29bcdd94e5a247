//! The schema's history, embedded, and the check that a process meets the schema it was built for.

use std::collections::HashMap;
use std::fmt;

use sqlx::migrate::{Migrate as _, MigrateError, Migration, Migrator};
use sqlx::{Connection as _, Executor as _, PgConnection, PgPool};

/// Every migration, up and down.
pub static MIGRATOR: Migrator = sqlx::migrate!("./sql");

/// How a database stands to the schema that this program was built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Exactly ours.
    Current,
    /// So many of our migrations are missing.
    Pending(usize),
    /// So many migrations were applied that we do not know: the program is too old.
    Newer(usize),
    /// Its history is not ours: a migration differs, or one is there that never was.
    Foreign,
}

/// Why the schema could not be changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Migrations we do not know would be in the way.
    #[error(
        "the database is newer than this program by {0} migration(s); install the newer annals"
    )]
    Newer(usize),
    /// Whatever we did could destroy somebody's data.
    #[error(
        "the database was migrated by something else than annals; give another one in DATABASE_URL"
    )]
    Foreign,
    /// One of our migrations failed; it left nothing behind.
    #[error("migration failed")]
    Migration(#[from] MigrateError),
    /// Postgres refused or is gone.
    #[error("cannot read the schema's history")]
    Postgres(#[from] sqlx::Error),
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Current => write!(f, "the schema is current"),
            Self::Pending(n) => write!(f, "{n} migration(s) pending; run `annals migrate up`"),
            Self::Newer(n) => write!(f, "{}", Error::Newer(*n)),
            Self::Foreign => write!(f, "{}", Error::Foreign),
        }
    }
}

/// Compares the database with the embedded history.
pub async fn status(pool: &PgPool) -> Result<Status, Error> {
    let mut connection = pool.acquire().await?;
    Ok(judge(&applied(&mut connection).await?))
}

/// Applies what is pending; how many that were. Safe to run by any number of processes at once.
pub async fn up(pool: &PgPool) -> Result<usize, Error> {
    let mut connection = locked(pool).await?;
    let done = apply_pending(&mut connection).await;
    connection.close().await?; // and the lock with it
    done
}

/// Takes back the last `steps` migrations; how many that were.
pub async fn down(pool: &PgPool, steps: usize) -> Result<usize, Error> {
    let mut connection = locked(pool).await?;
    let done = take_back(&mut connection, steps).await;
    connection.close().await?;
    done
}

/// A connection of its own that holds the lock of migrators: pooled, it would keep the lock after an error.
async fn locked(pool: &PgPool) -> Result<PgConnection, Error> {
    let mut connection = PgConnection::connect_with(&pool.connect_options()).await?;
    connection.execute("set client_min_messages = error").await?;
    connection.lock().await?;
    Ok(connection)
}

async fn apply_pending(connection: &mut PgConnection) -> Result<usize, Error> {
    let applied = applied(connection).await?;
    match judge(&applied) {
        Status::Current => return Ok(0),
        Status::Pending(_) => {}
        Status::Newer(n) => return Err(Error::Newer(n)),
        Status::Foreign => return Err(Error::Foreign),
    }
    connection.ensure_migrations_table().await?;
    let pending = ups().filter(|migration| !applied.contains_key(&migration.version));
    let mut done = 0;
    for migration in pending {
        connection.apply(migration).await?;
        done += 1;
    }
    // Every process looks here at its start, whatever login it has.
    connection
        .execute(
            "grant select on _sqlx_migrations \
             to command_api, relay, projectors, query_api, workers, auditor",
        )
        .await?;
    Ok(done)
}

async fn take_back(connection: &mut PgConnection, steps: usize) -> Result<usize, Error> {
    let applied = applied(connection).await?;
    match judge(&applied) {
        Status::Current | Status::Pending(_) => {}
        Status::Newer(n) => return Err(Error::Newer(n)),
        Status::Foreign => return Err(Error::Foreign),
    }
    let mut downs: Vec<&Migration> = MIGRATOR
        .iter()
        .filter(|migration| migration.migration_type.is_down_migration())
        .filter(|migration| applied.contains_key(&migration.version))
        .collect();
    downs.sort_by_key(|migration| std::cmp::Reverse(migration.version));
    downs.truncate(steps);
    for migration in &downs {
        connection.revert(migration).await?;
    }
    if !applied.is_empty() && downs.len() == applied.len() {
        connection.execute("drop table _sqlx_migrations").await?;
    }
    Ok(downs.len())
}

/// The applied migrations with their checksums.
async fn applied(connection: &mut PgConnection) -> Result<HashMap<i64, Vec<u8>>, Error> {
    let exists: bool = sqlx::query_scalar("select to_regclass('_sqlx_migrations') is not null")
        .fetch_one(&mut *connection)
        .await?;
    if !exists {
        return Ok(HashMap::new());
    }
    let rows: Vec<(i64, Vec<u8>)> =
        sqlx::query_as("select version, checksum from _sqlx_migrations")
            .fetch_all(connection)
            .await?;
    Ok(rows.into_iter().collect())
}

fn judge(applied: &HashMap<i64, Vec<u8>>) -> Status {
    let known: HashMap<i64, &[u8]> =
        ups().map(|migration| (migration.version, migration.checksum.as_ref())).collect();
    let newest = known.keys().copied().max().unwrap_or(0);
    let mut newer = 0;
    for (version, checksum) in applied {
        match known.get(version) {
            Some(ours) if *ours == checksum.as_slice() => {}
            None if *version > newest => newer += 1,
            Some(_) | None => return Status::Foreign,
        }
    }
    let pending = known.keys().filter(|version| !applied.contains_key(version)).count();
    match (newer, pending) {
        (0, 0) => Status::Current,
        (0, pending) => Status::Pending(pending),
        (newer, _) => Status::Newer(newer),
    }
}

fn ups() -> impl Iterator<Item = &'static Migration> {
    MIGRATOR.iter().filter(|migration| !migration.migration_type.is_down_migration())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours() -> HashMap<i64, Vec<u8>> {
        ups().map(|migration| (migration.version, migration.checksum.to_vec())).collect()
    }

    #[test]
    fn an_empty_database_has_everything_pending() {
        assert_eq!(judge(&HashMap::new()), Status::Pending(ups().count()));
    }

    #[test]
    fn our_own_history_is_current() {
        assert_eq!(judge(&ours()), Status::Current);
    }

    #[test]
    fn a_later_migration_means_a_newer_program() {
        let mut applied = ours();
        applied.insert(99_991_231_000_000, vec![1]);
        assert_eq!(judge(&applied), Status::Newer(1));
    }

    #[test]
    fn a_changed_or_unknown_migration_is_foreign() {
        let mut changed = ours();
        let version = *changed.keys().max().unwrap();
        changed.insert(version, vec![1]);
        assert_eq!(judge(&changed), Status::Foreign);
        let mut unknown = ours();
        unknown.insert(7, vec![1]);
        assert_eq!(judge(&unknown), Status::Foreign);
    }
}
