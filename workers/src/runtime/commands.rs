//! Reporting back: commands posted to command-api with a service token, each under a key of its own, so that a repetition
//! is answered with what the first one led to.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use events::TenantId;
use platform::problem::Problem;
use reqwest::{Client, Response, StatusCode, redirect};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use uuid::Uuid;

const CONNECT_LIMIT: Duration = Duration::from_secs(5);
const TOTAL_LIMIT: Duration = Duration::from_secs(15);
const ANSWER_MOST_BYTES: usize = 256 * 1024;
/// A token is renewed this long before it ends.
const TOKEN_MARGIN: Duration = Duration::from_secs(30);

/// The door to the log.
#[derive(Clone)]
pub(crate) struct Commands {
    client: Client,
    base: Arc<str>,
    secret: Arc<str>,
    tokens: Arc<Mutex<HashMap<TenantId, Kept>>>,
}

/// A token and until when it is used.
type Kept = (Arc<str>, Instant);

/// Why a command did not go through.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    /// The rules refuse it; the same command will be refused again.
    #[error("{} ({})", .0.detail, .0.code)]
    Refused(Box<Problem>),
    /// Nobody answered as they should; the same command can succeed later.
    #[error("command-api does not answer as it should")]
    Unavailable(#[source] anyhow::Error),
}

impl From<reqwest::Error> for CommandError {
    fn from(error: reqwest::Error) -> Self {
        Self::Unavailable(error.without_url().into())
    }
}

#[derive(Deserialize)]
struct Token {
    access_token: Arc<str>,
    expires_in: u64,
}

impl Commands {
    /// Commands go to `base`; `secret` is exchanged for tokens.
    pub(crate) fn new(base: &str, secret: &str) -> anyhow::Result<Self> {
        let client = Client::builder()
            .connect_timeout(CONNECT_LIMIT)
            .timeout(TOTAL_LIMIT)
            .redirect(redirect::Policy::none())
            .no_proxy()
            .user_agent(concat!("annals-workers/", env!("CARGO_PKG_VERSION")))
            .build()
            .context("no HTTP client can be made")?;
        let base = base.trim_end_matches('/').into();
        Ok(Self { client, base, secret: secret.into(), tokens: Arc::default() })
    }

    /// Posts a command in the name of the workers.
    pub(crate) async fn post(
        &self,
        tenant: TenantId,
        path: &str,
        key: Uuid,
        body: &impl Serialize,
    ) -> Result<Value, CommandError> {
        let first = self.send(tenant, path, key, body).await?;
        if first.status() != StatusCode::UNAUTHORIZED {
            return answer(first).await;
        }
        // The keys were changed, or the clock was; a new token settles both.
        self.tokens.lock().await.remove(&tenant);
        answer(self.send(tenant, path, key, body).await?).await
    }

    async fn send(
        &self,
        tenant: TenantId,
        path: &str,
        key: Uuid,
        body: &impl Serialize,
    ) -> Result<Response, CommandError> {
        let token = self.token(tenant).await?;
        let request = self
            .client
            .post(format!("{}/api/v1{path}", self.base))
            .bearer_auth(token)
            .header("idempotency-key", format!("\"{key}\""))
            .json(body);
        Ok(request.send().await?)
    }

    async fn token(&self, tenant: TenantId) -> Result<Arc<str>, CommandError> {
        let mut tokens = self.tokens.lock().await;
        if let Some((token, until)) = tokens.get(&tenant)
            && *until > Instant::now()
        {
            return Ok(Arc::clone(token));
        }
        let login = json!({"service": "workers", "secret": &*self.secret, "tenant_id": tenant});
        let url = format!("{}/api/v1/auth/service-token", self.base);
        let response = self.client.post(url).json(&login).send().await?;
        let status = response.status();
        let read = answer(response).await.map_err(|error| {
            CommandError::Unavailable(anyhow::Error::new(error).context(format!(
                "no service token ({status}); check that ANNALS_SERVICE_SECRET is the same everywhere"
            )))
        })?;
        let token: Token = serde_json::from_value(read)
            .map_err(|error| CommandError::Unavailable(error.into()))?;
        let life = Duration::from_secs(token.expires_in).saturating_sub(TOKEN_MARGIN);
        tokens.retain(|_, (_, until)| *until > Instant::now());
        tokens.insert(tenant, (Arc::clone(&token.access_token), Instant::now() + life));
        Ok(token.access_token)
    }
}

async fn answer(mut response: Response) -> Result<Value, CommandError> {
    let status = response.status();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() > ANSWER_MOST_BYTES {
            let error = anyhow::anyhow!("the answer is longer than {ANSWER_MOST_BYTES} bytes");
            return Err(CommandError::Unavailable(error));
        }
    }
    if status.is_success() {
        return Ok(serde_json::from_slice(&body).unwrap_or(Value::Null));
    }
    let problem = serde_json::from_slice::<Problem>(&body).ok();
    match problem {
        Some(problem) if refuses(status) => Err(CommandError::Refused(Box::new(problem))),
        Some(problem) => {
            let error = anyhow::anyhow!("{status}: {} ({})", problem.detail, problem.code);
            Err(CommandError::Unavailable(error))
        }
        None => Err(CommandError::Unavailable(anyhow::anyhow!("{status} without a problem"))),
    }
}

/// Whether the same command would be refused again. A token that is not accepted, a limit and a time-out pass.
fn refuses(status: StatusCode) -> bool {
    status.is_client_error()
        && ![
            StatusCode::UNAUTHORIZED,
            StatusCode::REQUEST_TIMEOUT,
            StatusCode::TOO_EARLY,
            StatusCode::TOO_MANY_REQUESTS,
        ]
        .contains(&status)
}
