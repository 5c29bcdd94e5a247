//! A slow writer, writers that give up, and 32 racing clients: a reader that follows the log misses nothing and sees no gap.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use journeys::House;
use journeys::history::{self, Load};
use sqlx::PgPool;

const CLIENTS: usize = 32;
const COMMANDS: u64 = 600;
const SLOW: Duration = Duration::from_millis(700);
const PATIENCE: Duration = Duration::from_mins(1);

/// One event of a stream of its own, appended as anybody would; the caller decides whether it stays.
const APPEND: &str = "select log.append(
  array[$1], array[null]::text[], array[null]::bytea[],
  array[1], array[$1], array['journeys.race'], array[$2::text], array[0]::bigint[],
  '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}',
  array[1], array[$1], array['journeys.race'], array[$2::text], array[gen_random_uuid()],
  array['journeys.race.held'], array['1'], array['{\"type\":\"journeys.race.held\"}'], array['{}'])";

/// Appends in a transaction that stays open for a while, and then keeps it or not.
async fn hold(pool: &PgPool, tenant: uuid::Uuid, keep: bool) -> anyhow::Result<()> {
    let mut transaction = pool.begin().await?;
    let stream: uuid::Uuid = platform::clock::new_id();
    sqlx::query(APPEND).bind(tenant).bind(stream.to_string()).execute(&mut *transaction).await?;
    tokio::time::sleep(SLOW).await; // the slowness is the subject here, nothing is waited for
    if keep {
        transaction.commit().await?;
    } else {
        transaction.rollback().await?;
    }
    Ok(())
}

/// Follows the log as a relay would: whatever comes after the last position seen. Gives the positions back.
async fn follow(pool: PgPool, stop: Arc<AtomicBool>) -> anyhow::Result<i64> {
    let mut last = 0;
    loop {
        let ending = stop.load(Ordering::Relaxed);
        let positions: Vec<i64> = sqlx::query_scalar(
            "select position from log.events where position > $1 order by position limit 500",
        )
        .bind(last)
        .fetch_all(&pool)
        .await?;
        for position in &positions {
            anyhow::ensure!(*position == last + 1, "{position} was seen right after {last}");
            last = *position;
        }
        if ending && positions.is_empty() {
            return Ok(last);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_and_racing_writers_lose_nothing_and_invert_nothing() -> anyhow::Result<()> {
    let mut house = House::start().await?;
    house.move_in(journeys::Resident::SecondCommandApi)?;
    let owner = house.found("acme").await?;
    let database = house.database().await?;
    let stop = Arc::new(AtomicBool::new(false));
    let follower = follow(database.clone(), Arc::clone(&stop));
    let racing = async {
        let urls = [house.command_url.clone(), house.second_command_url.clone()];
        let load = Load::start(&owner, &urls, CLIENTS);
        let tenant: uuid::Uuid = owner.tenant_id.parse()?;
        for round in 0..6 {
            hold(&database, tenant, round % 3 != 2).await?;
            load.progress(COMMANDS / 6, PATIENCE).await?;
        }
        let history = load.finish().await;
        stop.store(true, Ordering::Relaxed);
        history
    };
    let (seen, history) = tokio::try_join!(follower, racing)?;
    let wrong = history::check(&history, &database).await?;
    assert!(wrong.is_empty(), "{wrong:#?}{}", house.last_words());
    assert!(history.len() as u64 >= COMMANDS);
    let head: i64 =
        sqlx::query_scalar("select position from log.head").fetch_one(&database).await?;
    assert_eq!(seen, head, "the follower saw every position");
    let kept: i64 = sqlx::query_scalar(
        "select count(*) from log.events where event_type = 'journeys.race.held'",
    )
    .fetch_one(&database)
    .await?;
    assert_eq!(kept, 4, "what was rolled back left nothing, not even a number");
    house.stop().await;
    Ok(())
}
