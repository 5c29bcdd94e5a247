//! What is in the log is in the stream: all of it, once, in order, to the byte.

use std::time::{Duration, Instant};

use nats::events::{Batch, Consumer};
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use crate::support::{Place, places};

/// Position, tenant, `tenant_seq`, sequence, id, payload, metadata, `recorded_at`, chain.
type Row = (i64, Uuid, i64, i64, Uuid, String, String, String, Vec<u8>);

#[tokio::test]
async fn publishes_every_record_exactly_as_it_stands_in_the_log() {
    let mut place = Place::new().await;
    let relay = place.relay();
    let hostile = "漢字 🦀 \\\"q\\\" 100% \\r\\nce-id: x";
    for tenant in [7, 8, 7] {
        let payload = format!(r#"{{ "type":"x", "note" : "{hostile}"}}"#);
        let metadata = format!(r#"{{"actor_id":"{hostile}", "actor_kind":"user"}}"#);
        place.append_as(Uuid::from_u128(tenant), 40, &payload, &metadata).await;
    }
    place.published(120).await;
    let stream = place.stream(120).await;
    assert_eq!(places(&stream), [(1, 120)]);

    let mut reader = PgConnection::connect(&place.url).await.unwrap();
    let stored: Vec<Row> = sqlx::query_as(
        "select position, tenant_id, tenant_seq, sequence, event_id, payload::text, metadata::text,
           to_char(recorded_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), chain
         from log.events order by position",
    )
    .fetch_all(&mut reader)
    .await
    .unwrap();
    for (message, row) in stream.iter().zip(&stored) {
        assert_eq!(
            (message.position, message.tenant_id, message.tenant_seq, message.sequence),
            (row.0, row.1, row.2, row.3)
        );
        assert_eq!((message.event_id, &message.payload[..]), (row.4, row.5.as_bytes()));
        assert_eq!((&message.metadata, &message.recorded_at), (&row.6, &row.7));
        assert_eq!(message.chain, row.8);
        assert_eq!(
            (message.aggregate_type.as_str(), message.event_type.as_str()),
            ("rbac.policy", "rbac.policy.role_created")
        );
        assert_eq!(message.aggregate_id, message.tenant_id.to_string());
    }
    relay.stop().await;
}

#[tokio::test]
async fn a_fresh_event_arrives_at_once() {
    let mut place = Place::new().await;
    let relay = place.relay();
    place.append(1).await;
    place.published(1).await;
    let bus = place.bus().await;
    let mut consumer = Consumer::new(&bus, "reader", place.log().await, 0);
    let mut worst = Duration::ZERO;
    for n in 1..=50 {
        if n > 1 {
            place.append(1).await;
        }
        let committed = Instant::now();
        if n % 2 == 0 {
            place.notify().await; // the other half waits for the poll
        }
        loop {
            if let Batch::Events(delivered) = consumer.next_batch(10, Duration::from_secs(1)).await
            {
                let reaches = delivered.reaches;
                delivered.ack().await;
                if reaches == n {
                    break;
                }
            }
        }
        worst = worst.max(committed.elapsed());
    }
    assert!(worst < Duration::from_secs(1), "an event took {worst:?}");
    relay.stop().await;
}

#[tokio::test]
async fn publishes_a_backlog_of_many_pages() {
    let mut place = Place::new().await;
    for _ in 0..11 {
        place.append(1000).await;
    }
    let relay = place.relay();
    place.published(11_000).await;
    assert_eq!(places(&place.stream(11_000).await), [(1, 11_000)]);
    relay.stop().await;
    let saved = place.count("select published_position from log.relay").await;
    assert_eq!(saved, 11_000, "what was published is remembered at the end");
}

#[tokio::test]
async fn carries_events_around_the_limit_of_a_message() {
    let mut place = Place::new().await;
    let relay = place.relay();
    for size in [200_000, 300_000, 2_000_000, 10] {
        let payload = format!(r#"{{"note":"{}"}}"#, "x".repeat(size));
        place.append_as(Uuid::from_u128(7), 3, &payload, "{}").await;
    }
    place.published(12).await;
    // Positions 4 to 9 are too large: readers see that they are there, and take them from the log.
    assert_eq!(places(&place.stream(12).await), [(1, 3), (10, 12)]);
    relay.stop().await;
}
