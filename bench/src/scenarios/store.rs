//! Appends per second of the log's writer alone, without HTTP, beside pgbench inserting a row of the same size.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use command_api::log::{Append, Fact, Outcome, StreamWrite, Writer};
use events::envelope::{Encoded, encode};
use events::notifications::notification::{Event, Kind, Priority};
use events::{TenantId, UserId};
use futures::future::try_join_all;
use platform::clock;
use platform::lifecycle::{Shutdown, Tasks};
use tokio::sync::Notify;
use uuid::Uuid;

use super::row_like_ours;
use crate::Effort;
use crate::bed::Bed;
use crate::pgbench::Counted;
use crate::report::{Aim, Report};
use crate::samples::{float, percentile};

const CALLERS: &[usize] = &[1, 8, 32];
const PER_SECOND: &str = "/s";
const ANNALS: &str = "annals";
const PGBENCH: &str = "pgbench";
const STOP_LIMIT: Duration = Duration::from_secs(10);
/// The streams that a user's command leans on.
const FACTS: &[&str] = &["rbac.policy", "rbac.user_access", "identity.user", "identity.session"];

/// One tenant's appends: each a new stream with a key, leaning on the facts that a user's command leans on.
struct Source {
    tenant: TenantId,
    facts: Vec<Fact>,
    event: Encoded,
    metadata: String,
}

pub(crate) async fn run(effort: &Effort) -> anyhow::Result<Report> {
    let bed = Bed::make().await?;
    let mut report = Report::new("store", effort, bed.machine().await?);
    let tasks = Tasks::new(Shutdown::new());
    let writer = Writer::start(bed.url().to_owned(), Arc::new(Notify::new()), &tasks);
    let source = Arc::new(Source::prepare(&writer).await?);
    callers(&writer, &source, (8, 1)).await?; // the first appends make plans and fill caches
    let pgbench = row_like_ours(&bed).await?;
    for _ in 0..effort.rounds {
        for number in CALLERS.iter().copied() {
            let what = format!("{number} caller(s)");
            add(&mut report, &what, PGBENCH, pgbench.run(number, effort.seconds).await?);
            let counted = callers(&writer, &source, (number, effort.seconds)).await?;
            add(&mut report, &what, ANNALS, counted);
        }
    }
    for number in CALLERS {
        let aim = (*number == 32).then_some(Aim::AtLeast(1.2));
        report.ratio(&format!("{number} caller(s)"), (ANNALS, PGBENCH), PER_SECOND, aim);
    }
    drop(writer);
    tasks.shutdown().begin();
    tasks.join(STOP_LIMIT).await;
    bed.drop_now().await?;
    Ok(report)
}

fn add(report: &mut Report, what: &str, who: &str, counted: Counted) {
    report.add(what, who, PER_SECOND, counted.per_second);
    report.add(what, who, "ms p50", counted.p50);
    report.add(what, who, "ms p99", counted.p99);
}

/// So many callers, each appending as soon as its last append was acknowledged.
async fn callers(
    writer: &Writer,
    source: &Arc<Source>,
    (number, seconds): (usize, u64),
) -> anyhow::Result<Counted> {
    let end = Instant::now() + Duration::from_secs(seconds);
    let caller = || async {
        let mut milliseconds = Vec::new();
        while Instant::now() < end {
            let append = source.append(clock::new_id());
            let started = Instant::now();
            let outcome = writer.append(append).await?;
            milliseconds.push(started.elapsed().as_secs_f64() * 1000.0);
            ensure!(matches!(outcome, Outcome::Stored(_)), "an append came to {outcome:?}");
        }
        anyhow::Ok(milliseconds)
    };
    let parts = try_join_all((0..number).map(|_| caller())).await?;
    let milliseconds = parts.concat();
    Ok(Counted {
        per_second: float(milliseconds.len() as u64) / float(seconds),
        p50: percentile(&milliseconds, 0.5),
        p99: percentile(&milliseconds, 0.99),
    })
}

impl Source {
    /// Brings the streams into being that appends lean on.
    async fn prepare(writer: &Writer) -> anyhow::Result<Self> {
        let event = encode(&Event::Created {
            user_id: clock::new_id::<UserId>(),
            kind: Kind::Message,
            title: "The quarterly figures are ready".into(),
            message:
                "They are in the folder of the finance department; comments until Friday, please."
                    .into(),
            link: None,
            priority: Priority::Normal,
            dedupe_key: None,
        })?;
        let mut source =
            Self { tenant: clock::new_id(), facts: Vec::new(), event, metadata: "{}".into() };
        for kind in FACTS.iter().copied() {
            let id = clock::new_id::<Uuid>().to_string();
            let stream = source.stream(kind, id.clone());
            let append =
                Append { streams: vec![stream], key: None, ..source.append(clock::new_id()) };
            let outcome = writer.append(append).await?;
            ensure!(matches!(outcome, Outcome::Stored(_)), "cannot prepare {kind}: {outcome:?}");
            source.facts.push(Fact { kind, id, version: 1 });
        }
        source.metadata = source.metadata()?;
        Ok(source)
    }

    fn metadata(&self) -> anyhow::Result<String> {
        let facts: Vec<String> = self
            .facts
            .iter()
            .map(|fact| format!("{}/{}@{}", fact.kind, fact.id, fact.version))
            .collect();
        let user = self.facts.first().context("no facts")?.id.clone();
        Ok(serde_json::json!({
            "actor_kind": "user", "actor_id": user, "session_id": user, "command": "notifications_notification_send",
            "request_id": user, "correlation_id": user, "ip": "127.0.0.1", "idempotency_key": format!("user:{user}:send:{user}"),
            "facts": facts.join(" "),
        })
        .to_string())
    }

    fn append(&self, id: Uuid) -> Append {
        let streams = vec![self.stream("notifications.notification", id.to_string())];
        Append {
            key: Some((format!("user:{id}:notifications_notification_send:{id}"), [7; 32])),
            facts: self.facts.clone(),
            ..Append::of(self.tenant, streams, self.metadata.clone())
        }
    }

    fn stream(&self, kind: &'static str, id: String) -> StreamWrite {
        StreamWrite {
            kind,
            id,
            expected: Some(0),
            events: vec![(clock::new_id(), self.event.clone())],
            claims: Vec::new(),
        }
    }
}
