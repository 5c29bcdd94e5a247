//! History: pages, streams of aggregates, and the replay that an auditor verifies.

use events::envelope::Recorded;
use events::rbac::policy::{self, Policy};
use platform::dataset::cursor::{self, Bound, Cursor, Rows};
use platform::db::{self, Role};
use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::support::{World, column};

#[tokio::test]
async fn history_is_paged_in_both_directions() {
    let world = World::start().await;
    let org = world.org("acme").await;
    world.org("other").await;
    let types = |body: &Value| column(body, "event_type");
    let first = world.body("/events?limit=2", &org.owner).await;
    assert_eq!(types(&first), ["identity.organization.created", "identity.user.registered"]);
    let next = first["page"]["next"].as_str().unwrap();
    let second = world.body(&format!("/events?limit=500&after={next}"), &org.owner).await;
    assert_eq!(second["page"]["next"], Value::Null);
    let place = &first["items"][1]["position"];
    let bare = world.body(&format!("/events?limit=500&after={place}"), &org.owner).await;
    assert_eq!(bare["items"], second["items"], "a position says as much as a cursor");
    assert_eq!(types(&second).len(), 5);
    let last = world.body("/events?limit=1&before=1000000", &org.owner).await;
    assert_eq!(types(&last), ["rbac.policy.protected_role_granted"]);
    let some = world.body("/events?event_type=rbac.policy.role_created", &org.owner).await;
    assert_eq!(types(&some), ["rbac.policy.role_created"]);

    let path = format!("/events/streams/rbac.policy/{}", org.tenant);
    let stream = world.body(&format!("{path}?after=1&limit=2"), &org.owner).await;
    assert_eq!(types(&stream), ["rbac.policy.role_created", "rbac.policy.permission_granted"]);
    assert_eq!(stream["items"][1]["sequence"], 3);
    assert!(stream["page"]["next"].is_string() && stream["page"]["prev"].is_string());
    assert_eq!(stream["items"][0]["metadata"]["ip"], "192.0.2.7");
    world.end().await;
}

/// The address that a `Link` gives for a relation, below `/api/v1`.
fn linked(response: &reqwest::Response, relation: &str) -> Option<String> {
    let links = response.headers().get_all("link").into_iter();
    let mut links = links.filter_map(|link| link.to_str().ok());
    let link = links.find(|link| link.ends_with(&format!("rel=\"{relation}\"")))?;
    let address = link.strip_prefix("</api/v1")?.split_once('>')?.0;
    Some(address.to_owned())
}

/// Has checkpoints of so many sizes stand there, of which nobody looks at the roots.
async fn signed(world: &World, tenant: events::TenantId, sizes: i64) {
    let notary = db::connect(&world.settings.database_url, Role::Notary, 1).await.unwrap();
    let mut transaction = db::begin_for(&notary, tenant).await.unwrap();
    let checkpoint = "insert into audit.checkpoints (tenant_id, epoch, size, position, root, note) \
                      select $1, 1, s, s, decode(repeat('00', 32), 'hex'), 'a note' \
                      from generate_series(1, $2) s";
    let inserted = sqlx::query(checkpoint).bind(tenant.0).bind(sizes);
    inserted.execute(&mut *transaction).await.unwrap();
    transaction.commit().await.unwrap();
}

#[tokio::test]
async fn pages_of_the_past_lead_to_those_beside_them() {
    let world = World::start().await;
    let org = world.org("acme").await;
    let clerk = world.role(&org, "clerk", &["audit.trail:read"]).await;
    for handle in ["ann", "bob"] {
        let somebody = world.person(org.tenant, handle).await;
        world.assign(&org, somebody.user, clerk).await;
    }
    signed(&world, org.tenant, 3).await;
    world.settled().await;
    let policy = format!("/events/streams/rbac.policy/{}", org.tenant);
    let role = format!("/rbac/roles/{}/history", org.owner_role);
    let filtered = "/events?filter=type%3Drbac.*&limit=2";
    for first in [
        "/events?limit=2",
        "/events?before=1000000&limit=2",
        filtered,
        &format!("{policy}?limit=2"),
        &format!("{role}?limit=1"),
        "/streams/all?limit=2",
        "/audit/checkpoints?limit=1",
        "/rbac/roles?limit=1",
        "/rbac/review?from=0&limit=1",
        "/rbac/review?from=0&by=role&limit=1",
        &format!("/rbac/incits359/roles/{clerk}/assigned-users?limit=1"),
    ] {
        let page = async |path: &str| {
            let response = world.get(path, &org.owner).send().await.unwrap();
            let links = ["next", "prev"].map(|relation| linked(&response, relation));
            let body = crate::support::json(response).await;
            for (relation, link) in ["next", "prev"].into_iter().zip(&links) {
                let cursor = body["page"][relation].as_str();
                let told = link.as_ref().map(|link| link.rsplit('=').next().unwrap());
                assert_eq!(told, cursor, "{path}: the body and `Link` name the same page");
            }
            let [next, prev] = links;
            (body["items"].clone(), next, prev)
        };
        let (items, next, _) = page(first).await;
        assert_eq!(items.as_array().map(Vec::is_empty), Some(false), "{first}");
        let (other, _, prev) = page(&next.unwrap()).await;
        assert_ne!(other, items, "{first}");
        let (back, next, _) = page(&prev.unwrap()).await;
        assert_eq!(back, items, "{first}");
        assert_eq!(page(&next.unwrap()).await.0, other, "{first}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_place_in_the_past_is_gone_with_its_epoch_and_is_of_its_question_alone() {
    let world = World::without_projections().await;
    let org = world.org("acme").await;
    let key = world.master.derive("list-cursor/v1");
    let cursor = |epoch: i32| {
        let question = format!("{}\n/api/v1/events\n", org.tenant);
        let rows = Rows { build: 0, epoch };
        let bound = Bound { key: &key, question: &question, rows };
        cursor::write(&Cursor { keys: vec![Some("1".into())], back: false }, &bound)
    };
    let page = world.body(&format!("/events?after={}", cursor(1)), &org.owner).await;
    assert_eq!(page["items"][0]["position"], 2);
    let gone = world.problem(&format!("/events?after={}", cursor(0)), &org.owner).await;
    assert_eq!((gone.0, &gone.1["code"]), (StatusCode::GONE, &"CURSOR_EXPIRED".into()));
    let other = format!("/events?aggregate_type=rbac.policy&after={}", cursor(1));
    assert_eq!(world.problem(&other, &org.owner).await.1["code"], "CURSOR_MISMATCH");
    for bad in ["-1", "x"] {
        let (status, _) = world.problem(&format!("/events?after={bad}"), &org.owner).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{bad}");
    }
    world.end().await;
}

/// A line of a replay, with the texts as they are.
#[derive(Deserialize)]
struct Line<'a> {
    position: i64,
    tenant_id: events::TenantId,
    tenant_seq: i64,
    aggregate_type: String,
    aggregate_id: String,
    sequence: i64,
    event_id: uuid::Uuid,
    event_type: String,
    event_version: String,
    recorded_at: jiff::Timestamp,
    #[serde(borrow)]
    payload: &'a RawValue,
    #[serde(borrow)]
    metadata: &'a RawValue,
    chain: String,
}

fn recorded(line: &str) -> Recorded {
    let line: Line<'_> = serde_json::from_str(line).unwrap();
    Recorded {
        position: line.position,
        tenant_id: line.tenant_id,
        tenant_seq: line.tenant_seq,
        aggregate_type: line.aggregate_type,
        aggregate_id: line.aggregate_id,
        sequence: line.sequence,
        event_id: line.event_id,
        event_type: line.event_type,
        event_version: line.event_version,
        payload: line.payload.get().to_owned(),
        metadata: line.metadata.get().to_owned(),
        recorded_at: line.recorded_at,
        chain: (0..line.chain.len() / 2)
            .map(|i| u8::from_str_radix(&line.chain[2 * i..2 * i + 2], 16).unwrap())
            .collect(),
    }
}

#[tokio::test]
async fn a_replay_verifies_against_its_chain() {
    let world = World::start().await;
    let org = world.org("acme").await;
    let other = world.org("other").await;
    let tricky = "line\nbreak, \"quotes\", \\ and 名前 \u{1F980}";
    for chunk in 0..25 {
        let described = |n: i32| policy::Event::RoleDescribed {
            role_id: org.owner_role,
            description: Some(format!("{n} {tricky}")),
        };
        let events = (0..500).map(|n| described(chunk * 500 + n));
        world.append::<Policy>((org.tenant, "system"), org.tenant, events).await;
        world.role(&other, &format!("noise{chunk}"), &[]).await;
    }
    let answer = world.get("/events/replay", &org.owner).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/x-ndjson");
    let head: i64 = answer.headers()["projection-position"].to_str().unwrap().parse().unwrap();
    let text = answer.text().await.unwrap();
    let events: Vec<_> = text.lines().map(recorded).collect();
    assert_eq!(events.len(), 7 + 12_500);
    let mut chain = Vec::new();
    for (index, event) in events.iter().enumerate() {
        assert_eq!(event.tenant_id, org.tenant);
        assert_eq!(event.tenant_seq, i64::try_from(index).unwrap() + 1);
        chain = platform::chain::link(&chain, event).to_vec();
        assert_eq!(chain, event.chain, "at {}", event.tenant_seq);
    }
    assert!(events.last().unwrap().position <= head);

    let (from, to) = (events[10].position, events[20].position);
    let part = world.get(&format!("/events/replay?from={from}&to={to}"), &org.owner);
    let part = part.send().await.unwrap().text().await.unwrap();
    assert_eq!(part.lines().count(), 11);
    let beyond = world.get(&format!("/events/replay?from={}", head + 1), &org.owner);
    assert_eq!(beyond.send().await.unwrap().text().await.unwrap(), "");
    let page = world.body(&format!("/events?after={}&limit=1", from - 1), &org.owner).await;
    let line: Value = serde_json::from_str(text.lines().nth(10).unwrap()).unwrap();
    assert_eq!(page["items"][0], line);
    let status = world.get("/events/replay?to=x", &org.owner).send().await.unwrap().status();
    assert_eq!(status, StatusCode::BAD_REQUEST);
    world.end().await;
}

#[tokio::test]
async fn history_is_filtered_by_the_grammar_of_lists() {
    let world = World::without_projections().await;
    let org = world.org("acme").await;
    world.org("other").await;
    for code in ["one", "two", "three"] {
        world.role(&org, code, &["audit.trail:read"]).await;
    }
    let filter = "filter=type%3Drbac.policy.role_created%20AND%20data.code%3At";
    let page = world.body(&format!("/events?{filter}"), &org.owner).await;
    let codes = |page: &Value| {
        let items = page["items"].as_array().unwrap().clone();
        items.iter().map(|item| item["payload"]["code"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(codes(&page), ["two", "three"]);
    assert_eq!(page["page"]["next"], Value::Null);
    let first = world.body(&format!("/events?{filter}&limit=1"), &org.owner).await;
    let next = first["page"]["next"].as_str().unwrap();
    let second = world.body(&format!("/events?{filter}&limit=1&after={next}"), &org.owner).await;
    assert_eq!((codes(&first), codes(&second)), (vec!["two".into()], vec!["three".into()]));

    let lines = world.get(&format!("/events/replay?{filter}"), &org.owner).send().await.unwrap();
    assert_eq!(lines.headers()["content-type"], "application/x-ndjson");
    let lines = lines.text().await.unwrap();
    let lines: Vec<Recorded> = lines.lines().map(recorded).collect();
    assert_eq!(lines.len(), 2);
    assert!(lines.iter().all(|line| line.event_type == "rbac.policy.role_created"));
    for path in ["/events", "/events/replay"] {
        let refused = world.problem(&format!("{path}?filter=colour%3Dred"), &org.owner).await;
        assert_eq!(
            (refused.0, &refused.1["code"]),
            (StatusCode::BAD_REQUEST, &"FILTER_INVALID".into())
        );
    }
    world.end().await;
}
