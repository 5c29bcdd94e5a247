//! What an occurrence leads to is done: command-api gives the command for the owner of the trigger, and records what comes of it.

use anyhow::Context as _;
use events::TriggerId;
use events::envelope::Recorded;
use events::scheduling::trigger::Event;
use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::Timestamp;
use platform::commands::CommandError;
use serde::Deserialize;
use serde_json::json;

use crate::runtime::{Done, Effect, Job, Office, Trouble};

pub(super) const EVENTS: &[&str] = &["scheduling.trigger.fired"];

pub(super) const KIND: &str = "scheduling.carry_out";

/// What happened.
#[derive(Deserialize)]
struct Happened {
    occurrence: Timestamp,
}

pub(super) fn on_fired(event: &Recorded) -> anyhow::Result<Vec<Effect>> {
    // One event of many; the others are not asked for.
    let Event::Fired { occurrence, .. } = serde_json::from_str(&event.payload)? else {
        return Ok(Vec::new());
    };
    let (subject_id, body) = (event.aggregate_id.clone(), json!({ "occurrence": occurrence }));
    Ok(vec![Effect::Start { kind: KIND, subject_id, body }])
}

pub(super) fn run<'a>(office: &'a Office, job: &'a Job) -> BoxFuture<'a, Result<Done, Trouble>> {
    async move {
        // It was done, or refused, in the life before the backup.
        if office.is_restored(job).await? {
            return Ok(Done::Finished);
        }
        match post(office, job, false).await {
            Ok(()) => Ok(Done::Finished),
            Err(CommandError::Refused(problem)) => Ok(Done::Failed(problem.detail)),
            Err(error @ CommandError::Unavailable(_)) => Err(Trouble(error.into())),
        }
    }
    .boxed()
}

/// The owner hears that nothing came of it.
pub(super) fn give_up<'a>(office: &'a Office, job: &'a Job) -> BoxFuture<'a, anyhow::Result<()>> {
    async move { Ok(post(office, job, true).await?) }.boxed()
}

async fn post(office: &Office, job: &Job, given_up: bool) -> Result<(), CommandError> {
    let read = || -> anyhow::Result<_> {
        let trigger: TriggerId = job.subject_id.parse().context("the job names no trigger")?;
        let Happened { occurrence } =
            serde_json::from_value(job.body.clone()).context("the job names no occurrence")?;
        Ok((trigger, occurrence))
    };
    let (trigger, occurrence) = read().map_err(CommandError::Unavailable)?;
    let path = format!("/triggers/{trigger}/carry-out");
    let key = job.key(if given_up { "give up" } else { "carry out" });
    let body = json!({ "occurrence": occurrence, "given_up": given_up });
    office.commands.post(job.tenant_id, &path, key, &body).await.map(|_| ())
}
