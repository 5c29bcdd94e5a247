//! `annals serve`: one process, or all of them, on the engines that the settings name.

use std::num::NonZero;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum;
use platform::config::Settings;

use super::processes::{Process, Running};
use super::signals::Signals;
use crate::engines::Engine;
use crate::preflight::{self, Needs};

/// How long engines may be on their way up: services are started in any order.
const PATIENCE: Duration = Duration::from_secs(10);

/// The runtime's own way of being told.
const THREADS: &str = "TOKIO_WORKER_THREADS";

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Which one
    #[arg(value_enum)]
    which: Which,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Which {
    /// Commands in, events out
    CommandApi,
    /// From the log to the bus
    Relay,
    /// Events in, read models out
    Projectors,
    /// Questions, streams
    QueryApi,
    /// Files, messages, backups
    Workers,
    /// All five in one
    All,
}

impl Arguments {
    /// How many threads the process works with, where it is not one per core.
    pub(super) fn threads(&self) -> Option<usize> {
        match self.which {
            // Its commands end at one connection to Postgres. A core that it leaves alone is worth more there than the wake-ups
            // between its own threads, which are half of its time under load; docs/performance.md.
            Which::CommandApi if std::env::var_os(THREADS).is_none() => {
                let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
                Some(cores.saturating_sub(1).max(1))
            }
            Which::CommandApi
            | Which::Relay
            | Which::Projectors
            | Which::QueryApi
            | Which::Workers
            | Which::All => None,
        }
    }
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::listen()?;
    let settings = Arc::new(Settings::load()?);
    let (processes, engines) = chosen(arguments.which);
    tokio::select! {
        checked = check(&settings, &processes, engines) => checked?,
        () = signals.end() => return Ok(ExitCode::SUCCESS),
    }
    platform::telemetry::init(&settings);
    let mut running = Running::start(&processes, &settings);
    let failure = tokio::select! {
        error = running.failed() => Some(error),
        () = signals.end() => None,
    };
    let stopped = signals.unless_again(running.stop()).await;
    failure.map_or(stopped, Err)?;
    Ok(ExitCode::SUCCESS)
}

async fn check(
    settings: &Settings,
    processes: &[Process],
    engines: &'static [Engine],
) -> anyhow::Result<()> {
    preflight::check(settings, Needs { engines, patience: PATIENCE }).await?;
    let pool = preflight::schema_pool(&settings.database_url).await?;
    let roles: Vec<_> = processes.iter().flat_map(|process| process.roles()).copied().collect();
    let outcome = async {
        preflight::check_schema(&pool).await?;
        preflight::check_roles(&pool, &roles).await
    };
    let outcome = outcome.await;
    pool.close().await;
    outcome
}

fn chosen(which: Which) -> (Vec<Process>, &'static [Engine]) {
    let process = match which {
        Which::All => return (Process::ALL.to_vec(), &Engine::NEEDED),
        Which::CommandApi => Process::CommandApi,
        Which::Relay => Process::Relay,
        Which::Projectors => Process::Projectors,
        Which::QueryApi => Process::QueryApi,
        Which::Workers => Process::Workers,
    };
    (vec![process], process.needs())
}
