//! What must hold before a process starts: engines that answer, keep what they confirm, and have our schema.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use platform::config::Settings;
use platform::db::Role;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, PgConnection, PgPool};

use crate::engines::{Engine, OLDEST_POSTGRES};

/// How long one attempt to reach an engine may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// Pause between two attempts.
const AGAIN: Duration = Duration::from_millis(100);

/// What a process cannot start without.
#[derive(Debug, Clone, Copy)]
pub struct Needs {
    /// The engines that must answer.
    pub engines: &'static [Engine],
    /// How long an engine may be on its way up.
    pub patience: Duration,
}

/// Refuses in one line, with the remedy, whatever would make a process fail or lie later.
pub async fn check(settings: &Settings, needs: Needs) -> anyhow::Result<()> {
    for engine in needs.engines {
        let url = url(settings, *engine);
        ensure!(
            !url.is_empty(),
            "{} is not set; give one, or start everything with `annals up`",
            engine.variable()
        );
    }
    for engine in needs.engines {
        let url = url(settings, *engine);
        match engine {
            Engine::Postgres => {
                let mut connection = patiently(needs.patience, || reach_postgres(url)).await?;
                let outcome = check_postgres(&mut connection).await;
                connection.close().await?;
                outcome?;
            }
            Engine::Nats => patiently(needs.patience, || reach_nats(url)).await?,
            Engine::Redis => patiently(needs.patience, || reach_redis(url)).await?,
            Engine::Mail => {} // who sends mail waits for it
        }
    }
    Ok(())
}

/// Refuses a schema that is not exactly the one this program was built for.
pub async fn check_schema(pool: &PgPool) -> anyhow::Result<()> {
    let status = migrations::status(pool).await?;
    match status {
        migrations::Status::Current => Ok(()),
        migrations::Status::Pending(_)
        | migrations::Status::Newer(_)
        | migrations::Status::Foreign => bail!("{status}"),
    }
}

/// Refuses a login that may not work as each of `roles`.
pub async fn check_roles(pool: &PgPool, roles: &[Role]) -> anyhow::Result<()> {
    let roles: Vec<&str> = roles.iter().map(|role| role.name()).collect();
    let query = "select session_user::text, role from unnest($1::text[]) role
                  where not pg_has_role(session_user, role, 'member') limit 1";
    let denied: Option<(String, String)> =
        sqlx::query_as(query).bind(&roles).fetch_optional(pool).await?;
    if let Some((login, role)) = denied {
        bail!(
            "{login}, the login of DATABASE_URL, may not work as {role}; use the login of the process, \
             which `annals migrate up` makes when it is given a password"
        );
    }
    Ok(())
}

/// Opens a small pool for schema work, with the login of the URL.
pub async fn schema_pool(url: &str) -> anyhow::Result<PgPool> {
    sqlx::postgres::PgPoolOptions::new()
        .max_connections(2)
        .acquire_timeout(ANSWER_LIMIT)
        .connect_with(postgres_options(url)?)
        .await
        .with_context(|| unreachable(Engine::Postgres, url))
}

fn url(settings: &Settings, engine: Engine) -> &str {
    match engine {
        Engine::Postgres => &settings.database_url,
        Engine::Nats => &settings.nats_url,
        Engine::Redis => &settings.redis_url,
        Engine::Mail => &settings.smtp_url,
    }
}

/// Tries until it works or patience ends; at least once.
async fn patiently<T, F>(patience: Duration, attempt: impl Fn() -> F) -> anyhow::Result<T>
where
    F: Future<Output = anyhow::Result<T>>,
{
    let end = tokio::time::Instant::now() + patience;
    loop {
        match attempt().await {
            Err(_) if tokio::time::Instant::now() < end => tokio::time::sleep(AGAIN).await,
            outcome => return outcome,
        }
    }
}

fn postgres_options(url: &str) -> anyhow::Result<PgConnectOptions> {
    let options: PgConnectOptions = url.parse().context("DATABASE_URL is not a Postgres URL")?;
    Ok(options.log_statements(tracing::log::LevelFilter::Debug))
}

async fn reach_postgres(url: &str) -> anyhow::Result<PgConnection> {
    let options = postgres_options(url)?;
    match tokio::time::timeout(ANSWER_LIMIT, PgConnection::connect_with(&options)).await {
        Ok(connection) => connection.with_context(|| unreachable(Engine::Postgres, url)),
        Err(_) => bail!("{}: no answer in time", unreachable(Engine::Postgres, url)),
    }
}

/// What our promises rest on.
async fn check_postgres(connection: &mut PgConnection) -> anyhow::Result<()> {
    let (version, encoding, replica): (i32, String, bool) = sqlx::query_as(
        "select current_setting('server_version_num')::int, current_setting('server_encoding'),
                pg_is_in_recovery()",
    )
    .fetch_one(&mut *connection)
    .await?;
    ensure!(
        u32::try_from(version / 10_000).is_ok_and(|major| major >= OLDEST_POSTGRES),
        "Postgres {} is too old; annals needs {OLDEST_POSTGRES} or later",
        version / 10_000
    );
    ensure!(encoding == "UTF8", "the database's encoding is {encoding}; create it with UTF8");
    ensure!(!replica, "DATABASE_URL leads to a read-only replica; give the primary");
    for (setting, why) in [
        ("fsync", "a power cut could corrupt the log"),
        ("full_page_writes", "a power cut could corrupt the log"),
        ("synchronous_commit", "a crash could lose what was acknowledged"),
    ] {
        let value: String = sqlx::query_scalar("select current_setting($1)")
            .bind(setting)
            .fetch_one(&mut *connection)
            .await?;
        ensure!(
            value != "off",
            "Postgres runs with {setting}=off, so {why}; run `alter system set {setting} = on` \
             and `select pg_reload_conf()`"
        );
    }
    Ok(())
}

async fn reach_nats(url: &str) -> anyhow::Result<()> {
    let bus = nats::connect(url).await.context("NATS_URL is not a NATS URL")?;
    bus.ready(ANSWER_LIMIT).await.with_context(|| {
        format!("{}; it must be nats-server 2.9 or later with -js", unreachable(Engine::Nats, url))
    })
}

async fn reach_redis(url: &str) -> anyhow::Result<()> {
    let client = redis::Client::open(url).context("REDIS_URL is not a Redis URL")?;
    let ping = async {
        let mut connection = client.get_multiplexed_async_connection().await?;
        redis::cmd("PING").query_async::<String>(&mut connection).await
    };
    match tokio::time::timeout(ANSWER_LIMIT, ping).await {
        Ok(answer) => answer.map(|_| ()).with_context(|| unreachable(Engine::Redis, url)),
        Err(_) => bail!("{}: no answer in time", unreachable(Engine::Redis, url)),
    }
}

fn unreachable(engine: Engine, url: &str) -> String {
    // Whatever stands before the @ is a credential.
    let place = url.rsplit('@').next().unwrap_or_default();
    let place = place.split_once("://").map_or(place, |(_, rest)| rest);
    let place = place.split(['/', '?']).next().unwrap_or_default();
    format!(
        "cannot use {} at {place}; check {} and that the server runs",
        engine.name(),
        engine.variable()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unreachable_engine_is_named_without_its_credentials() {
        let text = unreachable(Engine::Nats, "nats://me:secret@10.0.0.1:4222/space");
        assert!(text.contains("10.0.0.1:4222;") && !text.contains("secret"), "{text}");
        let text = unreachable(Engine::Postgres, "postgres://10.0.0.1:5432/db?password=secret");
        assert!(text.contains("10.0.0.1:5432;") && !text.contains("secret"), "{text}");
    }

    #[tokio::test]
    async fn a_missing_url_is_named() {
        let needs = Needs { engines: &[Engine::Redis], patience: Duration::ZERO };
        let error = check(&Settings::default(), needs).await.unwrap_err().to_string();
        assert!(error.starts_with("REDIS_URL is not set"), "{error}");
    }

    #[tokio::test]
    async fn a_dead_engine_is_refused_at_once() {
        for engine in Engine::NEEDED {
            let settings = Settings {
                database_url: "postgres://a:b@127.0.0.1:1/c".into(),
                nats_url: "nats://127.0.0.1:1".into(),
                redis_url: "redis://127.0.0.1:1".into(),
                ..Settings::default()
            };
            let engines: &'static [Engine] = match engine {
                Engine::Postgres => &[Engine::Postgres],
                Engine::Nats => &[Engine::Nats],
                Engine::Redis => &[Engine::Redis],
                Engine::Mail => &[Engine::Mail],
            };
            let needs = Needs { engines, patience: Duration::ZERO };
            let error = check(&settings, needs).await.unwrap_err().to_string();
            assert!(error.contains(engine.variable()) && error.contains("127.0.0.1:1"), "{error}");
        }
    }
}
