//! The measure of what Postgres itself can do here: pgbench.

use std::fs;

use anyhow::{Context as _, ensure};
use tempfile::TempDir;
use tokio::process::Command;

use crate::samples::percentile;

/// A script that pgbench repeats, with prepared statements.
pub(crate) struct Pgbench {
    url: String,
    variables: Vec<(&'static str, String)>,
    /// `PGOPTIONS`: settings of its sessions.
    options: String,
    folder: TempDir,
}

/// What pgbench counted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Counted {
    pub(crate) per_second: f64,
    /// Milliseconds.
    pub(crate) p50: f64,
    /// Milliseconds.
    pub(crate) p99: f64,
}

impl Pgbench {
    pub(crate) fn new(
        url: &str,
        script: &str,
        variables: Vec<(&'static str, String)>,
    ) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("cannot make a folder for pgbench")?;
        fs::write(folder.path().join("script.sql"), script)?;
        Ok(Self { url: url.to_owned(), variables, options: String::new(), folder })
    }

    /// With settings of its sessions, such as `-c role=query_api`.
    pub(crate) fn with_options(self, options: String) -> Self {
        Self { options, ..self }
    }

    pub(crate) async fn run(&self, clients: usize, seconds: u64) -> anyhow::Result<Counted> {
        for entry in fs::read_dir(self.folder.path())?.flatten() {
            if entry.file_name().to_string_lossy().starts_with("log") {
                fs::remove_file(entry.path())?;
            }
        }
        let mut command = Command::new("pgbench");
        command
            .current_dir(self.folder.path())
            .env("PGOPTIONS", &self.options)
            .args(["--no-vacuum", "--protocol=prepared", "--file=script.sql"])
            .args(["--log", "--log-prefix=log"])
            .arg(format!("--client={clients}"))
            .arg(format!("--jobs={}", clients.min(2)))
            .arg(format!("--time={seconds}"));
        for (name, value) in &self.variables {
            command.arg(format!("--define={name}={value}"));
        }
        let output = command
            .arg(&self.url)
            .output()
            .await
            .context("cannot run pgbench; install it: apt-get install postgresql")?;
        let text = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "pgbench failed: {errors}");
        let per_second = per_second(&text).with_context(|| format!("pgbench said: {text}"))?;
        let (p50, p99) = self.latencies()?;
        Ok(Counted { per_second, p50, p99 })
    }

    fn latencies(&self) -> anyhow::Result<(f64, f64)> {
        let mut milliseconds = Vec::new();
        for entry in fs::read_dir(self.folder.path())?.flatten() {
            if entry.file_name().to_string_lossy().starts_with("log") {
                let text = fs::read_to_string(entry.path())?;
                milliseconds.extend(text.lines().filter_map(latency));
            }
        }
        Ok((percentile(&milliseconds, 0.5), percentile(&milliseconds, 0.99)))
    }
}

fn per_second(text: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix("tps = "))?;
    line.split(' ').next()?.parse().ok()
}

/// The third column of a line of the log: microseconds.
fn latency(line: &str) -> Option<f64> {
    line.split(' ').nth(2)?.parse::<f64>().ok().map(|microseconds| microseconds / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_read_off_what_pgbench_prints() {
        let text = "latency average = 1.5 ms\ntps = 812.345 (without initial connection time)\n";
        assert_eq!(per_second(text), Some(812.345));
        assert_eq!(per_second("nothing"), None);
        assert_eq!(latency("0 199 2241 0 1175850568 995598"), Some(2.241));
    }
}
