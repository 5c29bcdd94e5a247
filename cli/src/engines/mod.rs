//! The engines we stand on, Postgres, NATS and Redis, and a mailbox for development: private ones in a data folder, or the ones given.

mod find;
mod folder;
mod mail;
mod nats;
mod ports;
mod postgres;
mod process;
mod redis;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;

pub use find::OLDEST_POSTGRES;
pub use folder::{Folder, random_password};
pub use ports::{Reserved, is_free, pick, reserve};

use folder::Memory;
use process::Server;

/// One of the four.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// Holds the log: the only truth.
    Postgres,
    /// Wakes and fans out.
    Nats,
    /// Caches.
    Redis,
    /// Takes e-mail; a private one keeps it in a folder and passes nothing on.
    Mail,
}

impl Engine {
    /// Every engine, in starting order.
    pub const ALL: [Self; 4] = [Self::Postgres, Self::Nats, Self::Redis, Self::Mail];

    /// Those that the processes cannot start without; e-mail waits for its server.
    pub const NEEDED: [Self; 3] = [Self::Postgres, Self::Nats, Self::Redis];

    /// Its name in file names.
    pub fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Nats => "nats",
            Self::Redis => "redis",
            Self::Mail => "mail",
        }
    }

    fn program(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Nats => "nats-server",
            Self::Redis => "redis-server",
            Self::Mail => "aiosmtpd",
        }
    }

    /// Debian's package of it.
    pub fn package(self) -> &'static str {
        match self {
            Self::Postgres => "postgresql",
            Self::Nats => "nats-server",
            Self::Redis => "redis-server",
            Self::Mail => "python3-aiosmtpd",
        }
    }

    /// The variable that names one of yours.
    pub fn variable(self) -> &'static str {
        match self {
            Self::Postgres => "DATABASE_URL",
            Self::Nats => "NATS_URL",
            Self::Redis => "REDIS_URL",
            Self::Mail => "SMTP_URL",
        }
    }
}

/// Which engines to start, and where.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The data folder.
    pub folder: PathBuf,
    /// A Postgres to use instead of a private one.
    pub database_url: Option<String>,
    /// A NATS to use instead of a private one.
    pub nats_url: Option<String>,
    /// A Redis to use instead of a private one.
    pub redis_url: Option<String>,
    /// A mail server to use instead of a private one.
    pub smtp_url: Option<String>,
    /// Further settings of the private Postgres, as `name=value`.
    pub postgres_settings: Vec<String>,
}

impl Options {
    /// Private engines in this folder.
    pub fn private(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), ..Self::default() }
    }

    fn given(&self, engine: Engine) -> Option<&String> {
        match engine {
            Engine::Postgres => self.database_url.as_ref(),
            Engine::Nats => self.nats_url.as_ref(),
            Engine::Redis => self.redis_url.as_ref(),
            Engine::Mail => self.smtp_url.as_ref(),
        }
    }
}

/// Running engines; when this is dropped, the private ones end.
#[derive(Debug)]
pub struct Engines {
    postgres: Place,
    nats: Place,
    redis: Place,
    mail: Place,
    options: Options,
    // The last field: the folder is let go when the engines are told to end.
    folder: Folder,
}

/// Where one engine is.
#[derive(Debug)]
enum Place {
    Given(String),
    Private { memory: Memory, server: Option<Server>, url: String },
}

impl Engines {
    /// Starts what is not given, and returns when all of it answers.
    pub async fn start(options: &Options) -> anyhow::Result<Self> {
        let wanted: Vec<Engine> =
            Engine::ALL.into_iter().filter(|engine| options.given(*engine).is_none()).collect();
        find::require(&wanted)?;
        let folder = Folder::open(&options.folder)?;
        let (postgres, nats, redis, mail) = tokio::join!(
            place(&folder, options, Engine::Postgres),
            place(&folder, options, Engine::Nats),
            place(&folder, options, Engine::Redis),
            place(&folder, options, Engine::Mail),
        );
        match (postgres, nats, redis, mail) {
            (Ok(postgres), Ok(nats), Ok(redis), Ok(mail)) => {
                Ok(Self { postgres, nats, redis, mail, options: options.clone(), folder })
            }
            (postgres, nats, redis, mail) => {
                let mut first = None;
                for place in [postgres, nats, redis, mail] {
                    match place {
                        Ok(place) => place.stop().await,
                        Err(error) => first = first.or(Some(error)),
                    }
                }
                Err(first.unwrap_or_else(|| anyhow::anyhow!("the engines did not start")))
            }
        }
    }

    /// The data folder.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Where Postgres is.
    pub fn database_url(&self) -> &str {
        self.postgres.url()
    }

    /// Where NATS is.
    pub fn nats_url(&self) -> &str {
        self.nats.url()
    }

    /// Where Redis is.
    pub fn redis_url(&self) -> &str {
        self.redis.url()
    }

    /// Where e-mail is taken.
    pub fn smtp_url(&self) -> &str {
        self.mail.url()
    }

    /// The folder (a Maildir) of what a private mail server took.
    pub fn mailbox(&self) -> Option<PathBuf> {
        match &self.mail {
            Place::Private { memory, .. } => Some(mail::mailbox(&memory.home)),
            Place::Given(_) => None,
        }
    }

    /// The four as environment variables.
    pub fn environment(&self) -> [(&'static str, &str); 4] {
        Engine::ALL.map(|engine| (engine.variable(), self.place(engine).url()))
    }

    /// The engines that we started ourselves.
    pub fn private(&self) -> Vec<Engine> {
        let is_private = |engine: &Engine| matches!(self.place(*engine), Place::Private { .. });
        Engine::ALL.into_iter().filter(is_private).collect()
    }

    /// Returns when a private engine has ended by itself, with its last words.
    pub async fn failed(&self) -> anyhow::Error {
        let watch = |engine: Engine| async move {
            match self.place(engine) {
                Place::Private { server: Some(server), .. } => {
                    server.ended().await;
                    anyhow::anyhow!("{} ended by itself: {}", engine.program(), server.last_words())
                }
                Place::Private { server: None, .. } | Place::Given(_) => {
                    std::future::pending().await
                }
            }
        };
        tokio::select! {
            error = watch(Engine::Postgres) => error,
            error = watch(Engine::Nats) => error,
            error = watch(Engine::Redis) => error,
            error = watch(Engine::Mail) => error,
        }
    }

    /// Stops all private engines, Postgres last and in order: the next start needs no recovery.
    pub async fn stop(self) {
        tokio::join!(self.nats.stop(), self.redis.stop(), self.mail.stop());
        self.postgres.stop().await;
    }

    /// Ends one private engine as a power cut would; it keeps its port for the next start.
    pub async fn kill(&mut self, engine: Engine) -> anyhow::Result<()> {
        if let Some(server) = self.server(engine)?.take() {
            server.kill().await;
        }
        Ok(())
    }

    /// Ends one private engine politely; it keeps its port for the next start.
    pub async fn stop_one(&mut self, engine: Engine) -> anyhow::Result<()> {
        if let Some(server) = self.server(engine)?.take() {
            server.stop(PATIENCE).await;
        }
        Ok(())
    }

    /// Starts one private engine again, where it was.
    pub async fn start_again(&mut self, engine: Engine) -> anyhow::Result<()> {
        if self.server(engine)?.as_ref().is_some_and(Server::is_running) {
            return Ok(());
        }
        let fresh = place(&self.folder, &self.options, engine).await?;
        anyhow::ensure!(
            fresh.url() == self.place(engine).url(),
            "the port of {} was taken",
            engine.name()
        );
        *self.place_mut(engine) = fresh;
        Ok(())
    }

    /// Stops NATS, throws its store away, and starts it empty.
    pub async fn wipe_nats(&mut self) -> anyhow::Result<()> {
        self.stop_one(Engine::Nats).await?;
        if let Place::Private { memory, .. } = &self.nats {
            nats::wipe(&memory.home)?;
        }
        self.start_again(Engine::Nats).await
    }

    /// Stops Redis and starts it again: it keeps nothing on disk.
    pub async fn wipe_redis(&mut self) -> anyhow::Result<()> {
        self.kill(Engine::Redis).await?;
        self.start_again(Engine::Redis).await
    }

    fn place(&self, engine: Engine) -> &Place {
        match engine {
            Engine::Postgres => &self.postgres,
            Engine::Nats => &self.nats,
            Engine::Redis => &self.redis,
            Engine::Mail => &self.mail,
        }
    }

    fn place_mut(&mut self, engine: Engine) -> &mut Place {
        match engine {
            Engine::Postgres => &mut self.postgres,
            Engine::Nats => &mut self.nats,
            Engine::Redis => &mut self.redis,
            Engine::Mail => &mut self.mail,
        }
    }

    fn server(&mut self, engine: Engine) -> anyhow::Result<&mut Option<Server>> {
        match self.place_mut(engine) {
            Place::Private { server, .. } => Ok(server),
            Place::Given(_) => anyhow::bail!("{} is not ours to stop or start", engine.name()),
        }
    }
}

impl Place {
    fn url(&self) -> &str {
        match self {
            Self::Given(url) | Self::Private { url, .. } => url,
        }
    }

    async fn stop(&self) {
        if let Self::Private { server: Some(server), .. } = self {
            server.stop(PATIENCE).await;
        }
    }
}

/// How long an engine may take to end politely.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long an engine may take until it answers; Postgres may have to recover first.
const START_LIMIT: Duration = Duration::from_mins(2);
/// Pause between two looks whether it answers.
const LOOK_AGAIN: Duration = Duration::from_millis(15);
/// A port may be snatched between our look and the engine's bind.
const PORT_TRIES: usize = 5;

async fn place(folder: &Folder, options: &Options, engine: Engine) -> anyhow::Result<Place> {
    if let Some(url) = options.given(engine) {
        return Ok(Place::Given(url.clone()));
    }
    let mut memory = folder.recall(engine)?;
    if memory.home.as_os_str().is_empty() {
        memory.home = match engine {
            Engine::Postgres => postgres::choose_home(folder)?,
            Engine::Nats | Engine::Redis | Engine::Mail => folder.path().join(engine.name()),
        };
        folder.remember(engine, &memory)?;
    }
    end_leftover(engine, &memory).await;
    for _ in 0..PORT_TRIES {
        let port = match memory.port {
            Some(port) if ports::is_free(port) => port,
            Some(_) | None => ports::pick()?,
        };
        memory.port = Some(port);
        folder.remember(engine, &memory)?;
        let log = folder.path().join(format!("{}.log", engine.name()));
        let server = match engine {
            Engine::Postgres => postgres::start(&memory, port, &log, &options.postgres_settings)?,
            Engine::Nats => nats::start(&memory, port, &log)?,
            Engine::Redis => redis::start(&memory, port, &log)?,
            Engine::Mail => mail::start(&memory, port, &log)?,
        };
        memory.pid = Some(server.pid.as_raw());
        folder.remember(engine, &memory)?;
        match answers(engine, &memory, port, &server).await {
            Ok(url) => return Ok(Place::Private { memory, server: Some(server), url }),
            Err(_) if !server.is_running() && !ports::is_free(port) => {} // snatched
            Err(error) => {
                server.stop(PATIENCE).await;
                return Err(error);
            }
        }
    }
    anyhow::bail!("no port stays free for {}; end some of the programs that listen", engine.name())
}

/// Waits until the engine truly answers; fails when it ends, or after the limit.
async fn answers(
    engine: Engine,
    memory: &Memory,
    port: u16,
    server: &Server,
) -> anyhow::Result<String> {
    let looking = async {
        loop {
            let look = match engine {
                Engine::Postgres => postgres::look(memory, port).await,
                Engine::Nats => nats::look(memory, port).await,
                Engine::Redis => redis::look(memory, port).await,
                Engine::Mail => mail::look(port).await,
            };
            if let Ok(url) = look {
                return url;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    tokio::select! {
        url = looking => Ok(url),
        () = server.ended() => {
            Err(anyhow::anyhow!("{} did not start: {}", engine.program(), server.last_words()))
        }
        () = tokio::time::sleep(START_LIMIT) => Err(anyhow::anyhow!(
            "{} does not answer after {} s: {}",
            engine.program(), START_LIMIT.as_secs(), server.last_words()
        )),
    }
}

/// Ends the engine of an earlier start that outlived its parent, so that its files are free.
async fn end_leftover(engine: Engine, memory: &Memory) {
    let Some(pid) = memory.pid.map(nix::unistd::Pid::from_raw) else { return };
    let folder = working_folder(engine, &memory.home);
    let ours = || process::runs_in(pid, &folder);
    if !ours() {
        return;
    }
    let (polite, force) = (engine.end_signal(), nix::sys::signal::Signal::SIGKILL);
    for (signal, patience) in [(polite, PATIENCE), (force, Duration::from_secs(10))] {
        let _ = nix::sys::signal::kill(pid, signal);
        let gone = async {
            while ours() {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        if tokio::time::timeout(patience, gone).await.is_ok() {
            return;
        }
    }
}

fn working_folder(engine: Engine, home: &Path) -> PathBuf {
    match engine {
        Engine::Postgres => postgres::data(home),
        Engine::Nats | Engine::Redis | Engine::Mail => home.to_path_buf(),
    }
}

impl Engine {
    fn end_signal(self) -> nix::sys::signal::Signal {
        match self {
            Self::Postgres => nix::sys::signal::Signal::SIGINT, // "fast": sessions are ended, data flushed
            Self::Nats | Self::Redis | Self::Mail => nix::sys::signal::Signal::SIGTERM,
        }
    }
}

/// Writes a configuration file that only we may read.
fn write_config(path: &Path, text: &str) -> anyhow::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = std::fs::OpenOptions::new();
    options.create(true).truncate(true).write(true).mode(0o600);
    let mut file = options.open(path).with_context(|| folder::cannot("write", path))?;
    file.write_all(text.as_bytes()).with_context(|| folder::cannot("write", path))
}
