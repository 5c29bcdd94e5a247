//! `annals verify`: recomputes every organisation's chain from a replay, without network or database, and names the first event that was altered or is missing.

mod check;
mod record;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::json;

use super::table::Table;
use check::{Check, Fault, Head, Report};

/// Read at once; large reads leave more of the time to hashing.
const READ_BYTES: usize = 1 << 20;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// What `annals events replay` wrote; - for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Where the file must lead, as an earlier verification printed it: finds what is cut off at
    /// the end and a history that was rewritten as a whole; may be repeated
    #[arg(long, value_name = "[TENANT:]SEQ:CHAIN")]
    head: Vec<Head>,
    /// Where an earlier file ended that this one goes on from; may be repeated
    #[arg(long, value_name = "[TENANT:]SEQ:CHAIN")]
    after: Vec<Head>,
    /// Answer with JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let outcome = if arguments.file.as_os_str() == "-" {
        verify(std::io::stdin().lock(), arguments)
    } else {
        let name = arguments.file.display();
        let file = File::open(&arguments.file).with_context(|| format!("cannot read {name}"))?;
        verify(BufReader::with_capacity(READ_BYTES, file), arguments)
    };
    let (report, fault) = outcome.context("the replay cannot be read to its end")?;
    if arguments.json {
        let ok = fault.is_none();
        println!("{}", json!({ "ok": ok, "fault": fault, "tenants": report }));
    } else {
        print(&report, fault.as_ref());
    }
    Ok(ExitCode::from(u8::from(fault.is_some())))
}

fn verify(
    source: impl BufRead,
    arguments: &Arguments,
) -> std::io::Result<(Vec<Report>, Option<Fault>)> {
    check::verify(source, Check::new(&arguments.after, &arguments.head))
}

fn print(report: &[Report], fault: Option<&Fault>) {
    let mut table = Table::new(&["organisation", "events", "head (for --head and --after)"]);
    for tenant in report {
        let head = format!("{}:{}:{}", tenant.tenant_id, tenant.last_seq, tenant.chain);
        table.row([tenant.tenant_id.to_string(), tenant.events.to_string(), head]);
    }
    print!("{table}");
    match fault {
        None => println!("every event is as it was recorded, and none is missing"),
        Some(fault) => eprintln!("annals: {fault}"),
    }
}
