//! The processes over a database of their own, an organisation, and the real program to talk to them.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;
use std::time::Duration;

use platform::config::Settings;
use platform::lifecycle::{Shutdown, Tasks};
use platform::testkit::TestDatabase;
use serde_json::{Value, json};
use sqlx::PgPool;
use tempfile::TempDir;
use tokio::process::Command;

const SOON: Duration = Duration::from_mins(1);
/// Less than what the processes allow themselves before they give up on an orderly end.
const ENDED: Duration = Duration::from_secs(15);
const POLL: Duration = Duration::from_millis(5);

pub(crate) struct House {
    pub(crate) settings: Arc<Settings>,
    /// With the login that migrated, past every guard.
    pub(crate) owner: PgPool,
    database: TestDatabase,
    tasks: Tasks,
    folder: TempDir,
}

impl House {
    /// Starts commands, projections and queries, and sets an organisation up.
    pub(crate) async fn start() -> Self {
        let house = Self::closed().await;
        house.open().await;
        house.found("acme").await;
        house
    }

    /// The schema, and nobody at work.
    pub(crate) async fn closed() -> Self {
        Self::over(TestDatabase::create(&migrations::MIGRATOR).await.unwrap()).await
    }

    /// A database, and nobody at work.
    async fn over(database: TestDatabase) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = (*database.settings(folder.path()).unwrap()).clone();
        settings.nats_url = String::new(); // the log is polled; the journeys have a bus
        settings.checkpoint_seconds = 1;
        let owner = PgPool::connect(&database.url).await.unwrap();
        let tasks = Tasks::new(Shutdown::new());
        std::fs::write(folder.path().join("password"), "correct horse battery\n").unwrap();
        Self { settings: Arc::new(settings), owner, database, tasks, folder }
    }

    /// The keys of this house and an empty database, which is what an operator has after a disaster.
    pub(crate) async fn successor(&self) -> Self {
        let mut house = Self::over(TestDatabase::create_empty().await.unwrap()).await;
        let keys = &self.settings;
        house.settings = Arc::new(Settings {
            master_key: keys.master_key.clone(),
            bootstrap_token: keys.bootstrap_token.clone(),
            service_secret: keys.service_secret.clone(),
            ..(*house.settings).clone()
        });
        house
    }

    /// Starts commands, projections and queries.
    pub(crate) async fn open(&self) {
        let of = || (Arc::clone(&self.settings), self.tasks.shutdown().clone());
        let (settings, shutdown) = of();
        self.tasks.spawn("command-api", command_api::run(settings, shutdown));
        let (settings, shutdown) = of();
        self.tasks.spawn("projectors", projectors::run(settings, shutdown));
        let (settings, shutdown) = of();
        self.tasks.spawn("query-api", query_api::run(settings, shutdown));
        for url in [&self.settings.command_url, &self.settings.query_url] {
            let ready = || async {
                let asked = client().get(format!("{url}/readyz")).send().await;
                asked.is_ok_and(|answer| answer.status().is_success())
            };
            self.until("the doors are open", ready).await;
        }
    }

    /// Starts the workers too.
    pub(crate) fn with_workers(&self) {
        let shutdown = self.tasks.shutdown().clone();
        self.tasks.spawn("workers", workers::run(Arc::clone(&self.settings), shutdown));
    }

    pub(crate) async fn end(self) {
        self.tasks.shutdown().begin();
        self.owner.close().await;
        assert!(self.tasks.join(ENDED).await, "not everything ended");
        self.database.drop_now().await.unwrap();
    }

    pub(crate) async fn found(&self, slug: &str) {
        let owner = json!({ "handle": "owner", "display_name": "Owner", "password": "correct horse battery" });
        let founded = client()
            .post(format!("{}/api/v1/organizations", self.settings.command_url))
            .bearer_auth(&self.settings.bootstrap_token)
            .json(&json!({ "name": slug, "slug": slug, "owner": owner }))
            .send()
            .await
            .unwrap();
        assert_eq!(founded.status(), 201, "{}", founded.text().await.unwrap());
    }

    /// A file in the house's folder.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The program, knowing of this house.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program();
        command.args(arguments).envs([
            ("DATABASE_URL", &self.settings.database_url),
            ("ANNALS_COMMAND_URL", &self.settings.command_url),
            ("ANNALS_QUERY_URL", &self.settings.query_url),
            ("ANNALS_MASTER_KEY", &self.settings.master_key),
            ("ANNALS_BOOTSTRAP_TOKEN", &self.settings.bootstrap_token),
        ]);
        command.env("ANNALS_DATA_DIR", &self.settings.data_dir);
        command
    }

    /// Runs the program.
    pub(crate) async fn annals(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().await.unwrap()
    }

    /// The program as the organisation's owner.
    pub(crate) fn as_owner(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(arguments);
        let password = self.path("password");
        command.args(["--organization", "acme", "--login", "owner", "--password-file"]);
        command.arg(password);
        command
    }

    /// Runs the program as the owner; it must succeed, and answers with JSON.
    pub(crate) async fn json(&self, arguments: &[&str]) -> Value {
        let output = self.as_owner(arguments).arg("--json").output().await.unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", both(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// An access token of the owner.
    pub(crate) async fn token(&self) -> String {
        self.token_of("acme").await
    }

    /// An access token of an organisation's owner.
    pub(crate) async fn token_of(&self, slug: &str) -> String {
        let login =
            json!({ "organization": slug, "login": "owner", "password": "correct horse battery" });
        let url = format!("{}/api/v1/auth/login", self.settings.command_url);
        let answer: Value =
            client().post(url).json(&login).send().await.unwrap().json().await.unwrap();
        answer["access_token"].as_str().unwrap().to_owned()
    }

    /// Sends a command as the owner.
    pub(crate) async fn send(&self, method: reqwest::Method, path: &str, body: Value) {
        let url = format!("{}/api/v1{path}", self.settings.command_url);
        let request = client().request(method, url).bearer_auth(self.token().await).json(&body);
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.text().await.unwrap());
    }

    /// How many events of a type there are.
    pub(crate) async fn count(&self, event_type: &str) -> i64 {
        sqlx::query_scalar("select count(*) from log.events where event_type = $1")
            .bind(event_type)
            .fetch_one(&self.owner)
            .await
            .unwrap()
    }

    /// Waits until something holds that comes about by itself.
    pub(crate) async fn until<F: Future<Output = bool>>(&self, what: &str, holds: impl Fn() -> F) {
        let wait = async {
            while !holds().await {
                tokio::time::sleep(POLL).await;
            }
        };
        assert!(tokio::time::timeout(SOON, wait).await.is_ok(), "in vain: {what}");
    }
}

/// The program, knowing of nothing.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_annals"));
    for variable in ["DATABASE_URL", "NATS_URL", "REDIS_URL", "SMTP_URL"] {
        command.env_remove(variable);
    }
    command.kill_on_drop(true);
    command
}

/// What the program said on both channels.
pub(crate) fn both(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!("{}{}", String::from_utf8_lossy(out), String::from_utf8_lossy(err))
}

/// A path as an argument.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

pub(crate) fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}
