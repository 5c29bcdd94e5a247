//! A WebSocket client of the streams' protocol, one frame at a time.

use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::support::{Person, World};

const SOON: Duration = Duration::from_secs(20);

/// A client of the protocol.
pub(crate) struct Socket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    waiting: std::collections::VecDeque<Value>,
    pub(crate) closed: Option<CloseFrame>,
}

impl Socket {
    pub(crate) async fn connect(world: &World) -> Self {
        let url = world.settings.query_url.replace("http", "ws") + "/api/v1/stream";
        let mut request = url.into_client_request().unwrap();
        let protocol = "annals.events.v1".parse().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", protocol);
        let (stream, _) = tokio_tungstenite::connect_async(request).await.unwrap();
        Self { stream, waiting: std::collections::VecDeque::default(), closed: None }
    }

    /// Connected and introduced.
    pub(crate) async fn open(world: &World, person: &Person) -> Self {
        let mut socket = Self::connect(world).await;
        socket.say(json!({"type": "init", "auth": person.token})).await;
        let ready = socket.frame("ready").await;
        assert_eq!(ready["epoch"], 1);
        socket
    }

    pub(crate) async fn say(&mut self, frame: Value) {
        self.stream.send(Message::Text(frame.to_string().into())).await.unwrap();
    }

    /// The next frame; nothing when the server has closed.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(frame) = self.waiting.pop_front() {
                return Some(frame);
            }
            let message = tokio::time::timeout(SOON, self.stream.next()).await.expect("no frame");
            match message {
                Some(Ok(Message::Text(text))) => {
                    let value: Value = serde_json::from_str(&text).unwrap();
                    let frames = value.as_array().cloned();
                    self.waiting.extend(frames.unwrap_or_else(|| vec![value]));
                }
                Some(Ok(Message::Close(frame))) => self.closed = frame,
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    }

    /// The next frame of this type, passing over checkpoints.
    pub(crate) async fn frame(&mut self, kind: &str) -> Value {
        loop {
            let frame = self.next().await.expect("the server has closed");
            if frame["type"] == kind {
                return frame;
            }
            assert!(frame["type"] == "ckpt" || frame["type"] == "live", "{frame} for {kind}");
        }
    }

    /// Subscribes; the answer.
    pub(crate) async fn sub(&mut self, frame: Value) -> Value {
        let mut frame = frame;
        frame["type"] = "sub".into();
        self.say(frame).await;
        self.frame("subd").await
    }

    /// The next `count` events as (subject, position).
    pub(crate) async fn events(&mut self, count: usize) -> Vec<Value> {
        let mut events = Vec::new();
        while events.len() < count {
            let frame = self.next().await.expect("the server has closed");
            if frame["type"] == "ev" {
                events.push(frame);
            }
        }
        events
    }

    /// The code with which the server closes.
    pub(crate) async fn close_code(&mut self) -> u16 {
        while self.next().await.is_some() {}
        self.closed.as_ref().map_or(0, |frame| frame.code.into())
    }
}
