//! What a script in Python takes for the same file: a server-side cursor of psycopg2, csv, and xlsxwriter in constant memory.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::COLUMNS;
use crate::bed::Bed;

const SCRIPT: &str = include_str!("baseline.py");
const IMPORTS: &str = "import psycopg2, xlsxwriter";
/// Where a virtual environment, or else the system, has it.
const PROGRAMS: &[&str] = &["python3", "/usr/bin/python3"];
const LIMIT: Duration = Duration::from_mins(10);

/// A Python that has what the script needs.
pub(super) struct Python(&'static str);

/// How it went.
#[derive(Debug, Deserialize)]
pub(super) struct Written {
    pub(super) rows: u64,
    pub(super) seconds: f64,
    pub(super) processor_seconds: f64,
    pub(super) peak_kib: u64,
}

impl Python {
    /// Says so where there is none.
    pub(super) async fn find() -> Option<Self> {
        for program in PROGRAMS {
            let mut command = Command::new(program);
            let imports = command.args(["-c", IMPORTS]).stdout(Stdio::null()).stderr(Stdio::null());
            if imports.status().await.is_ok_and(|status| status.success()) {
                return Some(Self(program));
            }
        }
        println!("no baseline: it needs python3 with psycopg2-binary and xlsxwriter (pip install)");
        None
    }

    /// Writes the rows of an organisation's audit trail into a file of that format.
    pub(super) async fn write(
        &self,
        bed: &Bed,
        tenant: &str,
        format: &str,
    ) -> anyhow::Result<Written> {
        let folder = tempfile::tempdir_in(&bed.settings.data_dir)?;
        let mut child = Command::new(self.0)
            .args(["-", format, tenant])
            .arg(folder.path().join("rows"))
            .args(COLUMNS)
            .env("DATABASE_URL", bed.url())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("cannot start Python")?;
        let mut stdin = child.stdin.take().context("Python has no input")?;
        stdin.write_all(SCRIPT.as_bytes()).await?;
        drop(stdin);
        let output = tokio::time::timeout(LIMIT, child.wait_with_output())
            .await
            .context("the baseline did not end")??;
        ensure!(output.status.success(), "the baseline failed");
        serde_json::from_slice(&output.stdout).context("the baseline said nothing")
    }
}
