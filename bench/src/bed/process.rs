//! Child processes that serve HTTP: started, awaited, looked at, ended.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{Child, Command};
use tokio::time::Instant;

use super::machine::{peak_kib, processor_seconds, resident_kib};
use crate::http;
use crate::samples::float;

const READY_LIMIT: Duration = Duration::from_secs(30);
const READY_PAUSE: Duration = Duration::from_millis(50);
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// A process that we started; it ends with us.
pub(crate) struct Process {
    name: &'static str,
    child: Child,
}

/// Resident memory in KiB.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Resident {
    now_kib: u64,
    peak_kib: u64,
}

impl Resident {
    pub(crate) fn now_mib(self) -> f64 {
        float(self.now_kib) / 1024.0
    }

    pub(crate) fn peak_mib(self) -> f64 {
        float(self.peak_kib) / 1024.0
    }
}

impl Process {
    pub(crate) fn start(name: &'static str, command: &mut Command) -> anyhow::Result<Self> {
        let child = command
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        Ok(Self { name, child })
    }

    /// Waits until it answers that it is ready.
    pub(crate) async fn ready(&mut self, address: SocketAddr) -> anyhow::Result<()> {
        let end = Instant::now() + READY_LIMIT;
        loop {
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended at once: {status}", self.name);
            }
            match http::call(address, "GET", "/readyz", "", None).await {
                Ok(answer) if answer.status == 200 => return Ok(()),
                Ok(_) | Err(_) if Instant::now() < end => tokio::time::sleep(READY_PAUSE).await,
                Ok(answer) => bail!("{} is not ready: {}", self.name, answer.body),
                Err(error) => {
                    return Err(error.context(format!("{} does not answer", self.name)));
                }
            }
        }
    }

    pub(crate) fn resident(&self) -> Resident {
        let pid = self.child.id().unwrap_or_default().to_string();
        Resident { now_kib: resident_kib(&pid), peak_kib: peak_kib(&pid) }
    }

    /// Processor time used so far.
    pub(crate) fn processor_seconds(&self) -> f64 {
        processor_seconds(&self.child.id().unwrap_or_default().to_string())
    }

    /// Asks it to end, and makes it if it does not.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        if let Some(pid) = self.child.id().and_then(|pid| i32::try_from(pid).ok()) {
            let _already_gone = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        match tokio::time::timeout(STOP_LIMIT, self.child.wait()).await {
            Ok(status) => {
                status.with_context(|| format!("cannot wait for {}", self.name))?;
            }
            Err(_) => self.child.kill().await?,
        }
        Ok(())
    }
}
