//! Streams without WebSocket: a page as JSON, a replay as NDJSON, a live stream as server-sent events.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use events::Module;
use futures::Stream;
use platform::clock;
use platform::problem::Problem;
use platform::routes::{Parameter, Route};
use serde_json::{Value, json};
use tokio::sync::{broadcast, watch};

use super::admission::Viewer;
use super::feed::{Feed, STEP_EVENTS, before, earlier};
use super::hub::Followed;
use super::lane::{Entry, RightsChange};
use super::matching::Matcher;
use super::spec::Spec;
use crate::app::App;
use crate::ask::{Asked, behind_problem};
use crate::call::Call;
use crate::endpoint::Endpoint;
use crate::list::push_json;
use crate::paging::link;
use crate::positions::Behind;
use crate::shape::query;

const PARAMETERS: &[Parameter] = &[
    query("after", "go on after this cursor; `Last-Event-ID` does the same"),
    query(
        "before",
        "of a JSON page: the last events up to this cursor, from `page.prev` or `Link`",
    ),
    query("at", "begin with what was recorded at this time (RFC 3339)"),
    query("from", "`start` or `end`; live streams begin at the end unless told"),
    query("filter", "which events, for example `type=rbac.* AND data.level>=20`"),
    query("limit", "events of a JSON page: 50 unless told, at most 500"),
];
const HEARTBEAT: Duration = Duration::from_secs(15);
const RETRY: Duration = Duration::from_secs(2);
/// Events that one JSON page looks at; a narrow filter may need several pages to find something.
const PAGE_STEPS: usize = 40;

/// Live events over HTTP.
pub(crate) fn endpoint() -> Endpoint {
    let route = Route::get("/streams/{*stream}", Module::Audit, "audit_streams")
        .summary(
            "`all`, `category/<module>`, `<aggregate type>/<id>`, `jobs/<id>` or `notifications/me`: \
             JSON page, NDJSON replay or server-sent events, as `Accept` says",
        )
        .answers::<Value>(200)
        .parameters(PARAMETERS);
    Endpoint::new(route, |call: Call| async move {
        call.only_parameters(&PARAMETERS.iter().map(|p| p.name).collect::<Vec<_>>())?;
        let listener = Listener::admit(&call).await?;
        let asked = listener.place(&call).await?;
        let headers = asked.headers(&call, &asked.place.as_of());
        let accept = call.header("accept").unwrap_or_default();
        let mut response = if accept.contains("text/event-stream") {
            listener.sse(&call).await?
        } else if accept.contains("application/x-ndjson") {
            listener.replay(&call).await?
        } else {
            listener.page(&call).await?
        };
        response.headers_mut().extend(headers);
        Ok(response)
    })
}

/// Somebody who may listen to a stream.
struct Listener {
    app: Arc<App>,
    viewer: Viewer,
    followed: Followed,
    spec: Spec,
    filter: Option<Matcher>,
}

impl Listener {
    async fn admit(call: &Call) -> Result<Self, Problem> {
        let mut viewer = Viewer {
            principal: Arc::clone(&call.principal),
            standing: call.standing.clone(),
            correlation: call.facts.correlation_id().into(),
        };
        let spec = Spec::parse(call.segment("stream"), call.me());
        let spec = spec.ok_or_else(|| Problem::absent("stream"))?;
        viewer.admit(&call.app, &spec).await?;
        let filter = call.parameter("filter").filter(|text| !text.trim().is_empty());
        let filter = filter.map(|text| Matcher::parse(text, call.me())).transpose()?;
        let followed = call.app.hub.follow(call.tenant()).await?;
        Ok(Self { app: Arc::clone(&call.app), viewer, followed, spec, filter })
    }

    /// Where the stream stands, which may be a moment behind the log; who brings a consistency token waits for it.
    async fn place(&self, call: &Call) -> Result<Asked, Problem> {
        let mut asked = call.head().await?;
        let lane = &self.followed.lane;
        if let Some(token) = call.token()? {
            let mut progress = lane.progress();
            let reached = progress.wait_for(|reached| *reached >= token.position);
            if tokio::time::timeout(call.patience().wait, reached).await.is_err() {
                let events = token.position - lane.reached();
                let (projection, state) = ("stream".to_owned(), "live".to_owned());
                return Err(behind_problem(&Behind { projection, events, ms: 0, state }));
            }
        }
        asked.place.position = asked.place.position.min(lane.reached());
        Ok(asked)
    }

    /// Where the caller wants to begin.
    async fn feed(&self, call: &Call, from_end: bool) -> Result<Feed, Problem> {
        let lane = &self.followed.lane;
        let cursor = call.header("last-event-id").or_else(|| call.parameter("after"));
        let from_end = match call.parameter("from") {
            None => from_end,
            Some("end") => true,
            Some("start") => false,
            Some(_) => {
                return Err(Problem::parameter("from", "from is start or end"));
            }
        };
        let after = match (cursor.filter(|cursor| !cursor.is_empty()), call.parameter("at")) {
            (Some(cursor), _) => lane.resume(cursor)?,
            (None, Some(time)) => {
                let time = time
                    .parse()
                    .map_err(|_| Problem::parameter("at", "at must be a time (RFC 3339)"))?;
                before(&self.app.pool, lane, time).await?
            }
            (None, None) => {
                if from_end {
                    lane.reached()
                } else {
                    0
                }
            }
        };
        Ok(Feed { spec: self.spec.clone(), filter: self.filter.clone(), after })
    }

    /// The last events up to the cursor in `before`.
    async fn page_before(self, call: &Call, cursor: &str) -> Result<Response, Problem> {
        if let Some(other) =
            ["after", "at", "from"].into_iter().find(|n| call.parameter(n).is_some())
        {
            let detail = format!("send either before or {other}");
            return Err(Problem::parameter("before", detail));
        }
        let lane = &self.followed.lane;
        let to = lane.resume(cursor)?;
        let Self { spec, filter, .. } = &self;
        let feed = Feed { spec: spec.clone(), filter: filter.clone(), after: to };
        let (found, before) = earlier((&self.app.hub, lane), &feed, limit(call)?).await?;
        let prev = (before > 0).then(|| lane.cursors.write(before));
        let here = lane.cursors.write(to);
        written(call, &found, (Some(here.clone()), prev, here))
    }

    async fn page(self, call: &Call) -> Result<Response, Problem> {
        if let Some(cursor) = call.parameter("before") {
            return self.page_before(call, cursor).await;
        }
        let limit = limit(call)?;
        let mut feed = self.feed(call, false).await?;
        let lane = &self.followed.lane;
        let began = feed.after;
        let mut found = Vec::new();
        let mut end = false;
        for _ in 0..PAGE_STEPS {
            let step = feed.step(&self.app.hub, lane, limit - found.len()).await?;
            found.extend(step.entries);
            end = step.caught_up;
            if end || found.len() >= limit {
                break;
            }
        }
        let cursor = lane.cursors.write(feed.after);
        let next = (!end).then(|| cursor.clone());
        let prev = (began > 0).then(|| lane.cursors.write(began));
        written(call, &found, (next, prev, cursor))
    }

    /// Everything up to the head seen now.
    async fn replay(self, call: &Call) -> Result<Response, Problem> {
        let feed = self.feed(call, false).await?;
        let head = self.followed.lane.reached();
        let lines =
            futures::stream::try_unfold((self, feed), move |(listener, mut feed)| async move {
                let lane = &listener.followed.lane;
                while feed.after < head {
                    let step = feed.step(&listener.app.hub, lane, STEP_EVENTS).await;
                    let step = step.map_err(|problem| std::io::Error::other(problem.code))?;
                    let mut lines = String::new();
                    for entry in step.entries.iter().filter(|entry| entry.position <= head) {
                        lines.push_str(&entry.json);
                        lines.push('\n');
                    }
                    if !lines.is_empty() {
                        return Ok::<_, std::io::Error>(Some((
                            Bytes::from(lines),
                            (listener, feed),
                        )));
                    }
                }
                Ok(None)
            });
        let kind = (header::CONTENT_TYPE, "application/x-ndjson");
        Ok(([kind], Body::from_stream(lines)).into_response())
    }

    async fn sse(self, call: &Call) -> Result<Response, Problem> {
        let feed = self.feed(call, true).await?;
        let lane = &self.followed.lane;
        let state = Live {
            progress: lane.progress(),
            rights: lane.rights(),
            listener: self,
            feed,
            ready: VecDeque::from([Event::default().retry(RETRY)]),
            caught_up: false,
            ended: false,
        };
        let keep_alive = KeepAlive::new().interval(HEARTBEAT);
        let mut response = Sse::new(state.events()).keep_alive(keep_alive).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        // Buffering proxies would hold events back.
        headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
        Ok(response)
    }
}

/// Events of a JSON page.
fn limit(call: &Call) -> Result<usize, Problem> {
    let limit = call.number("limit")?.unwrap_or(50).clamp(1, 500);
    Ok(usize::try_from(limit).unwrap_or(50))
}

/// A page with the cursors of the next, of the one before, and of where it ends.
fn written(
    call: &Call,
    found: &[Arc<Entry>],
    (next, prev, cursor): (Option<String>, Option<String>, String),
) -> Result<Response, Problem> {
    let mut headers = HeaderMap::new();
    for (name, other, cursor) in [("after", "before", &next), ("before", "after", &prev)] {
        let relation = if name == "after" { (cursor, &None) } else { (&None, cursor) };
        link(call, (name, &[other, "at", "from"]), relation, &mut headers);
    }
    let items: Vec<&str> = found.iter().map(|entry| &*entry.json).collect();
    let mut body = format!("{{\"items\":[{}],\"page\":", items.join(","));
    let limit = limit(call)?;
    push_json(&mut body, &json!({"next": next, "prev": prev, "cursor": cursor, "limit": limit}));
    body.push('}');
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok((headers, body).into_response())
}

/// A live stream of server-sent events.
struct Live {
    listener: Listener,
    feed: Feed,
    progress: watch::Receiver<i64>,
    rights: broadcast::Receiver<RightsChange>,
    ready: VecDeque<Event>,
    caught_up: bool,
    ended: bool,
}

impl Live {
    fn events(self) -> impl Stream<Item = Result<Event, Infallible>> {
        futures::stream::unfold(self, |mut live| async move {
            loop {
                if let Some(event) = live.ready.pop_front() {
                    return Some((Ok(event), live));
                }
                if live.ended {
                    return None;
                }
                live.advance().await;
            }
        })
    }

    /// Makes further events ready, or waits for a reason to look again.
    async fn advance(&mut self) {
        if let Err(reason) = self.check_rights().await {
            return self.end(reason);
        }
        let lane = &self.listener.followed.lane;
        if lane.has_ended() {
            return self.end("EPOCH_CHANGED");
        }
        let step = self.feed.step(&self.listener.app.hub, lane, STEP_EVENTS).await;
        let Ok(step) = step else { return self.end("UNAVAILABLE") };
        for entry in &step.entries {
            self.ready.push_back(Event::default().id(&entry.cursor).data(&entry.json));
        }
        if step.caught_up && !self.caught_up {
            self.caught_up = true;
            let cursor = lane.cursors.write(self.feed.after);
            let data = json!({ "cursor": cursor }).to_string();
            self.ready.push_back(Event::default().event("caught-up").id(cursor).data(data));
        }
        if step.caught_up && self.ready.is_empty() {
            self.wait().await;
        }
    }

    async fn wait(&mut self) {
        let shutdown = self.listener.app.tasks.shutdown().clone();
        let principal = &self.listener.viewer.principal;
        let left = principal.expires_at.duration_since(clock::now());
        let left = Duration::try_from(left).unwrap_or_default();
        tokio::select! {
            _ = self.progress.changed() => {}
            change = self.rights.recv() => match change {
                Ok(change) if !self.listener.viewer.is_touched_by(&change) => {}
                Ok(_) | Err(_) => {
                    if let Err(reason) = self.renew().await {
                        self.end(reason);
                    }
                }
            },
            () = shutdown.wait() => self.end("DRAINING"),
            () = tokio::time::sleep(left) => self.end("TOKEN_EXPIRED"),
        }
    }

    /// Takes in the changes of rights that have come since the last look.
    async fn check_rights(&mut self) -> Result<(), &'static str> {
        let valid = self.listener.viewer.standing.as_ref();
        let lapsed = valid
            .and_then(|standing| standing.effective.valid_until())
            .is_some_and(|until| until <= clock::now());
        let mut touched = lapsed;
        loop {
            match self.rights.try_recv() {
                Ok(change) => touched |= self.listener.viewer.is_touched_by(&change),
                Err(broadcast::error::TryRecvError::Lagged(_)) => touched = true,
                Err(
                    broadcast::error::TryRecvError::Empty | broadcast::error::TryRecvError::Closed,
                ) => break,
            }
        }
        if touched { self.renew().await } else { Ok(()) }
    }

    async fn renew(&mut self) -> Result<(), &'static str> {
        let Listener { app, viewer, spec, .. } = &mut self.listener;
        viewer.renew(app).await.map_err(|_| "UNAUTHENTICATED")?;
        viewer.may_follow(app, spec).await.map_err(|_| "REVOKED")
    }

    /// Says why the stream ends, with the cursor from which it can go on.
    fn end(&mut self, reason: &str) {
        self.ended = true;
        let cursor = self.listener.followed.lane.cursors.write(self.feed.after);
        let data = json!({ "reason": reason, "cursor": cursor }).to_string();
        self.ready.push_back(Event::default().event("done").id(cursor).data(data));
    }
}
