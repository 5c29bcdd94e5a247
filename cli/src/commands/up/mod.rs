//! `annals up`: engines, schema, all processes and a demo organisation, from nothing, with one command.

mod demo;
mod installation;
mod mailbox;
mod report;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use clap::ValueEnum;
use platform::config::Settings;
use tokio::net::TcpListener;

use super::processes::{Process, Running};
use super::ready;
use super::signals::Signals;
use crate::engines::{Engine, Engines, Options};
use crate::preflight::{self, Needs};
use installation::Installation;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Where the private engines and our files live
    #[arg(long, value_name = "DIR", default_value = ".annals")]
    data: PathBuf,
    /// The base port: commands answer on the next one, queries on the one after, the mailbox on the third
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=65_532))]
    port: Option<u16>,
    /// What to fill an empty installation with
    #[arg(long, value_enum, default_value_t = Seed::Demo)]
    seed: Seed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Seed {
    /// An organisation with an owner
    Demo,
    /// Nothing
    None,
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let began = Instant::now();
    let mut signals = Signals::listen()?;
    let given = Settings::load()?;
    let options = options(&given, &arguments);
    let engines = tokio::select! {
        engines = Engines::start(&options) => engines?,
        () = signals.end() => return Ok(ExitCode::SUCCESS),
    };
    let outcome = serve(&arguments, given, &engines, &mut signals, began).await;
    signals.unless_again(engines.stop()).await;
    outcome.map(|()| ExitCode::SUCCESS)
}

fn options(given: &Settings, arguments: &Arguments) -> Options {
    let some = |url: &String| (!url.is_empty()).then(|| url.clone());
    Options {
        folder: arguments.data.clone(),
        database_url: some(&given.database_url),
        nats_url: some(&given.nats_url),
        redis_url: some(&given.redis_url),
        smtp_url: some(&given.smtp_url),
        postgres_settings: Vec::new(),
    }
}

/// Everything between the start of the engines and their stop.
async fn serve(
    arguments: &Arguments,
    given: Settings,
    engines: &Engines,
    signals: &mut Signals,
    began: Instant,
) -> anyhow::Result<()> {
    let mut installation = Installation::open(engines.folder())?;
    let settings = Arc::new(installation.settings(given, engines, arguments.port)?);
    let mailbox = match engines.mailbox() {
        Some(folder) => Some((mailbox::listen(installation.mailbox_address()).await?, folder)),
        None => None,
    };
    tokio::select! {
        prepared = prepare(&settings) => prepared?,
        () = signals.end() => return Ok(()),
    }
    platform::telemetry::init(&settings);
    let mut running = Running::start(&Process::ALL, &settings);
    let work = async {
        both_ready(&settings).await?;
        if arguments.seed == Seed::Demo {
            demo::make(&settings, &mut installation, engines.folder()).await?;
        }
        report::print(&settings, &installation, engines, began.elapsed())?;
        std::future::pending::<anyhow::Result<()>>().await
    };
    let failure = tokio::select! {
        error = running.failed() => Some(error),
        error = engines.failed() => Some(error),
        shown = show(mailbox) => shown.err(),
        outcome = work => outcome.err(),
        () = signals.end() => None,
    };
    if failure.is_none() {
        eprintln!("Stopping; once more to stop at once");
    }
    let stopped = signals.unless_again(running.stop()).await;
    failure.map_or(stopped, Err)
}

/// Shows in the browser what the private mail server takes, where there is one.
async fn show(mailbox: Option<(TcpListener, PathBuf)>) -> anyhow::Result<()> {
    match mailbox {
        Some((listener, folder)) => mailbox::serve(listener, folder).await,
        None => std::future::pending().await,
    }
}

/// Checks the engines that were given, and brings the schema up.
async fn prepare(settings: &Settings) -> anyhow::Result<()> {
    preflight::check(settings, Needs { engines: &Engine::NEEDED, patience: Duration::ZERO })
        .await?;
    let pool = preflight::schema_pool(&settings.database_url).await?;
    let migrated = migrations::up(&pool).await.context("cannot bring the schema up");
    pool.close().await;
    migrated.map(|_| ())
}

/// Returns when both doors say that they can work.
async fn both_ready(settings: &Settings) -> anyhow::Result<()> {
    const LIMIT: Duration = Duration::from_mins(1);
    const LOOK_AGAIN: Duration = Duration::from_millis(20);
    let client = ready::client()?;
    let end = Instant::now() + LIMIT;
    for url in [&settings.command_url, &settings.query_url] {
        while let Err(error) = ready::ask(&client, url).await {
            ensure!(Instant::now() < end, "not ready after {} s: {error:#}", LIMIT.as_secs());
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
    Ok(())
}
