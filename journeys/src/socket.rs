//! A WebSocket to the streams, as a journey speaks over it: one frame of JSON at a time.

use std::time::Duration;

use anyhow::Context as _;
use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::client::Client;

const PATIENCE: Duration = Duration::from_secs(20);

/// One conversation.
pub struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

/// What came over it.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    /// A frame.
    Frame(Value),
    /// The end, with its code where one was given.
    End(Option<u16>),
}

impl Socket {
    /// Opens a socket, with a token in the upgrade if one is given.
    pub async fn connect(query_url: &str, token: Option<&str>) -> Result<Self, Error> {
        let url = query_url.replacen("http", "ws", 1) + "/api/v1/stream";
        let mut request = url.into_client_request()?;
        let headers = request.headers_mut();
        headers.insert("sec-websocket-protocol", "annals.events.v1".parse()?);
        if let Some(token) = token {
            headers.insert("authorization", format!("Bearer {token}").try_into()?);
        }
        Ok(Self(tokio_tungstenite::connect_async(request).await?.0))
    }

    /// Opens a socket as `client`, who is let in.
    pub async fn open(client: &Client) -> anyhow::Result<Self> {
        let mut socket = Self::connect(&client.query_url, Some(&client.token)).await?;
        socket.say(&json!({"type": "init"})).await?;
        socket.until("ready").await?;
        Ok(socket)
    }

    /// Subscribes under the name of the stream, to what comes from now on.
    pub async fn subscribe(&mut self, stream: &str) -> anyhow::Result<()> {
        self.say(&json!({"type": "sub", "id": stream, "stream": stream, "from": "end"})).await?;
        self.until("subd").await?;
        Ok(())
    }

    /// Sends a frame.
    pub async fn say(&mut self, frame: &Value) -> anyhow::Result<()> {
        Ok(self.0.send(Message::Text(frame.to_string().into())).await?)
    }

    /// The next frame, or the end.
    pub async fn hear(&mut self) -> anyhow::Result<Heard> {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.0.next()).await;
            let message = message.context("nothing came over the socket")?;
            match message.context("the socket ended without a word")?? {
                Message::Text(text) => return Ok(Heard::Frame(serde_json::from_str(&text)?)),
                Message::Close(frame) => {
                    return Ok(Heard::End(frame.map(|frame| u16::from(frame.code))));
                }
                Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
    }

    /// Listens until a frame of that type; the others are let go.
    pub async fn until(&mut self, kind: &str) -> anyhow::Result<Value> {
        loop {
            match self.hear().await? {
                Heard::Frame(frame) if frame["type"] == kind => return Ok(frame),
                Heard::Frame(_) => {}
                Heard::End(code) => anyhow::bail!("the socket ended with {code:?} before {kind}"),
            }
        }
    }

    /// Listens until the end; its code.
    pub async fn end(&mut self) -> anyhow::Result<Option<u16>> {
        loop {
            if let Heard::End(code) = self.hear().await? {
                return Ok(code);
            }
        }
    }
}
