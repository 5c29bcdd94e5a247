//! Measures the renderers: `cargo run --release -p workers --example export_rows -- xlsx 1000000` prints seconds, size and the
//! highest resident memory.

use std::fs::File;
use std::io::BufWriter;
use std::time::Instant;

use anyhow::Context as _;
use workers::exports::render::{
    Cell, Column, Header, Kind, Look, Paper, Row, csv, ndjson, parquet, pdf, xlsx,
};

const KINDS: &[(&str, Kind)] = &[
    ("user_id", Kind::Text),
    ("name", Kind::Text),
    ("roles", Kind::Integer),
    ("balance", Kind::Number),
    ("registered_at", Kind::Timestamp),
    ("active", Kind::Bool),
];

fn header() -> Header {
    let column = |(key, kind): &(&str, Kind)| Column {
        key: (*key).into(),
        label: key.replace('_', " "),
        kind: *kind,
    };
    Header {
        title: "Users".into(),
        organization: "Example".into(),
        requested_by: "ada".into(),
        columns: KINDS.iter().map(column).collect(),
        locale: "en".into(),
        zone: jiff::tz::TimeZone::UTC,
        position: 1,
        filter: String::new(),
        counts: Vec::new(),
        as_of: jiff::Timestamp::UNIX_EPOCH,
        rows_total: 0,
        look: Look::default(),
        paper: Paper::A4,
        layout: events::exports::Layout::default(),
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

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let format = arguments.next().unwrap_or_else(|| "xlsx".into());
    let rows: i64 = arguments.next().map_or(Ok(1_000_000), |text| text.parse())?;
    let scratch = tempfile::tempdir_in(".")?; // the system's folder may be memory
    let path = scratch.path().join("file");
    let sink = BufWriter::new(File::create(&path)?);
    let (header, source) = (header(), (0..rows).map(|number| Ok(row(number))));
    let start = Instant::now();
    match format.as_str() {
        "xlsx" => xlsx::render(&header, source, scratch.path(), sink)?,
        "pdf" => pdf::render(&header, None, source, sink)?,
        "csv" => csv::render(&header, source, sink)?,
        "ndjson" => ndjson::render(&header, source, sink)?,
        "parquet" => parquet::render(&header, source, sink)?,
        other => anyhow::bail!("{other} is none of xlsx, pdf, csv, ndjson, parquet"),
    };
    let seconds = start.elapsed().as_secs_f64();
    let size = std::fs::metadata(&path)?.len();
    println!(
        "{format} {rows} rows: {seconds:.2} s, {size} bytes, peak resident {} KiB",
        peak_kib()?
    );
    Ok(())
}

fn peak_kib() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.context("the kernel does not tell VmHWM")?.parse()?)
}
