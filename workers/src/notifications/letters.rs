//! The letter of a notification, to who wants such letters; each says how to be sent no more of its kind.

use anyhow::Context as _;
use events::Decider as _;
use events::exports::batch::Batch;
use events::exports::export::Export;
use events::identity::user::{self, User};
use events::maintenance::task::Task;
use events::notifications::notification::{Event, Kind, Link, Notification, Status};
use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use platform::bearer::Unsubscription;
use platform::clock;
use serde::Deserialize;

use super::plan::SCHEDULE;
use super::tell::COMMENT;
use crate::mail::Letter;
use crate::runtime::{Done, Job, Office, Trouble};

/// The event that a letter follows from.
pub(super) const EVENTS: &[&str] = &["notifications.notification.created"];

/// What is older is no news: nobody is written to of all that happened before there were such letters, or while no worker ran.
const NEWS: SignedDuration = SignedDuration::from_hours(24);

/// Of an event, what it is about.
#[derive(Deserialize)]
struct About {
    kind: Kind,
}

/// The job as the reaction made it.
#[derive(Deserialize)]
struct Body {
    /// When the notification was created.
    at: Timestamp,
}

/// Whether a letter can follow from the event.
pub(super) fn may_go(payload: &str) -> anyhow::Result<bool> {
    let About { kind } = serde_json::from_str(payload).context("the notification has no kind")?;
    Ok(kind.mail().is_some())
}

pub(super) fn run<'a>(office: &'a Office, job: &'a Job) -> BoxFuture<'a, Result<Done, Trouble>> {
    async move {
        match letter(office, job).await? {
            Some(letter) => office.send(job, &letter).await,
            None => Ok(Done::Cancelled),
        }
    }
    .boxed()
}

/// The letter; none of old news, none to who has read the notification already, has no address, or wants no such letters, and
/// none where there is no server: the inbox has what was to be said.
async fn letter(office: &Office, job: &Job) -> anyhow::Result<Option<Letter>> {
    let Body { at } = serde_json::from_value(job.body.clone()).context("the job has no moment")?;
    if clock::now().duration_since(at) > NEWS {
        return Ok(None);
    }
    let tenant = job.tenant_id;
    let known = office.aggregates.refresh::<Notification>(tenant, &job.subject_id).await?.state;
    if known.status != Status::Unread || !office.mailer.is_there() {
        return Ok(None);
    }
    let payload = office.payload::<Notification>(job, &job.subject_id, 1).await?;
    let Event::Created { user_id, kind, title, message, link, .. } =
        serde_json::from_str(&payload)?
    else {
        anyhow::bail!("the notification does not begin with its creation");
    };
    let Some(key) = kind.mail() else { return Ok(None) };
    let user = office.aggregates.refresh::<User>(tenant, &user_id.to_string()).await?.state;
    let is_there = user.status == user::Status::Active;
    let Some(to) = user.email.clone().filter(|_| is_there) else { return Ok(None) };
    let wanted = office.setting_for((tenant, user_id), &[], key).await?;
    if !wanted.boolean().with_context(|| format!("{} is neither true nor false", key.name()))? {
        return Ok(None);
    }
    let token = Unsubscription { tenant, user: user_id, key }.token(&office.master);
    let paragraphs = if message.is_empty() { vec![title.clone()] } else { vec![message] };
    Ok(Some(Letter {
        to,
        subject: title,
        paragraphs,
        action: link
            .as_ref()
            .and_then(page)
            .map(|(label, page)| (label, format!("{}/{page}", office.links_begin))),
        unsubscribe: Some(format!(
            "{}/api/v1/notifications/unsubscribe?token={token}",
            office.posts_begin
        )),
    }))
}

/// Where a letter leads to: to the page of a file and never to the file itself, so that the right to it is asked for when it is
/// opened.
fn page(link: &Link) -> Option<(&'static str, String)> {
    match link.subject.as_str() {
        Export::TYPE => Some(("Open the file", format!("exports/{}", link.id))),
        Batch::TYPE => Some(("Open the files", format!("exports/batch/{}", link.id))),
        COMMENT => Some(("Read the comment", format!("comments/{}", link.id))),
        Task::TYPE => Some(("Open the task", format!("tasks/{}", link.id))),
        SCHEDULE => Some(("Open the schedule", format!("advanced-schedules/{}", link.id))),
        _ => None,
    }
}
