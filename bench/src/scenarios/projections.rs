//! Events per second into read models, from the log and from the bus.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use nats::{Bus, LogId};
use platform::config::Settings;
use platform::lifecycle::{Shutdown, Tasks};
use projectors::Runner;
use projectors::runtime::projection::Projection;
use sqlx::PgPool;

use crate::Effort;
use crate::bed::fill::fill;
use crate::bed::{Bed, Founded};
use crate::report::{Aim, Report};
use crate::samples::float;

const PER_SECOND: &str = "events/s";
const LOG: &str = "from the log";
const BUS: &str = "from the bus";
const ALL: &str = "all projections";
const ONE: &str = "notifications_notifications";
const POLL: Duration = Duration::from_millis(5);
const LIMIT: Duration = Duration::from_mins(2);

struct Feeding<'a> {
    bed: &'a Bed,
    founded: Founded,
    /// Events of one feeding.
    fed: i64,
}

pub(crate) async fn run(effort: &Effort) -> anyhow::Result<Report> {
    let bed = Bed::make().await?;
    let mut report = Report::new("projections", effort, bed.machine().await?);
    let commands = bed.command_api().await?;
    let founded = bed.found().await?;
    let fed = if effort.quick { 5_000 } else { 50_000 };
    let feeding = Feeding { bed: &bed, founded, fed };
    let everything = projectors::with_keys(&bed.settings)?;
    feeding.feed(&everything, "").await?; // gives every projection its checkpoint
    for _ in 0..effort.rounds {
        feeding.round(&mut report, &everything).await?;
    }
    for (what, who) in [(LOG, ALL), (BUS, ALL), (LOG, ONE), (BUS, ONE)] {
        report.aim(what, who, PER_SECOND, Aim::AtLeast(50_000.0));
    }
    commands.stop().await?;
    bed.drop_now().await?;
    Ok(report)
}

impl Feeding<'_> {
    async fn round(
        &self,
        report: &mut Report,
        everything: &[Arc<dyn Projection>],
    ) -> anyhow::Result<()> {
        let one: Vec<_> = everything.iter().filter(|p| p.table().name == ONE).cloned().collect();
        let nats = self.bed.settings.nats_url.clone();
        for (projections, who) in [(everything, ALL), (&one, ONE)] {
            self.more().await?;
            report.add(LOG, who, PER_SECOND, self.feed(projections, "").await?);
            let head = self.more().await?;
            report.add("onto the bus", "relay", PER_SECOND, self.relay(head).await?);
            report.add(BUS, who, PER_SECOND, self.feed(projections, &nats).await?);
        }
        self.feed(everything, "").await?; // those that stood aside catch up
        Ok(())
    }

    async fn more(&self) -> anyhow::Result<i64> {
        fill(&self.bed.owner, &self.founded.tenant, self.fed).await
    }

    /// Runs a projector until its projections have caught up with the log; without NATS where the address is empty.
    async fn feed(
        &self,
        projections: &[Arc<dyn Projection>],
        nats_url: &str,
    ) -> anyhow::Result<f64> {
        let settings = Settings { nats_url: nats_url.into(), ..(*self.bed.settings).clone() };
        let runner = Runner::new(&settings, projections.to_vec()).await?;
        let shutdown = Shutdown::new();
        let tasks = Tasks::new(shutdown.clone());
        tasks.spawn("projector", runner.run(shutdown.clone()));
        let names: Vec<&str> = projections.iter().map(|p| p.table().name).collect();
        let rate = caught_up(&self.bed.owner, &names).await;
        shutdown.begin();
        ensure!(tasks.join(LIMIT).await, "the projector does not end");
        rate
    }

    /// Runs a relay until the stream holds everything up to `head`.
    async fn relay(&self, head: i64) -> anyhow::Result<f64> {
        let bus = nats::connect(&self.bed.settings.nats_url).await?;
        let log = log_id(&self.bed.owner).await?;
        let relay = self.bed.serve("relay")?;
        let rate = published(&bus, log, head).await;
        relay.stop().await?;
        rate
    }
}

async fn log_id(owner: &PgPool) -> anyhow::Result<LogId> {
    let (epoch, born_us) = sqlx::query_as(
        "select epoch, (extract(epoch from born_at) * 1000000)::bigint from log.head",
    )
    .fetch_one(owner)
    .await?;
    Ok(LogId { epoch, born_us })
}

/// The rate between the first and the last movement seen, so that starting up does not count.
struct Movement {
    first: Option<(i64, Instant)>,
    last: (i64, Instant),
}

impl Movement {
    fn begin(position: i64) -> Self {
        Self { first: None, last: (position, Instant::now()) }
    }

    fn at(&mut self, position: i64) {
        if position > self.last.0 {
            let now = Instant::now();
            self.first.get_or_insert((position, now));
            self.last = (position, now);
        }
    }

    fn per_second(&self) -> f64 {
        let Some((from, began)) = self.first else { return 0.0 };
        let seconds = self.last.1.duration_since(began).as_secs_f64();
        let moved = u64::try_from(self.last.0 - from).unwrap_or_default();
        if seconds > 0.0 { float(moved) / seconds } else { 0.0 }
    }
}

async fn caught_up(owner: &PgPool, names: &[&str]) -> anyhow::Result<f64> {
    let end = Instant::now() + LIMIT;
    let mut movement: Option<Movement> = None;
    loop {
        let (found, position, head): (i64, i64, i64) = sqlx::query_as(
            "select count(*), coalesce(min(c.position), 0), (select position from log.head)
               from read.checkpoints c where c.projection = any($1)",
        )
        .bind(names)
        .fetch_one(owner)
        .await?;
        let movement = movement.get_or_insert_with(|| Movement::begin(position));
        movement.at(position);
        if usize::try_from(found).is_ok_and(|found| found == names.len()) && position >= head {
            return Ok(movement.per_second());
        }
        ensure!(Instant::now() < end, "projections stand at {position} of {head}");
        tokio::time::sleep(POLL).await;
    }
}

async fn published(bus: &Bus, log: LogId, head: i64) -> anyhow::Result<f64> {
    let end = Instant::now() + LIMIT;
    let mut movement = Movement::begin(0);
    loop {
        let stored = nats::events::end(bus).await?.last;
        let position = stored.filter(|(of, _)| *of == log).map_or(0, |(_, position)| position);
        movement.at(position);
        if position >= head {
            return Ok(movement.per_second());
        }
        ensure!(Instant::now() < end, "the relay stands at {position} of {head}");
        tokio::time::sleep(POLL).await;
    }
}
