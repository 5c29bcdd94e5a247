//! Prints how many events a second are projected: live from the log, by a rebuild, and into the audit trail.
//!
//! `DATABASE_URL=... cargo run --release -p projectors --example rate -- 200000`; it makes a database of its own and drops it.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use platform::config::Settings;
use platform::db::{self, Role};
use platform::lifecycle::{Shutdown, Tasks};
use platform::testkit::TestDatabase;
use projectors::{Runner, admin};
use sqlx::PgPool;

const DEFAULT_EVENTS: i64 = 200_000;
/// Messages and their being read, in turn.
const GENERATE: &str = "
    insert into log.events
    select n, '01900000-0000-7000-8000-000000000001', n, 'notifications.notification',
        ('01900000-0000-7000-8000-' || lpad(to_hex((n - 1) / 2), 12, '0')), 1 + (n - 1) % 2,
        gen_random_uuid(),
        'notifications.notification.' || case (n - 1) % 2 when 0 then 'created' else 'read' end, '1',
        case (n - 1) % 2
          when 0 then '{\"type\":\"notifications.notification.created\",\"user_id\":\"01900000-0000-7000-8000-00000000000a\",\"kind\":\"message\",\"title\":\"Message ' || n || '\",\"message\":\"hello\",\"priority\":\"normal\"}'
          else '{\"type\":\"notifications.notification.read\"}' end::json,
        '{\"actor_id\":\"01900000-0000-7000-8000-00000000000a\",\"actor_kind\":\"user\",\"command\":\"notifications_notification_send\",\"ip\":\"192.0.2.1\",\"request_id\":\"r\"}'::json,
        now(), '\\x00'
    from generate_series(1, $1::bigint) n";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let events = match std::env::args().nth(1) {
        Some(text) => text.parse().context("the number of events is not a number")?,
        None => DEFAULT_EVENTS,
    };
    let database = TestDatabase::create(&migrations::MIGRATOR).await?;
    let measured = measure(&database.url, events).await;
    database.drop_now().await?;
    measured
}

async fn measure(url: &str, events: i64) -> anyhow::Result<()> {
    let owner = PgPool::connect(url).await?;
    generate(&owner, events).await?;
    let pool = db::connect(url, Role::Projectors, 10).await?;

    for (what, names) in [
        ("live from the log, one read model", &["notifications_notifications"][..]),
        ("live from the log, audit trail", &["audit_trail"][..]),
        ("live from the log, everything", &[][..]),
    ] {
        let seconds = live(url, &owner, names, events).await?;
        print(what, events, seconds);
    }
    let all = projectors::all();
    for name in ["notifications_notifications", "audit_trail"] {
        let (built, _) = admin::rebuild(&pool, &all, name).await?;
        ensure!(built.parked == 0, "{name} parked {} groups", built.parked);
        print(&format!("rebuild, {name}"), events, built.seconds);
    }
    let started = Instant::now();
    for proof in admin::prove(&pool, &all).await? {
        ensure!(proof.equal, "{} differs from the log", proof.name);
    }
    print("prove, everything", events, started.elapsed().as_secs_f64());
    Ok(())
}

/// Fills the log at once, past its append, which is not what is measured here.
async fn generate(owner: &PgPool, events: i64) -> anyhow::Result<()> {
    let mut room: i64 = 0;
    while room <= events {
        sqlx::query("select log.add_partition()").execute(owner).await?;
        room = sqlx::query_scalar("select partitioned_to from log.head").fetch_one(owner).await?;
    }
    sqlx::query(GENERATE).bind(events).execute(owner).await?;
    sqlx::query("update log.head set position = $1").bind(events).execute(owner).await?;
    sqlx::query("vacuum analyze log.events").execute(owner).await?;
    Ok(())
}

/// Feeds the named projections, or all, from the first event on; how long it took.
async fn live(url: &str, owner: &PgPool, names: &[&str], events: i64) -> anyhow::Result<f64> {
    let mut projections = projectors::all();
    projections.retain(|one| names.is_empty() || names.contains(&one.table().name));
    sqlx::query("delete from read.checkpoints").execute(owner).await?;
    for projection in &projections {
        let table = projection.table();
        sqlx::query(&format!("truncate {}", table.qualified())).execute(owner).await?;
        // As if it had been there from the beginning; otherwise it would be built, not fed.
        sqlx::query("insert into read.checkpoints (projection, build, epoch, state) values ($1, $2, 1, 'live')")
            .bind(table.name)
            .bind(projection.build())
            .execute(owner)
            .await?;
    }
    let settings = Settings { database_url: url.into(), ..Settings::default() };
    let runner = Runner::new(&settings, projections).await?;
    let tasks = Tasks::new(Shutdown::new());
    let started = Instant::now();
    tasks.spawn("projectors", runner.run(tasks.shutdown().clone()));
    let reached = "select bool_and(position >= $1) from read.checkpoints";
    while !sqlx::query_scalar::<_, bool>(reached).bind(events).fetch_one(owner).await? {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let seconds = started.elapsed().as_secs_f64();
    tasks.shutdown().begin();
    ensure!(tasks.join(Duration::from_secs(10)).await, "the projectors did not end");
    Ok(seconds)
}

#[expect(clippy::cast_precision_loss, reason = "it is printed")]
fn print(what: &str, events: i64, seconds: f64) {
    println!("{what:<45} {:>9.0} events/s  ({events} in {seconds:.2} s)", events as f64 / seconds);
}
