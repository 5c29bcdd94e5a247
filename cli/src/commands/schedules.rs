//! `annals schedules`: what happens when its time has come, when that is next and why not, and a pause.

use std::process::ExitCode;

use clap::Subcommand;
use events::TriggerId;
use events::scheduling::{Outcome, Reason, Shift};
use jiff::Timestamp;
use platform::clock;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::client::{Client, Error, Options};
use super::table::Table;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// The organisation's triggers, those due first before the others
    List {
        /// Answer with JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        client: Options,
    },
    /// When a trigger is due next, and why occurrences are moved or left out
    Next {
        /// The trigger
        trigger: TriggerId,
        /// So many that run
        #[arg(long, default_value_t = 20)]
        limit: u32,
        /// Answer with JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        client: Options,
    },
    /// Let a trigger do nothing until it is resumed
    Pause {
        /// The trigger
        trigger: TriggerId,
        #[command(flatten)]
        client: Options,
    },
    /// Let a paused trigger go on; what was due meanwhile is not made up for
    Resume {
        /// The trigger
        trigger: TriggerId,
        #[command(flatten)]
        client: Options,
    },
}

/// A trigger as the read model has it.
#[derive(Debug, Serialize, Deserialize)]
struct Trigger {
    #[serde(rename = "trigger_id")]
    id: TriggerId,
    name: String,
    kind: String,
    time_zone: String,
    command: String,
    status: String,
    next_at: Option<Timestamp>,
    fires: i64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Occurrences {
    items: Vec<Occurrence>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Occurrence {
    #[serde(flatten)]
    outcome: Outcome,
    revision: u32,
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let action = arguments.action;
    let client = Client::start(action.client()).await?;
    let outcome = act(&client, action).await;
    client.sign_out().await;
    outcome.map(|()| ExitCode::SUCCESS)
}

impl Action {
    fn client(&self) -> &Options {
        match self {
            Self::List { client, .. }
            | Self::Next { client, .. }
            | Self::Pause { client, .. }
            | Self::Resume { client, .. } => client,
        }
    }
}

async fn act(client: &Client, action: Action) -> anyhow::Result<()> {
    match action {
        Action::List { json, .. } => {
            let here = client.here().await?;
            let mut triggers: Vec<Trigger> = Vec::new();
            let sorted = [("sort", "next_at,name")];
            client.list("/triggers", &sorted, &here.token, |one| triggers.push(one)).await?;
            if json {
                println!("{}", serde_json::to_string(&triggers)?);
            } else {
                print!("{}", listed(&triggers));
            }
        }
        Action::Next { trigger, limit, json, .. } => {
            let limit = limit.to_string();
            let path = format!("/triggers/{trigger}/occurrences");
            let answer = client.ask(&path, &[("limit", limit.as_str())], None).await?;
            let found: Occurrences = super::client::read(answer).await?;
            if json {
                println!("{}", serde_json::to_string(&found.items)?);
            } else {
                print!("{}", upcoming(&found.items));
            }
        }
        Action::Pause { trigger, .. } => {
            steer(client, trigger, "pause").await?;
            println!("{trigger} is paused");
        }
        Action::Resume { trigger, .. } => {
            steer(client, trigger, "resume").await?;
            println!("{trigger} goes on");
        }
    }
    Ok(())
}

async fn steer(client: &Client, trigger: TriggerId, verb: &str) -> Result<Value, Error> {
    let key: Uuid = clock::new_id();
    client.post(&format!("/triggers/{trigger}/{verb}"), key, &json!({})).await
}

fn listed(triggers: &[Trigger]) -> String {
    if triggers.is_empty() {
        return "there are no triggers\n".to_owned();
    }
    let mut table = Table::new(&[
        "trigger",
        "name",
        "recurs by",
        "zone",
        "leads to",
        "status",
        "next",
        "times",
    ]);
    for one in triggers {
        table.row([
            one.id.to_string(),
            one.name.clone(),
            one.kind.clone(),
            one.time_zone.clone(),
            one.command.clone(),
            one.status.clone(),
            one.next_at.map(|at| at.to_string()).unwrap_or_default(),
            one.fires.to_string(),
        ]);
    }
    table.to_string()
}

fn upcoming(occurrences: &[Occurrence]) -> String {
    if occurrences.is_empty() {
        return "nothing is due\n".to_owned();
    }
    let mut table = Table::new(&["at", "outcome", "planned for", "because"]);
    for Occurrence { outcome, .. } in occurrences {
        match outcome {
            Outcome::Runs { at, shift: None } => {
                table.row([at.to_string(), "runs".into()]);
            }
            Outcome::Runs { at, shift: Some(Shift { planned, reason }) } => {
                table.row([at.to_string(), "moved".into(), planned.to_string(), why(reason)]);
            }
            Outcome::Skipped { at, planned, reason } => {
                table.row([at.to_string(), "left out".into(), planned.to_string(), why(reason)]);
            }
        }
    }
    table.to_string()
}

fn why(reason: &Reason) -> String {
    match reason {
        Reason::Weekend => "weekend".to_owned(),
        Reason::Blackout { label, .. } => format!("blackout: {label}"),
        Reason::NonexistentDay { day } => format!("the month has no day {day}"),
        Reason::NonexistentTime => "clocks go forward then".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use events::testing::{at, id};

    use super::*;

    #[test]
    fn what_is_moved_or_left_out_says_why() {
        let planned = "2026-12-25T09:00:00".parse().unwrap();
        let holiday = || Reason::Blackout { calendar_id: id(1), label: "Christmas".into() };
        let shift = Some(Shift { planned, reason: holiday() });
        let outcomes = [
            Outcome::Runs { at: at("2026-12-24T09:00:00Z"), shift: None },
            Outcome::Skipped { at: at("2026-12-25T09:00:00Z"), planned, reason: holiday() },
            Outcome::Runs { at: at("2026-12-28T09:00:00Z"), shift },
        ];
        let found = outcomes.map(|outcome| Occurrence { outcome, revision: 1 });
        let expected = "at                    outcome   planned for          because\n\
            2026-12-24T09:00:00Z  runs\n\
            2026-12-25T09:00:00Z  left out  2026-12-25T09:00:00  blackout: Christmas\n\
            2026-12-28T09:00:00Z  moved     2026-12-25T09:00:00  blackout: Christmas\n";
        assert_eq!(upcoming(&found), expected);
        assert_eq!(upcoming(&[]), "nothing is due\n");
    }
}
