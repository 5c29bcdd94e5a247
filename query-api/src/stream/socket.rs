//! The WebSocket side of streams: many subscriptions over one connection, each let through by credit.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade, rejection};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Extension, Router};
use events::Module;
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt as _, StreamExt as _};
use platform::clock;
use platform::http::{RequestFacts, bearer};
use platform::problem::Problem;
use platform::routes::{Access, Route};
use platform::secrets;
use serde::Serialize;
use tokio::sync::broadcast::error::RecvError;

use super::admission::{OPERATION, Viewer};
use super::end::{End, SLOW_CODE};
use super::feed::{Feed, before};
use super::frames::{self, Begin, ClientFrame, Mode, PROTOCOL, ServerFrame, Sub};
use super::hub::Followed;
use super::lane::RightsChange;
use super::matching::Matcher;
use super::spec::Spec;
use super::subscription::{MAX_CREDIT, Subscription};
use super::ticket::{self, Whence};
use crate::app::App;

const INIT_LIMIT: Duration = Duration::from_secs(10);
const HEARTBEAT: Duration = Duration::from_secs(25);
const GRACE: Duration = Duration::from_secs(10);
/// A client that takes nothing for so long is closed.
const SLOW: Duration = Duration::from_secs(10);
const TICK: Duration = Duration::from_secs(1);
const MAX_SUBSCRIPTIONS: usize = 100;
const MAX_CONNECTIONS: usize = 10_000;
const MAX_INPUT_BYTES: usize = 64 << 10;
const MAX_OUTPUT_BYTES: usize = 4 << 20;
/// Small, because there may be thousands of connections; clients say little.
const READ_BUFFER_BYTES: usize = 4 << 10;
const WRITE_BUFFER_BYTES: usize = 16 << 10;

/// What the route says about itself.
pub(crate) fn route() -> Route {
    Route::get("/stream", Module::Audit, OPERATION)
        .summary(
            "WebSocket, sub-protocol annals.events.v1; public until its first frame or the header \
             of the upgrade brings an access token",
        )
        .access(Access::Public)
}

/// Puts the socket into the router.
pub(crate) fn mount(router: Router, app: &Arc<App>) -> Router {
    let app = Arc::clone(app);
    let service = move |facts: Option<Extension<Arc<RequestFacts>>>,
                        headers: HeaderMap,
                        up: Upgrade| {
        let app = Arc::clone(&app);
        let facts = facts.map(|Extension(facts)| facts).unwrap_or_default();
        async move { upgraded(app, (&headers, &facts), up).await.unwrap_or_else(Problem::into_response) }
    };
    router.route("/api/v1/stream", get(service))
}

type Upgrade = Result<WebSocketUpgrade, rejection::WebSocketUpgradeRejection>;

async fn upgraded(
    app: Arc<App>,
    (headers, facts): (&HeaderMap, &RequestFacts),
    upgrade: Upgrade,
) -> Result<Response, Problem> {
    let upgrade = upgrade.map_err(|_| {
        Problem::bad_request("UPGRADE_EXPECTED", "this address speaks WebSocket (RFC 6455)")
    })?;
    own_origin(&app, headers)?;
    let upgrade = upgrade.protocols([PROTOCOL]);
    if upgrade.selected_protocol().is_none() {
        let detail = format!("ask for the sub-protocol {PROTOCOL}");
        return Err(Problem::bad_request("SUBPROTOCOL_EXPECTED", detail));
    }
    let origin = ticket::origin(headers).map(str::to_owned);
    let from = Whence { origin, ip: facts.ip, correlation: facts.correlation_id().into() };
    let viewer = match ticket::offered(headers) {
        Some(ticket) => Some(viewer(&app, &ticket, &from).await?),
        None if headers.contains_key(header::AUTHORIZATION) => {
            Some(viewer(&app, bearer(headers)?, &from).await?)
        }
        None => None,
    };
    Ok(upgrade
        .max_message_size(MAX_INPUT_BYTES)
        .max_frame_size(MAX_INPUT_BYTES)
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES)
        .max_write_buffer_size(MAX_OUTPUT_BYTES)
        .on_upgrade(move |socket| serve(app, socket, viewer, from)))
}

/// A browser tells the page's origin, and only our own pages may connect.
fn own_origin(app: &App, headers: &HeaderMap) -> Result<(), Problem> {
    let Some(origin) = ticket::origin(headers) else { return Ok(()) };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let same_host = origin.split_once("://").is_some_and(|(_, place)| place == host);
    let ours = [&*app.settings.query_url, &*app.settings.command_url].into_iter();
    let mut allowed = ours.chain(app.settings.origins());
    if same_host || allowed.any(|url| url.trim_end_matches('/') == origin) {
        return Ok(());
    }
    Err(Problem::forbidden("pages of this origin may not connect"))
}

/// Whoever an access token, an API key or a ticket speaks for.
async fn viewer(app: &App, token: &str, from: &Whence) -> Result<Viewer, Problem> {
    let principal = if token.starts_with(ticket::PREFIX) {
        Arc::new(app.tickets.redeem(token, from.origin.as_deref()).await?)
    } else {
        app.verify(token, from.ip).await?
    };
    let correlation = Arc::clone(&from.correlation);
    let mut viewer = Viewer { principal, standing: None, correlation };
    viewer.renew(app).await?;
    Ok(viewer)
}

async fn serve(app: Arc<App>, socket: WebSocket, viewer: Option<Viewer>, from: Whence) {
    let (output, mut input) = socket.split();
    let mut output = Output(output);
    let opened = open(&app, &mut output, &mut input, (viewer, &from)).await;
    let end = match opened {
        Ok(viewer) => converse(&app, &mut output, input, (viewer, from)).await,
        Err(end) => end,
    };
    if end.code != 0 {
        let close = Message::Close(Some(CloseFrame { code: end.code, reason: end.reason.into() }));
        let last = end.last.map(|text| Message::Text(text.into()));
        let mut said = futures::stream::iter(last.into_iter().chain([close]).map(Ok));
        let _already_gone = tokio::time::timeout(TICK, output.0.send_all(&mut said)).await;
    }
}

/// The sending half.
pub(super) struct Output(SplitSink<WebSocket, Message>);

impl Output {
    pub(super) async fn frame(&mut self, frame: &impl Serialize) -> Result<(), End> {
        let text = serde_json::to_string(frame).map_err(|_| End::new(4500, "INTERNAL"))?;
        self.text(text).await
    }

    pub(super) async fn text(&mut self, text: impl Into<Utf8Bytes>) -> Result<(), End> {
        match tokio::time::timeout(SLOW, self.0.send(Message::Text(text.into()))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(End::gone()),
            Err(_) => {
                metrics::counter!("annals_stream_slow_consumers_total").increment(1);
                Err(End::new(SLOW_CODE, "SLOW_CONSUMER"))
            }
        }
    }
}

/// Waits for `init`, and for somebody known.
async fn open(
    app: &App,
    output: &mut Output,
    input: &mut SplitStream<WebSocket>,
    (viewer, from): (Option<Viewer>, &Whence),
) -> Result<Viewer, End> {
    let frame = tokio::time::timeout(INIT_LIMIT, input.next())
        .await
        .map_err(|_| End::new(4408, "INIT_TIMEOUT"))?;
    let Some(Ok(message)) = frame else { return Err(End::gone()) };
    let (auth, epoch) = match read(&message)? {
        Some(ClientFrame::Init { auth, client, epoch }) => {
            if let Some(client) = client {
                tracing::debug!(name = client.name, version = client.version, "stream client");
            }
            (auth, epoch)
        }
        Some(_) | None => return Err(End::new(4400, "INIT_EXPECTED")),
    };
    let viewer = match (auth, viewer) {
        (Some(token), _) => self::viewer(app, &token, from).await.map_err(|p| End::of(&p))?,
        (None, Some(viewer)) => viewer,
        (None, None) => return Err(End::new(4401, "UNAUTHENTICATED")),
    };
    if let Some(epoch) = epoch {
        let now = app.hub.epoch().await.map_err(|problem| End::of(&problem))?;
        if now != epoch {
            output.frame(&frames::error(None, &epoch_changed(now))).await?;
        }
    }
    Ok(viewer)
}

pub(super) fn epoch_changed(epoch: i32) -> Problem {
    let detail = "the log was restored since; drop your cursors and start again";
    Problem::new(axum::http::StatusCode::GONE, "EPOCH_CHANGED", detail).with("epoch", epoch)
}

/// A frame, or nothing where the message is a matter of the transport.
fn read(message: &Message) -> Result<Option<ClientFrame>, End> {
    match message {
        Message::Text(text) => match serde_json::from_str(text) {
            Ok(frame) => Ok(Some(frame)),
            Err(error) => Err(End::invalid(error.to_string())),
        },
        Message::Binary(_) => Err(End::invalid("text is expected")),
        Message::Ping(_) | Message::Pong(_) => Ok(None),
        Message::Close(_) => Err(End::gone()),
    }
}

/// One conversation after its opening.
struct Conversation<'a> {
    app: &'a Arc<App>,
    output: &'a mut Output,
    viewer: Viewer,
    from: Whence,
    followed: Followed,
    subscriptions: Vec<Subscription>,
    heard: Instant,
    pinged: bool,
}

async fn converse(
    app: &Arc<App>,
    output: &mut Output,
    mut input: SplitStream<WebSocket>,
    (viewer, from): (Viewer, Whence),
) -> End {
    let Some(_counted) = app.hub.connect(MAX_CONNECTIONS) else {
        return End::new(4429, "TOO_MANY_CONNECTIONS");
    };
    let followed = match app.hub.follow(viewer.principal.tenant).await {
        Ok(followed) => followed,
        Err(problem) => return End::of(&problem),
    };
    let mut conversation = Conversation {
        app,
        output,
        viewer,
        from,
        followed,
        subscriptions: Vec::new(),
        heard: Instant::now(),
        pinged: false,
    };
    match conversation.run(&mut input).await {
        Ok(()) => End::gone(),
        Err(end) => end,
    }
}

impl Conversation<'_> {
    async fn run(&mut self, input: &mut SplitStream<WebSocket>) -> Result<(), End> {
        let mut progress = self.followed.lane.progress();
        let mut rights = self.followed.lane.rights();
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let shutdown = self.app.tasks.shutdown().clone();
        // What changed between the viewer's admission and the subscription to changes.
        self.renew().await?;
        self.ready().await?;
        loop {
            let busy = self.is_busy();
            tokio::select! {
                biased;
                change = rights.recv() => self.rights_changed(change).await?,
                message = input.next() => match message {
                    Some(Ok(message)) => self.heard(&message).await?,
                    Some(Err(_)) | None => return Ok(()),
                },
                () = shutdown.wait() => return self.drain().await,
                _ = tick.tick() => self.tick().await?,
                changed = progress.changed(), if !busy => {
                    if changed.is_err() || self.followed.lane.has_ended() {
                        return self.epoch_over().await;
                    }
                }
                () = std::future::ready(()), if busy => {}
            }
            self.pump().await?;
        }
    }

    async fn ready(&mut self) -> Result<(), End> {
        let session = self.viewer.principal.actor.session_id.map(|id| id.to_string());
        let frame = ServerFrame::Ready {
            session,
            epoch: self.followed.lane.cursors.epoch,
            heartbeat_ms: u64::try_from(HEARTBEAT.as_millis()).unwrap_or_default(),
            max_subs: MAX_SUBSCRIPTIONS,
            max_credit: MAX_CREDIT,
            expires_at: self.viewer.principal.expires_at.to_string(),
        };
        self.output.frame(&frame).await
    }

    fn is_busy(&self) -> bool {
        let reached = self.followed.lane.reached();
        self.subscriptions.iter().any(|subscription| subscription.wants(reached))
    }

    /// One step for every subscription that has credit, so that none starves another.
    async fn pump(&mut self) -> Result<(), End> {
        for subscription in &mut self.subscriptions {
            if subscription.wants(self.followed.lane.reached()) || !subscription.is_live() {
                let (hub, lane) = (&self.app.hub, &self.followed.lane);
                subscription.pump(hub, lane, self.output).await?;
            }
        }
        Ok(())
    }

    async fn heard(&mut self, message: &Message) -> Result<(), End> {
        self.heard = Instant::now();
        self.pinged = false;
        let Some(frame) = read(message)? else { return Ok(()) };
        match frame {
            ClientFrame::Init { .. } => Err(End::new(4400, "INIT_REPEATED")),
            ClientFrame::Sub(sub) => self.subscribe(sub).await,
            ClientFrame::Credit { id, n, ack } => self.credit(&id, n, ack.is_some()).await,
            ClientFrame::Nack { id, .. } => self.not_durable(&id).await,
            ClientFrame::Unsub { id, .. } => self.unsubscribe(&id).await,
            ClientFrame::Auth { auth } => self.authenticate(&auth).await,
            ClientFrame::Ping => self.output.frame(&ServerFrame::Pong).await,
            ClientFrame::Pong => Ok(()),
        }
    }

    async fn subscribe(&mut self, sub: Sub) -> Result<(), End> {
        if self.subscriptions.iter().any(|other| other.id == sub.id) {
            return Err(End::new(4409, "SUBSCRIPTION_EXISTS"));
        }
        if self.subscriptions.len() >= MAX_SUBSCRIPTIONS {
            return Err(End::new(4429, "TOO_MANY_SUBSCRIPTIONS"));
        }
        let id = sub.id.clone();
        match self.subscription(sub).await {
            Ok((subscription, resumed)) => {
                let cursors = &self.followed.lane.cursors;
                let cursor = cursors.write(subscription.feed.after);
                let head = cursors.write(self.followed.lane.reached());
                self.subscriptions.push(subscription);
                self.output.frame(&ServerFrame::Subd { id: &id, cursor, resumed, head }).await
            }
            Err(problem) => self.output.frame(&frames::error(Some(&id), &problem)).await,
        }
    }

    async fn subscription(&mut self, sub: Sub) -> Result<(Subscription, bool), Problem> {
        if sub.mode == Mode::Query {
            let detail = "there are no saved views to subscribe to; use the mode events";
            return Err(Problem::bad_request("MODE_UNKNOWN", detail));
        }
        let me = self.viewer.user();
        let spec = Spec::parse(&sub.stream, me).ok_or_else(|| Problem::absent("stream"))?;
        self.viewer.subscribe(self.app, &spec).await?;
        let filter = sub.filter.as_deref().filter(|text| !text.trim().is_empty());
        let filter = filter.map(|text| Matcher::parse(text, me)).transpose()?;
        let lane = &self.followed.lane;
        let (after, resumed) = match sub.from {
            Begin::Start => (0, false),
            Begin::End => (lane.reached(), false),
            Begin::At(time) => (before(&self.app.pool, lane, time).await?, false),
            Begin::After(cursor) => (lane.resume(&cursor)?, true),
        };
        let feed = Feed { spec, filter, after };
        Ok((Subscription::new(sub.id, feed, sub.credit, sub.fields), resumed))
    }

    async fn credit(&mut self, id: &str, more: u32, ack: bool) -> Result<(), End> {
        if let Some(found) = self.subscriptions.iter_mut().find(|one| one.id == id) {
            found.add_credit(more);
        }
        if ack { self.not_durable(id).await } else { Ok(()) }
    }

    async fn not_durable(&mut self, id: &str) -> Result<(), End> {
        let detail = "the subscription is not durable, so nothing is stored; keep the cursor";
        let problem = Problem::bad_request("NOT_DURABLE", detail);
        self.output.frame(&frames::error(Some(id), &problem)).await
    }

    async fn unsubscribe(&mut self, id: &str) -> Result<(), End> {
        self.subscriptions.retain(|subscription| subscription.id != id);
        self.output.frame(&ServerFrame::Done { id, reason: "client" }).await
    }

    /// A new token of the same caller lengthens the conversation.
    async fn authenticate(&mut self, token: &str) -> Result<(), End> {
        let viewer = self::viewer(self.app, token, &self.from).await.map_err(|p| End::of(&p))?;
        let (new, old) = (&viewer.principal, &self.viewer.principal);
        if (new.tenant, &new.actor.id) != (old.tenant, &old.actor.id) {
            return Err(End::new(4403, "OTHER_CALLER"));
        }
        self.viewer = viewer;
        self.renew().await?; // a key of theirs may reach less
        self.ready().await
    }

    async fn rights_changed(&mut self, change: Result<RightsChange, RecvError>) -> Result<(), End> {
        match change {
            Ok(change) if !self.viewer.is_touched_by(&change) => Ok(()),
            // Having missed some, any of them may have been about us.
            Ok(_) | Err(RecvError::Lagged(_)) => self.renew().await,
            Err(RecvError::Closed) => self.epoch_over().await,
        }
    }

    /// Looks at the standing again, and ends what may no longer be followed.
    async fn renew(&mut self) -> Result<(), End> {
        self.viewer.renew(self.app).await.map_err(|problem| End::of(&problem))?;
        let mut kept = Vec::with_capacity(self.subscriptions.len());
        for subscription in std::mem::take(&mut self.subscriptions) {
            if self.viewer.may_follow(self.app, &subscription.feed.spec).await.is_ok() {
                kept.push(subscription);
            } else {
                let done = ServerFrame::Done { id: &subscription.id, reason: "revoked" };
                self.output.frame(&done).await?;
            }
        }
        self.subscriptions = kept;
        Ok(())
    }

    async fn tick(&mut self) -> Result<(), End> {
        let now = clock::now();
        if self.viewer.principal.expires_at <= now {
            return Err(End::new(4510, "TOKEN_EXPIRED"));
        }
        let valid_until = self.viewer.standing.as_ref().and_then(|s| s.effective.valid_until());
        if valid_until.is_some_and(|until| until <= now) {
            self.renew().await?;
        }
        let silent = self.heard.elapsed();
        if silent >= HEARTBEAT + GRACE {
            return Err(End::new(4508, "NO_HEARTBEAT"));
        }
        if silent >= HEARTBEAT && !self.pinged {
            self.pinged = true;
            self.output.frame(&ServerFrame::Ping).await?;
        }
        for subscription in &mut self.subscriptions {
            subscription.checkpoint(&self.followed.lane, self.output).await?;
        }
        Ok(())
    }

    async fn drain(&mut self) -> Result<(), End> {
        let [first, second] = secrets::random::<2>();
        let reconnect_in_ms = 250 + u32::from(u16::from_be_bytes([first, second])) % 4750;
        self.output.frame(&ServerFrame::Drain { reconnect_in_ms }).await?;
        Err(End::new(4503, "DRAINING"))
    }

    async fn epoch_over(&mut self) -> Result<(), End> {
        let epoch = self.app.hub.epoch().await.map_err(|problem| End::of(&problem))?;
        self.output.frame(&frames::error(None, &epoch_changed(epoch))).await?;
        Err(End::new(4503, "EPOCH_CHANGED"))
    }
}
