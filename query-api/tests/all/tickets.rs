//! Tickets for browsers' streams: good once, soon, for one session, on pages of one origin.

use events::identity::session::{self, RevocationReason, Session};
use futures::{SinkExt as _, StreamExt as _};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{self, Message};

use crate::support::{Person, World, json as body, problem};

const PAGE: &str = "https://desk.example.org";

async fn ticket(world: &World, person: &Person, origin: Option<&str>) -> String {
    let mut request = world.ask(Method::POST, "/stream-tickets", Some(person));
    if let Some(origin) = origin {
        request = request.header("origin", origin);
    }
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::CREATED);
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let given = body(answer).await;
    assert!(given["expires_at"].is_string());
    given["ticket"].as_str().unwrap().to_owned()
}

/// Connects as a page would; the first frame or the close code, or the status of a refused upgrade.
async fn connect(world: &World, origin: Option<&str>, protocols: &str, init: Value) -> Value {
    let url = world.settings.query_url.replace("http", "ws") + "/api/v1/stream";
    let mut request = url.into_client_request().unwrap();
    let headers = request.headers_mut();
    headers.insert("sec-websocket-protocol", protocols.parse().unwrap());
    if let Some(origin) = origin {
        headers.insert("origin", origin.parse().unwrap());
    }
    let mut stream = match tokio_tungstenite::connect_async(request).await {
        Ok((stream, answer)) => {
            assert_eq!(answer.headers()["sec-websocket-protocol"], "annals.events.v1");
            stream
        }
        Err(tungstenite::Error::Http(answer)) => return answer.status().as_u16().into(),
        Err(error) => panic!("{error}"),
    };
    stream.send(Message::Text(init.to_string().into())).await.unwrap();
    loop {
        match stream.next().await {
            Some(Ok(Message::Text(text))) => {
                let frame: Value = serde_json::from_str(&text).unwrap();
                return frame["type"].clone();
            }
            Some(Ok(Message::Close(Some(frame)))) => return u16::from(frame.code).into(),
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return Value::Null,
        }
    }
}

fn init(ticket: &str) -> Value {
    json!({"type": "init", "auth": ticket})
}

#[tokio::test]
async fn a_ticket_opens_one_connection_as_a_frame_or_as_a_sub_protocol() {
    let world = World::without_projections().await;
    let org = world.org("acme").await;
    let own = "annals.events.v1";
    let first = ticket(&world, &org.owner, None).await;
    assert_eq!(connect(&world, None, own, init(&first)).await, "ready");
    assert_eq!(connect(&world, None, own, init(&first)).await, 4401, "it is used");
    let second = ticket(&world, &org.owner, None).await;
    let protocols = format!("{own}, ticket.{second}");
    assert_eq!(connect(&world, None, &protocols, json!({"type": "init"})).await, "ready");
    assert_eq!(connect(&world, None, &protocols, json!({"type": "init"})).await, 401);
    let bent = ticket(&world, &org.owner, None).await.replacen("tk_e", "tk_f", 1);
    assert_eq!(connect(&world, None, own, init(&bent)).await, 4401);
    assert_eq!(connect(&world, None, own, init("tk_")).await, 4401);
    world.end().await;
}

#[tokio::test]
async fn a_ticket_holds_on_pages_of_its_origin_and_while_its_session_does() {
    let world = World::without_projections().await;
    let org = world.org("acme").await;
    let own = "annals.events.v1";
    let ours = world.settings.query_url.clone();
    let of_page = ticket(&world, &org.owner, Some(&ours)).await;
    assert_eq!(connect(&world, None, own, init(&of_page)).await, 4401);
    assert_eq!(connect(&world, Some(PAGE), own, init(&of_page)).await, 403, "not our page");
    let of_page = ticket(&world, &org.owner, Some(&ours)).await;
    assert_eq!(connect(&world, Some(&ours), own, init(&of_page)).await, "ready");

    let late = ticket(&world, &org.owner, None).await;
    let revoked = session::Event::Revoked { reason: RevocationReason::Logout };
    let actor = (org.tenant, &*org.owner.user.to_string());
    world.append::<Session>(actor, org.owner.session, [revoked]).await;
    assert_eq!(connect(&world, None, own, init(&late)).await, 4401, "the session has ended");
    world.end().await;
}

#[tokio::test]
async fn nobody_gets_a_ticket_without_a_token() {
    let world = World::without_projections().await;
    let answer = world.ask(Method::POST, "/stream-tickets", None).send().await.unwrap();
    let (status, problem) = problem(answer).await;
    assert_eq!((status, &problem["code"]), (StatusCode::UNAUTHORIZED, &"UNAUTHENTICATED".into()));
    world.end().await;
}
