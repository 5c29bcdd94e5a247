//! Commands per second through the whole of command-api, beside pgbench inserting a row of the same size, and beside
//! cqrs-es with postgres-es behind a handler of the same kind.

use std::net::SocketAddr;

use serde_json::json;
use tokio::process::Command;

use super::row_like_ours;
use crate::Effort;
use crate::bed::{Bed, Founded, Process, free_address};
use crate::http::request;
use crate::load::{self, FRESH, Plan, Tally};
use crate::pgbench::Pgbench;
use crate::report::{Aim, Report};
use crate::samples::float;
use crate::{bed, library};

const CONNECTIONS: &[usize] = &[1, 8, 32, 64];
const PER_SECOND: &str = "/s";
const ANNALS: &str = "annals";
const PGBENCH: &str = "pgbench";
const LIBRARY: &str = "cqrs-es";

pub(crate) async fn run(effort: &Effort) -> anyhow::Result<Report> {
    let bed = Bed::make().await?;
    let mut report = Report::new("commands", effort, bed.machine().await?);
    let ours = bed.command_api().await?;
    let founded = bed.found().await?;
    let (theirs, library) = start_library(&bed).await?;
    let plan = |address: SocketAddr, request: &str| Plan {
        address,
        connections: 1,
        seconds: effort.seconds,
        request: request.to_owned(),
        ids: Vec::new(),
        status: 201,
    };
    let to_library = plan(library, &send(&founded));
    load::drive(&Plan { seconds: 1, ..plan(bed.settings.command_addr, &send(&founded)) }).await?;
    let pgbench = row_like_ours(&bed).await?;
    for _ in 0..effort.rounds {
        let token = bed.sign_in().await?;
        let founded = Founded { token, ..founded.clone() };
        let to_us = plan(bed.settings.command_addr, &send(&founded));
        for connections in CONNECTIONS.iter().copied() {
            let what = format!("{connections} connection(s)");
            baseline(&mut report, &what, &pgbench, (connections, effort.seconds)).await?;
            let before = ours.processor_seconds();
            let tally = load::drive(&Plan { connections, ..to_us.clone() }).await?;
            let used = (ours.processor_seconds() - before, tally.processor_seconds);
            add(&mut report, &what, ANNALS, &tally);
            add_processor(&mut report, &what, &tally, used);
            let tally = load::drive(&Plan { connections, ..to_library.clone() }).await?;
            add(&mut report, &what, LIBRARY, &tally);
        }
    }
    for connections in CONNECTIONS {
        compare(&mut report, *connections);
    }
    ours.stop().await?;
    theirs.stop().await?;
    bed.drop_now().await?;
    Ok(report)
}

/// A command with an id and a key of its own.
pub(crate) fn send(founded: &Founded) -> String {
    let body = json!({"id": FRESH, "user_id": founded.user, "kind": "message",
        "title": "The quarterly figures are ready",
        "message": "They are in the folder of the finance department; comments until Friday, please."});
    let key = format!("idempotency-key: {FRESH}\r\n");
    let body = body.to_string();
    request("POST", "/api/v1/notifications/send", &founded.token, &key, Some(&body))
}

async fn start_library(bed: &Bed) -> anyhow::Result<(Process, SocketAddr)> {
    sqlx::query(library::TABLE).execute(&bed.owner).await?;
    let address = free_address()?;
    let mut command = Command::new(bed::beside_us("bench")?);
    command.arg("library").args(["--address", &address.to_string()]).env("DATABASE_URL", bed.url());
    let mut process = Process::start("library", &mut command)?;
    process.ready(address).await?;
    Ok((process, address))
}

async fn baseline(
    report: &mut Report,
    what: &str,
    pgbench: &Pgbench,
    (clients, seconds): (usize, u64),
) -> anyhow::Result<()> {
    let counted = pgbench.run(clients, seconds).await?;
    report.add(what, PGBENCH, PER_SECOND, counted.per_second);
    report.add(what, PGBENCH, "ms p50", counted.p50);
    report.add(what, PGBENCH, "ms p99", counted.p99);
    Ok(())
}

fn add(report: &mut Report, what: &str, who: &str, tally: &Tally) {
    report.add(what, who, PER_SECOND, tally.per_second);
    report.add(what, who, "ms p50", tally.p50);
    report.add(what, who, "ms p99", tally.p99);
}

/// What a command costs the processor: command-api's part, and the load's, which is not Annals.
fn add_processor(report: &mut Report, what: &str, tally: &Tally, (ours, load): (f64, f64)) {
    let microseconds = |seconds: f64| seconds * 1e6 / float(tally.answered);
    report.add(what, "annals: command-api", "µs of processor", microseconds(ours));
    report.add(what, "annals: the load", "µs of processor", microseconds(load));
}

fn compare(report: &mut Report, connections: usize) {
    let what = format!("{connections} connection(s)");
    let (to_pgbench, to_library) = match connections {
        1 => (Some(Aim::AtLeast(0.4)), None),
        64 => (Some(Aim::AtLeast(1.0)), Some(Aim::AtLeast(4.0))),
        _ => (None, None),
    };
    report.ratio(&what, (ANNALS, PGBENCH), PER_SECOND, to_pgbench);
    report.ratio(&what, (ANNALS, LIBRARY), PER_SECOND, to_library);
}
