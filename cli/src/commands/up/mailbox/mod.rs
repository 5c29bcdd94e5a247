//! The mailbox of development in the browser: what the private mail server took, as pages and as JSON, on this machine alone.
//!
//! What people were sent is shown to whoever sits here, so pages of others must not get at it: answers go to no other
//! origin, requests under another name than this machine's are refused, and what a message brings runs and fetches nothing.

mod message;
mod page;
mod store;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use axum::extract::{Path, Query, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, LOCATION,
    ORIGIN, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures::stream;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use message::Full;
use store::{Filter, Mailbox};

/// How often the folder is looked into for who waits.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// The longest that a request waits for a message.
const WAIT_MOST: Duration = Duration::from_mins(1);
/// Readings of the folder at once; the others wait for their turn.
const READING_AT_ONCE: usize = 4;
/// Pages that are told of new messages at once.
const WATCHING_AT_ONCE: usize = 32;

/// Our pages: their style, their script, our answers, a frame, and nobody may frame them.
const OF_PAGES: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; frame-src 'self'; \
                        form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
/// A message: its own style and the pictures in it; its links open elsewhere; it runs, sends and fetches nothing.
const OF_MESSAGES: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; form-action 'none'; \
                           base-uri 'none'; frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox";
/// In front of the HTML of a message: links lead out of the frame. The first of its kind is the one that counts.
const LINKS_LEAD_OUT: &str = "<!doctype html><base target=\"_blank\">";

struct House {
    mailbox: Mailbox,
    reading: Semaphore,
    watching: Arc<Semaphore>,
}

type Shared = State<Arc<House>>;

/// What went wrong, as an answer.
struct Failure(anyhow::Error);

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl axum::response::IntoResponse for Failure {
    fn into_response(self) -> Response {
        let text = format!("the mailbox cannot be read: {:#}", self.0);
        (StatusCode::INTERNAL_SERVER_ERROR, text).into_response()
    }
}

/// Takes the port, so that whoever is told of it finds it open.
pub(super) async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let port = address.port();
    TcpListener::bind(address)
        .await
        .with_context(|| format!("port {port} is in use; give other ports with --port N"))
}

/// Shows the folder until it is dropped.
pub(super) async fn serve(listener: TcpListener, folder: PathBuf) -> anyhow::Result<()> {
    axum::serve(listener, router(folder)).await.context("the mailbox failed")
}

fn router(folder: PathBuf) -> Router {
    let house = House {
        mailbox: Mailbox::new(folder),
        reading: Semaphore::new(READING_AT_ONCE),
        watching: Arc::new(Semaphore::new(WATCHING_AT_ONCE)),
    };
    Router::new()
        .route("/", get(show_list))
        .route("/read/{id}", get(show_message))
        .route("/messages", get(list).delete(clear))
        .route("/messages/{id}", get(one))
        .route("/messages/{id}/html", get(html))
        .route("/messages/{id}/source", get(source))
        .route("/messages/{id}/attachments/{number}", get(attachment))
        .route("/clear", post(clear_by_form))
        .route("/events", get(watch))
        .route("/mailbox.css", get(|| async { ([(CONTENT_TYPE, "text/css")], page::STYLE) }))
        .route("/mailbox.js", get(|| async { ([(CONTENT_TYPE, "text/javascript")], page::SCRIPT) }))
        .layer(middleware::from_fn(guard))
        .with_state(Arc::new(house))
}

/// Lets in who means us, and asks browsers to do nothing with the answer but show it.
async fn guard(request: Request, next: Next) -> Response {
    let mut response = match refusal(request.method(), request.headers()) {
        Some(refusal) => refusal.into_response(),
        None => next.run(request).await,
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let policy = HeaderValue::from_static(OF_PAGES);
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(policy);
    response
}

fn refusal(method: &Method, headers: &HeaderMap) -> Option<(StatusCode, &'static str)> {
    let text = |name: &str| headers.get(name).map(|it| it.to_str().unwrap_or("?"));
    let host = text(HOST.as_str()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    if !["127.0.0.1", "localhost", "[::1]"].contains(&name) {
        // Another name that leads here is how a page of others would read us as if it were ours.
        let remedy = "the mailbox answers as 127.0.0.1 and localhost only";
        return Some((StatusCode::MISDIRECTED_REQUEST, remedy));
    }
    let ours = format!("http://{host}");
    let from_us = text("sec-fetch-site").is_none_or(|site| ["same-origin", "none"].contains(&site))
        && text(ORIGIN.as_str()).is_none_or(|origin| origin == ours);
    let reads = method == Method::GET || method == Method::HEAD;
    (!reads && !from_us)
        .then_some((StatusCode::FORBIDDEN, "only the mailbox's own page may do that"))
}

impl House {
    /// Reads files beside the requests.
    async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        read: impl FnOnce(&Mailbox) -> std::io::Result<T> + Send + 'static,
    ) -> anyhow::Result<T> {
        let _turn = self.reading.acquire().await?;
        let house = Arc::clone(self);
        let reading = tokio::task::spawn_blocking(move || read(&house.mailbox));
        reading.await?.with_context(|| self.mailbox.folder().display().to_string())
    }

    async fn message(self: &Arc<Self>, id: String) -> anyhow::Result<Option<(Full, Vec<u8>)>> {
        self.read(move |mailbox| mailbox.message(&id)).await
    }
}

fn absent() -> Response {
    (StatusCode::NOT_FOUND, "there is no such message; it may have been deleted").into_response()
}

async fn show_list(State(house): Shared, filter: Query<Filter>) -> Result<Response, Failure> {
    let Query(filter) = filter;
    let wanted = filter.clone();
    let (messages, total) = house.read(move |mailbox| mailbox.list(&wanted)).await?;
    Ok(Html(page::list(&messages, total, &filter)?).into_response())
}

async fn show_message(State(house): Shared, Path(id): Path<String>) -> Result<Response, Failure> {
    let Some((message, _)) = house.message(id).await? else { return Ok(absent()) };
    Ok(Html(page::message(&message)?).into_response())
}

/// `{"items": [..], "total": n}`, newest first; with `wait_seconds` once there is one that fits, or after that time.
async fn list(State(house): Shared, filter: Query<Filter>) -> Result<Response, Failure> {
    let Query(filter) = filter;
    let end = Instant::now() + WAIT_MOST.min(Duration::from_secs(filter.wait_seconds));
    loop {
        let wanted = filter.clone();
        let (items, total) = house.read(move |mailbox| mailbox.list(&wanted)).await?;
        if !items.is_empty() || Instant::now() >= end {
            return Ok(Json(json!({ "items": items, "total": total })).into_response());
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

async fn one(State(house): Shared, Path(id): Path<String>) -> Result<Response, Failure> {
    let Some((message, _)) = house.message(id).await? else { return Ok(absent()) };
    Ok(Json(message).into_response())
}

async fn html(State(house): Shared, Path(id): Path<String>) -> Result<Response, Failure> {
    let html = house.message(id).await?.and_then(|(message, _)| message.html);
    let Some(html) = html else { return Ok(absent()) };
    let policy =
        [(CONTENT_SECURITY_POLICY, OF_MESSAGES), (CONTENT_TYPE, "text/html; charset=utf-8")];
    Ok((policy, format!("{LINKS_LEAD_OUT}{html}")).into_response())
}

async fn source(State(house): Shared, Path(id): Path<String>) -> Result<Response, Failure> {
    let Some((_, raw)) = house.message(id).await? else { return Ok(absent()) };
    let policy =
        [(CONTENT_SECURITY_POLICY, OF_MESSAGES), (CONTENT_TYPE, "text/plain; charset=utf-8")];
    Ok((policy, raw).into_response())
}

/// A file of a message, for the disk: never shown, whatever it says it is.
async fn attachment(
    State(house): Shared,
    Path((id, number)): Path<(String, u32)>,
) -> Result<Response, Failure> {
    let found = house.message(id).await?;
    let found = found.and_then(|(_, raw)| message::attachment(&raw, number));
    let Some((name, bytes)) = found else { return Ok(absent()) };
    let name = utf8_percent_encode(&name, NON_ALPHANUMERIC);
    let headers = [
        (CONTENT_TYPE, "application/octet-stream".to_owned()),
        (CONTENT_DISPOSITION, format!("attachment; filename*=UTF-8''{name}")),
    ];
    Ok(([(CONTENT_SECURITY_POLICY, OF_MESSAGES)], headers, bytes).into_response())
}

async fn clear(State(house): Shared) -> Result<Response, Failure> {
    let deleted = house.read(Mailbox::clear).await?;
    Ok(Json(json!({ "deleted": deleted })).into_response())
}

async fn clear_by_form(State(house): Shared) -> Result<Response, Failure> {
    house.read(Mailbox::clear).await?;
    Ok((StatusCode::SEE_OTHER, [(LOCATION, "/")]).into_response())
}

/// Tells a page whenever what lies in the folder is not what lay there before.
async fn watch(State(house): Shared) -> Response {
    let Ok(turn) = Arc::clone(&house.watching).try_acquire_owned() else {
        let text = "too many pages watch the mailbox; close some";
        return (StatusCode::SERVICE_UNAVAILABLE, text).into_response();
    };
    let changes = stream::unfold((house, turn, None), |(house, turn, seen)| async move {
        loop {
            let entries = house.read(Mailbox::entries).await.ok()?;
            let now = Some((entries.len(), entries.first().map(store::Entry::id)));
            if seen != now {
                let event = Event::default().event("changed").data(entries.len().to_string());
                return Some((Ok::<_, Infallible>(event), (house, turn, now)));
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    });
    Sse::new(changes).keep_alive(KeepAlive::default()).into_response()
}
