//! The command line: what `annals` can be told, and how it answers when it cannot.

mod audit;
mod backup;
mod bar;
mod client;
mod completions;
mod dlq;
mod engines;
mod events;
mod export;
mod files;
mod follow;
mod import;
mod jobs;
mod keys;
mod manner;
mod migrate;
mod processes;
mod projections;
mod ready;
mod schedules;
mod serve;
mod signals;
mod table;
mod up;
mod verify;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Annals: one ordered, provable log of what an organisation decided.
#[derive(Debug, Parser)]
#[command(name = "annals", version, disable_help_subcommand = true)]
pub struct Annals {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start everything from nothing: engines, schema, processes, a demo organisation
    Up(up::Arguments),
    /// Run one process, or all, on the engines that the settings name
    Serve(serve::Arguments),
    /// Bring the schema of `DATABASE_URL` up, down, or tell where it is
    Migrate(migrate::Arguments),
    /// Ask whether the doors at these addresses can work
    Ready(ready::Arguments),
    /// Run a command beside fresh engines that vanish with it
    Engines(engines::Arguments),
    /// Ask for a file of a dataset, wait for it, fetch it
    Export(export::Arguments),
    /// Send, fetch and link files
    Files(files::Arguments),
    /// Bring an access matrix into an organisation
    Import(import::Arguments),
    /// The organisation's history as it stands in the log
    Events(events::Arguments),
    /// Signed checkpoints of the history, and what an auditor takes home
    Audit(audit::Arguments),
    /// Recompute the chain of a replay, offline, and name the first altered event
    Verify(verify::Arguments),
    /// How read models stand, and what is held back
    Projections(projections::Arguments),
    /// Build one read model anew beside its present rows, and switch
    Rebuild(projections::Rebuild),
    /// Fold every read model once more from the log, and compare
    Prove(projections::Prove),
    /// Background work of every kind
    Jobs(jobs::Arguments),
    /// Jobs that were given up
    Dlq(dlq::Arguments),
    /// What happens when its time has come, and when that is next
    Schedules(schedules::Arguments),
    /// The keys that sign access tokens
    Keys(keys::Arguments),
    /// Make, list, verify and restore backups
    Backup(backup::Arguments),
    /// A script that completes these commands in a shell
    Completions(completions::Arguments),
}

/// Reads the command line, does it, and says in one line what went wrong.
pub fn main() -> ExitCode {
    let annals = Annals::parse();
    match run(annals.command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("annals: {}", in_one_line(&error));
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    // Two TLS backends may be compiled in; without this, rustls cannot choose.
    let _already_chosen = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if let Command::Serve(arguments) = &command
        && let Some(threads) = arguments.threads()
    {
        runtime.worker_threads(threads);
    }
    let runtime = runtime.enable_all().build()?;
    let code = runtime.block_on(async {
        match command {
            Command::Up(arguments) => up::run(arguments).await,
            Command::Serve(arguments) => serve::run(arguments).await,
            Command::Migrate(arguments) => migrate::run(arguments).await,
            Command::Ready(arguments) => ready::run(arguments).await,
            Command::Engines(arguments) => engines::run(arguments).await,
            Command::Export(arguments) => export::run(arguments).await,
            Command::Files(arguments) => files::run(arguments).await,
            Command::Import(arguments) => import::run(arguments).await,
            Command::Events(arguments) => events::run(arguments).await,
            Command::Audit(arguments) => audit::run(arguments).await,
            Command::Verify(arguments) => verify::run(&arguments),
            Command::Projections(arguments) => projections::run(arguments).await,
            Command::Rebuild(arguments) => projections::rebuild(arguments).await,
            Command::Prove(arguments) => projections::prove(arguments).await,
            Command::Jobs(arguments) => jobs::run(arguments).await,
            Command::Dlq(arguments) => dlq::run(arguments).await,
            Command::Schedules(arguments) => schedules::run(arguments).await,
            Command::Keys(arguments) => keys::run(arguments).await,
            Command::Backup(arguments) => backup::run(arguments).await,
            Command::Completions(arguments) => completions::run(&arguments),
        }
    });
    // A blocking call that does not return must not keep us from ending.
    runtime.shutdown_background();
    code
}

fn in_one_line(error: &anyhow::Error) -> String {
    format!("{error:#}").split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory as _;
        Annals::command().debug_assert();
    }

    #[test]
    fn an_error_with_causes_is_one_line() {
        let error = anyhow::anyhow!("lost\nconnection").context("cannot migrate");
        assert_eq!(in_one_line(&error), "cannot migrate: lost connection");
    }
}
