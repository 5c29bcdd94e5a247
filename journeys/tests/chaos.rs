//! Thirty kills under load, then everything wiped that may be: nothing acknowledged is lost, doubled or out of order.

use std::time::Duration;

use cli::engines::Engine;
use journeys::history::{self, Load};
use journeys::{House, Resident};
use serde_json::Value;

const CLIENTS: usize = 8;
const KILLS: usize = 30;
/// Commands that must be acknowledged between two kills, so that each kill hits work in progress.
const BETWEEN: u64 = 20;
const PATIENCE: Duration = Duration::from_mins(1);

/// What can be killed.
#[derive(Debug, Clone, Copy)]
enum Victim {
    Process(Resident),
    Engine(Engine),
    Backend,
}

const VICTIMS: [Victim; 9] = [
    Victim::Process(Resident::CommandApi),
    Victim::Process(Resident::Relay),
    Victim::Process(Resident::Projectors),
    Victim::Engine(Engine::Nats),
    Victim::Process(Resident::SecondCommandApi),
    Victim::Process(Resident::Workers),
    Victim::Backend,
    Victim::Engine(Engine::Redis),
    Victim::Process(Resident::SecondRelay),
];

async fn strike(house: &mut House, victim: Victim) -> anyhow::Result<()> {
    match victim {
        Victim::Process(resident) => {
            house.kill(resident)?;
            house.move_in(resident)
        }
        Victim::Engine(engine) => {
            house.engines.kill(engine).await?;
            house.revive(engine).await
        }
        Victim::Backend => kill_a_backend(house).await,
    }
}

/// Kills the server process of one writer: Postgres then restarts all of them.
async fn kill_a_backend(house: &House) -> anyhow::Result<()> {
    let pool = house.database().await?;
    let pid: Option<i32> = sqlx::query_scalar(
        "select pid from pg_stat_activity where application_name = 'annals log writer' limit 1",
    )
    .fetch_optional(&pool)
    .await?;
    if let Some(pid) = pid {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::SIGKILL)?;
    }
    pool.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thirty_kills_and_a_wipe_lose_nothing() -> anyhow::Result<()> {
    let mut house = House::start().await?;
    house.move_in(Resident::SecondCommandApi)?;
    house.move_in(Resident::SecondRelay)?;
    let owner = house.found("acme").await?;
    let urls = [house.command_url.clone(), house.second_command_url.clone()];
    let load = Load::start(&owner, &urls, CLIENTS);
    for number in 0..KILLS {
        let victim = VICTIMS[number % VICTIMS.len()];
        load.progress(BETWEEN, PATIENCE).await?;
        strike(&mut house, victim).await.map_err(|error| error.context(format!("{victim:?}")))?;
    }
    load.progress(BETWEEN, PATIENCE).await?;
    let history = load.finish().await?;
    let database = house.database().await?;
    let wrong = history::check(&history, &database).await?;
    assert!(
        wrong.is_empty(),
        "{} of {}: {:#?}{}",
        wrong.len(),
        history.len(),
        wrong,
        house.last_words()
    );
    assert!(history.len() as u64 > BETWEEN * KILLS as u64);

    let before = proof(&house, &owner).await?;
    wipe(&mut house, &database).await?;
    let after = proof(&house, &owner).await?;
    assert_eq!(before, after, "read models come back from the log as they were");
    chain_is_whole(&house, &owner).await?;
    house.stop().await;
    Ok(())
}

/// The digest of every read model at the end of the log, each found to be what the log says.
async fn proof(house: &House, owner: &journeys::Client) -> anyhow::Result<Vec<(String, String)>> {
    let caught_up = |body: &Value| body["as_of"]["position"].as_i64().is_some();
    owner.until("/users?limit=1", PATIENCE, caught_up).await?;
    let began = std::time::Instant::now();
    loop {
        let lagging: Option<i64> = sqlx::query_scalar(
            "select min(h.position - c.position) from log.head h cross join read.checkpoints c having max(h.position - c.position) > 0",
        )
        .fetch_optional(&house.database().await?)
        .await?;
        if lagging.is_none() {
            break;
        }
        anyhow::ensure!(
            began.elapsed() < PATIENCE,
            "projections do not catch up{}",
            house.last_words()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let output = house.annals(&["prove", "--json"])?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    anyhow::ensure!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_str(&text)?;
    let models = report["proofs"].as_array().cloned().unwrap_or_default();
    anyhow::ensure!(!models.is_empty(), "nothing was proven: {text}");
    let part = |model: &Value, name: &str| model[name].as_str().unwrap_or_default().to_owned();
    let mut digests: Vec<_> =
        models.iter().map(|model| (part(model, "name"), part(model, "digest"))).collect();
    digests.sort();
    Ok(digests)
}

/// Throws away the bus, the cache and every read model.
async fn wipe(house: &mut House, database: &sqlx::PgPool) -> anyhow::Result<()> {
    house.kill(Resident::Projectors)?;
    house.engines.wipe_nats().await?;
    house.engines.wipe_redis().await?;
    let tables: Vec<String> = sqlx::query_scalar(
        "select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace
          where n.nspname in ('read', 'audit') and c.relkind in ('r', 'p')",
    )
    .fetch_all(database)
    .await?;
    for table in tables {
        sqlx::query(&format!("truncate {table} cascade")).execute(database).await?;
    }
    house.move_in(Resident::Projectors)?;
    let began = std::time::Instant::now();
    loop {
        let live: i64 = sqlx::query_scalar(
            "select count(*) from read.checkpoints c cross join log.head h where c.position >= h.position",
        )
        .fetch_one(database)
        .await?;
        if live > 0 {
            return Ok(());
        }
        anyhow::ensure!(
            began.elapsed() < PATIENCE,
            "read models do not come back{}",
            house.last_words()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn chain_is_whole(house: &House, owner: &journeys::Client) -> anyhow::Result<()> {
    let replay = owner.bytes(&format!("{}/api/v1/events/replay", house.query_url)).await?;
    let file = house.path("replay.ndjson");
    std::fs::write(&file, replay)?;
    let output = house.annals(&["verify", &file.display().to_string()])?;
    anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
