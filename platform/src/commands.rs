//! What our own services tell the log: commands posted to command-api with a service token, each under a key of its own, so
//! that a repetition is answered with what the first one led to.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use events::TenantId;
use events::envelope::{Recorded, meta};
use reqwest::{Client, Response, StatusCode, redirect};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::problem::Problem;
use crate::secrets::MasterKey;

const CONNECT_LIMIT: Duration = Duration::from_secs(5);
const TOTAL_LIMIT: Duration = Duration::from_secs(15);
const ANSWER_MOST_BYTES: usize = 256 * 1024;
const DRY: &str = "?validate_only=true";
/// A token is renewed this long before it ends.
const TOKEN_MARGIN: Duration = Duration::from_secs(30);

/// The door to the log.
#[derive(Clone)]
pub struct Commands {
    client: Client,
    base: Arc<str>,
    service: &'static str,
    secret: Arc<str>,
    tokens: Arc<Mutex<HashMap<TenantId, Kept>>>,
    cause: Arc<Cause>,
    /// Only what would happen is asked for.
    dry: bool,
}

/// What commands follow from: what they lead to belongs to the same story.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cause {
    /// The event.
    pub event_id: Option<Uuid>,
    /// Its place in the log; jobs of old do not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<i64>,
    /// The id shared by everything that follows from one request.
    pub correlation_id: Option<String>,
    /// W3C trace context.
    pub traceparent: Option<String>,
}

impl Cause {
    /// An event as a cause.
    pub fn of(event: &Recorded) -> Self {
        let mut metadata = event.metadata();
        Self {
            event_id: Some(event.event_id),
            position: Some(event.position),
            correlation_id: metadata.remove(meta::CORRELATION_ID),
            traceparent: metadata.remove(meta::TRACEPARENT),
        }
    }
}

/// The secret of the query API as a service. It follows from the master key, which both doors hold, so that whoever asks
/// questions need not know the secret of the workers.
pub fn query_api_secret(master: &MasterKey) -> String {
    hex::encode(master.derive("service-secret/query-api/v1"))
}

/// A token and until when it is used.
type Kept = (Arc<str>, Instant);

/// Why a command did not go through.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
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
    /// Commands go to `base`; the secret of `service` is exchanged for tokens.
    pub fn new(base: &str, service: &'static str, secret: &str) -> anyhow::Result<Self> {
        let client = Client::builder()
            .connect_timeout(CONNECT_LIMIT)
            .timeout(TOTAL_LIMIT)
            .redirect(redirect::Policy::none())
            .no_proxy()
            .user_agent(format!("annals-{service}/{}", env!("CARGO_PKG_VERSION")))
            .build()
            .context("no HTTP client can be made")?;
        let base = base.trim_end_matches('/').into();
        Ok(Self {
            client,
            base,
            service,
            secret: secret.into(),
            tokens: Arc::default(),
            cause: Arc::default(),
            dry: false,
        })
    }

    /// The same door for commands that follow from `cause`.
    #[must_use]
    pub fn because(&self, cause: &Cause) -> Self {
        Self { cause: Arc::new(cause.clone()), ..self.clone() }
    }

    /// The same door for commands of which only what would happen is asked.
    #[must_use]
    pub fn dry(&self) -> Self {
        Self { dry: true, ..self.clone() }
    }

    /// Posts a command in the name of the service.
    pub async fn post(
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
        let mut request = self
            .client
            .post(format!("{}/api/v1{path}{}", self.base, if self.dry { DRY } else { "" }))
            .bearer_auth(token)
            .header("idempotency-key", format!("\"{key}\""))
            .json(body);
        let Cause { event_id, correlation_id, traceparent, .. } = &*self.cause;
        let event_id = event_id.map(|id| id.to_string());
        for (name, value) in [
            ("causation-id", &event_id),
            ("correlation-id", correlation_id),
            ("traceparent", traceparent),
        ] {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        Ok(request.send().await?)
    }

    async fn token(&self, tenant: TenantId) -> Result<Arc<str>, CommandError> {
        let mut tokens = self.tokens.lock().await;
        if let Some((token, until)) = tokens.get(&tenant)
            && *until > Instant::now()
        {
            return Ok(Arc::clone(token));
        }
        let login = json!({"service": self.service, "secret": &*self.secret, "tenant_id": tenant});
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

#[cfg(test)]
mod tests {
    use events::testing::id;

    use super::*;
    use crate::testkit::door::{problem, server, token};

    async fn post(commands: &Commands) -> Result<Value, CommandError> {
        commands.post(id(1), "/exports/7/start", Uuid::nil(), &json!({"attempt": 1})).await
    }

    #[tokio::test]
    async fn a_command_carries_its_key_and_a_token_that_is_fetched_once() {
        let (base, asked) =
            server(vec![token("first"), (200, json!({"version": 2})), (200, json!({}))]).await;
        let cause = Cause {
            event_id: Some(Uuid::nil()),
            correlation_id: Some("c-1".into()),
            ..Cause::default()
        };
        let commands = Commands::new(&base, "workers", "sesame").unwrap().because(&cause);
        assert_eq!(post(&commands).await.unwrap(), json!({"version": 2}));
        post(&commands).await.unwrap();
        let asked = asked.lock().unwrap().clone();
        assert!(
            asked[0].starts_with("POST /api/v1/auth/service-token ") && asked[0].contains("sesame")
        );
        for request in &asked[1..] {
            assert!(request.starts_with("POST /api/v1/exports/7/start "), "{request}");
            assert!(request.contains("authorization: Bearer first\r\n"), "{request}");
            assert!(
                request.contains(&format!("idempotency-key: \"{}\"\r\n", Uuid::nil())),
                "{request}"
            );
            assert!(!request.contains("sesame"), "{request}");
            assert!(request.contains(&format!("causation-id: {}\r\n", Uuid::nil())), "{request}");
            assert!(request.contains("correlation-id: c-1\r\n"), "{request}");
        }
    }

    #[tokio::test]
    async fn a_token_that_is_not_accepted_any_more_is_renewed() {
        let answers = vec![token("old"), problem(401), token("new"), (200, json!({}))];
        let (base, asked) = server(answers).await;
        post(&Commands::new(&base, "workers", "sesame").unwrap()).await.unwrap();
        assert!(asked.lock().unwrap()[3].contains("Bearer new\r\n"));
    }

    #[tokio::test]
    async fn what_the_rules_refuse_is_told_from_what_can_succeed_later() {
        for (status, refused) in [
            (400, true),
            (403, true),
            (409, true),
            (422, true),
            (429, false),
            (500, false),
            (302, false),
        ] {
            let (base, _) = server(vec![token("t"), problem(status)]).await;
            let error = post(&Commands::new(&base, "workers", "s").unwrap()).await.unwrap_err();
            assert_eq!(matches!(error, CommandError::Refused(_)), refused, "{status}");
        }
        let error =
            post(&Commands::new("http://127.0.0.1:1", "workers", "s").unwrap()).await.unwrap_err();
        assert!(matches!(error, CommandError::Unavailable(_)));
    }

    #[tokio::test]
    async fn a_wrong_service_secret_names_the_remedy() {
        let (base, _) = server(vec![problem(401)]).await;
        let error = post(&Commands::new(&base, "workers", "s").unwrap()).await.unwrap_err();
        assert!(format!("{:#}", anyhow::Error::new(error)).contains("ANNALS_SERVICE_SECRET"));
    }
}
