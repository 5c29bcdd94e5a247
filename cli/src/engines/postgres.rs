//! A private Postgres: made by initdb, durable, as user `postgres` when we are root.

use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use nix::unistd::{User, geteuid};
use sha2::{Digest as _, Sha256};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{Connection as _, Executor as _, PgConnection};

use super::folder::{Folder, Memory, cannot, make_dir};
use super::process::{Server, command};
use super::{Engine, find, write_config};

const LOGIN: &str = "annals";
const DATABASE: &str = "annals";

/// Durable first; then what a machine of any size can bear. `synchronous_commit`, `fsync` and
/// `full_page_writes` are the defaults, written out because our promises rest on them.
const SETTINGS: &[&str] = &[
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "fsync=on",
    "synchronous_commit=on",
    "full_page_writes=on",
    "max_connections=300",
    "shared_buffers=256MB",
    "wal_buffers=16MB",
    "max_wal_size=4GB",
    "min_wal_size=256MB",
    "checkpoint_timeout=15min",
    "checkpoint_completion_target=0.9",
    "max_locks_per_transaction=256",
    "random_page_cost=1.1",
    "jit=off",
    "timezone=UTC",
    "log_timezone=UTC",
    "log_line_prefix=%m [%p] %a ",
    "log_checkpoints=off",
    "log_min_messages=error", // the pool guard's ROLLBACK warns whenever nothing was open
];

/// The cluster's own folder.
pub(super) fn data(home: &Path) -> PathBuf {
    home.join("data")
}

/// In the data folder; but where `postgres` must run it and may not enter, in a private folder under
/// `/var/tmp`, which is named here once and remembered in the data folder.
pub(super) fn choose_home(folder: &Folder) -> anyhow::Result<PathBuf> {
    let Some(user) = server_user()? else { return Ok(folder.path().join("postgres")) };
    if may_enter(&user, folder.path())? {
        return Ok(folder.path().join("postgres"));
    }
    let hash = hex::encode(Sha256::digest(folder.path().as_os_str().as_encoded_bytes()));
    let base = format!("/var/tmp/annals-{}", &hash[..12]);
    // One that exists belonged to a data folder of this path that was moved or thrown away.
    let home = (1..100)
        .map(|n| if n == 1 { PathBuf::from(&base) } else { PathBuf::from(format!("{base}-{n}")) })
        .find(|path| std::fs::symlink_metadata(path).is_err())
        .context("too many folders /var/tmp/annals-*; remove those that nobody uses")?;
    tracing::info!(
        "user postgres may not enter the data folder: Postgres keeps its files in {}",
        home.display()
    );
    Ok(home)
}

/// Makes the cluster if there is none, and starts its server.
pub(super) fn start(
    memory: &Memory,
    port: u16,
    log: &Path,
    extra: &[String],
) -> anyhow::Result<Server> {
    let user = server_user()?;
    let data = data(&memory.home);
    let bin = find::postgres_bin(major(&data)).with_context(|| match major(&data) {
        Some(major) => format!(
            "{} was made by PostgreSQL {major}, which is not installed; run `apt-get install postgresql-{major}`",
            data.display()
        ),
        None => "postgres is not installed".into(),
    })?;
    make_home(&memory.home, user.as_ref())?;
    if !data.exists() {
        initialise(&bin, memory, user.as_ref())?;
    }
    let end = Engine::Postgres.end_signal();
    let mut command = command(&bin.join("postgres"), user.as_ref(), Some(end))?;
    command.arg("-D").arg(&data).args(["-c", &format!("port={port}")]);
    for setting in SETTINGS.iter().copied().chain(extra.iter().map(String::as_str)) {
        command.args(["-c", setting]);
    }
    Server::start("postgres", command, end, &data, log)
}

/// Asks for an answer to a query; the URL of our database, made if it is missing.
pub(super) async fn look(memory: &Memory, port: u16) -> anyhow::Result<String> {
    let options = PgConnectOptions::new_without_pgpass()
        .host("127.0.0.1")
        .port(port)
        .username(LOGIN)
        .password(&memory.password)
        .ssl_mode(PgSslMode::Disable)
        .database("postgres");
    let mut connection = PgConnection::connect_with(&options).await?;
    let exists: bool =
        sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
            .bind(DATABASE)
            .fetch_one(&mut connection)
            .await?;
    if !exists {
        connection.execute(format!("create database {DATABASE}").as_str()).await?;
    }
    connection.close().await?;
    Ok(format!(
        "postgres://{LOGIN}:{}@127.0.0.1:{port}/{DATABASE}?sslmode=disable",
        memory.password
    ))
}

/// The user that the server must run as: it refuses to run as root.
fn server_user() -> anyhow::Result<Option<User>> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    let user = User::from_name("postgres").context("cannot look up user postgres")?;
    user.map(Some).context(
        "Postgres refuses to run as root and there is no user postgres; run `apt-get install postgresql`, \
         or start annals as an ordinary user",
    )
}

fn may_enter(user: &User, folder: &Path) -> anyhow::Result<bool> {
    let mut test = command(Path::new("/usr/bin/test"), Some(user), None)?;
    Ok(test.arg("-x").arg(folder).current_dir("/").status().context("cannot run test")?.success())
}

fn make_home(home: &Path, user: Option<&User>) -> anyhow::Result<()> {
    make_dir(home, 0o700)?;
    let Some(user) = user else { return Ok(()) };
    // Below /var/tmp anybody could have put something in our way.
    let meta = std::fs::symlink_metadata(home).with_context(|| cannot("find", home))?;
    anyhow::ensure!(
        meta.is_dir() && (meta.uid() == 0 || meta.uid() == user.uid.as_raw()),
        "{} belongs to somebody else; remove it",
        home.display()
    );
    chown(home, Some(user.uid.as_raw()), Some(user.gid.as_raw()))
        .with_context(|| cannot("give to user postgres:", home))
}

/// Makes the cluster beside its place and moves it there when it is whole.
fn initialise(bin: &Path, memory: &Memory, user: Option<&User>) -> anyhow::Result<()> {
    let fresh = memory.home.join("data.new");
    if fresh.exists() {
        std::fs::remove_dir_all(&fresh).with_context(|| cannot("remove", &fresh))?;
    }
    let password = memory.home.join("password");
    write_config(&password, &memory.password)?;
    if let Some(user) = user {
        chown(&password, Some(user.uid.as_raw()), Some(user.gid.as_raw()))
            .with_context(|| cannot("give to user postgres:", &password))?;
    }
    let mut initdb = command(&bin.join("initdb"), user, None)?;
    initdb.arg("-D").arg(&fresh).arg("--pwfile").arg(&password).current_dir(&memory.home).args([
        "--username",
        LOGIN,
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale=C.UTF-8",
        "--data-checksums",
    ]);
    let done = run_quietly(initdb).context("initdb failed");
    let _ = std::fs::remove_file(&password);
    done?;
    std::fs::rename(&fresh, data(&memory.home)).with_context(|| cannot("move", &fresh))
}

fn run_quietly(mut command: Command) -> anyhow::Result<()> {
    let output = command.output().context("cannot run it")?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    let last =
        stderr.lines().rfind(|line| line.contains("error")).or_else(|| stderr.lines().last());
    anyhow::ensure!(output.status.success(), "{}", last.unwrap_or("no reason given").trim());
    Ok(())
}

/// The major version that made the cluster.
fn major(data: &Path) -> Option<u32> {
    std::fs::read_to_string(data.join("PG_VERSION")).ok()?.trim().parse().ok()
}
