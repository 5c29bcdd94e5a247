//! A renderer alone, in a process of its own, fed with rows that cost nothing.

use std::fs::File;
use std::io::BufWriter;
use std::path::PathBuf;
use std::process::Stdio;
use std::str::FromStr as _;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use events::exports::export::Format;
use serde::{Deserialize, Serialize};
use tokio::process::Command;
use workers::exports::render::{
    Cell, Column, Header, Kind, Look, Paper, Row, csv, ndjson, parquet, pdf, xlsx,
};

use super::LIMIT;
use crate::bed::machine::{peak_kib, processor_seconds};

const MAX_ROWS: i64 = 1_048_575;

/// What to render.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[arg(long, value_parser = clap::value_parser!(i64).range(1..=MAX_ROWS))]
    rows: i64,
    /// Into which kind of file.
    #[arg(long, default_value = "xlsx", value_parser = Format::from_str)]
    format: Format,
    /// Where the file is to stay, as it is gone otherwise.
    #[arg(long)]
    keep: Option<PathBuf>,
}

/// How it went.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Rendered {
    pub(super) seconds: f64,
    pub(super) processor_seconds: f64,
    pub(super) bytes: u64,
    pub(super) peak_kib: u64,
}

pub(super) async fn apart(rows: u32) -> anyhow::Result<Rendered> {
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
    let path = arguments.keep.clone().unwrap_or_else(|| scratch.path().join("rows"));
    let sink = BufWriter::new(File::create(&path)?);
    let started = Instant::now();
    let rows = (0..arguments.rows).map(|number| Ok(row(number)));
    match arguments.format {
        Format::Csv => csv::render(&header(), rows, sink)?,
        Format::Xlsx => xlsx::render(&header(), rows, scratch.path(), sink)?,
        Format::Pdf => pdf::render(&header(), None, rows, sink)?,
        Format::Ndjson => ndjson::render(&header(), rows, sink)?,
        Format::Parquet => parquet::render(&header(), rows, sink)?,
    };
    let rendered = Rendered {
        seconds: started.elapsed().as_secs_f64(),
        processor_seconds: processor_seconds("self"),
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
