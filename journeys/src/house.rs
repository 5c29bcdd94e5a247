//! A whole installation of a journey's own: private engines, and each process as the real binary, so that it can be killed.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use base64::Engine as _;
use cli::engines::{Engine, Engines, Options};
use platform::secrets;
use serde_json::json;
use tempfile::TempDir;

use crate::client::Client;

const READY_LIMIT: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(20);

/// One process of the house.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Resident {
    /// Commands in, events out.
    CommandApi,
    /// A second command-api beside the first, on its own port.
    SecondCommandApi,
    /// From the log to the bus.
    Relay,
    /// A second relay, which stands by.
    SecondRelay,
    /// Events in, read models out.
    Projectors,
    /// Questions and streams.
    QueryApi,
    /// Files, messages, backups.
    Workers,
}

impl Resident {
    /// One of each.
    pub const FIVE: [Self; 5] =
        [Self::CommandApi, Self::Relay, Self::Projectors, Self::QueryApi, Self::Workers];

    fn process(self) -> &'static str {
        match self {
            Self::CommandApi | Self::SecondCommandApi => "command-api",
            Self::Relay | Self::SecondRelay => "relay",
            Self::Projectors => "projectors",
            Self::QueryApi => "query-api",
            Self::Workers => "workers",
        }
    }

    fn login(self) -> String {
        self.process().replace('-', "_")
    }
}

/// Engines and processes; dropping it ends them all.
pub struct House {
    /// The engines, to be killed and wiped.
    pub engines: Engines,
    /// Where command-api listens.
    pub command_url: String,
    /// Where the second command-api would listen.
    pub second_command_url: String,
    /// Where query-api listens.
    pub query_url: String,
    /// Founds organisations.
    pub bootstrap_token: String,
    environment: Vec<(String, String)>,
    /// The journeys' processes share one; their logins are their own.
    database_password: String,
    children: Vec<(Resident, Child)>,
    folder: TempDir,
}

impl House {
    /// Starts engines, migrates, and starts one of each process.
    pub async fn start() -> anyhow::Result<Self> {
        let mut house = Self::empty().await?;
        for resident in Resident::FIVE {
            house.move_in(resident)?;
        }
        house.ready().await?;
        Ok(house)
    }

    /// Starts engines and migrates; nobody lives there yet.
    pub async fn empty() -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("annals-journey-").tempdir()?;
        let engines = Engines::start(&Options::private(folder.path().join("engines"))).await?;
        let ports = [free_port()?, free_port()?, free_port()?];
        let url = |port: u16| format!("http://127.0.0.1:{port}");
        let key = base64::engine::general_purpose::STANDARD.encode(secrets::random::<32>());
        let bootstrap_token = secrets::random_token();
        let pairs = [
            ("DATABASE_URL", engines.database_url().to_owned()),
            ("NATS_URL", engines.nats_url().to_owned()),
            ("REDIS_URL", engines.redis_url().to_owned()),
            ("SMTP_URL", engines.smtp_url().to_owned()),
            ("MAIL_FROM", "annals@house.test".to_owned()),
            ("ANNALS_COMMAND_ADDR", format!("127.0.0.1:{}", ports[0])),
            ("ANNALS_QUERY_ADDR", format!("127.0.0.1:{}", ports[2])),
            ("ANNALS_COMMAND_URL", url(ports[0])),
            ("ANNALS_QUERY_URL", url(ports[2])),
            ("ANNALS_DATA_DIR", folder.path().join("files").display().to_string()),
            ("ANNALS_MASTER_KEY", key),
            ("ANNALS_BOOTSTRAP_TOKEN", bootstrap_token.clone()),
            ("ANNALS_SERVICE_SECRET", secrets::random_token()),
            ("ANNALS_LIMIT_LOGIN_PER_MINUTE", "0".to_owned()), // journeys hurry
            ("ANNALS_LOOPBACK_ISSUERS", "true".to_owned()),    // theirs are on this machine
            ("ANNALS_LOOPBACK_WEBHOOKS", "true".to_owned()),
            ("ANNALS_LOG", "warn".to_owned()),
        ];
        let environment = pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        let house = Self {
            engines,
            command_url: url(ports[0]),
            second_command_url: url(ports[1]),
            query_url: url(ports[2]),
            bootstrap_token,
            environment,
            database_password: secrets::random_token(),
            children: Vec::new(),
            folder,
        };
        house.migrate()?;
        Ok(house)
    }

    /// Where files are stored.
    pub fn files(&self) -> PathBuf {
        self.folder.path().join("files")
    }

    /// Makes the schema, and a login for each process.
    fn migrate(&self) -> anyhow::Result<()> {
        let passwords = Resident::FIVE.map(|resident| {
            (format!("{}_PASSWORD", resident.login().to_uppercase()), &self.database_password)
        });
        let passwords = passwords.each_ref().map(|(key, value)| (&**key, value.as_str()));
        let output = self.annals_with(&["migrate", "up"], &passwords)?;
        let said = String::from_utf8_lossy(&output.stderr);
        anyhow::ensure!(output.status.success(), "cannot migrate: {said}");
        Ok(())
    }

    /// The database as a process signs in.
    pub fn database_url(&self, resident: Resident) -> anyhow::Result<String> {
        let url = self.engines.database_url();
        let (_, place) = url.split_once('@').context("the engine's URL names no login")?;
        let (login, password) = (resident.login(), &self.database_password);
        Ok(format!("postgres://annals_{login}:{password}@{place}"))
    }

    /// Starts a process; what it says goes to a file that failures can be read in.
    pub fn move_in(&mut self, resident: Resident) -> anyhow::Result<()> {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join(format!("{resident:?}.log")))?;
        let mut command = Command::new(annals()?);
        command.args(["serve", resident.process()]).envs(self.environment.iter().cloned());
        command.env("DATABASE_URL", self.database_url(resident)?);
        if resident == Resident::SecondCommandApi {
            let address = self.second_command_url.trim_start_matches("http://");
            command.env("ANNALS_COMMAND_ADDR", address);
        }
        let child = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?;
        self.children.push((resident, child));
        Ok(())
    }

    /// Ends a process as a crash would.
    pub fn kill(&mut self, resident: Resident) -> anyhow::Result<()> {
        let index = self.children.iter().position(|(other, _)| *other == resident);
        let (_, mut child) = self.children.remove(index.context("nobody of that name lives here")?);
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// Ends a process as an operator would, and waits until it has gone.
    pub async fn end(&mut self, resident: Resident) -> anyhow::Result<()> {
        let index = self.children.iter().position(|(other, _)| *other == resident);
        let (_, mut child) = self.children.remove(index.context("nobody of that name lives here")?);
        let asked = Command::new("kill").args(["-TERM", &child.id().to_string()]).status()?;
        anyhow::ensure!(asked.success(), "{resident:?} could not be told to end");
        tokio::task::spawn_blocking(move || child.wait()).await??;
        Ok(())
    }

    /// Returns when both APIs answer as ready.
    pub async fn ready(&self) -> anyhow::Result<()> {
        for url in [&self.command_url, &self.query_url] {
            self.answers(&format!("{url}/readyz")).await?;
        }
        Ok(())
    }

    /// Returns when an address answers with success.
    pub async fn answers(&self, url: &str) -> anyhow::Result<()> {
        let client = reqwest::Client::builder().timeout(Duration::from_secs(2)).build()?;
        let began = Instant::now();
        while began.elapsed() < READY_LIMIT {
            if client.get(url).send().await.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(());
            }
            tokio::time::sleep(POLL).await;
        }
        bail!("{url} did not become ready; {}", self.last_words())
    }

    /// The end of what every process said.
    pub fn last_words(&self) -> String {
        let mut words = String::new();
        for entry in std::fs::read_dir(self.folder.path()).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.extension().is_some_and(|extension| extension == "log") {
                let text = std::fs::read_to_string(&path).unwrap_or_default();
                let tail: Vec<&str> = text.lines().rev().take(15).collect();
                let tail = tail.into_iter().rev().collect::<Vec<_>>().join("\n");
                words = format!("{words}\n--- {}\n{tail}", path.display());
            }
        }
        words
    }

    /// Founds an organisation; the client is its owner, signed in.
    pub async fn found(&self, slug: &str) -> anyhow::Result<Client> {
        let anybody = Client::new(&self.command_url, &self.query_url, "")?;
        let body = json!({"name": slug, "slug": slug, "owner": {"handle": "owner", "display_name": "Owner",
            "email": format!("owner@{slug}.test"), "password": crate::client::PASSWORD}});
        let founded =
            anybody.with_token(&self.bootstrap_token).post("/organizations", &body).await?;
        anyhow::ensure!(founded.status == 201, "founding failed: {}", founded.body);
        self.owner(slug).await
    }

    /// The owner of an organisation, signed in anew.
    pub async fn owner(&self, slug: &str) -> anyhow::Result<Client> {
        Client::new(&self.command_url, &self.query_url, "")?.login(slug, "owner").await
    }

    /// The database as its owner, past every guard.
    pub async fn database(&self) -> anyhow::Result<sqlx::PgPool> {
        Ok(sqlx::PgPool::connect(self.engines.database_url()).await?)
    }

    /// Adds so many rows to the users of an organisation, past every guard, so that a file of them is large.
    pub async fn many_users(&self, owner: &Client, count: i64) -> anyhow::Result<()> {
        let pool = self.database().await?;
        sqlx::query(
            "insert into read.identity_users
             select made.* from (select * from read.identity_users where tenant_id = $1::uuid limit 1) u
              cross join generate_series(1, $2) n
              cross join lateral jsonb_populate_record(null::read.identity_users,
                to_jsonb(u) || jsonb_build_object('user_id', gen_random_uuid(), 'handle', 'u' || n)) made",
        )
        .bind(&owner.tenant_id)
        .bind(count)
        .execute(&pool)
        .await?;
        pool.close().await;
        Ok(())
    }

    /// Puts an empty, migrated database in the place of the one that there was; nobody may live there.
    pub async fn new_database(&self) -> anyhow::Result<()> {
        let (server, place) =
            self.engines.database_url().rsplit_once('/').context("the URL names no database")?;
        let (name, options) = place.split_once('?').unwrap_or((place, ""));
        let pool = sqlx::PgPool::connect(&format!("{server}/postgres?{options}")).await?;
        for statement in [
            format!("drop database \"{name}\" with (force)"),
            format!("create database \"{name}\""),
        ] {
            sqlx::query(&statement).execute(&pool).await?;
        }
        pool.close().await;
        self.migrate()
    }

    /// Returns when something holds, which is asked again and again.
    pub async fn until(
        &self,
        what: &str,
        limit: Duration,
        holds: impl AsyncFn() -> anyhow::Result<bool>,
    ) -> anyhow::Result<()> {
        let began = Instant::now();
        while !holds().await? {
            anyhow::ensure!(began.elapsed() < limit, "never: {what}; {}", self.last_words());
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    /// Returns when every reaction has read the whole log and no job is left to do.
    pub async fn idle(&self, limit: Duration) -> anyhow::Result<()> {
        let pool = self.database().await?;
        let holds = async || Ok(sqlx::query_scalar(IDLE).fetch_one(&pool).await?);
        let idle = self.until("the workers are idle", limit, holds).await;
        pool.close().await;
        idle
    }

    /// The token in the link of the last letter to `address` about `page`, once it has come.
    pub async fn mailed(&self, address: &str, page: &str) -> anyhow::Result<String> {
        let link = |letter: &str| {
            let (_, link) = letter.split_once(&format!("/{page}#token="))?;
            link.split_whitespace().next().map(str::to_owned)
        };
        let found = self.letter(address, link).await;
        found.with_context(|| format!("no letter has a link to {page}"))
    }

    /// What is read in the last letter to `address` in which it is found, once that has come.
    pub async fn letter<T>(
        &self,
        address: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> anyhow::Result<T> {
        let began = Instant::now();
        while began.elapsed() < READY_LIMIT {
            let letters = self.mail()?;
            let to = format!("To: {address}");
            let to_them = letters.iter().filter(|letter| letter.contains(&to));
            if let Some(found) = to_them.filter_map(|letter| read(letter)).next_back() {
                return Ok(found);
            }
            tokio::time::sleep(POLL).await;
        }
        bail!("no letter to {address} came that was waited for; {}", self.last_words())
    }

    /// Every letter that came, in the order of their coming, as its text is read.
    pub fn mail(&self) -> anyhow::Result<Vec<String>> {
        let folder = self.engines.mailbox().context("the mailbox is not ours")?.join("new");
        let mut letters = Vec::new();
        for entry in std::fs::read_dir(folder).into_iter().flatten() {
            let entry = entry?;
            let text = std::fs::read_to_string(entry.path())?;
            letters
                .push((entry.metadata()?.modified()?, text.replace("=\n", "").replace("=3D", "=")));
        }
        letters.sort();
        Ok(letters.into_iter().map(|(_, text)| text).collect())
    }

    /// A file of this journey's own.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What a variable of the processes' environment is set to.
    pub fn setting(&self, name: &str) -> &str {
        let found = self.environment.iter().find(|(key, _)| key == name);
        found.map_or("", |(_, value)| value)
    }

    /// Sets a variable of the environment of processes that move in later.
    pub fn set(&mut self, name: &str, value: &str) {
        self.environment.retain(|(key, _)| key != name);
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Runs a command beside the processes, as the owner of the database.
    pub fn annals(&self, arguments: &[&str]) -> anyhow::Result<std::process::Output> {
        self.annals_with(arguments, &[])
    }

    /// Runs a command that has to succeed.
    pub fn run(&self, arguments: &[&str]) -> anyhow::Result<()> {
        let output = self.annals(arguments)?;
        let said = String::from_utf8_lossy(&output.stderr);
        anyhow::ensure!(output.status.success(), "{arguments:?}: {said}");
        Ok(())
    }

    /// Runs a command with more variables, or others, than [`Self::annals`] gives it.
    pub fn annals_with(
        &self,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> anyhow::Result<std::process::Output> {
        let mut command = Command::new(annals()?);
        command.args(arguments).envs(self.environment.iter().cloned());
        command.envs(variables.iter().copied());
        Ok(command.stdin(Stdio::null()).output()?)
    }

    /// Starts an engine again after it was killed.
    pub async fn revive(&mut self, engine: Engine) -> anyhow::Result<()> {
        self.engines.start_again(engine).await
    }

    /// Ends everything in order.
    pub async fn stop(mut self) {
        self.end_children();
        let Self { engines, .. } = &mut self;
        for engine in [Engine::Mail, Engine::Redis, Engine::Nats, Engine::Postgres] {
            let _already_gone = engines.stop_one(engine).await;
        }
    }

    fn end_children(&mut self) {
        for (_, child) in &mut self.children {
            let _already_gone = child.kill();
            let _already_gone = child.wait();
        }
        self.children.clear();
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.end_children();
    }
}

/// A reaction writes down how far it has read when there is something to do, so the events that lead to jobs count.
const IDLE: &str = "
    select not exists (select from work.jobs where state in ('queued', 'running'))
       and not exists (
         select from (values ('identity_mail', 'identity.invitation.issued'),
                             ('maintenance_usage', 'maintenance.asset.usage_recorded'),
                             ('maintenance_schedules', 'maintenance.plan.schedule_added'),
                             ('maintenance_schedules', 'maintenance.plan.schedule_revised'),
                             ('maintenance_triggers', 'scheduling.trigger.fired'),
                             ('maintenance_generation', 'maintenance.plan.occurrence_generated'),
                             ('maintenance_tasks', 'maintenance.task.completed'),
                             ('maintenance_retired', 'maintenance.asset.retired'),
                             ('scheduling_carry_out', 'scheduling.trigger.fired')) leads (reaction, event_type)
          where coalesce((select position from work.reactions r where r.name = leads.reaction), 0)
              < coalesce((select max(position) from log.events e where e.event_type = leads.event_type), 0))
       and coalesce((select position from work.reactions where name = 'webhooks_dispatch'), 0)
         = (select position from log.head)";

fn free_port() -> anyhow::Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// The binary that cargo built beside us.
pub fn annals() -> anyhow::Result<PathBuf> {
    let us = std::env::current_exe()?;
    // Tests lie one folder deeper than programs.
    let beside = us.ancestors().skip(1).take(2).map(|folder| folder.join("annals"));
    let built = beside.into_iter().find(|binary| binary.is_file());
    built.context("the program annals is not built; run `cargo build -p cli`")
}
