//! Following background work to its end, with what it is at on a terminal.

use std::time::Duration;

use anyhow::bail;
use indicatif::ProgressBar;
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::bar;
use super::client::Client;

/// Between two looks at a piece of work, should the server not wait for the next step.
const PACE: Duration = Duration::from_millis(100);

/// Background work, as far as it is followed here.
#[derive(Debug, Deserialize)]
struct Job {
    kind: String,
    state: String,
    progress: Option<Progress>,
    error: Option<Failure>,
}

#[derive(Debug, Deserialize)]
struct Progress {
    done: u64,
    total: Option<u64>,
    phase: String,
}

#[derive(Debug, Deserialize)]
struct Failure {
    code: String,
    detail: Option<String>,
}

/// Waits for the end of a piece of work, which the server tells as soon as it is there: what it is then, or how it went wrong.
pub(super) async fn finished(client: &Client, id: Uuid) -> anyhow::Result<Value> {
    let bar = bar::styled("{msg:9} {bar:40} {human_pos}/{human_len} rows {per_sec} {eta}");
    let token = client.here().await?.token;
    loop {
        let answer: Value = client.get(&format!("/jobs/{id}"), Some(&token)).await?;
        let Job { kind, state, progress, error } = Job::deserialize(&answer)?;
        show(&bar, &state, progress);
        match (&*state, error) {
            ("queued" | "running" | "cancelling", _) => tokio::time::sleep(PACE).await,
            ("succeeded", _) => {
                bar.finish_and_clear();
                return Ok(answer);
            }
            (state, None) => bail!("nothing came of it: the {kind} is {state}"),
            (state, Some(Failure { code, detail })) => {
                let detail = detail.unwrap_or_default();
                bail!("nothing came of it: the {kind} is {state}: {detail} ({code})")
            }
        }
    }
}

fn show(bar: &ProgressBar, state: &str, progress: Option<Progress>) {
    let Some(progress) = progress else {
        bar.set_message(state.to_owned());
        return;
    };
    bar.set_message(progress.phase);
    bar.set_position(progress.done);
    progress.total.into_iter().for_each(|total| bar.set_length(total));
}
