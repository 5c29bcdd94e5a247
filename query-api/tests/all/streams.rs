//! The WebSocket protocol: resume, credit, filters, rights and the end.

use std::time::Duration;

use events::identity::session::{self, RevocationReason, Session};
use events::notifications::notification::{self, Kind, Notification, Priority};
use events::{NotificationId, Permission};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use crate::socket::Socket;
use crate::support::{Org, Person, World, new};

async fn note(world: &World, org: &Org, person: &Person, title: &str) -> NotificationId {
    let id = new();
    let created = notification::Event::Created {
        user_id: person.user,
        kind: Kind::Message,
        title: title.into(),
        message: "hello".into(),
        link: None,
        priority: Priority::Normal,
        dedupe_key: None,
    };
    world.append::<Notification>((org.tenant, "system"), id, [created]).await;
    id
}

fn positions(events: &[Value]) -> Vec<i64> {
    events.iter().map(|frame| frame["event"]["position"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn the_past_and_the_present_come_without_gap_or_duplicate() {
    let world = World::without_projections().await;
    let org = world.org("acme").await;
    let other = world.org("other").await;
    let mut socket = Socket::open(&world, &org.owner).await;
    let writer = async {
        for _ in 0..150 {
            note(&world, &org, &org.owner, "a").await;
            note(&world, &other, &other.owner, "b").await;
        }
    };
    let reader = async {
        socket.sub(json!({"id": "s", "stream": "all", "from": "start", "credit": 10_000})).await;
        socket.events(157).await
    };
    let ((), events) = tokio::join!(writer, reader);
    let body = world.body("/events?limit=500", &org.owner).await;
    let expected: Vec<_> = body["items"].as_array().unwrap().iter().collect();
    assert_eq!(expected.len(), 157);
    for (frame, record) in events.iter().zip(expected) {
        assert_eq!(frame["event"]["position"], record["position"]);
        assert_eq!(frame["event"]["id"], record["event_id"]);
        assert_eq!(frame["event"]["data"], record["payload"]);
        assert_eq!(frame["event"]["specversion"], "1.0");
    }
    world.end().await;
}

#[tokio::test]
async fn what_passes_on_the_bus_arrives_once_and_in_order() {
    let world = World::with_bus().await;
    let org = world.org("acme").await;
    let mut socket = Socket::open(&world, &org.owner).await;
    let stream = json!({"id": "s", "stream": "category/notifications", "credit": 1000});
    socket.sub(stream).await;
    for round in 0..20 {
        for _ in 0..round {
            note(&world, &org, &org.owner, "a").await;
        }
        let events = positions(&socket.events(round).await);
        assert!(events.is_sorted_by(|a, b| a < b), "{events:?}");
    }
    world.end().await;
}

#[tokio::test]
async fn who_takes_nothing_is_let_go() {
    let world = World::without_projections().await;
    let org = world.org("acme").await;
    let mut slow = Socket::open(&world, &org.owner).await;
    slow.sub(json!({"id": "s", "stream": "all", "credit": 10_000})).await;
    let mut quick = Socket::open(&world, &org.owner).await;
    quick.sub(json!({"id": "q", "stream": "all", "credit": 10_000})).await;
    let message = "m".repeat(8000);
    for _ in 0..40 {
        let created = |_| notification::Event::Created {
            user_id: org.owner.user,
            kind: Kind::Message,
            title: "much".into(),
            message: message.clone(),
            link: None,
            priority: Priority::Normal,
            dedupe_key: None,
        };
        let id: NotificationId = new();
        let many = (0..100).map(created);
        world.append::<Notification>((org.tenant, "system"), id, many).await;
        assert_eq!(quick.events(100).await.len(), 100);
    }
    let mut got = 0;
    let metrics = format!("{}/metrics", world.settings.query_url);
    world
        .until("the slow one is let go", || async {
            let text = world.client.get(&metrics).send().await.unwrap().text().await.unwrap();
            text.contains("annals_stream_slow_consumers_total")
        })
        .await;
    while let Some(frame) = slow.next().await {
        got += usize::from(frame["type"] == "ev");
    }
    assert!(got < 4000, "{got}");
    world.end().await;
}

#[tokio::test]
async fn a_subscriber_resumes_from_any_cursor() {
    let world = World::without_projections().await;
    let org = world.org("acme").await;
    for _ in 0..20 {
        note(&world, &org, &org.owner, "a").await;
    }
    let mut socket = Socket::open(&world, &org.owner).await;
    socket.sub(json!({"id": "all", "stream": "all", "from": "start"})).await;
    let all = socket.events(27).await;
    let live = socket.frame("live").await;
    assert_eq!(live["cursor"], all[26]["cursor"]);
    for index in [0, 7, 25, 26] {
        let id = format!("from-{index}");
        let from = json!({"after": all[index]["cursor"]});
        let subd = socket.sub(json!({"id": id, "stream": "all", "from": from})).await;
        assert_eq!((&subd["resumed"], &subd["cursor"]), (&true.into(), &all[index]["cursor"]));
        let rest = socket.events(26 - index).await;
        assert_eq!(positions(&rest), positions(&all[index + 1..]));
        socket.say(json!({"type": "unsub", "id": id})).await;
        assert_eq!(socket.frame("done").await["reason"], "client");
    }
    let time = all[10]["event"]["time"].clone();
    socket.sub(json!({"id": "at", "stream": "all", "from": {"at": time}})).await;
    let since = socket.events(17).await;
    assert_eq!(positions(&since), positions(&all[10..]));
    world.end().await;
}

#[tokio::test]
async fn a_cursor_that_cannot_be_honoured_delivers_nothing() {
    let world = World::without_projections().await;
    let org = world.org("acme").await;
    let other = world.org("other").await;
    let mut theirs = Socket::open(&world, &other.owner).await;
    let foreign = theirs.sub(json!({"id": "x", "stream": "all"})).await["cursor"].clone();
    let mut socket = Socket::open(&world, &org.owner).await;
    for (cursor, code) in [(foreign, "CURSOR_INVALID"), ("s1.AAAA".into(), "CURSOR_INVALID")] {
        let from = json!({"after": cursor});
        socket.say(json!({"type": "sub", "id": "s", "stream": "all", "from": from})).await;
        let refused = socket.frame("err").await;
        assert_eq!((&refused["id"], &refused["code"]), (&"s".into(), &code.into()));
    }
    socket.say(json!({"type": "sub", "id": "s", "stream": "nothing/here"})).await;
    assert_eq!(socket.frame("err").await["code"], "NOT_FOUND");
    socket.say(json!({"type": "sub", "id": "s", "stream": "all", "filter": "colour=red"})).await;
    assert_eq!(socket.frame("err").await["code"], "FILTER_INVALID");
    socket.say(json!({"type": "sub", "id": "s", "stream": "all", "mode": "query"})).await;
    assert_eq!(socket.frame("err").await["code"], "MODE_UNKNOWN");
    world.end().await;
}

#[tokio::test]
async fn no_more_comes_than_there_is_credit_for() {
    let world = World::without_projections().await;
    let org = world.org("acme").await;
    let mut socket = Socket::open(&world, &org.owner).await;
    socket.sub(json!({"id": "s", "stream": "all", "from": "start", "credit": 3})).await;
    let first = socket.events(3).await;
    // An answer to a ping that is sent now would come after any event that was on its way.
    socket.say(json!({"type": "ping"})).await;
    assert_eq!(socket.next().await.unwrap()["type"], "pong");
    socket.say(json!({"type": "credit", "id": "s", "n": 2})).await;
    let second = socket.events(2).await;
    socket.say(json!({"type": "ping"})).await;
    assert_eq!(socket.next().await.unwrap()["type"], "pong");
    socket.say(json!({"type": "credit", "id": "s", "n": 100})).await;
    let third = socket.events(2).await;
    let all = positions(&[first, second, third].concat());
    assert!(all.is_sorted_by(|a, b| a < b), "{all:?}");
    socket.frame("live").await;
    note(&world, &org, &org.owner, "a").await;
    assert_eq!(socket.events(1).await.len(), 1);
    world.end().await;
}

#[tokio::test]
async fn streams_and_filters_let_through_what_they_name() {
    let world = World::without_projections().await;
    let org = world.org("acme").await;
    let ann = world.person(org.tenant, "ann").await;
    let mine = note(&world, &org, &ann, "for ann").await;
    note(&world, &org, &org.owner, "for owner").await;
    let mut socket = Socket::open(&world, &org.owner).await;
    let stream = format!("rbac.policy/{}", org.tenant);
    for (id, stream, filter, count) in [
        ("category", "category/notifications", "", 2),
        ("aggregate", stream.as_str(), "", 4),
        ("filter", "all", "type=identity.* AND data.handle=ann", 1),
        ("mine", "notifications/me", "", 1),
    ] {
        let frame = json!({"id": id, "stream": stream, "filter": filter, "from": "start"});
        socket.sub(frame).await;
        let events = socket.events(count).await;
        assert!(events.iter().all(|frame| frame["id"] == id));
        assert_eq!(socket.frame("live").await["id"], id);
    }
    // Without any permission, one's own notifications and nothing else.
    let mut anns = Socket::open(&world, &ann).await;
    anns.say(json!({"type": "sub", "id": "all", "stream": "all"})).await;
    assert_eq!(anns.frame("err").await["code"], "FORBIDDEN");
    let fields = json!(["subject"]);
    anns.sub(json!({"id": "me", "stream": "notifications/me", "from": "start", "fields": fields}))
        .await;
    let event = anns.events(1).await.remove(0)["event"].clone();
    assert_eq!(event["subject"], mine.to_string());
    assert!(event.get("data").is_none());
    let read = [notification::Event::Read];
    world.append::<Notification>((org.tenant, &ann.user.to_string()), mine, read).await;
    assert_eq!(anns.events(1).await[0]["event"]["subject"], mine.to_string());
    world.end().await;
}

#[tokio::test]
async fn nobody_follows_what_they_may_not_read() {
    let world = World::without_projections().await;
    let org = world.org("acme").await;
    let ann = world.person(org.tenant, "ann").await;
    let bob = world.entitled(&org, "bob", &[Permission::RbacRolesRead]).await;
    let others = world.export(&org.owner).await;
    let own = world.export(&ann).await;
    let policy = format!("rbac.policy/{}", org.tenant);
    let user = format!("identity.user/{}", org.owner.user);
    let job = format!("jobs/{others}");
    let export = format!("exports.export/{others}");
    for person in [&ann, &bob] {
        let mut socket = Socket::open(&world, person).await;
        for (stream, code) in [
            ("all", "FORBIDDEN"),
            ("category/identity", "FORBIDDEN"),
            (policy.as_str(), "FORBIDDEN"),
            (user.as_str(), "FORBIDDEN"),
            (export.as_str(), "FORBIDDEN"),
            (job.as_str(), "NOT_FOUND"),
            ("notifications/you", "NOT_FOUND"),
        ] {
            socket.say(json!({"type": "sub", "id": "s", "stream": stream, "from": "start"})).await;
            assert_eq!(socket.frame("err").await["code"], code, "{stream}");
        }
    }
    let mut socket = Socket::open(&world, &ann).await;
    let stream = format!("jobs/{own}");
    socket.sub(json!({"id": "own", "stream": stream, "from": "start"})).await;
    assert_eq!(socket.events(1).await[0]["event"]["subject"], own.to_string());
    world.end().await;
}

/// Credit comes too late for what is kept in memory: the subscriber is told that it fell behind, and misses nothing.
#[tokio::test]
async fn who_takes_nothing_for_long_is_told_that_they_fell_behind_and_catches_up() {
    const MANY: usize = 50;
    let world = World::without_projections().await;
    let org = world.org("acme").await;
    let mut slow = Socket::open(&world, &org.owner).await;
    let armed = slow.sub(json!({"id": "s", "stream": "all", "credit": 1})).await;
    slow.frame("live").await;
    note(&world, &org, &org.owner, "first").await;
    let first = slow.events(1).await.remove(0);
    assert_ne!(first["cursor"], armed["cursor"]);
    let mut quick = Socket::open(&world, &org.owner).await;
    quick.sub(json!({"id": "q", "stream": "all", "credit": 10_000})).await;
    let mut passed = Vec::new();
    for _ in 0..MANY {
        let id: NotificationId = new();
        let many = (0..100).map(|_| notification::Event::Read);
        world.append::<Notification>((org.tenant, "system"), id, many).await;
        passed.extend(positions(&quick.events(100).await));
    }
    slow.say(json!({"type": "credit", "id": "s", "n": 10_000})).await;
    let behind = slow.frame("behind").await;
    assert_eq!((&behind["id"], behind["at"].is_string()), (&json!("s"), true), "{behind}");
    assert_eq!(positions(&slow.events(passed.len()).await), passed, "without gap or duplicate");
    slow.frame("live").await;
    world.end().await;
}

#[tokio::test]
async fn what_is_revoked_ends_within_a_second() {
    let world = World::without_projections().await;
    let org = world.org("acme").await;
    let ann = world.person(org.tenant, "ann").await;
    let role = world.role(&org, "reader", &[Permission::AuditEventsRead.name()]).await;
    world.assign(&org, ann.user, role).await;
    let mut socket = Socket::open(&world, &ann).await;
    socket.sub(json!({"id": "s", "stream": "all"})).await;
    socket.sub(json!({"id": "mine", "stream": "notifications/me"})).await;
    world.unassign(&org, ann.user, role).await;
    let revoked = std::time::Instant::now();
    let done = loop {
        let frame = socket.next().await.unwrap();
        if frame["type"] == "done" {
            break frame;
        }
    };
    assert!(revoked.elapsed() < Duration::from_secs(1), "{:?}", revoked.elapsed());
    assert_eq!((&done["id"], &done["reason"]), (&"s".into(), &"revoked".into()));
    note(&world, &org, &ann, "still").await;
    assert_eq!(socket.events(1).await[0]["id"], "mine");

    let ended = session::Event::Revoked { reason: RevocationReason::Logout };
    world.append::<Session>((org.tenant, "system"), ann.session, [ended]).await;
    assert_eq!(socket.close_code().await, 4401);
    world.end().await;
}

#[tokio::test]
async fn what_durable_subscriptions_say_is_understood_and_a_bad_frame_explained() {
    let world = World::without_projections().await;
    let org = world.org("acme").await;
    let mut socket = Socket::open(&world, &org.owner).await;
    let armed = socket.sub(json!({"id": "s", "stream": "all"})).await;
    let (cursor, reason) = (&armed["cursor"], "cannot deal with it");
    let nack =
        json!({"type": "nack", "id": "s", "cursor": cursor, "action": "park", "reason": reason});
    socket.say(nack).await;
    let refused = socket.frame("err").await;
    assert_eq!((&refused["code"], &refused["id"]), (&"NOT_DURABLE".into(), &"s".into()));
    socket.say(json!({"type": "credit", "id": "s", "n": 1, "ack": cursor})).await;
    assert_eq!(socket.frame("err").await["code"], "NOT_DURABLE");
    socket.say(json!({"type": "unsub", "id": "s", "reason": "client"})).await;
    let done = socket.frame("done").await;
    assert_eq!((&done["id"], &done["reason"]), (&"s".into(), &"client".into()));

    socket.say(json!({"type": "sub", "id": "s", "stream": "all", "colour": "red"})).await;
    let refused = socket.frame("err").await;
    assert_eq!(refused["code"], "FRAME_INVALID");
    assert!(refused["detail"].as_str().unwrap().contains("colour"), "{refused}");
    assert_eq!(socket.close_code().await, 4400);
    let reason = socket.closed.as_ref().map(|frame| frame.reason.to_string());
    assert_eq!(reason.as_deref(), Some("FRAME_INVALID"));
    world.end().await;
}

#[tokio::test]
async fn who_breaks_the_rules_of_the_conversation_is_told_by_the_code() {
    let world = World::without_projections().await;
    let org = world.org("acme").await;
    let mut socket = Socket::connect(&world).await;
    socket.say(json!({"type": "ping"})).await;
    assert_eq!(socket.close_code().await, 4400);
    let mut socket = Socket::connect(&world).await;
    socket.say(json!({"type": "init"})).await;
    assert_eq!(socket.close_code().await, 4401);
    let mut socket = Socket::connect(&world).await;
    socket.say(json!({"type": "init", "auth": "x.y.z"})).await;
    assert_eq!(socket.close_code().await, 4401);
    let mut socket = Socket::open(&world, &org.owner).await;
    socket.say(json!({"type": "sub", "id": "s", "stream": "all", "colour": "red"})).await;
    assert_eq!(socket.close_code().await, 4400);
    let mut socket = Socket::open(&world, &org.owner).await;
    socket.sub(json!({"id": "s", "stream": "all"})).await;
    socket.say(json!({"type": "sub", "id": "s", "stream": "all"})).await;
    assert_eq!(socket.close_code().await, 4409);
    let token = world.token(org.tenant, org.owner.user, Some(org.owner.session), 1);
    let mut socket = Socket::open(&world, &Person { token, ..org.owner.clone() }).await;
    assert_eq!(socket.close_code().await, 4510);
    world.end().await;
}

#[tokio::test]
async fn a_new_token_keeps_the_conversation_going() {
    let world = World::without_projections().await;
    let org = world.org("acme").await;
    let ann = world.person(org.tenant, "ann").await;
    let mut socket = Socket::open(&world, &org.owner).await;
    let token = world.token(org.tenant, org.owner.user, Some(org.owner.session), 300);
    socket.say(json!({"type": "auth", "auth": token})).await;
    socket.frame("ready").await;
    socket.say(json!({"type": "auth", "auth": ann.token})).await;
    assert_eq!(socket.close_code().await, 4403);
    world.end().await;
}

#[tokio::test]
async fn pages_of_other_origins_do_not_connect() {
    let world = World::without_projections().await;
    let url = world.settings.query_url.replace("http", "ws") + "/api/v1/stream";
    let connect = async |origin: &str, protocol: &str| {
        let mut request = url.as_str().into_client_request().unwrap();
        let headers = request.headers_mut();
        headers.insert("sec-websocket-protocol", protocol.parse().unwrap());
        headers.insert("origin", origin.parse().unwrap());
        match tokio_tungstenite::connect_async(request).await {
            Ok(_) => 101,
            Err(tungstenite::Error::Http(answer)) => answer.status().as_u16(),
            Err(error) => panic!("{error}"),
        }
    };
    let protocol = "annals.events.v1";
    assert_eq!(connect("https://evil.example", protocol).await, 403);
    assert_eq!(connect(&world.settings.query_url, protocol).await, 101);
    assert_eq!(connect(&world.settings.query_url, "other").await, 400);
    world.end().await;
}

#[tokio::test]
async fn a_shutdown_says_when_to_come_back() {
    let world = World::without_projections().await;
    let org = world.org("acme").await;
    let mut socket = Socket::open(&world, &org.owner).await;
    world.begin_shutdown();
    let drain = socket.frame("drain").await;
    assert!((250..5000).contains(&drain["reconnect_in_ms"].as_u64().unwrap()));
    assert_eq!(socket.close_code().await, 4503);
    world.end().await;
}

#[tokio::test]
async fn many_subscribers_get_everything() {
    const SUBSCRIBERS: usize = 200;
    let world = World::without_projections().await;
    let org = world.org("acme").await;
    let mut sockets = Vec::new();
    for _ in 0..SUBSCRIBERS {
        let mut socket = Socket::open(&world, &org.owner).await;
        socket.sub(json!({"id": "s", "stream": "all", "credit": 1000})).await;
        sockets.push(socket);
    }
    for _ in 0..50 {
        note(&world, &org, &org.owner, "a").await;
    }
    let mut seen = Vec::new();
    for socket in &mut sockets {
        seen.push(positions(&socket.events(50).await));
    }
    assert!(seen.iter().all(|positions| *positions == seen[0]));
    assert!(seen[0].is_sorted_by(|a, b| a < b));
    world.end().await;
}
