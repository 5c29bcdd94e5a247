//! Measures Annals on one machine, in rounds that alternate with a baseline, and says how it stands to its aims.

mod bed;
mod http;
mod library;
mod load;
mod pgbench;
mod probe;
mod report;
mod samples;
mod scenarios;
mod subscribers;

use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

/// Bounds, so that no mistyped number keeps a machine busy for a day.
const MAX_ROUNDS: u64 = 50;
const MAX_SECONDS: u64 = 120;

#[derive(Debug, Parser)]
#[command(name = "bench", disable_help_subcommand = true)]
struct Bench {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measure
    Run {
        /// What; everything when none is named
        #[arg(value_enum)]
        scenarios: Vec<Scenario>,
        #[command(flatten)]
        effort: Effort,
    },
    /// Send requests as a plan on standard input says, and answer with a tally
    #[command(hide = true)]
    Load,
    /// Serve the same command on cqrs-es and postgres-es
    #[command(hide = true)]
    Library(library::Arguments),
    /// Send commands at a steady rate and look for them
    #[command(hide = true)]
    Probe,
    /// Be many subscribers
    #[command(hide = true)]
    Subscribers,
    /// Write a spreadsheet
    #[command(hide = true)]
    Render(scenarios::export::Arguments),
}

/// How much to measure.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Effort {
    /// Rounds; each contestant runs once in each
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=MAX_ROUNDS))]
    rounds: u64,
    /// Seconds of each measurement
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=MAX_SECONDS))]
    seconds: u64,
    /// One short round, to see that it works
    #[arg(long)]
    quick: bool,
}

impl Effort {
    /// With `quick` taken into account.
    fn settled(self) -> Self {
        if self.quick { Self { rounds: 1, seconds: 1, ..self } } else { self }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Scenario {
    /// Commands over HTTP, beside pgbench and beside cqrs-es with postgres-es
    Commands,
    /// The log's writer without HTTP, beside pgbench
    Store,
    /// From a command's acceptance to a query that shows it
    Visible,
    /// Events into read models, from the log and from the bus
    Projections,
    /// A long history into read models built anew, and out as NDJSON
    Rebuild,
    /// Queries beside pgbench, and permission checks
    Queries,
    /// Checks and assignments under a policy of 10,000 roles, beside one of 20
    Access,
    /// An access matrix of 10,000 users and 6,000 sets of permissions, brought in and compared
    Import,
    /// Events to a thousand subscribers
    Fanout,
    /// A spreadsheet of a million rows
    Export,
    /// Resident memory of each process
    Memory,
}

/// Reads the command line, does it, and says in one line what went wrong.
pub fn main() -> ExitCode {
    let bench = Bench::parse();
    match run(bench.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    let _already_chosen = rustls::crypto::aws_lc_rs::default_provider().install_default();
    // The load shares two cores with what it measures: one thread keeps it from taking both.
    let runtime = match command {
        Command::Load | Command::Probe | Command::Subscribers => {
            tokio::runtime::Builder::new_current_thread().enable_all().build()?
        }
        Command::Run { .. } | Command::Library(_) | Command::Render(_) => {
            tokio::runtime::Builder::new_multi_thread().enable_all().build()?
        }
    };
    runtime.block_on(async {
        match command {
            Command::Run { scenarios, effort } => measure(&scenarios, &effort.settled()).await,
            Command::Load => load::run().await,
            Command::Library(arguments) => library::run(arguments).await,
            Command::Probe => probe::run().await,
            Command::Subscribers => subscribers::run().await,
            Command::Render(arguments) => scenarios::export::render(&arguments),
        }
    })
}

async fn measure(chosen: &[Scenario], effort: &Effort) -> anyhow::Result<()> {
    let all = Scenario::value_variants();
    for scenario in if chosen.is_empty() { all } else { chosen } {
        let report = match scenario {
            Scenario::Commands => scenarios::commands::run(effort).await?,
            Scenario::Store => scenarios::store::run(effort).await?,
            Scenario::Visible => scenarios::visible::run(effort).await?,
            Scenario::Projections => scenarios::projections::run(effort).await?,
            Scenario::Rebuild => scenarios::rebuild::run(effort).await?,
            Scenario::Queries => scenarios::queries::run(effort).await?,
            Scenario::Access => scenarios::access::run(effort).await?,
            Scenario::Import => scenarios::import::run(effort).await?,
            Scenario::Fanout => scenarios::fanout::run(effort).await?,
            Scenario::Export => scenarios::export::run(effort).await?,
            Scenario::Memory => scenarios::memory::run(effort).await?,
        };
        report.print();
        report.write()?;
    }
    Ok(())
}
