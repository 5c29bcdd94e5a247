//! The stream of events against a real nats-server: order, fencing, and everything that can vanish.

use std::time::Duration;

use crate::support::{LOG, SOON, Server, jetstream, message, messages};
use nats::events::{self, Batch, Consumer, Publisher};
use nats::tail::Tail;
use nats::{Bus, Error, LogId, Message, topology};

const QUICK: Duration = Duration::from_millis(100);

async fn publish(bus: &Bus, positions: std::ops::RangeInclusive<i64>) -> Result<(), Error> {
    let end = events::end(bus).await?;
    let mut publisher = Publisher::after(bus, end.last_sequence, positions.start() - 1);
    publisher.publish(&messages(positions)).await?;
    publisher.settle().await
}

/// Reads until `last` was seen.
async fn read_to(consumer: &mut Consumer, last: i64) -> Vec<Message> {
    let mut found = Vec::new();
    let reading = async {
        loop {
            if let Batch::Events(delivered) = consumer.next_batch(500, Duration::from_secs(1)).await
            {
                let reaches = delivered.reaches;
                found.extend(delivered.messages.iter().cloned());
                consumer.set_checkpoint(reaches);
                delivered.ack().await;
                if reaches >= last {
                    break;
                }
            }
        }
    };
    tokio::time::timeout(3 * SOON, reading).await.expect("the messages arrive");
    found
}

/// The runs of positions, so that a failure can be read.
fn places(messages: &[Message]) -> Vec<(i64, i64)> {
    let mut runs: Vec<(i64, i64)> = Vec::new();
    for position in messages.iter().map(|message| message.position) {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == position => *last = position,
            Some(_) | None => runs.push((position, position)),
        }
    }
    runs
}

#[tokio::test]
async fn delivers_exactly_what_was_published_in_order() {
    let server = Server::start().await;
    let bus = server.bus().await;
    publish(&bus, 1..=3000).await.unwrap();
    let mut consumer = Consumer::new(&bus, "projector_test", LOG, 0);
    assert!(read_to(&mut consumer, 3000).await == messages(1..=3000));
    assert!(matches!(consumer.next_batch(10, QUICK).await, Batch::Idle));
}

#[tokio::test]
async fn delivers_hostile_text_unharmed() {
    let server = Server::start().await;
    let bus = server.bus().await;
    let hostile = "日本語 🦀 \"quoted\" 100% a\r\nNats-Msg-Id: x\r\n\r\n\t\u{0} end ";
    let sent = Message {
        aggregate_id: hostile.into(),
        event_type: "rbac.policy.Rôle *created>. ".into(),
        metadata: serde_json::json!({ "actor_id": hostile, "user_agent": hostile }).to_string(),
        payload: serde_json::json!({ "name": hostile }).to_string().into(),
        ..message(1)
    };
    let mut publisher = Publisher::after(&bus, events::end(&bus).await.unwrap().last_sequence, 0);
    publisher.publish(std::slice::from_ref(&sent)).await.unwrap();
    publisher.settle().await.unwrap();
    let mut consumer = Consumer::new(&bus, "projector_test", LOG, 0);
    assert_eq!(read_to(&mut consumer, 1).await, vec![sent]);
}

#[tokio::test]
async fn says_only_where_an_event_stands_that_is_too_large() {
    let server = Server::start().await;
    let bus = server.bus().await;
    let large = Message { payload: vec![b' '; 2 * 1024 * 1024].into(), ..message(2) };
    let mut publisher = Publisher::after(&bus, events::end(&bus).await.unwrap().last_sequence, 0);
    publisher.publish(&[message(1), large]).await.unwrap();
    publisher.settle().await.unwrap();
    assert_eq!(events::end(&bus).await.unwrap().last, Some((LOG, 2)));
    let mut consumer = Consumer::new(&bus, "projector_test", LOG, 0);
    assert_eq!(places(&read_to(&mut consumer, 2).await), [(1, 1)]);
}

#[tokio::test]
async fn a_publisher_that_was_overtaken_changes_nothing() {
    let server = Server::start().await;
    let bus = server.bus().await;
    publish(&bus, 1..=100).await.unwrap();
    let mut zombie = Publisher::after(&bus, 100, 100);
    publish(&bus, 101..=300).await.unwrap();
    zombie.publish(&messages(101..=250)).await.unwrap();
    // Without its known ids the second half shows the fence itself.
    let mut late = Publisher::after(&bus, 100, 1000).without_ids();
    late.publish(&messages(1001..=1150)).await.unwrap();
    assert!(matches!(late.settle().await, Err(Error::Fenced(_))));
    zombie.settle().await.ok();
    publish(&bus, 301..=301).await.unwrap();
    let mut consumer = Consumer::new(&bus, "projector_test", LOG, 0);
    assert_eq!(places(&read_to(&mut consumer, 301).await), [(1, 301)]);
}

async fn publish_until_fenced(publisher: &mut Publisher) {
    for first in (1..2000).step_by(100) {
        if publisher.publish(&messages(first..=first + 99)).await.is_err() {
            return;
        }
    }
    publisher.settle().await.ok();
}

#[tokio::test]
async fn two_publishers_of_one_log_write_it_once_in_order() {
    let server = Server::start().await;
    let bus = server.bus().await;
    let start = events::end(&bus).await.unwrap().last_sequence;
    let mut one = Publisher::after(&bus, start, 0);
    let mut two = Publisher::after(&server.bus().await, start, 0).without_ids();
    tokio::join!(publish_until_fenced(&mut one), publish_until_fenced(&mut two));
    let end = events::end(&bus).await.unwrap();
    assert_eq!(end.last, Some((LOG, i64::try_from(end.last_sequence - start).unwrap())));
    publish(&bus, end.last.unwrap().1 + 1..=2001).await.unwrap();
    let mut consumer = Consumer::new(&bus, "projector_test", LOG, 0);
    assert_eq!(places(&read_to(&mut consumer, 2001).await), [(1, 2001)]);
}

#[tokio::test]
async fn fences_from_the_first_message_of_an_empty_stream() {
    let server = Server::start().await;
    let bus = server.bus().await;
    events::end(&bus).await.unwrap();
    publish(&bus, 1..=10).await.unwrap();
    let mut late = Publisher::after(&bus, 0, 100);
    late.publish(&messages(101..=101)).await.unwrap();
    assert!(matches!(late.settle().await, Err(Error::Fenced(_))));
}

#[tokio::test]
async fn publishes_again_what_was_purged_within_the_window_of_ids() {
    let server = Server::start().await;
    let bus = server.bus().await;
    publish(&bus, 1..=500).await.unwrap();
    events::purge(&bus).await.unwrap();
    let end = events::end(&bus).await.unwrap();
    assert_eq!((end.last_sequence, end.last), (500, None));
    let mut publisher = Publisher::after(&bus, 500, 0).without_ids();
    publisher.publish(&messages(1..=500)).await.unwrap();
    publisher.settle().await.unwrap();
    let mut consumer = Consumer::new(&bus, "projector_test", LOG, 0);
    assert_eq!(places(&read_to(&mut consumer, 500).await), [(1, 500)]);
}

#[tokio::test]
async fn makes_a_deleted_consumer_again_where_its_reader_stands() {
    let server = Server::start().await;
    let bus = server.bus().await;
    publish(&bus, 1..=100).await.unwrap();
    let mut consumer = Consumer::new(&bus, "projector_test", LOG, 0);
    read_to(&mut consumer, 100).await;
    let stream = jetstream(&server).await.get_stream("EVENTS").await.unwrap();
    stream.delete_consumer("projector_test").await.unwrap();
    publish(&bus, 101..=120).await.unwrap();
    assert_eq!(places(&read_to(&mut consumer, 120).await), [(101, 120)]);
}

#[tokio::test]
async fn goes_on_when_the_stream_was_deleted() {
    let server = Server::start().await;
    let bus = server.bus().await;
    publish(&bus, 1..=100).await.unwrap();
    let before = events::end(&bus).await.unwrap();
    let mut consumer = Consumer::new(&bus, "projector_test", LOG, 0);
    read_to(&mut consumer, 100).await;
    topology::delete_events(&bus).await.unwrap();
    publish(&bus, 50..=120).await.unwrap();
    assert_ne!(events::end(&bus).await.unwrap().created_ns, before.created_ns);
    assert_eq!(read_to(&mut consumer, 120).await.last(), Some(&message(120)));
}

#[tokio::test]
async fn reports_an_outage_and_comes_back_after_a_wipe() {
    let mut server = Server::start().await;
    let bus = server.bus().await;
    publish(&bus, 1..=10).await.unwrap();
    let mut consumer = Consumer::new(&bus, "projector_test", LOG, 0);
    read_to(&mut consumer, 10).await;
    server.kill();
    server.wipe();
    let outage =
        async { while !matches!(consumer.next_batch(10, QUICK).await, Batch::Unavailable) {} };
    tokio::time::timeout(SOON, outage).await.expect("the outage is reported");
    server.start_again().await;
    assert!(bus.connected_within(SOON).await);
    publish(&bus, 11..=30).await.unwrap();
    assert_eq!(places(&read_to(&mut consumer, 30).await), [(11, 30)]);
}

#[tokio::test]
async fn starts_without_a_server() {
    let mut server = Server::start().await;
    server.kill();
    let bus = nats::connect(&server.url()).await.unwrap();
    let mut consumer = Consumer::new(&bus, "projector_test", LOG, 0);
    assert!(matches!(consumer.next_batch(10, QUICK).await, Batch::Unavailable));
    server.start_again().await;
    assert!(bus.connected_within(SOON).await);
    publish(&bus, 1..=5).await.unwrap();
    assert_eq!(places(&read_to(&mut consumer, 5).await), [(1, 5)]);
}

#[tokio::test]
async fn passes_over_messages_of_another_log() {
    let server = Server::start().await;
    let bus = server.bus().await;
    publish(&bus, 1..=10).await.unwrap();
    let ours = LogId { epoch: 2, ..LOG };
    let mut publisher = Publisher::after(&bus, 10, 0);
    publisher.publish(&[Message { log: ours, ..message(20) }]).await.unwrap();
    publisher.settle().await.unwrap();
    let mut consumer = Consumer::new(&bus, "projector_test", ours, 0);
    assert_eq!(read_to(&mut consumer, 20).await, vec![Message { log: ours, ..message(20) }]);
}

#[tokio::test]
async fn passes_over_messages_of_strangers() {
    let server = Server::start().await;
    let bus = server.bus().await;
    publish(&bus, 1..=3).await.unwrap();
    server.say("PUB events.nonsense 10\r\nno headers\r\n");
    publish(&bus, 4..=6).await.unwrap();
    let mut consumer = Consumer::new(&bus, "projector_test", LOG, 0);
    assert_eq!(places(&read_to(&mut consumer, 6).await), [(1, 6)]);
}

#[tokio::test]
async fn replaces_a_consumer_that_delivers_otherwise() {
    let server = Server::start().await;
    let bus = server.bus().await;
    publish(&bus, 1..=10).await.unwrap();
    let stream = jetstream(&server).await.get_stream("EVENTS").await.unwrap();
    let other = async_nats::jetstream::consumer::pull::Config {
        durable_name: Some("projector_test".into()),
        max_ack_pending: 1,
        ..Default::default()
    };
    stream.create_consumer(other).await.unwrap();
    let mut consumer = Consumer::new(&bus, "projector_test", LOG, 4);
    assert_eq!(places(&read_to(&mut consumer, 10).await), [(5, 10)]);
}

#[tokio::test]
async fn two_readers_share_a_consumer_without_loss() {
    let server = Server::start().await;
    let bus = server.bus().await;
    let mut one = Consumer::new(&bus, "projector_test", LOG, 0);
    let mut two = Consumer::new(&server.bus().await, "projector_test", LOG, 0);
    assert!(matches!(one.next_batch(10, QUICK).await, Batch::Idle));
    assert!(matches!(two.next_batch(10, QUICK).await, Batch::Idle));
    publish(&bus, 1..=5000).await.unwrap();
    let mut seen = std::collections::BTreeSet::new();
    let reading = async {
        while seen.len() < 5000 {
            for reader in [&mut one, &mut two] {
                if let Batch::Events(delivered) = reader.next_batch(100, QUICK).await {
                    seen.extend(delivered.messages.iter().map(|message| message.position));
                    delivered.ack().await;
                }
            }
        }
    };
    tokio::time::timeout(SOON, reading).await.expect("everything arrives at one of them");
}

#[tokio::test]
async fn the_tail_passes_what_is_published() {
    let server = Server::start().await;
    let bus = server.bus().await;
    let mut tail = Tail::subscribe(&server.bus().await, LOG).await.unwrap();
    let mut silent = Tail::subscribe(&bus, LogId { epoch: 9, ..LOG }).await.unwrap();
    assert!(tail.next(10, QUICK).await.is_none());
    publish(&bus, 1..=300).await.unwrap();
    let mut passed = Vec::new();
    while passed.len() < 300 {
        passed.extend(tail.next(64, SOON).await.expect("they pass").messages);
    }
    assert!(passed == messages(1..=300));
    assert!(silent.next(10, QUICK).await.is_none());
}

#[tokio::test]
async fn spaces_on_one_server_do_not_meet() {
    let server = Server::start().await;
    let blue = nats::connect(&format!("{}/blue", server.url())).await.unwrap();
    let green = nats::connect(&format!("{}/green", server.url())).await.unwrap();
    blue.ready(SOON).await.unwrap();
    green.ready(SOON).await.unwrap();
    publish(&blue, 1..=3).await.unwrap();
    publish(&green, 1..=5).await.unwrap();
    assert_eq!(events::end(&blue).await.unwrap().last, Some((LOG, 3)));
    assert_eq!(events::end(&green).await.unwrap().last, Some((LOG, 5)));
    let mut consumer = Consumer::new(&blue, "projector_test", LOG, 0);
    assert_eq!(places(&read_to(&mut consumer, 3).await), [(1, 3)]);
}
