//! Streams over plain HTTP: server-sent events, JSON pages and NDJSON.

use std::time::Duration;

use events::Permission;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use reqwest::{RequestBuilder, StatusCode};
use serde_json::Value;

use crate::support::{World, column};

const SOON: Duration = Duration::from_secs(20);

/// A reader of server-sent events.
struct Source {
    bytes: BoxStream<'static, Vec<u8>>,
    text: String,
}

/// One event.
#[derive(Debug, Default)]
struct Sent {
    name: String,
    id: String,
    data: Value,
}

impl Source {
    async fn open(request: RequestBuilder) -> Self {
        let answer = request.header("accept", "text/event-stream").send().await.unwrap();
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        let bytes = answer.bytes_stream();
        let bytes = bytes.map(|part| part.map(|part| part.to_vec()).unwrap_or_default()).boxed();
        Self { bytes, text: String::new() }
    }

    /// The next event; nothing at the end.
    async fn next(&mut self) -> Option<Sent> {
        loop {
            while let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                let mut sent = Sent::default();
                for line in block.lines() {
                    match line.split_once(": ") {
                        Some(("event", value)) => value.clone_into(&mut sent.name),
                        Some(("id", value)) => value.clone_into(&mut sent.id),
                        Some(("data", value)) => sent.data = serde_json::from_str(value).unwrap(),
                        _ => {}
                    }
                }
                if !sent.data.is_null() {
                    return Some(sent);
                }
            }
            let part = tokio::time::timeout(SOON, self.bytes.next()).await.expect("no event")?;
            self.text.push_str(std::str::from_utf8(&part).unwrap());
        }
    }
}

#[tokio::test]
async fn server_sent_events_resume_by_the_last_id() {
    let world = World::without_projections().await;
    let org = world.org("acme").await;
    let mut source = Source::open(world.get("/streams/all?from=start", &org.owner)).await;
    let mut ids = Vec::new();
    let caught_up = loop {
        let sent = source.next().await.unwrap();
        if sent.name == "caught-up" {
            break sent;
        }
        ids.push((sent.id, sent.data["id"].clone()));
    };
    assert_eq!(ids.len(), 7);
    assert_eq!(caught_up.id, ids[6].0);
    world.role(&org, "later", &[]).await;
    let later = source.next().await.unwrap();
    assert_eq!(later.data["type"], "rbac.policy.role_created");
    drop(source);

    let request = world.get("/streams/all", &org.owner).header("last-event-id", &ids[4].0);
    let mut resumed = Source::open(request).await;
    for expected in [&ids[5].1, &ids[6].1, &later.data["id"]] {
        assert_eq!(resumed.next().await.unwrap().data["id"], *expected);
    }
    assert_eq!(resumed.next().await.unwrap().name, "caught-up");
    world.begin_shutdown();
    let done = resumed.next().await.unwrap();
    assert_eq!((done.name.as_str(), &done.data["reason"]), ("done", &"DRAINING".into()));
    assert!(resumed.next().await.is_none());
    world.end().await;
}

#[tokio::test]
async fn a_stream_ends_when_the_right_to_it_does() {
    let world = World::without_projections().await;
    let org = world.org("acme").await;
    let ann = world.person(org.tenant, "ann").await;
    let (status, _) = world.problem("/streams/category/rbac", &ann).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let role = world.role(&org, "reader", &[Permission::AuditEventsRead.name()]).await;
    world.assign(&org, ann.user, role).await;
    let mut source = Source::open(world.get("/streams/category/rbac", &ann)).await;
    assert_eq!(source.next().await.unwrap().name, "caught-up");
    world.unassign(&org, ann.user, role).await;
    let last = loop {
        let sent = source.next().await.unwrap();
        if sent.name == "done" {
            break sent;
        }
    };
    assert_eq!(last.data["reason"], "REVOKED");
    assert!(source.next().await.is_none());
    world.end().await;
}

#[tokio::test]
async fn the_same_stream_comes_as_pages_and_as_lines() {
    let world = World::without_projections().await;
    let org = world.org("acme").await;
    let page = world.body("/streams/category/rbac?limit=3", &org.owner).await;
    let policy = "rbac.policy.";
    let expected = ["initialized", "role_created", "permission_granted", "protected_role_granted"];
    let expected: Vec<_> = expected.iter().map(|name| format!("{policy}{name}")).collect();
    assert_eq!(column(&page, "type"), expected[..3]);
    let next = page["page"]["next"].as_str().unwrap();
    let path = format!("/streams/category/rbac?limit=3&after={next}");
    let rest = world.body(&path, &org.owner).await;
    assert_eq!(column(&rest, "type"), expected[3..]);
    assert_eq!(rest["page"]["next"], Value::Null);

    let lines = world.get("/streams/category/rbac?filter=type=*granted", &org.owner);
    let lines = lines.header("accept", "application/x-ndjson").send().await.unwrap();
    let text = lines.text().await.unwrap();
    let types: Vec<_> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["type"].clone())
        .collect();
    assert_eq!(types, expected[2..]);
    let (status, _) = world.problem("/streams/nothing/here", &org.owner).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    world.end().await;
}
