//! A spreadsheet of a million rows: how long, how large, and how much memory, in a process that does nothing else.

use std::fs::File;
use std::io::BufWriter;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};
use tokio::process::Command;
use workers::exports::render::{Cell, Column, Header, Kind, Row, xlsx};

use crate::Effort;
use crate::bed::Bed;
use crate::bed::machine::peak_kib;
use crate::report::{Aim, Report};
use crate::samples::float;

const LIMIT: Duration = Duration::from_mins(10);
const MOST_MIB: f64 = 64.0;
const MAX_ROWS: i64 = 1_048_575;

/// What to render.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[arg(long, value_parser = clap::value_parser!(i64).range(1..=MAX_ROWS))]
    rows: i64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Rendered {
    seconds: f64,
    bytes: u64,
    peak_kib: u64,
}

pub(crate) async fn run(effort: &Effort) -> anyhow::Result<Report> {
    let bed = Bed::make().await?;
    let mut report = Report::new("export", effort, bed.machine().await?);
    bed.drop_now().await?;
    let rows: u32 = if effort.quick { 20_000 } else { 1_000_000 };
    let what = format!("XLSX of {rows} rows, 6 columns");
    for _ in 0..effort.rounds {
        let rendered = apart(rows).await?;
        report.add(&what, "renderer", "s", rendered.seconds);
        report.add(&what, "renderer", "rows/s", f64::from(rows) / rendered.seconds);
        report.add(&what, "renderer", "MB", float(rendered.bytes) / 1e6);
        report.add(&what, "renderer", "MiB resident at most", float(rendered.peak_kib) / 1024.0);
    }
    report.aim(&what, "renderer", "MiB resident at most", Aim::AtMost(MOST_MIB));
    Ok(report)
}

async fn apart(rows: u32) -> anyhow::Result<Rendered> {
    let child = Command::new(std::env::current_exe()?)
        .arg("render")
        .arg(format!("--rows={rows}"))
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("cannot start the renderer")?;
    let output = tokio::time::timeout(LIMIT, child.wait_with_output())
        .await
        .context("the renderer did not end")??;
    ensure!(output.status.success(), "the renderer failed");
    serde_json::from_slice(&output.stdout).context("the renderer said nothing")
}

/// The process: renders, and says how that went.
pub(crate) fn render(arguments: &Arguments) -> anyhow::Result<()> {
    let scratch = tempfile::tempdir().context("cannot make a folder")?;
    let path = scratch.path().join("rows.xlsx");
    let sink = BufWriter::new(File::create(&path)?);
    let started = Instant::now();
    let rows = (0..arguments.rows).map(|number| Ok(row(number)));
    xlsx::render(&header(), rows, scratch.path(), sink)?;
    let rendered = Rendered {
        seconds: started.elapsed().as_secs_f64(),
        bytes: std::fs::metadata(&path)?.len(),
        peak_kib: peak_kib("self"),
    };
    println!("{}", serde_json::to_string(&rendered)?);
    Ok(())
}

fn header() -> Header {
    let column = |key: &str, kind| Column { key: key.into(), label: key.replace('_', " "), kind };
    Header {
        title: "Users".into(),
        organization: "Bench".into(),
        requested_by: "owner".into(),
        columns: vec![
            column("user_id", Kind::Text),
            column("name", Kind::Text),
            column("roles", Kind::Integer),
            column("balance", Kind::Number),
            column("registered_at", Kind::Timestamp),
            column("active", Kind::Bool),
        ],
        locale: "en".into(),
        zone: jiff::tz::TimeZone::UTC,
        position: 1,
        filter: String::new(),
        generated_at: jiff::Timestamp::UNIX_EPOCH,
    }
}

fn row(number: i64) -> Row {
    vec![
        Cell::Text(format!("0199c200-1d2a-7e10-8f1e-{number:012}")),
        Cell::Text(format!("Person Number {number}")),
        Cell::Integer(number % 7),
        Cell::Number(format!("{}.{:02}", number % 100_000, number % 100)),
        Cell::Timestamp(jiff::Timestamp::from_second(1_700_000_000 + number).unwrap_or_default()),
        Cell::Bool(number % 3 == 0),
    ]
}
