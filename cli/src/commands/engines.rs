//! `annals engines -- CMD`: a command beside fresh engines, as the tests need it.

use std::ffi::OsString;
use std::process::{ExitCode, ExitStatus};

use anyhow::Context as _;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::Child;
use tokio::signal::unix::{SignalKind, signal};

use crate::engines::{Engines, Options};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A setting of the fresh Postgres, as name=value; may be repeated
    #[arg(long = "postgres", value_name = "NAME=VALUE")]
    postgres_settings: Vec<String>,
    /// The command; it gets `DATABASE_URL`, `NATS_URL`, `REDIS_URL` and `SMTP_URL`
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<OsString>,
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let folder = tempfile::Builder::new()
        .prefix("annals-engines-")
        .tempdir()
        .context("cannot make a temporary folder")?;
    let options = Options {
        postgres_settings: arguments.postgres_settings,
        ..Options::private(folder.path().join("data"))
    };
    open_to_others(folder.path())?;
    let engines = Engines::start(&options).await?;
    let outcome = beside(&engines, &arguments.command).await;
    engines.stop().await;
    outcome
}

/// Temporary folders are closed to others, but user `postgres` must pass.
fn open_to_others(folder: &std::path::Path) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::Permissions::from_mode(0o711);
    std::fs::set_permissions(folder, mode).context("cannot open the temporary folder")
}

async fn beside(engines: &Engines, command: &[OsString]) -> anyhow::Result<ExitCode> {
    let (program, arguments) = command.split_first().context("no command given")?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut child = tokio::process::Command::new(program)
        .args(arguments)
        .envs(engines.environment())
        .spawn()
        .with_context(|| format!("cannot run {}", program.display()))?;
    loop {
        tokio::select! {
            status = child.wait() => return Ok(code(status.context("cannot wait")?)),
            error = engines.failed() => {
                pass_on(&child, Signal::SIGTERM);
                let _ = child.wait().await;
                return Err(error);
            }
            // The terminal sent it to the command as well: it decides.
            _ = interrupt.recv() => {}
            _ = terminate.recv() => pass_on(&child, Signal::SIGTERM),
        }
    }
}

fn pass_on(child: &Child, signal: Signal) {
    if let Some(pid) = child.id().and_then(|pid| i32::try_from(pid).ok()) {
        let _ = kill(Pid::from_raw(pid), signal);
    }
}

/// The command's own code; for one ended by a signal what a shell would say.
fn code(status: ExitStatus) -> ExitCode {
    use std::os::unix::process::ExitStatusExt as _;
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}
