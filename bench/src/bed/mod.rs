//! Where a measurement takes place: a database of its own, our processes, an organisation and its owner's token.

pub(crate) mod fill;
pub(crate) mod machine;
mod process;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use platform::config::Settings;
use platform::testkit::{TestDatabase, engine};
use serde_json::{Value, json};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tempfile::TempDir;
use tokio::process::Command;

use crate::http::{self, Answer};
use machine::Machine;
pub(crate) use process::Process;

const READY_LIMIT: Duration = Duration::from_secs(5);
const PASSWORD: &str = "correct horse battery";
const SLUG: &str = "bench";

/// A migrated database and settings for processes over it.
pub(crate) struct Bed {
    pub(crate) settings: Arc<Settings>,
    /// As the owner of the database.
    pub(crate) owner: PgPool,
    database: TestDatabase,
    _files: TempDir,
}

/// An organisation with its owner signed in.
#[derive(Debug, Clone)]
pub(crate) struct Founded {
    pub(crate) tenant: String,
    pub(crate) user: String,
    pub(crate) session: String,
    pub(crate) token: String,
}

impl Bed {
    pub(crate) async fn make() -> anyhow::Result<Self> {
        for variable in ["DATABASE_URL", "NATS_URL", "REDIS_URL"] {
            engine(variable).with_context(|| "run this as `cargo xtask bench`")?;
        }
        let database = TestDatabase::create(&migrations::MIGRATOR).await?;
        let files = tempfile::tempdir().context("cannot make a folder for files")?;
        let mut settings = Settings::clone(&*database.settings(files.path())?);
        settings.log = "warn".into();
        // Counted as for users, and never refused.
        (settings.limit_user_per_minute, settings.limit_tenant_per_minute) = (u32::MAX, u32::MAX);
        // Streams of its own, also where the server is shared.
        let space = format!("bench-{}", hex::encode(platform::secrets::random::<4>()));
        settings.nats_url = format!("{}/{space}", settings.nats_url.trim_end_matches('/'));
        let owner = PgPoolOptions::new().max_connections(4).connect(&database.url).await?;
        Ok(Self { settings: Arc::new(settings), owner, database, _files: files })
    }

    pub(crate) async fn machine(&self) -> anyhow::Result<Machine> {
        Machine::look(&self.owner).await
    }

    /// Starts one of the processes of `annals serve`.
    pub(crate) fn serve(&self, name: &'static str) -> anyhow::Result<Process> {
        let mut command = Command::new(beside_us("annals")?);
        command.args(["serve", name]).env_clear().envs(self.environment()?);
        Process::start(name, &mut command)
    }

    /// Starts all five processes and waits for those that serve HTTP.
    pub(crate) async fn serve_all(&self) -> anyhow::Result<Vec<(&'static str, Process)>> {
        let mut processes = Vec::new();
        for name in ["command-api", "relay", "projectors", "query-api", "workers"] {
            let mut process = self.serve(name)?;
            match name {
                "command-api" => process.ready(self.settings.command_addr).await?,
                "query-api" => process.ready(self.settings.query_addr).await?,
                _ => {}
            }
            processes.push((name, process));
        }
        Ok(processes)
    }

    /// Runs a command of `annals` as the owner of the organisation; what it printed.
    pub(crate) async fn annals(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let mut command = Command::new(beside_us("annals")?);
        command.args(arguments).args(["--organization", SLUG, "--login", "owner"]);
        let password = self.settings.data_dir.join("password");
        std::fs::write(&password, PASSWORD).context("cannot write the password")?;
        command.arg("--password-file").arg(&password).env_clear().envs(self.environment()?);
        let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await?;
        let complaint = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "annals {}: {complaint}", arguments.join(" "));
        String::from_utf8(output.stdout).context("annals printed something else than text")
    }

    /// Starts command-api and waits for it.
    pub(crate) async fn command_api(&self) -> anyhow::Result<Process> {
        let mut process = self.serve("command-api")?;
        process.ready(self.settings.command_addr).await?;
        Ok(process)
    }

    /// The settings as processes read them.
    fn environment(&self) -> anyhow::Result<HashMap<String, String>> {
        let Value::Object(settings) = serde_json::to_value(&*self.settings)? else {
            anyhow::bail!("settings are no object");
        };
        let text = |value: Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        Ok(settings
            .into_iter()
            .filter(|(_, value)| !value.is_object()) // feature flags, which have variables of their own
            .map(|(key, value)| (format!("ANNALS_{}", key.to_uppercase()), text(value)))
            .collect())
    }

    /// Sets an organisation up and signs its owner in.
    pub(crate) async fn found(&self) -> anyhow::Result<Founded> {
        self.found_as(SLUG).await
    }

    /// Sets an organisation of that short name up and signs its owner in.
    pub(crate) async fn found_as(&self, slug: &str) -> anyhow::Result<Founded> {
        let body = json!({"name": "Bench", "slug": slug, "owner":
            {"handle": "owner", "display_name": "Owner", "password": PASSWORD}});
        let bootstrap = self.settings.bootstrap_token.clone();
        let founded = self.command("/organizations", &bootstrap, &body).await?;
        let session = self.session(slug).await?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Ok(Founded {
            tenant: text(&founded["tenant_id"]),
            user: text(&founded["user_id"]),
            session: text(&session["session_id"]),
            token: text(&session["access_token"]),
        })
    }

    async fn session(&self, slug: &str) -> anyhow::Result<Value> {
        let body = json!({"organization": slug, "login": "owner", "password": PASSWORD});
        self.command("/auth/login", "", &body).await
    }

    /// A fresh access token of the owner: one lives ten minutes at most.
    pub(crate) async fn sign_in(&self) -> anyhow::Result<String> {
        self.sign_in_to(SLUG).await
    }

    /// A fresh access token of the owner of the organisation of that short name.
    pub(crate) async fn sign_in_to(&self, slug: &str) -> anyhow::Result<String> {
        let session = self.session(slug).await?;
        Ok(session["access_token"].as_str().unwrap_or_default().to_owned())
    }

    /// Posts a command and gives its answer.
    pub(crate) async fn command(
        &self,
        path: &str,
        token: &str,
        body: &Value,
    ) -> anyhow::Result<Value> {
        let path = format!("/api/v1{path}");
        let address = self.settings.command_addr;
        let answer: Answer =
            http::call(address, "POST", &path, token, Some(&body.to_string())).await?;
        ensure!((200..300).contains(&answer.status), "POST {path}: {}", answer.body);
        Ok(serde_json::from_str(&answer.body)?)
    }

    /// Ends the measurement: nothing of it stays in the engines.
    pub(crate) async fn drop_now(self) -> anyhow::Result<()> {
        let bus = nats::connect(&self.settings.nats_url).await?;
        bus.ready(READY_LIMIT).await?;
        let _never_made = nats::topology::delete_events(&bus).await;
        self.owner.close().await;
        self.database.drop_now().await
    }

    /// The URL of the database, with its owner's login.
    pub(crate) fn url(&self) -> &str {
        &self.database.url
    }
}

/// A program built into the same folder as this one.
pub(crate) fn beside_us(name: &str) -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe().context("cannot tell where this program is")?;
    let path = program.with_file_name(name);
    ensure!(path.is_file(), "{} is not built; run this as `cargo xtask bench`", path.display());
    Ok(path)
}

/// A free port on the loopback.
pub(crate) fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
