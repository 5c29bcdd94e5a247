//! For tests: a fresh, migrated database each, on the engines that `cargo xtask test` started.

pub mod door;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use anyhow::Context as _;
use sqlx::{Connection, Executor, PgConnection};

use crate::config::Settings;
use crate::db::locks;
use crate::secrets;

/// A database of one test's own; dropped on [`Self::drop_now`] or with the throwaway engines.
pub struct TestDatabase {
    /// URL of the database, with the owner's login.
    pub url: String,
    admin_url: String,
    name: String,
}

/// The address of an engine that the test run provides.
#[expect(clippy::disallowed_methods, reason = "tests have no settings but these")]
pub fn engine(variable: &str) -> anyhow::Result<String> {
    std::env::var(variable).with_context(|| {
        format!(
            "{variable} is not set; run tests with `cargo xtask test`, which starts the engines"
        )
    })
}

/// The migrated database that others are copied from, made by whoever comes first; its name says which migrations it has.
async fn template(admin_url: &str, migrator: &sqlx::migrate::Migrator) -> anyhow::Result<String> {
    use sha2::{Digest, Sha256};
    let mut hash = Sha256::new();
    for migration in migrator.iter() {
        hash.update(&*migration.checksum);
    }
    let name = format!("template_{}", hex::encode(&hash.finalize()[..8]));
    let mut admin = PgConnection::connect(admin_url).await?;
    sqlx::query("select pg_advisory_lock($1)")
        .bind(locks::TEST_TEMPLATE)
        .execute(&mut admin)
        .await?;
    let exists: bool =
        sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
            .bind(&name)
            .fetch_one(&mut admin)
            .await?;
    if !exists {
        let building = format!("{name}_building");
        admin.execute(format!("drop database if exists {building}").as_str()).await?;
        admin.execute(format!("create database {building}").as_str()).await?;
        let (server, _) = admin_url.rsplit_once('/').context("DATABASE_URL names no database")?;
        let mut connection = PgConnection::connect(&format!("{server}/{building}")).await?;
        migrator.run(&mut connection).await?;
        connection.close().await?;
        admin.execute(format!("alter database {building} rename to {name}").as_str()).await?;
    }
    admin.close().await?; // the lock goes with the session
    Ok(name)
}

impl TestDatabase {
    /// Creates a migrated database: a copy of one that the first test of a run migrated.
    pub async fn create(migrator: &sqlx::migrate::Migrator) -> anyhow::Result<Self> {
        let admin_url = engine("DATABASE_URL")?;
        let template = template(&admin_url, migrator).await?;
        Self::create_from(admin_url, &format!(" template {template}")).await
    }

    /// Creates an empty database.
    pub async fn create_empty() -> anyhow::Result<Self> {
        Self::create_from(engine("DATABASE_URL")?, "").await
    }

    async fn create_from(admin_url: String, template: &str) -> anyhow::Result<Self> {
        let name = format!("test_{}", hex::encode(secrets::random::<8>()));
        let mut admin = PgConnection::connect(&admin_url).await?;
        admin.execute(format!("create database {name}{template}").as_str()).await?;
        admin.close().await?;
        let (server, _) = admin_url.rsplit_once('/').context("DATABASE_URL names no database")?;
        Ok(Self { url: format!("{server}/{name}"), admin_url, name })
    }

    /// Drops the database and whoever is connected to it.
    pub async fn drop_now(self) -> anyhow::Result<()> {
        let mut admin = PgConnection::connect(&self.admin_url).await?;
        admin
            .execute(format!("drop database if exists {} with (force)", self.name).as_str())
            .await?;
        Ok(())
    }

    /// Settings for processes under test: this database, the run's other engines, random keys, free ports.
    pub fn settings(&self, files: &std::path::Path) -> anyhow::Result<Arc<Settings>> {
        use base64::Engine as _;
        let free = || -> anyhow::Result<std::net::SocketAddr> {
            Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?)
        };
        let (command_addr, query_addr) = (free()?, free()?);
        Ok(Arc::new(Settings {
            database_url: self.url.clone(),
            nats_url: engine("NATS_URL")?,
            redis_url: engine("REDIS_URL")?,
            command_addr,
            query_addr,
            command_url: format!("http://{command_addr}"),
            query_url: format!("http://{query_addr}"),
            data_dir: files.to_owned(),
            master_key: base64::engine::general_purpose::STANDARD.encode(secrets::random::<32>()),
            bootstrap_token: secrets::random_token(),
            service_secret: secrets::random_token(),
            ..Settings::default()
        }))
    }
}

/// Compares a generated file that is committed with what the code generates now; `ANNALS_GENERATE=1` writes it instead.
/// `path` is relative to the root of the repository.
#[expect(clippy::disallowed_methods, reason = "tests have no settings but these")]
pub fn committed(path: &str, content: &str) -> anyhow::Result<()> {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    if std::env::var("ANNALS_GENERATE").is_ok_and(|value| value == "1") {
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(&file, content)?;
    }
    let found = std::fs::read_to_string(&file).unwrap_or_default();
    anyhow::ensure!(found == content, "{path} is stale; run `cargo xtask generate` and commit it");
    Ok(())
}

/// An environment of Python below `folder` with this package (`name==version`), made once; there is no passing without it.
pub fn python(folder: &Path, package: &str) -> anyhow::Result<PathBuf> {
    let name = package.split('=').next().unwrap_or(package);
    let (folder, mark) = (folder.join(name), folder.join(name).join("installed"));
    if std::fs::read_to_string(&mark).is_ok_and(|installed| installed == package) {
        return Ok(folder);
    }
    let pip = folder.join("bin/pip");
    for command in [
        Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder),
        Command::new(pip).args(["install", "--quiet", package]),
    ] {
        let output = command.output().context("install python3 and python3-venv")?;
        let said = String::from_utf8_lossy(&output.stderr);
        anyhow::ensure!(output.status.success(), "{command:?}: {said}");
    }
    std::fs::write(mark, package)?;
    Ok(folder)
}
