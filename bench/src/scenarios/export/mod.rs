//! Files of a million rows: how long, how much of a processor and of memory, beside Python; how soon there is progress, how soon a wish to cancel is met.

mod baseline;
mod made;
mod renderer;

use std::time::Duration;

use anyhow::ensure;
use serde_json::{Value, json};

use self::baseline::Python;
use self::made::{Asked, Made};
pub(crate) use self::renderer::{Arguments, render};
use super::{project, published, signed};
use crate::Effort;
use crate::bed::fill::fill;
use crate::bed::{Bed, Founded};
use crate::report::{Aim, Report};
use crate::samples::float;

const LIMIT: Duration = Duration::from_mins(10);
const DATASET: &str = "audit.trail";
/// Numbers, a moment, and texts short and long, some of them missing.
const COLUMNS: &[&str] = &[
    "tenant_seq",
    "at",
    "actor_id",
    "request_id",
    "command",
    "action",
    "module",
    "resource_id",
    "version",
    "status",
];
const PDF_ROWS: u32 = 10_000;

const SECONDS: &str = "s";
const PROCESSOR: &str = "s of a processor";
const PER_SECOND: &str = "rows/s";
const RESIDENT: &str = "MiB resident at most";
const MOST_MIB: f64 = 64.0;
const RENDERER: &str = "renderer";
const WORKER: &str = "worker";
const PYTHON: &str = "Python";

/// What is asked for, and how long it may take.
const FORMATS: &[(&str, &str, f64)] = &[("csv", "CSV", 5.0), ("xlsx", "XLSX", 20.0)];

pub(crate) async fn run(effort: &Effort) -> anyhow::Result<Report> {
    let bed = Bed::make().await?;
    let mut report = Report::new("export", effort, bed.machine().await?);
    let rows: u32 = if effort.quick { 20_000 } else { 1_000_000 };
    let commands = bed.command_api().await?;
    let founded = bed.found().await?;
    // A file is made of rows that have caught up with its request, and workers are woken by the bus.
    let others = [bed.serve("relay")?, bed.serve("projectors")?];
    let exports = Exports { bed: &bed, founded: &founded, python: Python::find().await, rows };
    exports.export("csv", &json!({})).await?; // gives every reaction its checkpoint
    for process in others {
        process.stop().await?;
    }
    fill(&bed.owner, &founded.tenant, i64::from(rows)).await?;
    // The history is there to be read: workers have not to tell a million people of it at the same time.
    sqlx::query("update work.reactions set position = (select position from log.head)")
        .execute(&bed.owner)
        .await?;
    project(&bed, LIMIT).await?;
    let others = [bed.serve("relay")?, bed.serve("projectors")?];
    let worker = bed.serve("workers")?;
    published(&bed.owner, LIMIT).await?;
    signed(&bed.owner, LIMIT).await?;
    worker.stop().await?;
    for _ in 0..effort.rounds {
        for (format, name, _) in FORMATS {
            exports.million(&mut report, format, name).await?;
        }
        exports.everything(&mut report).await?;
        exports.pages(&mut report).await?;
        exports.cancelled(&mut report).await?;
    }
    exports.aims(&mut report);
    for process in others {
        process.stop().await?;
    }
    commands.stop().await?;
    bed.drop_now().await?;
    alone(&mut report, effort, rows).await?;
    Ok(report)
}

/// The renderer without the reading of rows.
async fn alone(report: &mut Report, effort: &Effort, rows: u32) -> anyhow::Result<()> {
    let what = format!("XLSX of {rows} rows, 6 columns");
    for _ in 0..effort.rounds {
        let rendered = renderer::apart(rows).await?;
        let taken = Taken {
            rows: rows.into(),
            seconds: rendered.seconds,
            processor_seconds: rendered.processor_seconds,
            peak_mib: float(rendered.peak_kib) / 1024.0,
        };
        taken.add(report, &what, RENDERER);
        report.add(&what, RENDERER, "MB", float(rendered.bytes) / 1e6);
    }
    report.aim(&what, RENDERER, RESIDENT, Aim::AtMost(MOST_MIB));
    Ok(())
}

/// What a file took.
struct Taken {
    rows: u64,
    seconds: f64,
    processor_seconds: f64,
    peak_mib: f64,
}

impl Taken {
    fn add(&self, report: &mut Report, what: &str, who: &str) {
        report.add(what, who, SECONDS, self.seconds);
        report.add(what, who, PROCESSOR, self.processor_seconds);
        report.add(what, who, PER_SECOND, float(self.rows) / self.seconds);
        report.add(what, who, RESIDENT, self.peak_mib);
    }
}

/// Exports of an audit trail of that many rows, each made by a worker of its own.
struct Exports<'a> {
    bed: &'a Bed,
    founded: &'a Founded,
    python: Option<Python>,
    rows: u32,
}

impl Exports<'_> {
    fn what(&self, name: &str) -> String {
        format!("{name} of {} rows, {} columns", self.rows, COLUMNS.len())
    }

    /// The file beside the same of the baseline.
    async fn million(&self, report: &mut Report, format: &str, name: &str) -> anyhow::Result<()> {
        let what = self.what(name);
        if let Some(python) = &self.python {
            let written = python.write(self.bed, &self.founded.tenant, format).await?;
            ensure!(written.rows >= u64::from(self.rows), "the baseline has {} rows", written.rows);
            let taken = Taken {
                rows: written.rows,
                seconds: written.seconds,
                processor_seconds: written.processor_seconds,
                peak_mib: float(written.peak_kib) / 1024.0,
            };
            taken.add(report, &what, PYTHON);
        }
        let (made, taken) = self.export(format, &json!({"columns": COLUMNS})).await?;
        let found = made.count(self.bed, &self.founded.tenant, format).await?;
        ensure!(found == made.rows && found >= u64::from(self.rows), "the file has {found} rows");
        taken.add(report, &what, WORKER);
        if let Some(seconds) = made.first_progress {
            report.add(&format!("first progress, {name}"), WORKER, "ms", seconds * 1e3);
        }
        Ok(())
    }

    /// The trail with every column that is exported unless told otherwise.
    async fn everything(&self, report: &mut Report) -> anyhow::Result<()> {
        let (_, taken) = self.export("xlsx", &json!({})).await?;
        taken.add(report, &self.everything_is(), WORKER);
        Ok(())
    }

    fn everything_is(&self) -> String {
        format!("XLSX of {} rows, all columns", self.rows)
    }

    async fn pages(&self, report: &mut Report) -> anyhow::Result<()> {
        let rows = PDF_ROWS.min(self.rows);
        let wish = json!({"columns": COLUMNS, "filter": format!("tenant_seq <= {rows}")});
        let (made, taken) = self.export("pdf", &wish).await?;
        ensure!(made.rows == u64::from(rows), "the document has {} rows", made.rows);
        taken.add(report, &pages_are(), WORKER);
        report.add(&pages_are(), WORKER, "MB", float(made.size_bytes) / 1e6);
        Ok(())
    }

    /// From the wish to cancel until it is met, of a file that is being made.
    async fn cancelled(&self, report: &mut Report) -> anyhow::Result<()> {
        let worker = self.bed.serve("workers")?;
        let id = self.ask("xlsx", &json!({"columns": COLUMNS})).await?;
        let asked = Asked::new(self.bed, self.founded, &id)?;
        asked.progressed().await?;
        let token = self.bed.sign_in().await?;
        self.bed.command(&format!("/exports/{id}/cancel"), &token, &json!({})).await?;
        let seconds = asked.cancelled().await?;
        report.add("cancelled after the wish", WORKER, "ms", seconds * 1e3);
        worker.stop().await
    }

    /// One file, from its attempt's start to its completion.
    async fn export(&self, format: &str, wish: &Value) -> anyhow::Result<(Made, Taken)> {
        let worker = self.bed.serve("workers")?;
        let id = self.ask(format, wish).await?;
        let asked = Asked::new(self.bed, self.founded, &id)?;
        asked.started().await?;
        let before = worker.processor_seconds();
        let made = asked.made().await?;
        let taken = Taken {
            rows: made.rows,
            seconds: made.seconds,
            processor_seconds: worker.processor_seconds() - before,
            peak_mib: worker.resident().peak_mib(),
        };
        worker.stop().await?;
        Ok((made, taken))
    }

    async fn ask(&self, format: &str, wish: &Value) -> anyhow::Result<String> {
        let id = platform::clock::new_id::<uuid::Uuid>().to_string();
        let mut request = wish.clone();
        request["id"] = json!(id);
        request["dataset"] = json!(DATASET);
        let path = format!("/exports/{}", if format == "xlsx" { "excel" } else { format });
        self.bed.command(&path, &self.bed.sign_in().await?, &request).await?;
        Ok(id)
    }

    fn aims(&self, report: &mut Report) {
        for (_, name, most) in FORMATS {
            let what = self.what(name);
            report.aim(&what, WORKER, SECONDS, Aim::AtMost(*most));
            report.aim(&what, WORKER, PROCESSOR, Aim::AtMost(*most));
            report.aim(&what, WORKER, RESIDENT, Aim::AtMost(MOST_MIB));
            report.aim(&format!("first progress, {name}"), WORKER, "ms", Aim::AtMost(500.0));
            if self.python.is_some() {
                report.ratio(&what, (WORKER, PYTHON), SECONDS, None);
            }
        }
        report.aim(&self.everything_is(), WORKER, RESIDENT, Aim::AtMost(MOST_MIB));
        report.aim(&pages_are(), WORKER, SECONDS, Aim::AtMost(1.0));
        report.aim("cancelled after the wish", WORKER, "ms", Aim::AtMost(1_000.0));
    }
}

fn pages_are() -> String {
    format!("PDF of {PDF_ROWS} rows, {} columns", COLUMNS.len())
}
