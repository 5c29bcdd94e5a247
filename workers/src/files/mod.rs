//! Files that people upload: their ends are timers, and bytes go when no file holds them any more.

mod sweep;
mod withdraw;

use std::time::Duration;

use anyhow::Context as _;
use events::FileId;
use events::envelope::Recorded;
use events::files::file::Event;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use crate::runtime::{
    Done, Effect, End, Handler, Job, Jobs, Office, React, Reaction, Sweep, Trouble, never_mind,
};

pub(crate) use withdraw::withdraw;

const FILE: &str = "files.file";
const FORGET: &str = "files.forget";

/// What workers do for files.
pub(crate) fn jobs() -> Jobs {
    Jobs {
        reactions: vec![
            Reaction {
                name: "files_ends",
                events: &[
                    "files.file.initiated",
                    "files.file.stored",
                    "files.file.refused",
                    "files.file.aborted",
                    "files.file.expired",
                    "files.file.linked",
                    "files.file.unlinked",
                    "files.file.deleted",
                ],
                react: React::Event(on_file),
            },
            Reaction {
                name: "files_forget",
                events: &["files.file.deleted"],
                react: React::Event(on_deleted),
            },
        ],
        handlers: vec![Handler {
            kind: FORGET,
            slots: 1,
            lease: Duration::from_secs(30),
            max_attempts: 10,
            run,
            // The sweep finds the bytes too.
            give_up: never_mind,
            let_go: None,
            test: None,
        }],
        sweeps: vec![Sweep { name: "files", run: sweep::sweep }],
    }
}

/// An upload ends when it was not complete in time, and some files when nothing was linked to them for long.
fn on_file(event: &Recorded) -> anyhow::Result<Vec<Effect>> {
    let end: Option<Timestamp> = match serde_json::from_str(&event.payload)? {
        Event::Initiated { expires_at, .. } => Some(expires_at),
        Event::Stored { keep_until, .. } | Event::Unlinked { keep_until, .. } => keep_until,
        Event::Refused { .. }
        | Event::Aborted
        | Event::Expired
        | Event::Linked { .. }
        | Event::Deleted { .. }
        | Event::Flagged { .. }
        | Event::FlagLifted
        | Event::Downloaded { .. } => None,
    };
    let subject_id = event.aggregate_id.clone();
    let address = format!("/files/{subject_id}");
    let (kind, body) = (FILE, json!({}));
    Ok(vec![End { kind, subject_id, at: end, begun: true, address, body }.record()])
}

/// The place whose bytes may not be needed any more.
#[derive(Deserialize)]
struct Place {
    blob_id: FileId,
}

fn on_deleted(event: &Recorded) -> anyhow::Result<Vec<Effect>> {
    let Place { blob_id } = serde_json::from_str(&event.payload)?;
    let (subject_id, body) = (event.aggregate_id.clone(), json!({"blob_id": blob_id}));
    Ok(vec![Effect::Start { kind: FORGET, subject_id, body }])
}

fn run<'a>(office: &'a Office, job: &'a Job) -> BoxFuture<'a, Result<Done, Trouble>> {
    async move {
        let Place { blob_id } =
            serde_json::from_value(job.body.clone()).context("the job names no bytes")?;
        sweep::forget(office, job.tenant_id, blob_id).await?;
        Ok(Done::Finished)
    }
    .boxed()
}
