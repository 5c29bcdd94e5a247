//! One file per question, each answered by a report.

pub(crate) mod access;
pub(crate) mod commands;
pub(crate) mod export;
pub(crate) mod fanout;
pub(crate) mod import;
pub(crate) mod memory;
pub(crate) mod projections;
pub(crate) mod queries;
pub(crate) mod rebuild;
pub(crate) mod store;
pub(crate) mod visible;

use std::time::{Duration, Instant};

use anyhow::ensure;
use platform::config::Settings;
use platform::lifecycle::{Shutdown, Tasks};
use sqlx::PgPool;

use crate::bed::Bed;
use crate::pgbench::Pgbench;

/// Events that a notary signs no later than when they are so many.
const SIGNED_AT_ONCE: i64 = 10_000;
const CATCH_UP_POLL: Duration = Duration::from_millis(20);

/// Waits until every projection there is has read the whole log.
async fn caught_up(owner: &PgPool, limit: Duration) -> anyhow::Result<()> {
    let end = Instant::now() + limit;
    let all = i64::try_from(projectors::all().len())?;
    loop {
        let (done, behind): (bool, i64) = sqlx::query_as(
            "select count(c.*) = $1 and coalesce(min(c.position) >= h.position, false),
                    h.position - coalesce(min(c.position), 0)
               from log.head h left join read.checkpoints c on true group by h.position",
        )
        .bind(all)
        .fetch_one(owner)
        .await?;
        if done {
            return Ok(());
        }
        ensure!(Instant::now() < end, "projections are still {behind} events behind");
        tokio::time::sleep(CATCH_UP_POLL).await;
    }
}

/// Waits until the relay has published the whole log, so that nothing measured afterwards shares the machine with it.
async fn published(owner: &PgPool, limit: Duration) -> anyhow::Result<()> {
    let behind = "select h.position - coalesce(max(r.published_position), 0)
                    from log.head h left join log.relay r on true group by h.position";
    level(owner, ("the relay", behind), limit).await
}

/// Waits until the notary of a worker has signed the whole log, but for less than it signs at a time, for the same reason.
async fn signed(owner: &PgPool, limit: Duration) -> anyhow::Result<()> {
    let behind = format!(
        "select coalesce(sum(greatest(0, t.tenant_seq - {SIGNED_AT_ONCE} - coalesce(c.size, 0))), 0)::bigint
           from log.tenants t left join lateral
                (select max(size) as size from audit.checkpoints c where c.tenant_id = t.tenant_id) c on true"
    );
    level(owner, ("the notary", &behind), limit).await
}

/// Waits until a reader of the log is not behind it, by the answer to how many events it is.
async fn level(
    owner: &PgPool,
    (reader, behind): (&str, &str),
    limit: Duration,
) -> anyhow::Result<()> {
    let end = Instant::now() + limit;
    loop {
        let behind: i64 = sqlx::query_scalar(behind).fetch_one(owner).await?;
        if behind == 0 {
            return Ok(());
        }
        ensure!(Instant::now() < end, "{reader} is still {behind} events behind");
        tokio::time::sleep(CATCH_UP_POLL).await;
    }
}

/// Brings every read model up to the log, without the bus.
async fn project(bed: &Bed, limit: Duration) -> anyhow::Result<()> {
    let settings = Settings { nats_url: String::new(), ..(*bed.settings).clone() };
    let runner = projectors::Runner::new(&settings, projectors::with_keys(&settings)?).await?;
    let shutdown = Shutdown::new();
    let tasks = Tasks::new(shutdown.clone());
    tasks.spawn("projector", runner.run(shutdown.clone()));
    let caught_up = caught_up(&bed.owner, limit).await;
    shutdown.begin();
    ensure!(tasks.join(limit).await, "the projector does not end");
    sqlx::query("vacuum analyze").execute(&bed.owner).await?;
    caught_up
}

/// pgbench inserting one row a transaction, with what the last event of the log holds.
async fn row_like_ours(bed: &Bed) -> anyhow::Result<Pgbench> {
    sqlx::query(
        "create table public.bench_rows (
           id bigint generated always as identity primary key, tenant_id uuid not null, aggregate_type text not null,
           aggregate_id text not null, sequence bigint not null, event_id uuid not null, event_type text not null,
           event_version text not null, payload json not null, metadata json not null,
           recorded_at timestamptz not null, chain bytea not null)",
    )
    .execute(&bed.owner)
    .await?;
    let (payload, metadata): (String, String) = sqlx::query_as(
        "select payload::text, metadata::text from log.events order by position desc limit 1",
    )
    .fetch_one(&bed.owner)
    .await?;
    let script = "insert into public.bench_rows (tenant_id, aggregate_type, aggregate_id, sequence, event_id, event_type, \
         event_version, payload, metadata, recorded_at, chain) values ('0199c200-1d2a-7e10-8f1e-000000000001', \
         'notifications.notification', '0199c200-1d2a-7e10-8f1e-000000000002', 1, gen_random_uuid(), \
         'notifications.notification.created', '1', :payload, :metadata, clock_timestamp(), \
         decode(repeat('ab', 32), 'hex'));\n";
    Pgbench::new(bed.url(), script, vec![("payload", payload), ("metadata", metadata)])
}
