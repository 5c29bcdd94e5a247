//! The log itself: gap-free, in commit order, chained, append-only, and one for several processes.

use std::collections::HashMap;
use std::sync::Arc;

use axum::http::Method;
use events::TenantId;
use events::envelope::Recorded;
use futures::future::join_all;
use platform::chain;
use serde_json::json;
use sqlx::Row;

use crate::kit::{Api, request, send};

async fn recorded(api: &Api) -> Vec<Recorded> {
    let rows = sqlx::query(
        "select position, tenant_id, tenant_seq, aggregate_type, aggregate_id, sequence, event_id, event_type,
                event_version, payload::text as payload, metadata::text as metadata,
                (extract(epoch from recorded_at) * 1000000)::bigint as micros, chain
           from log.events order by position",
    )
    .fetch_all(&api.owner)
    .await
    .unwrap();
    let record = |row: &sqlx::postgres::PgRow| Recorded {
        position: row.get("position"),
        tenant_id: TenantId(row.get("tenant_id")),
        tenant_seq: row.get("tenant_seq"),
        aggregate_type: row.get("aggregate_type"),
        aggregate_id: row.get("aggregate_id"),
        sequence: row.get("sequence"),
        event_id: row.get("event_id"),
        event_type: row.get("event_type"),
        event_version: row.get("event_version"),
        payload: row.get("payload"),
        metadata: row.get("metadata"),
        recorded_at: jiff::Timestamp::from_microsecond(row.get("micros")).unwrap(),
        chain: row.get("chain"),
    };
    rows.iter().map(record).collect()
}

#[tokio::test]
async fn two_processes_under_load_keep_positions_gap_free_streams_in_order_and_the_chain_whole() {
    let api = Api::start().await;
    let second = Arc::new(api.beside().await);
    let owner = api.found("acme").await;
    let (anna, _) = api.newcomer("acme", &owner, "anna").await;
    let calls = (0..200).map(|number| {
        let router = if number % 2 == 0 { &api.router } else { &*second };
        let (path, method, body) = if number % 5 == 0 {
            // Everybody wants the same stream now and then: conflicts are decided again.
            (
                format!("/users/{anna}"),
                Method::PATCH,
                json!({"display_name": format!("Anna {number}")}),
            )
        } else {
            ("/users".to_owned(), Method::POST, json!({"handle": format!("user-{number}")}))
        };
        send(router, request(method, &path, &owner, &body, &[]))
    });
    for answer in join_all(calls).await {
        assert!(answer.status.is_success(), "{}", answer.body);
    }
    let events = recorded(&api).await;
    let mut heads: HashMap<TenantId, (i64, Vec<u8>)> = HashMap::default();
    let mut versions: HashMap<(String, String), i64> = HashMap::default();
    for (event, position) in events.iter().zip(1..) {
        assert_eq!(event.position, position, "positions have no gap");
        let (sequence, head) = heads.entry(event.tenant_id).or_default();
        *sequence += 1;
        assert_eq!(event.tenant_seq, *sequence);
        assert_eq!(chain::link(head, event).to_vec(), event.chain, "position {position}");
        head.clone_from(&event.chain);
        let version =
            versions.entry((event.aggregate_type.clone(), event.aggregate_id.clone())).or_default();
        *version += 1;
        assert_eq!(event.sequence, *version, "{}/{}", event.aggregate_type, event.aggregate_id);
    }
    assert_eq!(api.count("identity.user.renamed").await, 40);
    api.stop().await;
}

#[tokio::test]
async fn nobody_changes_what_is_in_the_log() {
    let api = Api::start().await;
    api.found("acme").await;
    for statement in [
        "update log.events set payload = '{}'",
        "delete from log.events",
        "truncate log.events",
        "update log.events_00000 set payload = '{}'",
        "delete from log.events_00000",
        "truncate log.events_00000",
    ] {
        let error = sqlx::query(statement).execute(&api.owner).await.unwrap_err().to_string();
        assert!(error.contains("append-only"), "{statement}: {error}");
    }
    api.stop().await;
}

#[tokio::test]
async fn a_long_stream_gets_a_snapshot_and_another_process_goes_on_from_it() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let path = "/settings/exports.kept_hours";
    for hours in 1..=210 {
        let set = api.call(Method::PUT, path, &owner, json!({ "value": hours })).await;
        assert_eq!(set.status, 200, "{}", set.body);
    }
    let snapshot =
        "select last_sequence from log.snapshots where aggregate_type = 'settings.configuration'";
    let kept =
        async || sqlx::query_scalar::<_, i64>(snapshot).fetch_optional(&api.owner).await.unwrap();
    let began = std::time::Instant::now();
    while kept().await.is_none() {
        assert!(
            began.elapsed().as_secs() < 10,
            "the snapshot is kept beside the request, but soon"
        );
        tokio::task::yield_now().await;
    }
    let second = api.beside().await;
    let body = json!({"value": 300});
    let set = send(&second, request(Method::PUT, path, &owner, &body, &[])).await;
    assert_eq!(set.body["aggregate"]["version"], 211, "{}", set.body);
    let garbled = "update log.snapshots set payload = '{\"settings\": 7}'";
    sqlx::query(garbled).execute(&api.owner).await.unwrap();
    let third = api.beside().await;
    let body = json!({"value": 301});
    let set = send(&third, request(Method::PUT, path, &owner, &body, &[])).await;
    assert_eq!(set.body["aggregate"]["version"], 212, "an unreadable snapshot is passed over");
    api.stop().await;
}
