//! Building read models anew from a long history, and replaying it as NDJSON.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use platform::db::{self, Role};

use super::project;
use crate::Effort;
use crate::bed::Bed;
use crate::bed::fill::fill;
use crate::http::{self, Connection};
use crate::report::{Aim, Report};
use crate::samples::float;

const PER_SECOND: &str = "events/s";
const REBUILT: &[&str] = &["notifications_notifications", "identity_users", "audit_trail"];
const LIMIT: Duration = Duration::from_mins(2);
const POOL: u32 = 10;
const FEW: i64 = 1_000;

pub(crate) async fn run(effort: &Effort) -> anyhow::Result<Report> {
    let bed = Bed::make().await?;
    let mut report = Report::new("rebuild", effort, bed.machine().await?);
    let commands = bed.command_api().await?;
    let founded = bed.found().await?;
    fill(&bed.owner, &founded.tenant, FEW).await?;
    project(&bed, LIMIT).await?; // gives every projection its checkpoint
    let whole = if effort.quick { 30_000 } else { 1_000_000 };
    let head = fill(&bed.owner, &founded.tenant, whole).await?;
    rebuild(&mut report, &bed, effort, head).await?;
    replay(&mut report, &bed, effort, head).await?;
    commands.stop().await?;
    bed.drop_now().await?;
    Ok(report)
}

async fn rebuild(report: &mut Report, bed: &Bed, effort: &Effort, head: i64) -> anyhow::Result<()> {
    let pool = db::connect(bed.url(), Role::Projectors, POOL).await?;
    let projections = projectors::with_keys(&bed.settings)?;
    let what = format!("rebuild, log of {head} events");
    for _ in 0..effort.rounds {
        for name in REBUILT.iter().copied() {
            let (rebuilt, _) = projectors::admin::rebuild(&pool, &projections, name).await?;
            ensure!(rebuilt.parked == 0, "{name} parked {} groups", rebuilt.parked);
            report.add(&what, name, "s", rebuilt.seconds);
            report.add(&what, name, PER_SECOND, float(rebuilt.events) / rebuilt.seconds);
        }
    }
    for name in REBUILT {
        report.aim(&what, name, PER_SECOND, Aim::AtLeast(200_000.0));
    }
    pool.close().await;
    Ok(())
}

async fn replay(report: &mut Report, bed: &Bed, effort: &Effort, head: i64) -> anyhow::Result<()> {
    let mut queries = bed.serve("query-api")?;
    queries.ready(bed.settings.query_addr).await?;
    for _ in 0..effort.rounds {
        let token = bed.sign_in().await?;
        let request = http::request("GET", "/api/v1/events/replay", &token, "", None);
        let started = Instant::now();
        let mut connection = Connection::open(bed.settings.query_addr).await?;
        let read = tokio::time::timeout(LIMIT, connection.stream(request.as_bytes()));
        let read = read.await.context("the replay does not end")??;
        let seconds = started.elapsed().as_secs_f64();
        let expected = u64::try_from(head).unwrap_or_default();
        ensure!(read.lines >= expected, "the replay had {} of {expected} events", read.lines);
        report.add("replay as NDJSON", "query-api", PER_SECOND, float(read.lines) / seconds);
        report.add("replay as NDJSON", "query-api", "MB/s", float(read.bytes) / 1e6 / seconds);
    }
    report.aim("replay as NDJSON", "query-api", PER_SECOND, Aim::AtLeast(200_000.0));
    queries.stop().await
}
