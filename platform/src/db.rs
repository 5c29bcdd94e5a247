//! Connections to Postgres: one role per process, and the guard that never hands back a session in the middle of something.

use std::str::FromStr;
use std::time::Duration;

use anyhow::Context as _;
use events::TenantId;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::{Connection, Executor, PgPool, Postgres, Transaction};

use crate::lifecycle::Shutdown;

/// The Postgres role that a process works as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Role {
    /// Executes `log.append`, reads streams, keeps secrets.
    CommandApi,
    /// Reads the log.
    Relay,
    /// Reads the log, writes `read` and `audit`.
    Projectors,
    /// Reads `read` and `audit`.
    QueryApi,
    /// Reads, and writes `work`.
    Workers,
    /// Reads the log and writes what it signs of it; runs within the workers.
    Notary,
    /// Reads everything but secrets.
    Auditor,
}

impl Role {
    /// The role's name in Postgres.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

const ACQUIRE_LIMIT: Duration = Duration::from_secs(5);
const IDLE_IN_TRANSACTION_MS: &str = "30000";
const LOCK_MS: &str = "10000";
const STATEMENT_MS: &str = "120000";

fn options(url: &str, role: Role) -> anyhow::Result<PgConnectOptions> {
    Ok(PgConnectOptions::from_str(url)
        .context("DATABASE_URL is not a Postgres URL")?
        .application_name(&format!("annals {}", role.name()))
        .options([
            ("idle_in_transaction_session_timeout", IDLE_IN_TRANSACTION_MS),
            ("lock_timeout", LOCK_MS),
            ("statement_timeout", STATEMENT_MS),
            ("client_min_messages", "error"),
            ("timezone", "UTC"),
            ("jit", "off"),
        ]))
}

/// Opens a pool as `role`. A released session is rolled back and reset before anybody else gets it: a request that was
/// cancelled between `begin` and its first statement would otherwise leave a transaction open, and the next write be lost.
pub async fn connect(url: &str, role: Role, size: u32) -> anyhow::Result<PgPool> {
    PgPoolOptions::new()
        .max_connections(size)
        .acquire_timeout(ACQUIRE_LIMIT)
        .test_before_acquire(false)
        .after_connect(move |connection, _| Box::pin(assume(connection, role)))
        .after_release(|connection, _| {
            Box::pin(async move {
                connection
                    .execute("ROLLBACK; RESET ALL; SELECT pg_advisory_unlock_all()")
                    .await
                    .map(|_| true)
            })
        })
        .connect_with(options(url, role)?)
        .await
        .with_context(|| unreachable_hint(url))
}

/// Opens one connection as `role`, outside any pool: for the owner of an advisory lock or of the log's writer.
pub async fn connect_alone(url: &str, role: Role) -> anyhow::Result<PgConnection> {
    let mut connection = PgConnection::connect_with(&options(url, role)?)
        .await
        .with_context(|| unreachable_hint(url))?;
    assume(&mut connection, role).await?;
    Ok(connection)
}

/// Waits until this session holds `lock`, one of [`locks`], and with it leads until it ends; false when the process shall end
/// before that. Whoever stands by looks again after each `pause`.
pub async fn lead(
    connection: &mut PgConnection,
    lock: i64,
    pause: Duration,
    shutdown: &Shutdown,
) -> Result<bool, sqlx::Error> {
    loop {
        let asked = sqlx::query_scalar("select pg_try_advisory_lock($1)").bind(lock);
        if asked.fetch_one(&mut *connection).await? {
            return Ok(true);
        }
        if !shutdown.sleep(pause).await {
            return Ok(false);
        }
    }
}

/// A connection of its own that leads by `lock`, as [`lead`]; nothing when the process shall end before that. A leader that stands
/// still for half a minute is taken for dead: Postgres ends its session, and with it the lead.
pub async fn connect_leading(
    (url, role): (&str, Role),
    lock: i64,
    pause: Duration,
    shutdown: &Shutdown,
) -> anyhow::Result<Option<PgConnection>> {
    let mut connection = connect_alone(url, role).await?;
    connection.execute(LET_GO).await?;
    Ok(lead(&mut connection, lock, pause, shutdown).await?.then_some(connection))
}

const LET_GO: &str =
    "set idle_session_timeout = '30s'; set idle_in_transaction_session_timeout = '30s'";

fn unreachable_hint(url: &str) -> String {
    let place = url.rsplit('@').next().unwrap_or_default();
    format!("cannot reach Postgres at {place}; check DATABASE_URL and that the server is running")
}

async fn assume(connection: &mut PgConnection, role: Role) -> Result<(), sqlx::Error> {
    // The name comes from the closed list above, never from outside.
    let statement = format!("SET ROLE {}", role.name());
    connection.execute(statement.as_str()).await.map(|_| ())
}

/// Begins a transaction that sees one organisation only.
pub async fn begin_for(
    pool: &PgPool,
    tenant: TenantId,
) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    sqlx::query("select set_config('app.tenant', $1, true)")
        .bind(tenant.to_string())
        .execute(&mut *transaction)
        .await?;
    Ok(transaction)
}

/// The numbers of all advisory locks, in one place so that no two things share one.
pub mod locks {
    /// Held by whoever appends to the log, for the length of the append; `log.append` names it too.
    pub const LOG: i64 = 4_702_111_234_474_983_745;
    /// Held by the relay that leads.
    pub const RELAY: i64 = 4_702_111_234_474_983_746;
    /// Held while a test run's template database is made.
    pub const TEST_TEMPLATE: i64 = 4_702_111_234_474_983_747;
    /// Held while a signing key is looked for or made.
    pub const SIGNING_KEYS: i64 = 4_702_111_234_474_983_748;
    /// Held by the notary that leads.
    pub const NOTARY: i64 = 4_702_111_234_474_983_751;
    /// Held by the timers that lead.
    pub const TIMERS: i64 = 4_702_111_234_474_983_752;
    /// Held by the projectors that lead.
    pub const PROJECTORS: i64 = 4_702_111_234_474_983_750;
    /// Held by the janitor that leads.
    pub const JANITOR: i64 = 4_702_111_234_474_983_754;
    /// With the hash of a file's place: held while it is decided whether those bytes are still needed.
    pub const BLOB: i64 = 4_702_111_234_474_983_756;
    /// Held while the logins of processes are made.
    pub const LOGINS: i64 = 4_702_111_234_474_983_755;
}
