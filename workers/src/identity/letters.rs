//! Which letter follows from an event, if it still does when it is written.

use anyhow::Context as _;
use events::InvitationId;
use events::identity::invitation::{Invitation, Status};
use events::identity::organization::Organization;
use events::identity::user::User;
use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::Timestamp;
use platform::bearer::INVITATION;
use platform::clock;
use platform::secrets::fingerprint;
use serde::Deserialize;

use crate::mail::Letter;
use crate::runtime::{Done, Job, Office, Trouble};

/// The events that a letter follows from.
pub(super) const EVENTS: &[&str] = &["identity.invitation.issued", "identity.invitation.resent"];

/// The event, as the reaction put it into the job.
#[derive(Deserialize)]
struct Cause {
    event: String,
    /// The version of its stream after it.
    version: i64,
}

pub(super) fn run<'a>(office: &'a Office, job: &'a Job) -> BoxFuture<'a, Result<Done, Trouble>> {
    async move {
        let cause: Cause =
            serde_json::from_value(job.body.clone()).context("the job names no event")?;
        match letter(office, job, &cause).await? {
            Some(letter) => office.send(job, &letter).await,
            None => Ok(Done::Cancelled),
        }
    }
    .boxed()
}

/// Nobody waits for an answer; the dead letter stays to be seen, and the job says what was wrong.
pub(super) fn give_up<'a>(_: &'a Office, _: &'a Job) -> BoxFuture<'a, anyhow::Result<()>> {
    futures::future::ready(Ok(())).boxed()
}

/// The letter, unless what happened since has made it pointless.
async fn letter(office: &Office, job: &Job, cause: &Cause) -> anyhow::Result<Option<Letter>> {
    match cause.event.as_str() {
        "identity.invitation.issued" | "identity.invitation.resent" => {
            invitation(office, job, cause.version).await
        }
        other => anyhow::bail!("no letter follows from {other}"),
    }
}

/// An invitation with its link. Before it is accepted or revoked every event of an invitation is a sending of it, so the
/// event's version is the sending's number, from which its token follows.
async fn invitation(office: &Office, job: &Job, sending: i64) -> anyhow::Result<Option<Letter>> {
    let tenant = job.tenant_id;
    let invitation = office.aggregates.refresh::<Invitation>(tenant, &job.subject_id).await?.state;
    let id: InvitationId = job.subject_id.parse().context("the subject is no invitation")?;
    let token = INVITATION.make(&office.master, tenant, id.0, sending);
    let is_good = invitation.status == Status::Open
        && invitation.is_token(&fingerprint(&token))
        && invitation.expires_at > clock::now();
    if !is_good {
        return Ok(None);
    }
    let sender = invitation.invited_by.to_string();
    let sender = office.aggregates.refresh::<User>(tenant, &sender).await?.state;
    let organization = organization(office, job).await?;
    let name = &sender.display_name;
    let written = invitation.message.as_ref().map(|text| format!("{name} writes:\n{text}"));
    let paragraphs = [format!("{name} invites you to join {organization}.")]
        .into_iter()
        .chain(written)
        .chain([format!(
            "The invitation can be accepted once, until {}. Whoever has its link can accept it, so do not pass it on. \
             If you did not expect it, ignore it.",
            moment(invitation.expires_at)
        )]);
    Ok(Some(Letter {
        to: invitation.email.clone(),
        subject: format!("{name} invites you to {organization}"),
        paragraphs: paragraphs.collect(),
        action: Some(("Accept the invitation", office.link("accept-invitation", &token))),
    }))
}

/// The name of the job's organisation.
async fn organization(office: &Office, job: &Job) -> anyhow::Result<String> {
    let tenant = job.tenant_id;
    let known = office.aggregates.refresh::<Organization>(tenant, &tenant.to_string()).await?;
    Ok(known.state.name.clone())
}

/// A moment as everybody reads it.
fn moment(at: Timestamp) -> String {
    at.strftime("%d %B %Y, %H:%M UTC").to_string()
}

impl Office {
    /// The address of a page, with a token behind `#`, where it reaches no server and no log.
    fn link(&self, page: &str, token: &str) -> String {
        format!("{}/{page}#token={token}", self.links_begin)
    }
}
