//! A client of both doors: signs in, renews its token, repeats what may be repeated, and reads lists page by page.

mod retry;
mod session;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use events::TenantId;
use platform::problem::Problem;
use reqwest::header::{CONTENT_TYPE, RANGE};
use reqwest::{Method, RequestBuilder, Response, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use uuid::Uuid;

use retry::{Attempts, persist};
use session::Session;

const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// How long an answer may let nothing be heard; a replay goes on for as long as it likes.
const SILENCE_LIMIT: Duration = Duration::from_mins(2);
/// As many rows of a list as one page can have.
const PAGE_ROWS: &str = "500";
/// How long query-api may wait for a projection before it says that it is behind.
const WAIT_SECONDS: &str = "wait=25";
/// How much of an upload has arrived, and a part of one.
const OFFSET: &str = "upload-offset";
const PART: &str = "application/offset+octet-stream";

/// Where to, and as whom.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Options {
    /// Where commands are taken
    #[arg(long, env = "ANNALS_COMMAND_URL", default_value = "http://127.0.0.1:7401")]
    pub(super) url: String,
    /// Where questions are answered
    #[arg(long, env = "ANNALS_QUERY_URL", default_value = "http://127.0.0.1:7402")]
    pub(super) query_url: String,
    /// The organisation's short name
    #[arg(long, value_name = "SLUG")]
    pub(super) organization: Option<String>,
    /// The handle or e-mail address to sign in with
    #[arg(long, requires = "organization")]
    pub(super) login: Option<String>,
    /// Reads the password from this file; asked for on the terminal when absent
    #[arg(long, value_name = "FILE", requires = "login")]
    pub(super) password_file: Option<PathBuf>,
    /// An access token instead of a password; better given as `ANNALS_TOKEN`, which nobody sees
    #[arg(long, env = "ANNALS_TOKEN", hide_env_values = true)]
    pub(super) token: Option<String>,
}

/// Why a request came to nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The server says why.
    #[error("{} ({})", .0.detail, .0.code)]
    Refused(Box<Problem>),
    /// Nobody answered as they should.
    #[error(transparent)]
    Failed(#[from] anyhow::Error),
}

impl Error {
    /// Whether the server refused with this code.
    pub(super) fn is(&self, code: &str) -> bool {
        match self {
            Self::Refused(problem) => problem.code == code,
            Self::Failed(_) => false,
        }
    }
}

/// Who the caller is, and how far the log is.
#[derive(Debug)]
pub(super) struct Here {
    pub(super) tenant: TenantId,
    /// What lists must reflect to show everything that was taken so far.
    pub(super) token: String,
}

/// A client with a session.
pub(super) struct Client {
    http: reqwest::Client,
    command: String,
    query: String,
    session: Session,
}

#[derive(Deserialize)]
struct Page<T> {
    items: Vec<T>,
    page: Place,
}

#[derive(Deserialize)]
struct Place {
    next: Option<String>,
}

impl Client {
    /// Signs in.
    pub(super) async fn start(options: &Options) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_LIMIT)
            .read_timeout(SILENCE_LIMIT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy() // it speaks to this installation only
            .user_agent(concat!("annals-cli/", env!("CARGO_PKG_VERSION")))
            .build()
            .context("cannot build an HTTP client")?;
        let base = |url: &str| format!("{}/api/v1", url.trim_end_matches('/'));
        let (command, query) = (base(&options.url), base(&options.query_url));
        let session = Session::start(options, http.clone(), command.clone()).await?;
        Ok(Self { http, command, query, session })
    }

    /// Ends the session, if this client began it.
    pub(super) async fn sign_out(self) {
        self.session.end().await;
    }

    /// Who the caller is, and how far the log is at this moment.
    pub(super) async fn here(&self) -> Result<Here, Error> {
        #[derive(Deserialize)]
        struct Me {
            organization: Own,
        }
        #[derive(Deserialize)]
        struct Own {
            organization_id: TenantId,
        }
        let response = self.ask("/me", &[], None).await?;
        let token = response.headers().get("consistency-token");
        let token = token.and_then(|token| token.to_str().ok()).map(str::to_owned);
        let me: Me = read(response).await?;
        let token = token.context("query-api gave no consistency token")?;
        Ok(Here { tenant: me.organization.organization_id, token })
    }

    /// Posts a command under a key of its own, so that repeating it does nothing twice.
    pub(super) async fn post(&self, path: &str, key: Uuid, body: &Value) -> Result<Value, Error> {
        self.command(Method::POST, path, key, body).await
    }

    /// Puts what is to be there instead, under a key of its own.
    pub(super) async fn put(&self, path: &str, key: Uuid, body: &Value) -> Result<Value, Error> {
        self.command(Method::PUT, path, key, body).await
    }

    /// Takes something away, under a key of its own.
    pub(super) async fn delete(&self, path: &str, key: Uuid) -> Result<Value, Error> {
        self.command(Method::DELETE, path, key, &json!({})).await
    }

    /// How many bytes of an upload have arrived.
    pub(super) async fn offset(&self, path: &str) -> Result<u64, Error> {
        let url = format!("{}{path}", self.command);
        offset(&self.send(|| self.http.head(&url)).await?)
    }

    /// Sends the next bytes of an upload, behind those that have arrived; how many that are then. Sent again after a break, it is
    /// refused where some of them arrived.
    pub(super) async fn append(
        &self,
        path: &str,
        (at, part): (u64, Vec<u8>),
    ) -> Result<u64, Error> {
        let (url, part) = (format!("{}{path}", self.command), Bytes::from(part));
        let build = || {
            let request = self.http.patch(&url).header(OFFSET, at).header(CONTENT_TYPE, PART);
            request.body(part.clone())
        };
        offset(&self.send(build).await?)
    }

    async fn command(
        &self,
        method: Method,
        path: &str,
        key: Uuid,
        body: &Value,
    ) -> Result<Value, Error> {
        let url = format!("{}{path}", self.command);
        let key = format!("\"{key}\"");
        let build = || {
            let request = self.http.request(method.clone(), &url);
            request.header("idempotency-key", &key).json(body)
        };
        read(self.send(build).await?).await
    }

    /// Asks a question; with a token, the answer reflects what the token stands for.
    pub(super) async fn ask(
        &self,
        path: &str,
        parameters: &[(&str, &str)],
        token: Option<&str>,
    ) -> Result<Response, Error> {
        let url = Url::parse_with_params(&format!("{}{path}", self.query), parameters)
            .with_context(|| format!("{} is no address", self.query))?;
        let build = || {
            let request = self.http.get(url.clone());
            match token {
                Some(token) => {
                    request.header("consistency-token", token).header("prefer", WAIT_SECONDS)
                }
                None => request,
            }
        };
        self.send(build).await
    }

    /// Asks for one thing.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        token: Option<&str>,
    ) -> Result<T, Error> {
        read(self.ask(path, &[], token).await?).await
    }

    /// Hands over every row of a list, page by page.
    pub(super) async fn list<T: DeserializeOwned>(
        &self,
        path: &str,
        parameters: &[(&str, &str)],
        token: &str,
        mut each: impl FnMut(T),
    ) -> Result<(), Error> {
        let mut after: Option<String> = None;
        loop {
            let mut asked = parameters.to_vec();
            asked.push(("limit", PAGE_ROWS));
            if let Some(after) = &after {
                asked.push(("after", after));
            }
            let page: Page<T> = read(self.ask(path, &asked, Some(token)).await?).await?;
            page.items.into_iter().for_each(&mut each);
            match page.page.next {
                Some(next) => after = Some(next),
                None => return Ok(()),
            }
        }
    }

    /// Opens a link, which is the right by itself: whoever gave it is not told who we are.
    pub(super) async fn open(&self, link: &str) -> Result<Response, Error> {
        persist(|| self.http.get(link)).await
    }

    /// The same from that byte on.
    pub(super) async fn open_from(&self, link: &str, from: u64) -> Result<Response, Error> {
        if from == 0 {
            return self.open(link).await;
        }
        persist(|| self.http.get(link).header(RANGE, format!("bytes={from}-"))).await
    }

    /// Sends as [`persist`] does, with the token of the session, which is renewed once where it is no longer taken.
    async fn send(&self, build: impl Fn() -> RequestBuilder) -> Result<Response, Error> {
        let mut attempts = Attempts::begin();
        let mut renewed = false;
        loop {
            let token = self.session.token().await?;
            let sent = build().bearer_auth(&*token).send().await;
            let expired = sent.as_ref().is_ok_and(|response| response.status() == 401);
            if expired && !renewed && self.session.is_own() {
                self.session.forget(&token).await; // the clocks differ, or the keys were changed
                renewed = true;
                continue;
            }
            if let Some(outcome) = attempts.judge(sent).await {
                return outcome;
            }
        }
    }
}

fn offset(response: &Response) -> Result<u64, Error> {
    let offset = response.headers().get(OFFSET).and_then(|offset| offset.to_str().ok());
    let offset = offset.and_then(|offset| offset.parse().ok());
    Ok(offset.context("the answer does not say how much of the file arrived")?)
}

/// Reads the whole answer.
pub(super) async fn read<T: DeserializeOwned>(response: Response) -> Result<T, Error> {
    let path = response.url().path().to_owned();
    let answer = response.json().await.map_err(reqwest::Error::without_url);
    Ok(answer.with_context(|| format!("the answer of {path} is not what it should be"))?)
}
