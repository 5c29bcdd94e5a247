//! Which letter follows from an event, if it still does when it is written.

use std::sync::Arc;

use anyhow::Context as _;
use events::identity::invitation::{Invitation, Status};
use events::identity::organization::{self, Organization};
use events::identity::user::{self, Pending, User};
use events::personal::ERASED;
use events::{ActorKind, Decider as _, InvitationId, UserId};
use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::Timestamp;
use platform::bearer::{EMAIL_CHANGE, INVITATION, Kind, PASSWORD_RESET};
use platform::clock;
use platform::secrets::fingerprint;
use serde::Deserialize;
use serde_json::json;

use crate::mail::Letter;
use crate::runtime::{Done, Job, Office, Trouble};

/// The events that a letter follows from.
pub(super) const EVENTS: &[&str] = &[
    "identity.invitation.issued",
    "identity.invitation.resent",
    "identity.user.password_reset_requested",
    "identity.user.password_replaced",
    "identity.user.email_change_requested",
    "identity.user.email_replaced",
    "identity.user.handle_replaced",
    "identity.user.phone_replaced",
    "identity.user.identity_linked",
    "identity.organization.purge_requested",
    "identity.organization.purge_confirmed",
    "identity.organization.purge_cancelled",
];

const IF_NOT_YOU: &str = "If it was not you, tell your administrator at once.";
const OF_ANOTHER: &str =
    "Somebody who manages users did this. If you do not know of it, ask your administrator.";

/// The event, as the reaction put it into the job.
#[derive(Deserialize)]
struct Cause {
    event: String,
    /// The version of its stream after it.
    version: i64,
    /// To whom, where the event is about more than one.
    #[serde(default)]
    to: Option<UserId>,
    /// Whether it goes to the address that an event brought, and not to the one before.
    #[serde(default)]
    to_new: bool,
}

pub(super) fn run<'a>(office: &'a Office, job: &'a Job) -> BoxFuture<'a, Result<Done, Trouble>> {
    async move {
        let cause: Cause =
            serde_json::from_value(job.body.clone()).context("the job names no event")?;
        if cause.event.starts_with(Organization::TYPE) && cause.to.is_none() {
            // One job for each letter: what one server refuses holds up nobody else's.
            for user in office.administrators(job.tenant_id).await? {
                let body = json!({"event": cause.event, "version": cause.version, "to": user});
                office
                    .start(job, (super::MAIL, super::MAIL_ATTEMPTS), &user.to_string(), body)
                    .await?;
            }
            return Ok(Done::Finished);
        }
        match letter(office, job, &cause).await? {
            Some(letter) => office.send(job, &letter).await,
            None => Ok(Done::Cancelled),
        }
    }
    .boxed()
}

/// The letter, unless what happened since has made it pointless.
async fn letter(office: &Office, job: &Job, cause: &Cause) -> anyhow::Result<Option<Letter>> {
    match cause.event.as_str() {
        "identity.invitation.issued" | "identity.invitation.resent" => {
            invitation(office, job, cause.version).await
        }
        "identity.user.password_reset_requested" => reset(office, job).await,
        "identity.user.password_replaced" => replaced(office, job, cause.version).await,
        "identity.user.email_change_requested" => confirmation(office, job).await,
        "identity.user.email_replaced" => moved(office, job, cause).await,
        "identity.user.handle_replaced" => called(office, job, cause.version).await,
        "identity.user.phone_replaced" => telephoned(office, job, cause.version).await,
        "identity.user.identity_linked" => linked(office, job).await,
        "identity.organization.purge_requested"
        | "identity.organization.purge_confirmed"
        | "identity.organization.purge_cancelled" => purge(office, job, cause.version).await,
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
        unsubscribe: None,
    }))
}

/// The link by which a forgotten password is replaced; of the request that was made last.
async fn reset(office: &Office, job: &Job) -> anyhow::Result<Option<Letter>> {
    let user = user(office, job).await?;
    let (Some(pending), Some(email)) = (&user.password_reset, &user.email) else { return Ok(None) };
    let Some(token) = token(office, job, PASSWORD_RESET, &user, pending)? else { return Ok(None) };
    let organization = organization(office, job).await?;
    Ok(Some(Letter {
        to: email.clone(),
        subject: format!("Set a new password for {organization}"),
        paragraphs: vec![
            format!(
                "Somebody, hopefully you, forgot the password of {} at {organization}.",
                user.handle
            ),
            format!(
                "The link sets a new one, once, until {}, and ends all sessions. If it was not you, ignore this: \
                 nothing has changed.",
                moment(pending.expires_at)
            ),
        ],
        action: Some(("Set a new password", office.link("reset-password", &token))),
        unsubscribe: None,
    }))
}

/// Whoever has a new password hears of it, unless it is their first.
async fn replaced(office: &Office, job: &Job, version: i64) -> anyhow::Result<Option<Letter>> {
    let user = user(office, job).await?;
    let Some(to) = user.email.clone() else { return Ok(None) };
    let had_one = "select exists (select from log.events where tenant_id = $1 and aggregate_type = $2 and aggregate_id = $3
            and sequence < $4 and event_type = 'identity.user.password_replaced')";
    let (had_one,): (bool,) = known(office, job, had_one, version).await?;
    if !had_one {
        return Ok(None);
    }
    let organization = organization(office, job).await?;
    Ok(Some(Letter {
        to,
        subject: format!("Your password for {organization} was changed"),
        paragraphs: vec![
            format!("The password of {} at {organization} was changed.", user.handle),
            "If it was not you, set another with \"forgot password\" and tell your administrator."
                .into(),
        ],
        action: None,
        unsubscribe: None,
    }))
}

/// Whoever can be signed in by somebody else's word hears of it.
async fn linked(office: &Office, job: &Job) -> anyhow::Result<Option<Letter>> {
    let user = user(office, job).await?;
    let Some(to) = user.email.clone().filter(|_| !user.identities.is_empty()) else {
        return Ok(None);
    };
    let organization = organization(office, job).await?;
    Ok(Some(Letter {
        to,
        subject: format!("Another way to sign in to {organization}"),
        paragraphs: vec![
            format!(
                "{} can sign in to {organization} by another organisation's word now.",
                user.handle
            ),
            "If you do not know of it, tell your administrator, who can take it back.".into(),
        ],
        action: None,
        unsubscribe: None,
    }))
}

/// The link by which a new address is confirmed, sent there.
async fn confirmation(office: &Office, job: &Job) -> anyhow::Result<Option<Letter>> {
    let user = user(office, job).await?;
    let Some((email, pending)) = &user.email_change else { return Ok(None) };
    let Some(token) = token(office, job, EMAIL_CHANGE, &user, pending)? else { return Ok(None) };
    let organization = organization(office, job).await?;
    Ok(Some(Letter {
        to: email.clone(),
        subject: format!("Confirm your e-mail address for {organization}"),
        paragraphs: vec![
            format!("{} at {organization} wants to be reached at this address.", user.handle),
            format!(
                "The link confirms that, once, until {}. If you do not know of it, ignore this.",
                moment(pending.expires_at)
            ),
        ],
        action: Some(("Confirm the address", office.link("confirm-email", &token))),
        unsubscribe: None,
    }))
}

/// The address before hears that it is the address no longer; the one now, that it is, where somebody else said so: whoever
/// did it themselves has confirmed it there.
async fn moved(office: &Office, job: &Job, cause: &Cause) -> anyhow::Result<Option<Letter>> {
    let by_another = is_by_another(office, job, cause.version).await?;
    if by_another && !cause.to_new {
        let body = json!({"event": cause.event, "version": cause.version, "to_new": true});
        office.start(job, (super::MAIL, super::MAIL_ATTEMPTS), &job.subject_id, body).await?;
    }
    let payload = office.payload::<User>(job, &job.subject_id, cause.version).await?;
    // One event of many; the job was made for no other.
    let user::Event::EmailReplaced { previous, email } = serde_json::from_str(&payload)? else {
        return Ok(None);
    };
    let to = if cause.to_new { email } else { previous };
    let Some(to) = to.filter(|to| to != ERASED) else { return Ok(None) };
    let (user, organization) = (user(office, job).await?, organization(office, job).await?);
    let reached = if cause.to_new { "is reached" } else { "is no longer reached" };
    Ok(Some(Letter {
        to,
        subject: format!("Your e-mail address for {organization} was changed"),
        paragraphs: vec![
            format!("{} at {organization} {reached} at this address.", user.handle),
            if by_another { OF_ANOTHER.into() } else { IF_NOT_YOU.into() },
        ],
        action: None,
        unsubscribe: None,
    }))
}

/// Whoever signs in by another name since somebody else said so hears of it: where they were reached then.
async fn called(office: &Office, job: &Job, version: i64) -> anyhow::Result<Option<Letter>> {
    let Some(to) = told_of_another(office, job, version).await? else { return Ok(None) };
    let payload = office.payload::<User>(job, &job.subject_id, version).await?;
    // One event of many; the job was made for no other.
    let user::Event::HandleReplaced { previous, handle } = serde_json::from_str(&payload)? else {
        return Ok(None);
    };
    let organization = organization(office, job).await?;
    Ok(Some(Letter {
        to,
        subject: format!("Your name to sign in with at {organization} was changed"),
        paragraphs: vec![
            format!("{previous} signs in to {organization} as {handle} now."),
            OF_ANOTHER.into(),
        ],
        action: None,
        unsubscribe: None,
    }))
}

/// The same of a telephone number, which is not said: a letter lies about for longer.
async fn telephoned(office: &Office, job: &Job, version: i64) -> anyhow::Result<Option<Letter>> {
    let Some(to) = told_of_another(office, job, version).await? else { return Ok(None) };
    let (user, organization) = (user(office, job).await?, organization(office, job).await?);
    Ok(Some(Letter {
        to,
        subject: format!("Your telephone number at {organization} was changed"),
        paragraphs: vec![
            format!("The telephone number of {} at {organization} was changed.", user.handle),
            OF_ANOTHER.into(),
        ],
        action: None,
        unsubscribe: None,
    }))
}

/// The address at which a user was reached when somebody else changed something of theirs; nothing where they did it themselves.
async fn told_of_another(
    office: &Office,
    job: &Job,
    version: i64,
) -> anyhow::Result<Option<String>> {
    if !is_by_another(office, job, version).await? {
        return Ok(None);
    }
    let last = "select max(sequence) from log.events where tenant_id = $1 and aggregate_type = $2 and aggregate_id = $3
            and sequence < $4 and event_type in ('identity.user.registered', 'identity.user.email_replaced')";
    let (last,): (i64,) = known(office, job, last, version).await?;
    let payload = office.payload::<User>(job, &job.subject_id, last).await?;
    // Both say what the address is since.
    let Address { email } = serde_json::from_str(&payload)?;
    Ok(email.filter(|to| to != ERASED))
}

/// Of an event, the address that it brought.
#[derive(Deserialize)]
struct Address {
    #[serde(default)]
    email: Option<String>,
}

/// Whether an event of the user was somebody else's doing. What the installation does, by a link that was sent to the user, is
/// their own.
async fn is_by_another(office: &Office, job: &Job, version: i64) -> anyhow::Result<bool> {
    let actor =
        "select metadata::jsonb ->> 'actor_kind', metadata::jsonb ->> 'actor_id' from log.events
          where tenant_id = $1 and aggregate_type = $2 and aggregate_id = $3 and sequence = $4";
    let (kind, id): (String, String) = known(office, job, actor, version).await?;
    Ok(kind != <&str>::from(ActorKind::System) && id != job.subject_id)
}

/// What the log knows of the user's stream, `$1` to `$3`, at or before a version of it, `$4`.
async fn known<R>(
    office: &Office,
    job: &Job,
    question: &'static str,
    version: i64,
) -> anyhow::Result<R>
where
    R: for<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow> + Send + Unpin,
{
    let question = sqlx::query_as(question).bind(job.tenant_id.0).bind(User::TYPE);
    Ok(question.bind(&job.subject_id).bind(version).fetch_one(&office.pool).await?)
}

/// What an administrator is to know of a purge.
async fn purge(office: &Office, job: &Job, version: i64) -> anyhow::Result<Option<Letter>> {
    let user = user(office, job).await?;
    let Some(to) = user.email.clone().filter(|_| user.status == user::Status::Active) else {
        return Ok(None);
    };
    let id = job.tenant_id.to_string();
    let payload = office.payload::<Organization>(job, &id, version).await?;
    let event = serde_json::from_str(&payload)?;
    let Some(news) = purge_news(&event) else { return Ok(None) };
    let organization = organization(office, job).await?;
    Ok(Some(Letter {
        to,
        subject: format!("{organization}: {}", news.title),
        paragraphs: vec![news.text],
        action: None,
        unsubscribe: None,
    }))
}

/// What is to be known of a purge.
pub(crate) struct News {
    pub(crate) title: &'static str,
    pub(crate) text: String,
}

/// What administrators are told; nothing where the event is about something else, or nobody is left to be told.
pub(crate) fn purge_news(event: &organization::Event) -> Option<News> {
    use organization::Event;
    let (title, text) = match event {
        Event::PurgeRequested { lapses_at, .. } => (
            "A purge was asked for",
            format!(
                "Somebody asked for all data of the organisation to be deleted for good. Nothing happens unless another \
                 administrator confirms it before {}. If it should not happen, cancel it.",
                moment(*lapses_at)
            ),
        ),
        Event::PurgeConfirmed { effective_at, .. } => (
            "A purge was confirmed",
            format!(
                "All data of the organisation will be deleted for good on {}. Until then any administrator can cancel it.",
                moment(*effective_at)
            ),
        ),
        Event::PurgeCancelled => {
            ("The purge was cancelled", "The organisation is not going to be purged.".to_owned())
        }
        Event::Purged
        | Event::Created { .. }
        | Event::Renamed { .. }
        | Event::Suspended { .. }
        | Event::Reactivated
        | Event::UnitAdded { .. }
        | Event::UnitMoved { .. }
        | Event::UnitRenamed { .. }
        | Event::UnitClosed { .. } => return None,
    };
    Some(News { title, text })
}

/// The token of a request that is still open.
fn token(
    office: &Office,
    job: &Job,
    kind: Kind,
    user: &User,
    pending: &Pending,
) -> anyhow::Result<Option<String>> {
    let id: UserId = job.subject_id.parse().context("the subject is no user")?;
    let token = kind.make(&office.master, job.tenant_id, id.0, pending.number);
    let is_good = user.status == user::Status::Active
        && pending.check(&fingerprint(&token), clock::now()).is_ok();
    Ok(is_good.then_some(token))
}

async fn user(office: &Office, job: &Job) -> anyhow::Result<Arc<User>> {
    Ok(office.aggregates.refresh::<User>(job.tenant_id, &job.subject_id).await?.state)
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
