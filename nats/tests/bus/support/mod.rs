//! What the tests of the bus share.

mod server;

use bytes::Bytes;
use nats::{LogId, Message};
use uuid::Uuid;

pub(crate) use server::{SOON, Server};

pub(crate) const LOG: LogId = LogId { epoch: 1, born_us: 1_795_000_000_000_000 };

/// The server's own view, past our crate.
pub(crate) async fn jetstream(server: &Server) -> async_nats::jetstream::Context {
    async_nats::jetstream::new(async_nats::connect(server.url()).await.unwrap())
}

pub(crate) fn message(position: i64) -> Message {
    let number = u128::try_from(position).unwrap();
    Message {
        log: LOG,
        position,
        tenant_id: Uuid::from_u128(7),
        tenant_seq: position,
        aggregate_type: "rbac.policy".into(),
        aggregate_id: Uuid::from_u128(7).to_string(),
        sequence: position,
        event_id: Uuid::from_u128(1_000_000 + number),
        event_type: "rbac.policy.role_created".into(),
        event_version: "1".into(),
        recorded_at: "2026-11-21T00:00:00.000001Z".into(),
        metadata: r#"{"actor_id":"u7","actor_kind":"user"}"#.into(),
        chain: vec![0xab; 32],
        payload: Bytes::from_static(br#"{"type":"rbac.policy.role_created","name":"Auditor"}"#),
    }
}

pub(crate) fn messages(positions: std::ops::RangeInclusive<i64>) -> Vec<Message> {
    positions.map(message).collect()
}
