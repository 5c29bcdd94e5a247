//! One event to a thousand WebSocket subscribers: how long until they have it, and how many deliveries a second there can be.

use crate::Effort;
use crate::bed::{Bed, Founded};
use crate::report::Report;
use crate::scenarios::commands;
use crate::subscribers::{self, Plan};

const EVENTS_PER_SECOND: u64 = 5;

pub(crate) async fn run(effort: &Effort) -> anyhow::Result<Report> {
    let bed = Bed::make().await?;
    let mut report = Report::new("fanout", effort, bed.machine().await?);
    let commands = bed.command_api().await?;
    let founded = bed.found().await?;
    let relay = bed.serve("relay")?;
    let mut queries = bed.serve("query-api")?;
    queries.ready(bed.settings.query_addr).await?;
    let subscribers = if effort.quick { 50 } else { 1_000 };
    let what = format!("{subscribers} subscribers");
    for _ in 0..effort.rounds {
        let founded = Founded { token: bed.sign_in().await?, ..founded.clone() };
        let plan = Plan {
            commands: bed.settings.command_addr,
            queries: bed.settings.query_addr,
            token: founded.token.clone(),
            command: commands::send(&founded),
            subscribers,
            events: usize::try_from(effort.seconds * EVENTS_PER_SECOND)?,
            burst: 160,
        };
        let tally = subscribers::drive(&plan).await?;
        report.add(&what, "command sent to one subscriber", "ms p50", tally.p50);
        report.add(&what, "command sent to one subscriber", "ms p99", tally.p99);
        report.add(&what, "command sent to the last subscriber", "ms p50", tally.last_p50);
        report.add(&what, "burst", "deliveries/s", tally.per_second);
    }
    report.add(&what, "query-api", "MiB at most", queries.resident().peak_mib());
    queries.stop().await?;
    relay.stop().await?;
    commands.stop().await?;
    bed.drop_now().await?;
    Ok(report)
}
