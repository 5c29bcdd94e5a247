//! The five processes, run inside this one.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::ValueEnum;
use platform::config::Settings;
use platform::db::Role;
use platform::lifecycle::Shutdown;
use tokio::task::JoinSet;

use crate::engines::Engine;

/// How long all of them together may take to end; below the 30 s that supervisors usually grant.
const STOP_LIMIT: Duration = Duration::from_secs(25);

/// How long those who take commands wait for the last of those who post them.
const POSTING_LIMIT: Duration = Duration::from_secs(5);

/// One of the five.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Process {
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
}

impl Process {
    pub(super) const ALL: [Self; 5] =
        [Self::CommandApi, Self::Relay, Self::Projectors, Self::QueryApi, Self::Workers];

    fn name(self) -> &'static str {
        match self {
            Self::CommandApi => "command-api",
            Self::Relay => "relay",
            Self::Projectors => "projectors",
            Self::QueryApi => "query-api",
            Self::Workers => "workers",
        }
    }

    /// The engines without which it cannot start. Projections and queries do without the bus: it only wakes them.
    pub(super) fn needs(self) -> &'static [Engine] {
        match self {
            Self::CommandApi | Self::Projectors | Self::QueryApi => &[Engine::Postgres],
            Self::Relay | Self::Workers => &[Engine::Postgres, Engine::Nats],
        }
    }

    /// What it works as in Postgres; its own role first.
    pub(super) fn roles(self) -> &'static [Role] {
        match self {
            Self::CommandApi => &[Role::CommandApi],
            Self::Relay => &[Role::Relay],
            Self::Projectors => &[Role::Projectors],
            Self::QueryApi => &[Role::QueryApi],
            Self::Workers => &[Role::Workers, Role::Notary],
        }
    }

    /// Whether it posts commands, the last of them when it ends.
    fn posts(self) -> bool {
        match self {
            Self::QueryApi | Self::Workers => true,
            Self::CommandApi | Self::Relay | Self::Projectors => false,
        }
    }

    async fn run(self, settings: Arc<Settings>, shutdown: Shutdown) -> anyhow::Result<()> {
        match self {
            Self::CommandApi => command_api::run(settings, shutdown).await,
            Self::Relay => relay::run(settings, shutdown).await,
            Self::Projectors => projectors::run(settings, shutdown).await,
            Self::QueryApi => query_api::run(settings, shutdown).await,
            Self::Workers => workers::run(settings, shutdown).await,
        }
    }
}

/// Processes at work.
#[derive(Debug)]
pub(super) struct Running {
    /// Those who have commands to post when they end, such as what was read lately.
    posting: Group,
    /// Those who take them, and so end last.
    others: Group,
}

#[derive(Debug)]
struct Group {
    tasks: JoinSet<(Process, anyhow::Result<()>)>,
    shutdown: Shutdown,
}

impl Group {
    fn start(processes: impl IntoIterator<Item = Process>, settings: &Arc<Settings>) -> Self {
        let (shutdown, mut tasks) = (Shutdown::new(), JoinSet::new());
        for process in processes {
            let run = process.run(Arc::clone(settings), shutdown.clone());
            tasks.spawn(async move { (process, run.await) });
        }
        Self { tasks, shutdown }
    }

    /// The next that ends; while there is none, nothing.
    async fn next(&mut self) -> anyhow::Result<Process> {
        match self.tasks.join_next().await {
            Some(ended) => outcome(ended),
            None => std::future::pending().await,
        }
    }

    /// Ends them all; the first failure on the way.
    async fn stop(&mut self) -> anyhow::Result<()> {
        self.shutdown.begin();
        let mut first = Ok(());
        while let Some(ended) = self.tasks.join_next().await {
            first = first.and(outcome(ended).map(drop));
        }
        first
    }
}

impl Running {
    pub(super) fn start(processes: &[Process], settings: &Arc<Settings>) -> Self {
        let (posting, others): (Vec<_>, Vec<_>) =
            processes.iter().partition(|process| process.posts());
        Self { posting: Group::start(posting, settings), others: Group::start(others, settings) }
    }

    /// Returns when one has ended though nobody asked it to.
    pub(super) async fn failed(&mut self) -> anyhow::Error {
        let ended = tokio::select! {
            ended = self.posting.next() => ended,
            ended = self.others.next() => ended,
        };
        match ended {
            Ok(process) => anyhow::anyhow!("{} ended by itself", process.name()),
            Err(error) => error,
        }
    }

    /// Ends them all; the first failure on the way.
    pub(super) async fn stop(mut self) -> anyhow::Result<()> {
        let ending = async {
            let posted = tokio::time::timeout(POSTING_LIMIT, self.posting.stop()).await;
            let others = self.others.stop().await;
            let late = self.posting.stop().await;
            posted.unwrap_or(Ok(())).and(others).and(late)
        };
        let ended = tokio::time::timeout(STOP_LIMIT, ending).await;
        ensure!(ended.is_ok(), "not everything ended within {} s", STOP_LIMIT.as_secs());
        ended?
    }
}

fn outcome(
    ended: Result<(Process, anyhow::Result<()>), tokio::task::JoinError>,
) -> anyhow::Result<Process> {
    let (process, result) = ended.context("a process panicked")?;
    result.with_context(|| format!("{} failed", process.name()))?;
    Ok(process)
}
