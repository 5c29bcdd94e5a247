//! Many WebSocket subscribers of one organisation in one process, and the commands whose events reach them all.

use std::cell::{Cell, RefCell};
use std::io::Read as _;
use std::net::SocketAddr;
use std::process::Stdio;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt as _, StreamExt as _};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::http::Connection;
use crate::load::{places, refresh};
use crate::samples::{float, percentile};

const PROTOCOL: &str = "annals.events.v1";
const EVENT: &str = "{\"type\":\"ev\",";
const ARMED: &str = "\"type\":\"subd\"";
const BETWEEN_EVENTS: Duration = Duration::from_millis(200);
const LIMIT: Duration = Duration::from_mins(1);
const BURST_CONNECTIONS: usize = 16;
/// Small, or clearing the buffers of all subscribers is most of what is measured.
const READ_BUFFER_BYTES: usize = 4 << 10;

/// Whom to connect, and what to send.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) commands: SocketAddr,
    pub(crate) queries: SocketAddr,
    pub(crate) token: String,
    /// A command that causes one event.
    pub(crate) command: String,
    pub(crate) subscribers: usize,
    /// Events one after the other, to measure how long one takes to reach all.
    pub(crate) events: usize,
    /// Events at once, to measure how many deliveries there can be.
    pub(crate) burst: usize,
}

/// What came of it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Tally {
    /// Milliseconds from the command's sending to one subscriber.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    /// Milliseconds from the command's sending to the last of all subscribers.
    pub(crate) last_p50: f64,
    /// Deliveries per second of a burst.
    pub(crate) per_second: f64,
}

type Socket = WebSocketStream<TcpStream>;

/// What all subscribers share; they run on one thread.
#[derive(Default)]
struct Shared {
    sent: RefCell<Vec<Instant>>,
    milliseconds: RefCell<Vec<f64>>,
    slowest: RefCell<Vec<f64>>,
    deliveries: Cell<usize>,
    last: Cell<Option<Instant>>,
    more: Notify,
}

/// Runs a plan in a process of its own.
pub(crate) async fn drive(plan: &Plan) -> anyhow::Result<Tally> {
    let mut child = Command::new(std::env::current_exe()?)
        .arg("subscribers")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("cannot start the subscribers")?;
    let mut stdin = child.stdin.take().context("the subscribers have no input")?;
    stdin.write_all(&serde_json::to_vec(plan)?).await?;
    drop(stdin);
    let output = tokio::time::timeout(LIMIT * 4, child.wait_with_output())
        .await
        .context("the subscribers did not end")??;
    ensure!(output.status.success(), "the subscribers failed");
    serde_json::from_slice(&output.stdout).context("the subscribers said nothing")
}

/// The process: a plan in, a tally out.
pub(crate) async fn run() -> anyhow::Result<()> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    let plan: Plan = serde_json::from_str(&text).context("the plan is not valid")?;
    let shared = Rc::new(Shared::default());
    let mut sinks = Vec::new(); // dropping the sending half would not close, but heartbeats need it
    let mut readers = futures::stream::FuturesUnordered::new();
    for _ in 0..plan.subscribers {
        let (sink, stream) = subscribe(&plan).await?;
        sinks.push(sink);
        readers.push(read(stream, Rc::clone(&shared)));
    }
    let tally = tokio::select! {
        tally = measure(&plan, &shared) => tally?,
        Some(ended) = readers.next() => { ended?; anyhow::bail!("a subscriber was sent away") }
    };
    drop(sinks);
    println!("{}", serde_json::to_string(&tally)?);
    Ok(())
}

async fn subscribe(
    plan: &Plan,
) -> anyhow::Result<(SplitSink<Socket, Message>, SplitStream<Socket>)> {
    let mut request = format!("ws://{}/api/v1/stream", plan.queries).into_client_request()?;
    let headers = request.headers_mut();
    headers.insert("authorization", format!("Bearer {}", plan.token).parse()?);
    headers.insert("sec-websocket-protocol", PROTOCOL.parse()?);
    let stream = TcpStream::connect(plan.queries).await?;
    stream.set_nodelay(true)?;
    let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER_BYTES);
    let opening = client_async_with_config(request, stream, Some(config)).await;
    let (socket, _) = opening.context("no WebSocket was opened")?;
    let (mut sink, mut stream) = socket.split();
    let subscription = json!({"type": "sub", "id": "s", "stream": "category/notifications",
        "from": "end", "credit": plan.events + plan.burst + 1});
    sink.send(Message::Text(json!({"type": "init"}).to_string().into())).await?;
    sink.send(Message::Text(subscription.to_string().into())).await?;
    loop {
        let message = tokio::time::timeout(LIMIT, stream.next()).await.context("not subscribed")?;
        let message = message.context("the server closed before it subscribed us")??;
        match message {
            Message::Text(text) if text.contains(ARMED) => return Ok((sink, stream)),
            Message::Close(frame) => anyhow::bail!("the server closed: {frame:?}"),
            Message::Text(_)
            | Message::Binary(_)
            | Message::Ping(_)
            | Message::Pong(_)
            | Message::Frame(_) => {}
        }
    }
}

/// One subscriber: everybody gets the same events in the same order, so counting them tells which it is.
async fn read(mut stream: SplitStream<Socket>, shared: Rc<Shared>) -> anyhow::Result<()> {
    let mut count = 0;
    while let Some(message) = stream.next().await {
        let Message::Text(text) = message? else { continue };
        let arrived = text.matches(EVENT).count();
        let now = Instant::now();
        for event in count..count + arrived {
            let sent = shared.sent.borrow().get(event).copied();
            if let Some(sent) = sent {
                let milliseconds = (now - sent).as_secs_f64() * 1000.0;
                shared.milliseconds.borrow_mut().push(milliseconds);
                let mut slowest = shared.slowest.borrow_mut();
                if slowest.len() <= event {
                    slowest.resize(event + 1, 0.0);
                }
                slowest[event] = slowest[event].max(milliseconds);
            }
        }
        count += arrived;
        shared.deliveries.set(shared.deliveries.get() + arrived);
        shared.last.set(Some(now));
        shared.more.notify_one();
    }
    Ok(())
}

async fn measure(plan: &Plan, shared: &Shared) -> anyhow::Result<Tally> {
    let mut connection = Connection::open(plan.commands).await?;
    let mut request = plan.command.clone().into_bytes();
    let places = places(&plan.command);
    for number in 1..=plan.events {
        refresh(&mut request, &places);
        shared.sent.borrow_mut().push(Instant::now());
        let status = connection.send(&request).await?;
        ensure!(status == 201, "a command was answered by {status}");
        delivered(shared, number * plan.subscribers).await?;
        tokio::time::sleep(BETWEEN_EVENTS).await;
    }
    let milliseconds = shared.milliseconds.take();
    let slowest = shared.slowest.take();
    let began = Instant::now();
    let share = plan.burst / BURST_CONNECTIONS;
    let senders = (0..BURST_CONNECTIONS).map(|_| burst(plan, share));
    let all = (plan.events + share * BURST_CONNECTIONS) * plan.subscribers;
    futures::future::try_join(futures::future::try_join_all(senders), delivered(shared, all))
        .await?;
    let seconds = shared.last.get().map_or(0.0, |last| (last - began).as_secs_f64());
    Ok(Tally {
        p50: percentile(&milliseconds, 0.5),
        p99: percentile(&milliseconds, 0.99),
        last_p50: percentile(&slowest, 0.5),
        per_second: float((share * BURST_CONNECTIONS * plan.subscribers) as u64) / seconds,
    })
}

async fn burst(plan: &Plan, commands: usize) -> anyhow::Result<()> {
    let mut connection = Connection::open(plan.commands).await?;
    let mut request = plan.command.clone().into_bytes();
    let places = places(&plan.command);
    for _ in 0..commands {
        refresh(&mut request, &places);
        let status = connection.send(&request).await?;
        ensure!(status == 201, "a command was answered by {status}");
    }
    Ok(())
}

async fn delivered(shared: &Shared, number: usize) -> anyhow::Result<()> {
    let waiting = async {
        while shared.deliveries.get() < number {
            shared.more.notified().await;
        }
    };
    let outcome = tokio::time::timeout(LIMIT, waiting).await;
    outcome.with_context(|| format!("{} of {number} deliveries arrived", shared.deliveries.get()))
}
