//! Every way in for an access token, and what is answered there.

use std::time::Duration;

use anyhow::Context as _;
use futures::{SinkExt as _, StreamExt as _};
use journeys::{Client, Reply};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

const SOON: Duration = Duration::from_secs(20);
const REFUSED: u16 = 4401;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// What a door answers.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Let in.
    Passed,
    /// 401 as problem details, or the close code that stands for it.
    Refused,
    /// Something else.
    Other(String),
}

/// The doors of a house, and a file behind one of them.
pub(crate) struct Doors {
    owner: Client,
    export: String,
}

impl Doors {
    pub(crate) async fn open(owner: &Client) -> anyhow::Result<Self> {
        let asked = owner.post("/exports/csv", &json!({"dataset": "rbac.roles"})).await?.ok()?;
        let export = asked.made().to_owned();
        let done = |body: &Value| body["status"] == "completed";
        owner.until(&format!("/exports/jobs/{export}"), SOON, done).await?;
        Ok(Self { owner: owner.clone(), export })
    }

    /// What each door answers to a token.
    pub(crate) async fn knock(&self, token: &str) -> anyhow::Result<[(&'static str, Answer); 6]> {
        let client = self.owner.with_token(token);
        let command = client.post("/users?validate_only=true", &json!({"handle": "x"})).await?;
        let query = client.get("/me").await?;
        Ok([
            ("a command", of(&command)),
            ("a question", of(&query)),
            ("a download", of(&self.link(token).await?)),
            ("the upgrade of a socket", self.upgrade(token).await?),
            ("the first frame of a socket", self.first_frame(token).await?),
            ("a later frame of a socket", self.later_frame(token).await?),
        ])
    }

    /// Asks for a link to the file.
    pub(crate) async fn link(&self, token: &str) -> anyhow::Result<Reply> {
        let path = format!("/exports/{}/downloads", self.export);
        self.owner.with_token(token).post(&path, &json!({})).await
    }

    /// Asks for the file with a token where the link's belongs, and in the header as well.
    pub(crate) async fn file(&self, token: &str) -> anyhow::Result<Answer> {
        let url = format!("{}/api/v1/exports/download/{}", self.owner.query_url, self.export);
        let url = reqwest::Url::parse_with_params(&url, [("link", token)])?;
        let client = self.owner.with_token(token);
        Ok(of(&client.send(reqwest::Method::GET, url.as_str(), None, &[]).await?))
    }

    async fn upgrade(&self, token: &str) -> anyhow::Result<Answer> {
        match self.connect(Some(token)).await {
            Ok(mut socket) => {
                say(&mut socket, &json!({"type": "init"})).await?;
                after(&mut socket).await
            }
            Err(Error::Http(response)) => {
                let kind = response.headers().get("content-type");
                let problem = kind.is_some_and(|kind| kind == "application/problem+json");
                Ok(match response.status().as_u16() {
                    401 if problem => Answer::Refused,
                    status => Answer::Other(format!("{status} {kind:?}")),
                })
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn first_frame(&self, token: &str) -> anyhow::Result<Answer> {
        let mut socket = self.connect(None).await?;
        say(&mut socket, &json!({"type": "init", "auth": token})).await?;
        after(&mut socket).await
    }

    async fn later_frame(&self, token: &str) -> anyhow::Result<Answer> {
        let mut socket = self.connect(None).await?;
        say(&mut socket, &json!({"type": "init", "auth": self.owner.token})).await?;
        anyhow::ensure!(after(&mut socket).await? == Answer::Passed, "the owner is not let in");
        say(&mut socket, &json!({"type": "auth", "auth": token})).await?;
        after(&mut socket).await
    }

    async fn connect(&self, token: Option<&str>) -> Result<Socket, Error> {
        let url = self.owner.query_url.replacen("http", "ws", 1) + "/api/v1/stream";
        let mut request = url.into_client_request()?;
        let headers = request.headers_mut();
        headers.insert("sec-websocket-protocol", "annals.events.v1".parse()?);
        if let Some(token) = token {
            headers.insert("authorization", format!("Bearer {token}").try_into()?);
        }
        Ok(tokio_tungstenite::connect_async(request).await?.0)
    }
}

/// What an answer over HTTP comes to.
fn of(reply: &Reply) -> Answer {
    let problem = reply.header("content-type") == "application/problem+json"
        && reply.header("www-authenticate") == "Bearer"
        && reply.body["code"] == "UNAUTHENTICATED"
        && reply.body["status"] == 401;
    match reply.status {
        200..=299 => Answer::Passed,
        401 if problem => Answer::Refused,
        status => Answer::Other(format!("{status} {}", reply.body)),
    }
}

async fn say(socket: &mut Socket, frame: &Value) -> anyhow::Result<()> {
    Ok(socket.send(Message::Text(frame.to_string().into())).await?)
}

/// What a socket answers to a token: `ready`, or the end.
async fn after(socket: &mut Socket) -> anyhow::Result<Answer> {
    loop {
        let message = tokio::time::timeout(SOON, socket.next()).await.context("no answer")?;
        match message.context("the socket ended without a word")?? {
            Message::Text(text) if text.contains("\"ready\"") => return Ok(Answer::Passed),
            Message::Close(Some(frame)) if u16::from(frame.code) == REFUSED => {
                return Ok(Answer::Refused);
            }
            Message::Close(frame) => return Ok(Answer::Other(format!("{frame:?}"))),
            Message::Text(_)
            | Message::Binary(_)
            | Message::Ping(_)
            | Message::Pong(_)
            | Message::Frame(_) => {}
        }
    }
}
