//! `annals jobs`: background work of every kind, how far it is, and an end or another try for it.

use std::process::ExitCode;

use clap::Subcommand;
use jiff::Timestamp;
use platform::clock;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::client::{Client, Error};
use super::follow;
use super::manner::Manner;
use super::table::Table;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// The latest work, one's own or everybody's with the permission
    List {
        /// Which, such as 'state = running' or 'kind = export AND state = failed'
        #[arg(long)]
        filter: Option<String>,
        /// Most of it to show
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=500))]
        limit: u16,
        #[command(flatten)]
        manner: Manner,
    },
    /// How far a piece of work is
    Show {
        /// The job
        job: Uuid,
        #[command(flatten)]
        manner: Manner,
    },
    /// Wait until it is done
    Wait {
        /// The job
        job: Uuid,
        #[command(flatten)]
        manner: Manner,
    },
    /// Stop it: at once while it waits, as soon as its worker lets go while it runs
    Cancel {
        /// The job
        job: Uuid,
        #[command(flatten)]
        manner: Manner,
    },
    /// Try again what failed
    Retry {
        /// The job
        job: Uuid,
        #[command(flatten)]
        manner: Manner,
    },
}

/// A piece of work as the read model has it.
#[derive(Debug, Serialize, Deserialize)]
struct Listed {
    job_id: Uuid,
    kind: String,
    label: String,
    state: String,
    attempts: u32,
    done: Option<u64>,
    total: Option<u64>,
    error_code: Option<String>,
    created_at: Timestamp,
}

#[derive(Debug, Deserialize)]
struct Page {
    items: Vec<Listed>,
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let client = Client::start(&arguments.action.manner().client).await?;
    let outcome = act(&client, arguments.action).await;
    client.sign_out().await;
    outcome.map(|()| ExitCode::SUCCESS)
}

impl Action {
    fn manner(&self) -> &Manner {
        match self {
            Self::List { manner, .. }
            | Self::Show { manner, .. }
            | Self::Wait { manner, .. }
            | Self::Cancel { manner, .. }
            | Self::Retry { manner, .. } => manner,
        }
    }
}

async fn act(client: &Client, action: Action) -> anyhow::Result<()> {
    match action {
        Action::List { filter, limit, manner } => {
            let limit = limit.to_string();
            let mut query = vec![("limit", limit.as_str())];
            query.extend(filter.as_deref().map(|filter| ("filter", filter)));
            let page: Page = super::client::read(client.ask("/jobs", &query, None).await?).await?;
            if manner.json {
                println!("{}", serde_json::to_string(&page.items)?);
            } else {
                print!("{}", listed(page.items));
            }
        }
        Action::Show { job, manner } => {
            let answer: Value = client.get(&format!("/jobs/{job}"), None).await?;
            if manner.json { println!("{answer}") } else { print!("{}", told(&answer)) }
        }
        Action::Wait { job, manner } => {
            let answer = follow::finished(client, job).await?;
            manner.tell(&answer, &format!("{job} is done"));
        }
        Action::Cancel { job, manner } => {
            let answer = wish(client, job, "cancel").await?;
            manner.tell(&answer, &format!("{job} stops"));
        }
        Action::Retry { job, manner } => {
            let answer = wish(client, job, "retry").await?;
            manner.tell(&answer, &format!("{job} is in the queue again"));
        }
    }
    Ok(())
}

async fn wish(client: &Client, job: Uuid, verb: &str) -> Result<Value, Error> {
    client.post(&format!("/jobs/{job}/{verb}"), clock::new_id(), &json!({})).await
}

fn listed(jobs: Vec<Listed>) -> String {
    if jobs.is_empty() {
        return "there is no work\n".to_owned();
    }
    let mut table = Table::new(&["job", "kind", "what", "state", "done", "tries", "asked for"]);
    for job in jobs {
        let done = match (job.done, job.total) {
            (Some(done), Some(total)) => format!("{done}/{total}"),
            (Some(done), None) => done.to_string(),
            (None, _) => "-".to_owned(),
        };
        let state = match job.error_code {
            Some(code) => format!("{}: {code}", job.state),
            None => job.state,
        };
        table.row([
            job.job_id.to_string(),
            job.kind,
            job.label,
            state,
            done,
            job.attempts.to_string(),
            format!("{:.0}", job.created_at),
        ]);
    }
    table.to_string()
}

/// One thing a line, as far as it is known.
fn told(job: &Value) -> String {
    let (progress, error) = (&job["progress"], &job["error"]);
    let lines = [
        ("job", &job["id"]),
        ("kind", &job["kind"]),
        ("what", &job["label"]),
        ("state", &job["state"]),
        ("phase", &progress["phase"]),
        ("done", &progress["done"]),
        ("in all", &progress["total"]),
        ("a second", &progress["rate_per_s"]),
        ("seconds left", &progress["eta_s"]),
        ("tries", &job["attempts"]),
        ("error", &error["code"]),
        ("message", &error["detail"]),
        ("can be retried", &error["retryable"]),
        ("asked for", &job["created_at"]),
        ("by", &job["actor"]),
        ("result", &job["result"]["resource"]),
    ];
    let known = lines.iter().filter(|(_, value)| !value.is_null());
    let line = |(name, value): &(&str, &Value)| match value.as_str() {
        Some(text) => format!("{name:15} {text}\n"),
        None => format!("{name:15} {value}\n"),
    };
    known.map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_told_line_by_line_and_what_is_not_known_is_left_out() {
        let job = json!({
            "id": "j1", "kind": "export", "label": "Users", "state": "running", "attempts": 1,
            "progress": {"done": 10, "total": null, "unit": "rows", "phase": "writing"},
        });
        let told = told(&job);
        let lines: Vec<&str> = told.lines().collect();
        assert_eq!(lines[0], "job             j1");
        assert!(lines.contains(&"done            10"), "{told}");
        assert!(!told.contains("in all") && !told.contains("error"), "{told}");
    }
}
