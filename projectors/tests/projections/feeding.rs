//! Live: whatever the bus does, every event counts once and in order.

use nats::events::{Consumer, Publisher};
use nats::{Bus, Message};

use crate::server::Server;
use crate::support::Place;
use crate::tallies;
use crate::workload::{found, happen, tenant};

async fn some_events(place: &Place) -> i64 {
    found(place, tenant(0)).await;
    let mut last = 0;
    for round in 0..10 {
        last = happen(place, tenant(0), round).await;
    }
    last
}

/// Publishes in the order given, each on its own, so that the order may be wrong.
async fn publish(bus: &Bus, messages: &[Message]) {
    let mut sequence = nats::events::end(bus).await.unwrap().last_sequence;
    for message in messages {
        let mut publisher = Publisher::after(bus, sequence, message.position - 1).without_ids();
        publisher.publish(std::slice::from_ref(message)).await.unwrap();
        publisher.settle().await.unwrap();
        sequence += 1;
    }
}

#[tokio::test]
async fn works_with_nats_switched_off() {
    let place = Place::new().await;
    let all = projectors::all();
    let projector = place.projector_on("nats://127.0.0.1:1", projectors::all()).await;
    let last = some_events(&place).await;
    place.reached(&all, last).await;
    projector.stop().await;
    place.prove(&all).await;
}

#[tokio::test]
async fn what_the_bus_lost_is_read_from_the_log() {
    let place = Place::new().await;
    let all = projectors::all();
    let server = Server::start();
    let bus = server.bus().await;
    let last = some_events(&place).await;
    let mut messages = place.messages().await;
    messages.retain(|message| message.position % 3 != 0);
    let projector = place.projector_on(&server.url, projectors::all()).await;
    publish(&bus, &messages).await;
    place.reached(&all, last).await;
    projector.stop().await;
    place.prove(&all).await;
}

#[tokio::test]
async fn what_the_bus_brings_twice_or_in_the_wrong_order_counts_once_and_in_order() {
    let place = Place::new().await;
    let all = projectors::all();
    let server = Server::start();
    let bus = server.bus().await;
    let last = some_events(&place).await;
    let mut messages = place.messages().await;
    messages.reverse();
    let twice: Vec<Message> = messages.iter().chain(&messages).cloned().collect();
    publish(&bus, &twice).await;
    let projector = place.projector_on(&server.url, projectors::all()).await;
    place.reached(&all, last).await;
    projector.stop().await;
    place.prove(&all).await;
}

#[tokio::test]
async fn a_crash_between_commit_and_acknowledgement_repeats_nothing() {
    let place = Place::new().await;
    tallies::create_table(&place).await;
    let server = Server::start();
    let bus = server.bus().await;
    let mut last = 0;
    for number in 0..50 {
        last = tallies::tell(&place, tenant(0), number % 5, "hello").await;
    }
    // The durable consumer exists and has acknowledged nothing; the rows are committed already.
    let mut consumer = Consumer::new(&bus, "projectors", place.log().await, 0);
    publish(&bus, &place.messages().await).await;
    drop(consumer.next_batch(1, crate::support::SOON).await);
    drop(consumer);
    let first = place.projector(tallies::projection::<1>()).await;
    place.reached(&tallies::projection::<1>(), last).await;
    first.kill().await;

    let second = place.projector_on(&server.url, tallies::projection::<1>()).await;
    let last = tallies::tell(&place, tenant(0), 1, "more").await;
    place.reached(&tallies::projection::<1>(), last).await;
    second.stop().await;
    place.prove(&tallies::projection::<1>()).await;
    let messages: i64 = sqlx::query_scalar("select sum(messages)::bigint from read.test_tallies")
        .fetch_one(&place.owner)
        .await
        .unwrap();
    assert_eq!(messages, last);
}

#[tokio::test]
async fn killed_again_and_again_it_loses_and_repeats_nothing() {
    let place = Place::new().await;
    let all = projectors::all();
    found(&place, tenant(0)).await;
    for round in 0..10 {
        let projector = place.projector(projectors::all()).await;
        let last = happen(&place, tenant(0), round).await;
        if round % 2 == 0 {
            place.reached(&all, last - 10).await; // in the middle of it
        }
        projector.kill().await;
    }
    let last = happen(&place, tenant(0), 99).await;
    let projector = place.projector(projectors::all()).await;
    place.reached(&all, last).await;
    projector.stop().await;
    place.prove(&all).await;
}

const LEADERS: &str = "pg_locks where locktype = 'advisory' and granted
    and database = (select oid from pg_database where datname = current_database())";

#[tokio::test]
async fn one_leads_and_another_takes_over_when_it_dies() {
    let place = Place::new().await;
    let all = projectors::all();
    let first = place.projector(projectors::all()).await;
    let last = some_events(&place).await;
    place.reached(&all, last).await;
    let second = place.projector(projectors::all()).await;
    let last = happen(&place, tenant(0), 100).await;
    place.reached(&all, last).await;
    assert_eq!(place.count(LEADERS).await, 1);
    first.kill().await;
    let last = happen(&place, tenant(0), 101).await;
    place.reached(&all, last).await;
    assert_eq!(place.count(LEADERS).await, 1);
    second.stop().await;
    place.prove(&all).await;
}

#[tokio::test]
async fn goes_on_when_postgres_ends_its_sessions() {
    let mut place = Place::new().await;
    let all = projectors::all();
    let projector = place.projector(projectors::all()).await;
    let mut last = some_events(&place).await;
    for round in 20..25 {
        place
            .run(
                "select pg_terminate_backend(pid) from pg_stat_activity
                 where application_name = 'annals projectors' and datname = current_database()",
            )
            .await;
        last = happen(&place, tenant(0), round).await;
    }
    place.reached(&all, last).await;
    projector.stop().await;
    place.reconnect().await;
    place.prove(&all).await;
}

#[tokio::test]
async fn somebody_else_s_write_is_noticed_before_anything_is_written() {
    let place = Place::new().await;
    tallies::create_table(&place).await;
    let projections = tallies::projection::<1>();
    let projector = place.projector(tallies::projection::<1>()).await;
    let last = tallies::tell(&place, tenant(0), 1, "one").await;
    place.reached(&projections, last).await;
    // As a retry or a rebuild in another process does.
    place
        .run(
            "update read.test_tallies set titles = '[\"uno\"]';
             update read.checkpoints set generation = generation + 1",
        )
        .await;
    let last = tallies::tell(&place, tenant(0), 1, "two").await;
    place.reached(&projections, last).await;
    let titles: String = sqlx::query_scalar("select titles::text from read.test_tallies")
        .fetch_one(&place.owner)
        .await
        .unwrap();
    assert_eq!(titles, r#"["uno", "two"]"#, "rows in memory outlived somebody else's write");
    projector.stop().await;
}
