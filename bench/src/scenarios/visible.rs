//! How long after its acceptance a command is seen by a query, through relay, NATS and projectors.

use serde_json::json;

use super::caught_up;
use crate::Effort;
use crate::bed::{Bed, Founded};
use crate::http::request;
use crate::load::FRESH;
use crate::probe::{self, Plan, TOKEN};
use crate::report::{Aim, Report};
use crate::samples::float;

const RATES: &[u64] = &[50, 500, 2_000];
const VISIBLE: &str = "accepted to visible";
const ACCEPTED: &str = "sent to accepted";
const P50_MS: f64 = 5.0;
const P99_MS: f64 = 20.0;
const CATCH_UP: std::time::Duration = std::time::Duration::from_mins(1);

pub(crate) async fn run(effort: &Effort) -> anyhow::Result<Report> {
    let bed = Bed::make().await?;
    let mut report = Report::new("visible", effort, bed.machine().await?);
    let commands = bed.command_api().await?;
    let founded = bed.found().await?;
    let others = [bed.serve("relay")?, bed.serve("projectors")?];
    let mut queries = bed.serve("query-api")?;
    queries.ready(bed.settings.query_addr).await?;
    caught_up(&bed.owner, CATCH_UP).await?;
    for _ in 0..effort.rounds {
        let founded = Founded { token: bed.sign_in().await?, ..founded.clone() };
        for rate in RATES.iter().copied() {
            let tally = probe::drive(&plan(&bed, &founded, rate, effort.seconds)).await?;
            let what = format!("{rate} commands/s");
            report.add(&what, VISIBLE, "ms p50", tally.visible_p50);
            report.add(&what, VISIBLE, "ms p99", tally.visible_p99);
            report.add(&what, ACCEPTED, "ms p50", tally.accepted_p50);
            report.add(&what, ACCEPTED, "ms p99", tally.accepted_p99);
            report.add(&what, "commands accepted", "/s", tally.per_second);
            report.add(&what, "queries that looked", "", float(tally.looks as u64));
            let failed: u64 = tally.failed.values().sum();
            report.add(&what, "answers other than expected", "", float(failed));
            caught_up(&bed.owner, CATCH_UP).await?;
        }
    }
    for rate in RATES {
        let what = format!("{rate} commands/s");
        report.aim(&what, VISIBLE, "ms p50", Aim::AtMost(P50_MS));
        report.aim(&what, VISIBLE, "ms p99", Aim::AtMost(P99_MS));
    }
    queries.stop().await?;
    for process in others {
        process.stop().await?;
    }
    commands.stop().await?;
    bed.drop_now().await?;
    Ok(report)
}

/// Users are registered, and looked at by id.
fn plan(bed: &Bed, founded: &Founded, per_second: u64, seconds: u64) -> Plan {
    let body = json!({"id": FRESH, "handle": format!("user-{FRESH}"), "display_name": "A Person"});
    let key = format!("idempotency-key: {FRESH}\r\n");
    let command = request("POST", "/api/v1/users", &founded.token, &key, Some(&body.to_string()));
    let token = format!("consistency-token: {TOKEN}\r\nprefer: wait=10\r\n");
    let path = format!("/api/v1/users/{FRESH}");
    Plan {
        commands: bed.settings.command_addr,
        queries: bed.settings.query_addr,
        command,
        query: request("GET", &path, &founded.token, &token, None),
        per_second,
        seconds,
    }
}
