//! The load: keep-alive connections that send a request of fresh ids as soon as the last was answered, in a process of its own.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::time::Instant;
use uuid::Uuid;

use crate::bed::machine::processor_seconds;
use crate::http::Connection;
use crate::samples::{float, percentile};

/// Stands where every request gets an id of its own.
pub(crate) const FRESH: &str = "00000000-0000-7000-8000-00000000fe5e";
const WARM_UP: Duration = Duration::from_millis(500);
const MAX_CONNECTIONS: usize = 1024;

/// What to send.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) address: SocketAddr,
    pub(crate) connections: usize,
    pub(crate) seconds: u64,
    /// The request's bytes, with [`FRESH`] where an id goes.
    pub(crate) request: String,
    /// Ids to put there in turn instead of fresh ones.
    #[serde(default)]
    pub(crate) ids: Vec<String>,
    /// The status of an answer that counts.
    pub(crate) status: u16,
}

/// What came of it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Tally {
    /// Requests answered with the expected status, per second.
    pub(crate) per_second: f64,
    /// Milliseconds.
    pub(crate) p50: f64,
    /// Milliseconds.
    pub(crate) p99: f64,
    pub(crate) answered: u64,
    /// Answers of any other status.
    pub(crate) failed: BTreeMap<u16, u64>,
    /// Processor seconds that the load itself took.
    pub(crate) processor_seconds: f64,
}

/// One connection's part.
#[derive(Debug, Default)]
struct Part {
    milliseconds: Vec<f64>,
    failed: BTreeMap<u16, u64>,
}

/// Runs a plan in a process of its own.
pub(crate) async fn drive(plan: &Plan) -> anyhow::Result<Tally> {
    let mut child = Command::new(std::env::current_exe()?)
        .arg("load")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("cannot start the load")?;
    let mut stdin = child.stdin.take().context("the load has no input")?;
    stdin.write_all(&serde_json::to_vec(plan)?).await?;
    drop(stdin);
    let limit = WARM_UP + Duration::from_secs(plan.seconds + 30);
    let output = tokio::time::timeout(limit, child.wait_with_output())
        .await
        .context("the load did not end")??;
    ensure!(output.status.success(), "the load failed");
    let tally: Tally = serde_json::from_slice(&output.stdout).context("the load said nothing")?;
    ensure!(
        tally.failed.is_empty(),
        "requests were answered by other than {}: {:?}",
        plan.status,
        tally.failed
    );
    ensure!(tally.answered > 0, "no request was answered");
    Ok(tally)
}

/// The process: a plan in, a tally out.
pub(crate) async fn run() -> anyhow::Result<()> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    let plan: Plan = serde_json::from_str(&text).context("the plan is not valid")?;
    ensure!((1..=MAX_CONNECTIONS).contains(&plan.connections), "too many connections");
    ensure!(plan.ids.iter().all(|id| id.len() == FRESH.len()), "an id of another length");
    let begin = Instant::now() + WARM_UP;
    let end = begin + Duration::from_secs(plan.seconds);
    let numbers = 0..plan.connections;
    let parts = try_join_all(numbers.map(|number| connection(&plan, number, begin, end))).await?;
    println!("{}", serde_json::to_string(&tally(&plan, parts))?);
    Ok(())
}

async fn connection(
    plan: &Plan,
    number: usize,
    begin: Instant,
    end: Instant,
) -> anyhow::Result<Part> {
    let mut connection = Connection::open(plan.address).await?;
    let mut request = plan.request.clone().into_bytes();
    let places = places(&plan.request);
    // Every connection begins elsewhere in the list.
    let mut ids = plan.ids.iter().cycle().skip(number * plan.ids.len() / plan.connections);
    let mut part = Part::default();
    let mut started = Instant::now();
    while started < end {
        match ids.next() {
            Some(id) => put(&mut request, &places, id.as_bytes()),
            None => refresh(&mut request, &places),
        }
        let status = connection.send(&request).await?;
        let ended = Instant::now();
        if status != plan.status {
            *part.failed.entry(status).or_default() += 1;
        } else if started >= begin && ended <= end {
            part.milliseconds.push((ended - started).as_secs_f64() * 1000.0);
        }
        started = ended;
    }
    Ok(part)
}

/// Where a request has ids.
pub(crate) fn places(request: &str) -> Vec<usize> {
    request.match_indices(FRESH).map(|(place, _)| place).collect()
}

/// Puts a new id where the request has one.
pub(crate) fn refresh(request: &mut [u8], places: &[usize]) {
    if places.is_empty() {
        return;
    }
    let mut text = Uuid::encode_buffer();
    platform::clock::new_id::<Uuid>().hyphenated().encode_lower(&mut text);
    put(request, places, &text[..FRESH.len()]);
}

fn put(request: &mut [u8], places: &[usize], id: &[u8]) {
    for place in places {
        request[*place..*place + FRESH.len()].copy_from_slice(id);
    }
}

fn tally(plan: &Plan, parts: Vec<Part>) -> Tally {
    let mut milliseconds = Vec::new();
    let mut failed = BTreeMap::new();
    for part in parts {
        milliseconds.extend(part.milliseconds);
        for (status, count) in part.failed {
            *failed.entry(status).or_default() += count;
        }
    }
    let answered = milliseconds.len() as u64;
    Tally {
        per_second: float(answered) / float(plan.seconds),
        p50: percentile(&milliseconds, 0.5),
        p99: percentile(&milliseconds, 0.99),
        answered,
        failed,
        processor_seconds: processor_seconds("self"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_has_ids_of_its_own() {
        let text = format!("key: {FRESH}\r\n\r\n{{\"id\":\"{FRESH}\"}}");
        let places = places(&text);
        let mut request = text.clone().into_bytes();
        refresh(&mut request, &places);
        let first = String::from_utf8(request.clone()).unwrap();
        refresh(&mut request, &places);
        let second = String::from_utf8(request).unwrap();
        assert_eq!(first.len(), text.len());
        assert!(!first.contains(FRESH) && first != second);
        assert_eq!(first[5..41], first[52..88]);
    }
}
