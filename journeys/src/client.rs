//! What a client of the public API does: signs in, posts commands, asks questions, waits for what it wrote.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use reqwest::Method;
use serde_json::{Value, json};

/// The password of everybody in a journey.
pub const PASSWORD: &str = "correct horse battery";

/// One caller of one organisation.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    /// Where commands go.
    pub command_url: String,
    /// Where questions go.
    pub query_url: String,
    /// The access token.
    pub token: String,
    /// The organisation.
    pub tenant_id: String,
    /// The user.
    pub user_id: String,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: reqwest::header::HeaderMap,
    /// Body, `Null` where it is not JSON.
    pub body: Value,
    /// Body as it came.
    pub text: String,
}

impl Reply {
    /// A header as text.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The last segment of `Location`: the id of what was made.
    pub fn made(&self) -> &str {
        self.header("location").rsplit('/').next().unwrap_or_default()
    }

    /// The answer, if it is a success.
    pub fn ok(self) -> anyhow::Result<Self> {
        anyhow::ensure!((200..300).contains(&self.status), "{}: {}", self.status, self.body);
        Ok(self)
    }
}

impl Client {
    /// A caller with a token.
    pub fn new(command_url: &str, query_url: &str, token: &str) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(30))
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Self {
            http,
            command_url: command_url.to_owned(),
            query_url: query_url.to_owned(),
            token: token.to_owned(),
            tenant_id: String::new(),
            user_id: String::new(),
        })
    }

    /// The same connection with another token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: token.to_owned(), ..self.clone() }
    }

    /// The same caller at another command-api.
    #[must_use]
    pub fn at(&self, command_url: &str) -> Self {
        Self { command_url: command_url.to_owned(), ..self.clone() }
    }

    /// Signs somebody in.
    pub async fn login(&self, organization: &str, login: &str) -> anyhow::Result<Self> {
        let body = json!({"organization": organization, "login": login, "password": PASSWORD});
        let reply = self.with_token("").post("/auth/login", &body).await?.ok()?;
        let text = |name: &str| reply.body[name].as_str().unwrap_or_default().to_owned();
        Ok(Self {
            token: text("access_token"),
            tenant_id: text("tenant_id"),
            user_id: text("user_id"),
            ..self.clone()
        })
    }

    /// Registers a user with a password and signs them in.
    pub async fn newcomer(&self, organization: &str, handle: &str) -> anyhow::Result<Self> {
        let made = self.post("/users", &json!({ "handle": handle })).await?.ok()?;
        let path = format!("/users/{}/password", made.made());
        self.command(Method::PUT, &path, &json!({ "password": PASSWORD }), &[]).await?.ok()?;
        self.login(organization, handle).await
    }

    /// A command by POST.
    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Reply> {
        self.command(Method::POST, path, body, &[]).await
    }

    /// A command.
    pub async fn command(
        &self,
        method: Method,
        path: &str,
        body: &Value,
        headers: &[(&str, &str)],
    ) -> anyhow::Result<Reply> {
        self.send(method, &format!("{}/api/v1{path}", self.command_url), Some(body), headers).await
    }

    /// A question.
    pub async fn get(&self, path: &str) -> anyhow::Result<Reply> {
        self.send(Method::GET, &format!("{}/api/v1{path}", self.query_url), None, &[]).await
    }

    /// A question that shows what `after` did.
    pub async fn get_after(&self, path: &str, after: &Reply) -> anyhow::Result<Reply> {
        let headers =
            [("consistency-token", after.header("consistency-token")), ("prefer", "wait=20")];
        self.send(Method::GET, &format!("{}/api/v1{path}", self.query_url), None, &headers).await
    }

    /// A question by POST.
    pub async fn ask(&self, path: &str, body: &Value) -> anyhow::Result<Reply> {
        self.send(Method::POST, &format!("{}/api/v1{path}", self.query_url), Some(body), &[]).await
    }

    /// A question by POST that shows what `after` did.
    pub async fn ask_after(
        &self,
        path: &str,
        body: &Value,
        after: &Reply,
    ) -> anyhow::Result<Reply> {
        let headers =
            [("consistency-token", after.header("consistency-token")), ("prefer", "wait=20")];
        let url = format!("{}/api/v1{path}", self.query_url);
        self.send(Method::POST, &url, Some(body), &headers).await
    }

    /// Any request to any address.
    pub async fn send(
        &self,
        method: Method,
        url: &str,
        body: Option<&Value>,
        headers: &[(&str, &str)],
    ) -> anyhow::Result<Reply> {
        let mut request = self.http.request(method, url);
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        Self::reply(request).await
    }

    /// A request with a body that need not be JSON, though it says so.
    pub async fn raw(
        &self,
        method: Method,
        url: &str,
        body: Option<&str>,
        headers: &[(&str, &str)],
    ) -> anyhow::Result<Reply> {
        let mut request = self.http.request(method, url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_owned());
        }
        Self::reply(request).await
    }

    /// A file as a browser's form sends it, after fields of text.
    pub async fn upload(
        &self,
        fields: &[(&str, &str)],
        (name, media_type): (&str, &str),
        content: &[u8],
    ) -> anyhow::Result<Reply> {
        let head = |of: &str| format!("--form\r\nContent-Disposition: form-data; name={of}\r\n");
        let mut body = Vec::new();
        for (field, value) in fields {
            body.extend_from_slice(format!("{}\r\n{value}\r\n", head(field)).as_bytes());
        }
        let file = head(&format!("file; filename=\"{name}\""));
        body.extend_from_slice(format!("{file}Content-Type: {media_type}\r\n\r\n").as_bytes());
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n--form--\r\n");
        let url = format!("{}/api/v1/files", self.command_url);
        let kind = ("content-type", "multipart/form-data; boundary=form");
        self.stream(Method::POST, &url, body.into(), &[kind]).await
    }

    /// A request with a body of any kind, which may come piece by piece.
    pub async fn stream(
        &self,
        method: Method,
        url: &str,
        body: reqwest::Body,
        headers: &[(&str, &str)],
    ) -> anyhow::Result<Reply> {
        let mut request = self.http.request(method, url).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        Self::reply(request).await
    }

    async fn reply(request: reqwest::RequestBuilder) -> anyhow::Result<Reply> {
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = String::from_utf8_lossy(&response.bytes().await?).into_owned();
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Ok(Reply { status, headers, body, text })
    }

    /// A body as it comes, for files and replays.
    pub async fn bytes(&self, url: &str) -> anyhow::Result<Vec<u8>> {
        let response = self.http.get(url).bearer_auth(&self.token).send().await?;
        anyhow::ensure!(response.status().is_success(), "{url}: {}", response.status());
        Ok(response.bytes().await?.to_vec())
    }

    /// Asks until the answer is as it should be; what it was at last otherwise.
    pub async fn until(
        &self,
        path: &str,
        limit: Duration,
        good: impl Fn(&Value) -> bool,
    ) -> anyhow::Result<Reply> {
        let began = Instant::now();
        loop {
            let reply = self.get(path).await?;
            if reply.status == 200 && good(&reply.body) {
                return Ok(reply);
            }
            if began.elapsed() > limit {
                return Err(anyhow::anyhow!("{} {}", reply.status, reply.body))
                    .with_context(|| format!("{path} did not become as expected in {limit:?}"));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// How long after `since` a question is answered with this status; it may not take longer than the limit.
    pub async fn until_status(
        &self,
        path: &str,
        status: u16,
        since: Instant,
        limit: Duration,
    ) -> anyhow::Result<Duration> {
        loop {
            let reply = self.get(path).await?;
            let taken = since.elapsed();
            if reply.status == status {
                return Ok(taken);
            }
            anyhow::ensure!(taken < limit, "{path} is still {} after {taken:?}", reply.status);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
