//! Measures the way from the log to a reader: `annals engines -- cargo run --release -p relay --example throughput 500000`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use nats::events::{self, Batch, Consumer};
use nats::{Bus, LogId};
use platform::config::Settings;
use platform::lifecycle::{Shutdown, Tasks};
use platform::testkit::{TestDatabase, engine};
use sqlx::{Connection as _, Executor as _, PgConnection};
use uuid::Uuid;

const BATCH: i64 = 1000;
const FRESH: i64 = 1000;
const PAYLOAD: &str = r#"{"type":"rbac.user_access.role_assigned","role_id":"019aa3a4-7f0e-7c61-9b0e-5b1c4f6d2a10","unit_id":"019aa3a4-7f0e-7c61-9b0e-5b1c4f6d2a11","until":"2027-01-01T00:00:00Z"}"#;
const METADATA: &str = r#"{"actor_id":"019aa3a4-7f0e-7c61-9b0e-5b1c4f6d2a12","actor_kind":"user","command":"rbac_user_access_assign_role","correlation_id":"019aa3a4-7f0e-7c61-9b0e-5b1c4f6d2a13","ip":"192.0.2.17","request_id":"019aa3a4-7f0e-7c61-9b0e-5b1c4f6d2a14"}"#;
const APPEND: &str = "select coalesce(max(last_position), 0) from log.append(
    a_tenant => array[$1], a_key => array[null::text], a_fingerprint => array[null::bytea],
    s_append => '{}', s_tenant => '{}', s_type => '{}', s_id => '{}', s_expected => '{}',
    f_append => '{}', f_tenant => '{}', f_type => '{}', f_id => '{}', f_version => '{}',
    c_append => '{}', c_tenant => '{}', c_type => '{}', c_id => '{}', c_namespace => '{}', c_key => '{}', c_take => '{}',
    e_append => array_fill(1, array[$2::int]), e_tenant => array_fill($1, array[$2::int]),
    e_aggregate_type => array_fill('rbac.user_access'::text, array[$2::int]),
    e_aggregate_id => (select array_agg(gen_random_uuid()::text) from generate_series(1, $2)),
    e_id => (select array_agg(gen_random_uuid()) from generate_series(1, $2)),
    e_type => array_fill('rbac.user_access.role_assigned'::text, array[$2::int]),
    e_version => array_fill('1'::text, array[$2::int]),
    e_payload => array_fill($3, array[$2::int]), e_metadata => array_fill($4, array[$2::int]))";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let events: i64 = match std::env::args().nth(1) {
        Some(count) => count.parse().context("give the number of events")?,
        None => 200_000,
    };
    let database = TestDatabase::create(&migrations::MIGRATOR).await?;
    let nats_url = format!("{}/throughput", engine("NATS_URL")?);
    let mut writer = PgConnection::connect(&database.url).await?;
    writer.execute("set role command_api").await?;
    for _ in 0..events / BATCH {
        append(&mut writer, BATCH).await?;
    }
    let last = events / BATCH * BATCH;
    let (epoch, born_us) = sqlx::query_as(
        "select epoch, (extract(epoch from born_at) * 1000000)::bigint from log.head",
    )
    .fetch_one(&mut writer)
    .await?;
    let log = LogId { epoch, born_us };
    let bus = nats::connect(&nats_url).await?;
    bus.ready(Duration::from_secs(5)).await?;
    nats::topology::ensure(&bus).await?;
    nats::topology::delete_events(&bus).await?;

    let shutdown = Shutdown::new();
    let tasks = Tasks::new(shutdown.clone());
    let settings = Settings { database_url: database.url.clone(), nats_url, ..Settings::default() };
    let started = Instant::now();
    tasks.spawn("relay", relay::run(Arc::new(settings), shutdown.clone()));
    until(&bus, log, last).await?;
    report("publish a backlog", last, started.elapsed());

    let mut consumer = Consumer::new(&bus, "throughput", log, 0);
    let started = Instant::now();
    read_to(&mut consumer, last).await;
    report("consume it", last, started.elapsed());

    fresh(&mut writer, &mut consumer, last).await?;
    shutdown.begin();
    tasks.join(Duration::from_secs(5)).await;
    nats::topology::delete_events(&bus).await?;
    writer.close().await?;
    database.drop_now().await
}

async fn append(writer: &mut PgConnection, count: i64) -> anyhow::Result<i64> {
    sqlx::query_scalar(APPEND)
        .bind(Uuid::from_u128(7))
        .bind(count)
        .bind(PAYLOAD)
        .bind(METADATA)
        .fetch_one(writer)
        .await
        .context("cannot append")
}

async fn until(bus: &Bus, log: LogId, last: i64) -> anyhow::Result<()> {
    while events::end(bus).await?.last != Some((log, last)) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

async fn read_to(consumer: &mut Consumer, last: i64) {
    loop {
        if let Batch::Events(delivered) = consumer.next_batch(500, Duration::from_secs(1)).await {
            let reaches = delivered.reaches;
            delivered.ack().await;
            if reaches >= last {
                return;
            }
        }
    }
}

/// From the commit of one event to its reader.
async fn fresh(
    writer: &mut PgConnection,
    consumer: &mut Consumer,
    last: i64,
) -> anyhow::Result<()> {
    let mut times = Vec::new();
    for n in 1..=FRESH {
        append(writer, 1).await?;
        let committed = Instant::now();
        writer.execute("notify annals_log").await?;
        read_to(consumer, last + n).await;
        times.push(committed.elapsed());
    }
    times.sort();
    let at = |share: usize| times[(times.len() - 1) * share / 100];
    println!("commit to reader: p50 {:?}, p99 {:?}, max {:?}", at(50), at(99), at(100));
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a rate is rounded anyway")]
fn report(what: &str, events: i64, took: Duration) {
    println!("{what}: {events} events in {took:.1?}, {:.0}/s", events as f64 / took.as_secs_f64());
}
