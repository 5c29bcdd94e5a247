//! Every way in for an access token, and what is answered there.

use std::time::Duration;

use journeys::socket::Heard;
use journeys::{Client, Reply, Socket};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Error;

const SOON: Duration = Duration::from_secs(20);
const REFUSED: u16 = 4401;

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
        let done = |body: &Value| body["status"] == "succeeded";
        owner.until(&format!("/exports/jobs/{export}"), SOON, done).await?;
        Ok(Self { owner: owner.clone(), export })
    }

    /// What each door answers to a token.
    pub(crate) async fn knock(&self, token: &str) -> anyhow::Result<[(&'static str, Answer); 6]> {
        let client = self.owner.with_token(token);
        let command = client.post("/users?validate_only=true", &json!({"handle": "x"})).await?;
        let query = client.get("/me").await?;
        Ok([
            ("a command", refused(&command)),
            ("a question", refused(&query)),
            ("a download", refused(&self.link(token).await?)),
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
        // The link is no token, so of the one in the header nothing is said.
        Ok(of(&client.send(reqwest::Method::GET, url.as_str(), None, &[]).await?, "Bearer"))
    }

    async fn upgrade(&self, token: &str) -> anyhow::Result<Answer> {
        match Socket::connect(&self.owner.query_url, Some(token)).await {
            Ok(mut socket) => {
                socket.say(&json!({"type": "init"})).await?;
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
        let mut socket = Socket::connect(&self.owner.query_url, None).await?;
        socket.say(&json!({"type": "init", "auth": token})).await?;
        after(&mut socket).await
    }

    async fn later_frame(&self, token: &str) -> anyhow::Result<Answer> {
        let mut socket = Socket::connect(&self.owner.query_url, None).await?;
        socket.say(&json!({"type": "init", "auth": self.owner.token})).await?;
        anyhow::ensure!(after(&mut socket).await? == Answer::Passed, "the owner is not let in");
        socket.say(&json!({"type": "auth", "auth": token})).await?;
        after(&mut socket).await
    }
}

/// What an answer to a token in the header comes to; what a header cannot carry counts as none.
fn refused(reply: &Reply) -> Answer {
    let detail = reply.body["detail"].as_str().unwrap_or_default();
    if detail.starts_with("send an access token") {
        return of(reply, "Bearer");
    }
    of(reply, &format!(r#"Bearer error="invalid_token", error_description="{detail}""#))
}

/// What an answer over HTTP comes to, where it challenges the client as it should.
fn of(reply: &Reply, challenge: &str) -> Answer {
    let problem = reply.header("content-type") == "application/problem+json"
        && reply.header("www-authenticate") == challenge
        && reply.body["code"] == "UNAUTHENTICATED"
        && reply.body["status"] == 401;
    match reply.status {
        200..=299 => Answer::Passed,
        401 if problem => Answer::Refused,
        status => Answer::Other(format!("{status} {}", reply.body)),
    }
}

/// What a socket answers to a token: `ready`, or the end.
async fn after(socket: &mut Socket) -> anyhow::Result<Answer> {
    loop {
        match socket.hear().await? {
            Heard::Frame(frame) if frame["type"] == "ready" => return Ok(Answer::Passed),
            Heard::Frame(_) => {}
            Heard::End(Some(REFUSED)) => return Ok(Answer::Refused),
            Heard::End(code) => return Ok(Answer::Other(format!("{code:?}"))),
        }
    }
}
