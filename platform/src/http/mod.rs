//! What both HTTP APIs share: request facts, bodies read strictly, health, and a server that ends politely.

use std::fmt::{Display, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, FromRequest as _, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::serve::ListenerExt as _;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::CorsLayer;

use crate::clock;
use crate::config::Settings;
use crate::lifecycle::Shutdown;
use crate::limits::Spent;
use crate::problem::Problem;

mod headers;
#[cfg(test)]
mod tests;

pub use headers::Form;

const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
const MAX_REQUEST_ID_BYTES: usize = 64;
const MAX_USER_AGENT_BYTES: usize = 256;
const DRAIN: Duration = Duration::from_secs(10);

/// What is known of a request besides its body; travels into the metadata of the events it causes.
#[derive(Debug, Default)]
pub struct RequestFacts {
    /// The client's `Request-Id`, or ours.
    pub request_id: String,
    /// The caller's address.
    pub ip: Option<IpAddr>,
    /// The caller's program.
    pub user_agent: Option<String>,
    /// W3C trace context.
    pub traceparent: Option<String>,
    /// The id of what caused the request, for example an event that a worker reacts to.
    pub causation_id: Option<String>,
    /// The id shared with all that follows from the same first request; the client may bring it.
    pub correlation: Option<String>,
    /// What whoever carries the request out adds to the header of its answer.
    pub notes: Notes,
}

/// What goes into the header of an answer, whatever the answer is.
#[derive(Debug, Default)]
pub struct Notes(Mutex<Noted>);

#[derive(Debug, Default)]
struct Noted {
    phases: Vec<(&'static str, Duration)>,
    preferences: Vec<String>,
    limits: Option<Spent>,
    replayed: bool,
}

impl Notes {
    /// What the time went into since `began`; phases of one name add up.
    pub fn phase(&self, name: &'static str, began: Instant) {
        let mut noted = self.noted();
        let took = began.elapsed();
        match noted.phases.iter_mut().find(|(known, _)| *known == name) {
            Some((_, sum)) => *sum += took,
            None => noted.phases.push((name, took)),
        }
    }

    /// A preference of the client (RFC 7240) that was followed.
    pub fn applied(&self, preference: impl Into<String>) {
        self.noted().preferences.push(preference.into());
    }

    /// What is left of the caller's limits.
    pub fn spent(&self, spent: Spent) {
        self.noted().limits = Some(spent);
    }

    /// That the answer is the one given before to the same key.
    pub fn replayed(&self) {
        self.noted().replayed = true;
    }

    /// Whether the answer is one given before.
    pub fn is_replayed(&self) -> bool {
        self.noted().replayed
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, began: Instant, headers: &mut HeaderMap) {
        let mut noted = self.noted();
        noted.phases.push(("total", began.elapsed()));
        let mut timing = String::with_capacity(32 * noted.phases.len());
        for (name, took) in &noted.phases {
            let comma = if timing.is_empty() { "" } else { ", " };
            let tenths = (took.as_micros() + 50) / 100;
            let _never = write!(timing, "{comma}{name};dur={}.{}", tenths / 10, tenths % 10);
        }
        let mut set = |name: &'static str, value: String| {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        };
        set("server-timing", timing);
        if !noted.preferences.is_empty() {
            set("preference-applied", noted.preferences.join(", "));
        }
        if noted.replayed {
            set("idempotent-replayed", "true".to_owned());
        }
        if let Some(spent) = &noted.limits {
            set("ratelimit-policy", spent.policies());
            set("ratelimit", spent.left());
        }
    }
}

impl RequestFacts {
    /// The same without what tells of a person.
    #[must_use]
    pub fn of_nobody(&self) -> Self {
        Self {
            request_id: self.request_id.clone(),
            traceparent: self.traceparent.clone(),
            causation_id: self.causation_id.clone(),
            correlation: self.correlation.clone(),
            ..Self::default()
        }
    }

    /// The trace id within `traceparent`.
    pub fn trace_id(&self) -> Option<&str> {
        self.traceparent.as_deref()?.split('-').nth(1)
    }

    /// The id that everything following from this request shares.
    pub fn correlation_id(&self) -> &str {
        self.correlation.as_deref().unwrap_or(&self.request_id)
    }
}

/// A header that holds an id: a short word of visible ASCII.
fn id(headers: &HeaderMap, name: &str) -> Option<String> {
    text(headers, name, MAX_REQUEST_ID_BYTES)
        .filter(|id| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_graphic()))
}

fn text(
    headers: &HeaderMap,
    name: impl axum::http::header::AsHeaderName,
    max: usize,
) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?;
    Some(value.chars().take(max).collect())
}

/// Gathers the request's facts, and completes every problem on the way out.
async fn facts(mut request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    let headers = request.headers();
    let request_id = id(headers, REQUEST_ID.as_str())
        .unwrap_or_else(|| clock::new_id::<uuid::Uuid>().to_string());
    let began = Instant::now();
    let traceparent = text(headers, "traceparent", 64).filter(|value| is_traceparent(value));
    let facts = Arc::new(RequestFacts {
        request_id,
        ip: peer,
        user_agent: text(headers, header::USER_AGENT, MAX_USER_AGENT_BYTES),
        traceparent: Some(traceparent.unwrap_or_else(new_trace)),
        causation_id: id(headers, "causation-id"),
        correlation: id(headers, "correlation-id"),
        notes: Notes::default(),
    });
    request.extensions_mut().insert(Arc::clone(&facts));
    let mut response = next.run(request).await;
    if is_problem(&response) {
        response = complete(response, &facts).await;
    }
    facts.notes.write(began, response.headers_mut());
    if let Ok(value) = HeaderValue::from_str(&facts.request_id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

/// Whether it is one of version 00 (W3C Trace Context): other versions are not continued, a trace or span of zeros is none.
fn is_traceparent(value: &str) -> bool {
    let is_hex = |part: &str| part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let is_some = |part: &str| is_hex(part) && part.bytes().any(|b| b != b'0');
    match *value.split('-').collect::<Vec<_>>() {
        ["00", trace, span, flags] => {
            (trace.len(), span.len(), flags.len()) == (32, 16, 2)
                && is_some(trace)
                && is_some(span)
                && is_hex(flags)
        }
        _ => false,
    }
}

/// A trace that begins here.
fn new_trace() -> String {
    let span = clock::new_id::<uuid::Uuid>().simple().to_string();
    format!("00-{}-{}-00", clock::new_id::<uuid::Uuid>().simple(), &span[16..])
}

fn is_problem(response: &Response) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/problem+json"))
}

async fn complete(response: Response, facts: &RequestFacts) -> Response {
    const MAX_PROBLEM_BYTES: usize = 1 << 20;
    let (mut parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, MAX_PROBLEM_BYTES).await.unwrap_or_default();
    let Ok(mut problem) = serde_json::from_slice::<Problem>(&bytes) else {
        return Response::from_parts(parts, Body::from(bytes));
    };
    problem.instance = Some(format!("urn:annals:request:{}", facts.request_id));
    problem.trace_id = facts.trace_id().map(str::to_owned);
    let bytes = serde_json::to_vec(&problem).unwrap_or_default();
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(bytes))
}

/// The bearer token of a request.
pub fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
    let value = headers.get(header::AUTHORIZATION).ok_or_else(|| {
        Problem::unauthenticated("send an access token as `Authorization: Bearer`")
    })?;
    value
        .to_str()
        .ok()
        .and_then(|text| text.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim())
        .ok_or_else(|| Problem::unauthenticated("send an access token as `Authorization: Bearer`"))
}

/// The body of a request, not larger than this API takes.
pub async fn bytes<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    Bytes::from_request(request, state).await.map_err(|error| match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "BODY_TOO_LARGE",
            "the body is larger than this API takes; send less at once",
        ),
        _ => Problem::bad_request("BODY_UNREADABLE", error.body_text()),
    })
}

/// Reads a JSON body strictly: the right media type, no unknown members, and the place of the first fault named.
pub fn json_body<T: DeserializeOwned>(headers: &HeaderMap, bytes: &Bytes) -> Result<T, Problem> {
    let kind =
        headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !bytes.is_empty() && !kind.starts_with("application/json") {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "UNSUPPORTED_MEDIA_TYPE",
            "send the body as application/json",
        ));
    }
    let bytes: &[u8] = if bytes.is_empty() { b"{}" } else { bytes };
    let reader = &mut serde_json::Deserializer::from_slice(bytes);
    let value =
        serde_path_to_error::deserialize(&mut *reader).map_err(|error| body_problem(&error))?;
    reader.end().map_err(|error| Problem::bad_request("BODY_SYNTAX", error.to_string()))?;
    match nul(bytes) {
        Some(pointer) => {
            let detail = "text holds the character NUL, which no record can keep; leave it out";
            Err(Problem::invalid(&pointer, "TEXT_NUL", detail))
        }
        None => Ok(value),
    }
}

/// Where the first text with NUL stands: Postgres has no such text, so nothing that holds it could be kept or looked for.
fn nul(json: &[u8]) -> Option<String> {
    const ESCAPED: &[u8] = b"\\u0000";
    if !json.windows(ESCAPED.len()).any(|part| part == ESCAPED) {
        return None; // almost always, and at the speed of memory
    }
    within(&serde_json::from_slice(json).ok()?)
}

/// The pointer to the first text with NUL; to its object where a name has it.
fn within(value: &Value) -> Option<String> {
    let below = |name: &dyn Display, value| Some(format!("/{name}{}", within(value)?));
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
        Value::String(text) => text.contains('\0').then(String::new),
        Value::Array(items) => {
            items.iter().enumerate().find_map(|(place, item)| below(&place, item))
        }
        Value::Object(members) => members.iter().find_map(|(name, value)| {
            if name.contains('\0') { Some(String::new()) } else { below(name, value) }
        }),
    }
}

fn body_problem(error: &serde_path_to_error::Error<serde_json::Error>) -> Problem {
    let pointer = pointer(error.path());
    let detail = error.inner().to_string();
    if error.inner().is_data() {
        return Problem::invalid(&pointer, "BODY_INVALID", detail);
    }
    Problem::bad_request("BODY_SYNTAX", detail).at(&pointer)
}

/// A place in a body as a JSON pointer (RFC 6901).
fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let segment = |segment: &Segment| match segment {
        Segment::Seq { index } => index.to_string(),
        Segment::Map { key } => key.replace('~', "~0").replace('/', "~1"),
        Segment::Enum { variant } => variant.clone(),
        Segment::Unknown => String::new(),
    };
    let segments = path.iter().map(segment).filter(|segment| !segment.is_empty());
    segments.fold(String::new(), |pointer, segment| format!("{pointer}/{segment}"))
}

const REFUSED_BY_NOTARY: &str = "select log.organizations_refused_by_notary()";

/// A tampered log is told loudly; the door stays open nevertheless, or tampering would be a way to close it.
fn readiness(refused: i64) -> String {
    format!(
        "ready; the notary refuses to sign the log of {refused} organisation(s): \
         see GET /api/v1/audit/checkpoints\n"
    )
}

/// What every process answers besides its API: liveness, readiness, metrics and its documentation.
pub fn operational(document: serde_json::Value, pool: sqlx::PgPool) -> Router {
    use axum::Json;
    use axum::routing::get;
    let ready = move || {
        let pool = pool.clone();
        async move {
            match sqlx::query_scalar(REFUSED_BY_NOTARY).fetch_one(&pool).await {
                Ok(0_i64) => "ready".into_response(),
                Ok(refused) => readiness(refused).into_response(),
                Err(error) => Problem::from(error).into_response(),
            }
        }
    };
    let specification = document.clone();
    Router::new()
        .route("/livez", get(|| async { "alive" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(|| async { crate::telemetry::metrics() }))
        .route("/openapi.json", get(|| async move { Json(specification) }))
        .merge(
            utoipa_swagger_ui::SwaggerUi::new(headers::DOCS)
                .config(utoipa_swagger_ui::Config::default().validator_url("none"))
                .external_url_unchecked("/docs/openapi.json", document),
        )
}

/// Adds what every API has around its routes: facts, a body limit, answers for unknown paths, panics as problems, and what
/// browsers are to make of it all.
pub fn finish(router: Router, settings: &Settings) -> Router {
    let tls = settings.links_begin().starts_with("https:");
    // One layer, because each copies all those within it for every request.
    let layers = ServiceBuilder::new()
        .layer(from_fn(move |request, next| headers::guard(tls, request, next)))
        .option_layer(cors(settings))
        .layer(from_fn(facts))
        .layer(CatchPanicLayer::custom(|_: Box<dyn std::any::Any + Send>| {
            Problem::internal(&"a handler panicked").into_response()
        }))
        .layer(axum::extract::DefaultBodyLimit::max(settings.max_body_bytes));
    router
        .fallback(|| async { Problem::absent("path") })
        .method_not_allowed_fallback(|| async {
            Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "METHOD_NOT_ALLOWED",
                "this path exists, but not with this method",
            )
        })
        .layer(layers)
}

/// What pages of other origins may read of an answer's header.
const EXPOSED: [HeaderName; 17] = [
    header::ETAG,
    header::LOCATION,
    header::LINK,
    header::RETRY_AFTER,
    HeaderName::from_static("consistency-token"),
    HeaderName::from_static("consistency-status"),
    HeaderName::from_static("projection-lag"),
    HeaderName::from_static("aggregate-version"),
    HeaderName::from_static("preference-applied"),
    HeaderName::from_static("idempotent-replayed"),
    HeaderName::from_static("ratelimit"),
    HeaderName::from_static("ratelimit-policy"),
    HeaderName::from_static("deprecation"),
    HeaderName::from_static("sunset"),
    REQUEST_ID,
    HeaderName::from_static("server-timing"),
    HeaderName::from_static("projection-position"),
];

/// For pages of the origins allowed, if there are any. Tokens travel in a header of the page's own making, never in cookies.
fn cors(settings: &Settings) -> Option<CorsLayer> {
    let origins: Vec<HeaderValue> =
        settings.origins().filter_map(|origin| origin.parse().ok()).collect();
    let cors = CorsLayer::new()
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers(tower_http::cors::AllowHeaders::mirror_request())
        .expose_headers(EXPOSED)
        .max_age(Duration::from_mins(10));
    (!origins.is_empty()).then(|| cors.allow_origin(origins))
}

/// Serves until the shutdown signal, then lets requests in flight end, for a bounded time.
pub async fn serve(address: SocketAddr, router: Router, shutdown: Shutdown) -> anyhow::Result<()> {
    let listener = tokio::net::TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address}; is the port in use? choose another")
    })?;
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let signal = shutdown.clone();
    let listener = listener.tap_io(|connection| {
        let _only_slower = connection.set_nodelay(true);
    });
    let server =
        axum::serve(listener, service).with_graceful_shutdown(async move { signal.wait().await });
    let limit = async {
        shutdown.wait().await;
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        result = async { server.await } => result.context("the HTTP server failed"),
        () = limit => Ok(()),
    }
}
