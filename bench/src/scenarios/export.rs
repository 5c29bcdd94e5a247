//! A spreadsheet of a million rows: how long, how large, and how much memory, of the whole export and of the renderer alone.

use std::fs::File;
use std::io::BufWriter;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use platform::clock;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgPool;
use tokio::process::Command;
use uuid::Uuid;
use workers::exports::render::{Cell, Column, Header, Kind, Look, Paper, Row, xlsx};

use super::project;
use crate::Effort;
use crate::bed::Bed;
use crate::bed::fill::fill;
use crate::bed::machine::peak_kib;
use crate::report::{Aim, Report};
use crate::samples::float;

const LIMIT: Duration = Duration::from_mins(10);
const POLL: Duration = Duration::from_millis(20);
const MOST_MIB: f64 = 64.0;
const RESIDENT: &str = "MiB resident at most";
const RENDERER: &str = "renderer";
const WORKER: &str = "worker";
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
    let rows: u32 = if effort.quick { 20_000 } else { 1_000_000 };
    whole(&mut report, &bed, effort, rows).await?;
    bed.drop_now().await?;
    let what = format!("XLSX of {rows} rows, 6 columns");
    for _ in 0..effort.rounds {
        let rendered = apart(rows).await?;
        let peak = float(rendered.peak_kib) / 1024.0;
        add(&mut report, &what, RENDERER, (rows, rendered.seconds, peak));
        report.add(&what, RENDERER, "MB", float(rendered.bytes) / 1e6);
    }
    report.aim(&what, RENDERER, RESIDENT, Aim::AtMost(MOST_MIB));
    Ok(report)
}

fn add(report: &mut Report, what: &str, who: &str, (rows, seconds, peak): (u32, f64, f64)) {
    report.add(what, who, "s", seconds);
    report.add(what, who, "rows/s", f64::from(rows) / seconds);
    report.add(what, who, RESIDENT, peak);
}

/// The audit trail of a history of `rows` events, asked for by a command and made by a worker of its own.
async fn whole(report: &mut Report, bed: &Bed, effort: &Effort, rows: u32) -> anyhow::Result<()> {
    let commands = bed.command_api().await?;
    let founded = bed.found().await?;
    fill(&bed.owner, &founded.tenant, i64::from(rows)).await?;
    project(bed, LIMIT).await?;
    let projectors = bed.serve("projectors")?; // a file is made of rows that have caught up with its request
    let what = format!("audit trail of {rows} events as XLSX");
    for _ in 0..effort.rounds {
        let worker = bed.serve("workers")?;
        let id = clock::new_id::<Uuid>().to_string();
        let request = json!({"id": id, "dataset": "audit.trail"});
        bed.command("/exports/excel", &bed.sign_in().await?, &request).await?;
        let seconds = made(&bed.owner, &id).await?;
        add(report, &what, WORKER, (rows, seconds, worker.resident().peak_mib()));
        worker.stop().await?;
    }
    report.aim(&what, WORKER, RESIDENT, Aim::AtMost(MOST_MIB));
    projectors.stop().await?;
    commands.stop().await
}

/// Waits for the end of an export; the seconds from its start.
async fn made(owner: &PgPool, id: &str) -> anyhow::Result<f64> {
    let end = Instant::now() + LIMIT;
    loop {
        let (last, seconds): (Option<String>, Option<f64>) = sqlx::query_as(
            "select max(event_type) filter (where event_type = any (array['exports.export.completed', 'exports.export.failed'])),
                    extract(epoch from max(recorded_at) - min(recorded_at) filter (where event_type = 'exports.export.started'))::float8
               from log.events where aggregate_type = 'exports.export' and aggregate_id = $1",
        )
        .bind(id)
        .fetch_one(owner)
        .await?;
        match (last.as_deref(), seconds) {
            (Some("exports.export.completed"), Some(seconds)) => return Ok(seconds),
            (Some(other), _) => bail!("the export ended with {other}"),
            (None, _) => {}
        }
        ensure!(Instant::now() < end, "the export does not end");
        tokio::time::sleep(POLL).await;
    }
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
        paper: Paper::A4,
        layout: events::exports::Layout::default(),
        locale: "en".into(),
        zone: jiff::tz::TimeZone::UTC,
        position: 1,
        filter: String::new(),
        counts: Vec::new(),
        as_of: jiff::Timestamp::UNIX_EPOCH,
        rows_total: 0,
        look: Look::default(),
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
