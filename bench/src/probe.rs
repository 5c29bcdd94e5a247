//! Commands at a steady rate whatever becomes of them (open loop), and for some of them a query that waits until they are visible.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use futures::StreamExt as _;
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::http::Connection;
use crate::load::{FRESH, places, refresh};
use crate::samples::{float, percentile};

/// Stands where the query brings the token of the command.
pub(crate) const TOKEN: &str = "{consistency-token}";
const SENDERS: usize = 64;
const LOOKERS: usize = 8;
const LOOKS_PER_SECOND: u64 = 50;
const WARM_UP_SECONDS: u64 = 1;
const LOOKS_WAITING: usize = 1024;

/// What to send, how often, and how to look.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) commands: SocketAddr,
    pub(crate) queries: SocketAddr,
    /// A command, with [`FRESH`] where an id goes.
    pub(crate) command: String,
    /// A query for it, with [`FRESH`] for its id and [`TOKEN`] for its token.
    pub(crate) query: String,
    pub(crate) per_second: u64,
    pub(crate) seconds: u64,
}

/// What came of it; milliseconds.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Tally {
    /// Commands accepted per second.
    pub(crate) per_second: f64,
    /// From when a command should have been sent to its answer.
    pub(crate) accepted_p50: f64,
    pub(crate) accepted_p99: f64,
    /// From the command's answer to the answer of a query that shows it.
    pub(crate) visible_p50: f64,
    pub(crate) visible_p99: f64,
    pub(crate) looks: usize,
    /// Answers that were not as expected, by status.
    pub(crate) failed: BTreeMap<u16, u64>,
}

/// A command that was accepted and is to be looked for.
struct Accepted {
    id: String,
    token: String,
    at: Instant,
}

#[derive(Default)]
struct Part {
    milliseconds: Vec<f64>,
    failed: BTreeMap<u16, u64>,
}

/// Runs a plan in a process of its own.
pub(crate) async fn drive(plan: &Plan) -> anyhow::Result<Tally> {
    let mut child = Command::new(std::env::current_exe()?)
        .arg("probe")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("cannot start the probe")?;
    let mut stdin = child.stdin.take().context("the probe has no input")?;
    stdin.write_all(&serde_json::to_vec(plan)?).await?;
    drop(stdin);
    let limit = Duration::from_secs(WARM_UP_SECONDS + plan.seconds * 3 + 60);
    let output = tokio::time::timeout(limit, child.wait_with_output())
        .await
        .context("the probe did not end")??;
    ensure!(output.status.success(), "the probe failed");
    serde_json::from_slice(&output.stdout).context("the probe said nothing")
}

/// The process: a plan in, a tally out.
pub(crate) async fn run() -> anyhow::Result<()> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    let plan: Plan = serde_json::from_str(&text).context("the plan is not valid")?;
    ensure!(plan.per_second > 0 && plan.seconds > 0, "the plan is empty");
    let begin = Instant::now();
    let (accepted, waiting) = mpsc::channel(LOOKS_WAITING);
    let sending = async {
        let senders = (0..SENDERS).map(|number| send(&plan, number, begin, accepted.clone()));
        let parts = try_join_all(senders.collect::<Vec<_>>()).await?;
        drop(accepted); // whoever looks ends when the last has been looked for
        anyhow::Ok((parts, begin.elapsed()))
    };
    let ((sent, took), looked) =
        futures::future::try_join(sending, look_all(&plan, waiting)).await?;
    let measured = took.saturating_sub(Duration::from_secs(WARM_UP_SECONDS));
    println!("{}", serde_json::to_string(&tally(measured, sent, looked))?);
    Ok(())
}

/// Every sender has its own ticks, so that a late answer delays few others; and a tick's delay counts.
async fn send(
    plan: &Plan,
    number: usize,
    begin: Instant,
    accepted: mpsc::Sender<Accepted>,
) -> anyhow::Result<Part> {
    let mut connection = Connection::open(plan.commands).await?;
    let mut request = plan.command.clone().into_bytes();
    let places = places(&plan.command);
    let place = *places.first().context("the command has no place for an id")?;
    let stride = (plan.per_second / LOOKS_PER_SECOND).max(1);
    let mut part = Part::default();
    for tick in (number as u64..plan.per_second * (plan.seconds + WARM_UP_SECONDS)).step_by(SENDERS)
    {
        let due = begin + Duration::from_secs_f64(float(tick) / float(plan.per_second));
        tokio::time::sleep_until(due).await;
        refresh(&mut request, &places);
        let answer = connection.ask(&request).await?;
        let at = Instant::now();
        if due < begin + Duration::from_secs(WARM_UP_SECONDS) {
            continue;
        }
        if answer.status != 201 {
            *part.failed.entry(answer.status).or_default() += 1;
            continue;
        }
        part.milliseconds.push((at - due).as_secs_f64() * 1000.0);
        if tick % stride == 0 {
            let token = answer.header("consistency-token").context("no token came back")?;
            let id = std::str::from_utf8(&request[place..place + FRESH.len()])?.to_owned();
            let accepted = accepted.try_send(Accepted { id, token: token.to_owned(), at });
            ensure!(accepted.is_ok(), "queries are too slow to look at so many commands");
        }
    }
    Ok(part)
}

/// Looks for accepted commands, each on the next free connection.
async fn look_all(plan: &Plan, mut waiting: mpsc::Receiver<Accepted>) -> anyhow::Result<Part> {
    let mut free = Vec::new();
    for _ in 0..LOOKERS {
        free.push(Connection::open(plan.queries).await?);
    }
    let (give_back, mut back) = mpsc::channel(LOOKERS);
    let mut part = Part::default();
    let mut running = futures::stream::FuturesUnordered::new();
    loop {
        tokio::select! {
            Some(looked) = running.next() => note(&mut part, looked?),
            Some(connection) = back.recv() => free.push(connection),
            accepted = waiting.recv(), if !free.is_empty() => {
                let (Some(accepted), Some(connection)) = (accepted, free.pop()) else { break };
                running.push(look(plan, connection, accepted, give_back.clone()));
            }
        }
    }
    while let Some(looked) = running.next().await {
        note(&mut part, looked?);
    }
    Ok(part)
}

fn note(part: &mut Part, looked: Result<f64, u16>) {
    match looked {
        Ok(milliseconds) => part.milliseconds.push(milliseconds),
        Err(status) => *part.failed.entry(status).or_default() += 1,
    }
}

/// How long after its acceptance a command was seen; or the status of an answer that did not show it.
async fn look(
    plan: &Plan,
    mut connection: Connection,
    accepted: Accepted,
    give_back: mpsc::Sender<Connection>,
) -> anyhow::Result<Result<f64, u16>> {
    let query = plan.query.replace(FRESH, &accepted.id).replace(TOKEN, &accepted.token);
    let answer = connection.ask(query.as_bytes()).await?;
    let milliseconds = accepted.at.elapsed().as_secs_f64() * 1000.0;
    if give_back.send(connection).await.is_err() {
        bail!("nobody looks any more");
    }
    if answer.status == 200 && !answer.body.contains(&accepted.id) {
        bail!("the query was answered without what it waited for: {}", answer.body);
    }
    Ok(if answer.status == 200 { Ok(milliseconds) } else { Err(answer.status) })
}

fn tally(measured: Duration, sent: Vec<Part>, looked: Part) -> Tally {
    let mut failed = looked.failed;
    let mut milliseconds = Vec::new();
    for part in sent {
        milliseconds.extend(part.milliseconds);
        for (status, count) in part.failed {
            *failed.entry(status).or_default() += count;
        }
    }
    Tally {
        per_second: float(milliseconds.len() as u64) / measured.as_secs_f64(),
        accepted_p50: percentile(&milliseconds, 0.5),
        accepted_p99: percentile(&milliseconds, 0.99),
        visible_p50: percentile(&looked.milliseconds, 0.5),
        visible_p99: percentile(&looked.milliseconds, 0.99),
        looks: looked.milliseconds.len(),
        failed,
    }
}
