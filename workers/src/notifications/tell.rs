//! What a person is told because of an event, and the sending of it.

use anyhow::Context as _;
use events::audit::ledger::{self, Ledger};
use events::audit::security_log::{self, SecurityLog};
use events::backups::backup::{self, Backup};
use events::collaboration::thread::Thread;
use events::envelope::{Metadata, Recorded, meta};
use events::exports::batch::Batch;
use events::exports::export::Export;
use events::identity::api_key::ApiKey;
use events::identity::invitation::{self, Invitation};
use events::identity::organization::Organization;
use events::identity::presence::Presence;
use events::identity::session::Session;
use events::identity::user::User;
use events::maintenance::asset::Asset;
use events::maintenance::plan::Plan;
use events::maintenance::task::Task;
use events::notifications::notification::{Kind, Priority};
use events::rbac::is_escalation;
use events::rbac::policy::{self, Policy};
use events::rbac::user_access::{self, UserAccess};
use events::scheduling::trigger::Trigger;
use events::settings::Key;
use events::webhooks::endpoint::Endpoint;
use events::{ActorKind, Decider, RoleId, UserId};
use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::Timestamp;
use platform::commands::CommandError;
use serde::Deserialize;
use serde_json::json;

use super::account::{of_account, of_key, of_place, opened_elsewhere};
use super::asset::of_asset;
use super::endpoint::of_endpoint;
use super::export::{of_batch, of_export};
use super::mention::of_thread;
use super::plan::{SCHEDULE, of_plan, schedule};
use super::task::of_task;
use super::trigger::{of_trigger, once_a_day};
use crate::collaboration;
use crate::identity::purge_news;
use crate::runtime::{Done, Job, Office, Trouble};

/// The events that somebody is told of.
pub(super) const EVENTS: &[&str] = &[
    "exports.export.completed",
    "exports.export.failed",
    "exports.export.delivered",
    "exports.export.emailed",
    "exports.batch.completed",
    "exports.batch.failed",
    "rbac.user_access.role_assigned",
    "rbac.user_access.role_removed",
    "rbac.user_access.role_assignment_expired",
    "rbac.user_access.role_end_announced",
    "rbac.policy.protected_role_granted",
    "rbac.policy.protected_role_revoked",
    "rbac.policy.protected_role_expired",
    "rbac.policy.protected_role_end_announced",
    "audit.security_log.command_refused",
    "audit.ledger.signing_refused",
    "backups.backup.completed",
    "backups.backup.failed",
    "backups.backup.verification_failed",
    "identity.invitation.accepted",
    "identity.user.sessions_ended",
    "identity.user.locked",
    "identity.presence.place_first_seen",
    "identity.api_key.end_announced",
    "identity.organization.purge_requested",
    "identity.organization.purge_confirmed",
    "identity.organization.purge_cancelled",
    "scheduling.trigger.command_refused",
    "collaboration.thread.comment_posted",
    "collaboration.thread.comment_edited",
    "maintenance.plan.schedule_revised",
    "webhooks.endpoint.failing_announced",
    "webhooks.endpoint.disabled",
    "maintenance.asset.warranty_end_announced",
    "maintenance.task.assigned",
    "maintenance.task.due_announced",
    "maintenance.task.overdue_announced",
];

/// What a notification leads to that is of a comment.
pub(super) const COMMENT: &str = "collaboration.comment";

/// The event, as the reaction put it into the job.
#[derive(Deserialize)]
pub(super) struct Cause {
    pub(super) stream: String,
    pub(super) stream_id: String,
    pub(super) payload: String,
    /// Who caused it; jobs of old do not say.
    #[serde(default)]
    pub(super) actor_id: Option<String>,
    /// When it happened; jobs of old do not say.
    #[serde(default)]
    pub(super) at: Option<Timestamp>,
}

/// A message to one person.
#[derive(Debug, PartialEq)]
pub(super) struct Message {
    pub(super) user_id: UserId,
    pub(super) kind: Kind,
    pub(super) title: String,
    pub(super) text: String,
    pub(super) priority: Priority,
}

/// A message as most are.
pub(super) fn message_to(user_id: UserId, kind: Kind, title: String, text: String) -> Message {
    Message { user_id, kind, title, text, priority: Priority::Normal }
}

pub(super) fn run<'a>(office: &'a Office, job: &'a Job) -> BoxFuture<'a, Result<Done, Trouble>> {
    async move {
        let cause: Cause =
            serde_json::from_value(job.body.clone()).context("the job has no event")?;
        for message in messages(office, job, &cause).await? {
            if let Done::Failed(problem) = send(office, job, &cause, &message).await? {
                return Ok(Done::Failed(problem));
            }
        }
        Ok(Done::Finished)
    }
    .boxed()
}

async fn send(
    office: &Office,
    job: &Job,
    cause: &Cause,
    message: &Message,
) -> Result<Done, Trouble> {
    let user = message.user_id;
    let (link, key) = if cause.stream == SecurityLog::TYPE {
        // Who tries and tries is told of once a day.
        let actor = cause.actor_id.as_deref().unwrap_or_default();
        let key = format!("escalation/{actor}/{}", cause.stream_id);
        (json!({"type": User::TYPE, "id": actor}), key)
    } else if let Some(session) = opened_elsewhere(&cause.stream, &cause.payload) {
        (json!({"type": Session::TYPE, "id": session}), job.subject_id.clone())
    } else if let Some(comment) = collaboration::comment(&cause.stream, &cause.payload) {
        (json!({"type": COMMENT, "id": comment}), job.subject_id.clone())
    } else if let Some(schedule) = schedule(&cause.stream, &cause.payload) {
        (json!({"type": SCHEDULE, "id": schedule}), job.subject_id.clone())
    } else {
        let key = once_a_day(cause).unwrap_or_else(|| job.subject_id.clone());
        (json!({"type": cause.stream, "id": cause.stream_id}), key)
    };
    let body = json!({
        "id": job.key(&format!("notification/{user}")),
        "user_id": user,
        "kind": message.kind,
        "title": message.title,
        "message": message.text,
        "link": link,
        "priority": message.priority,
        "dedupe_key": key,
    });
    let key = job.key(&format!("send/{user}"));
    match office.commands.post(job.tenant_id, "/notifications/send", key, &body).await {
        Ok(_) => Ok(Done::Finished),
        // The person was told before, by this job in another life or by one restored.
        Err(CommandError::Refused(problem)) if problem.status == 409 => Ok(Done::Finished),
        Err(CommandError::Refused(problem)) => Ok(Done::Failed(problem.detail)),
        Err(error @ CommandError::Unavailable(_)) => Err(Trouble(error.into())),
    }
}

/// What follows from the event; nothing where nobody is to be told.
async fn messages(office: &Office, job: &Job, cause: &Cause) -> anyhow::Result<Vec<Message>> {
    let message = match cause.stream.as_str() {
        Export::TYPE => return of_export(office, job, cause).await,
        Batch::TYPE => of_batch(office, job, cause).await,
        UserAccess::TYPE => of_access(office, job, cause).await,
        Policy::TYPE => of_policy(office, job, cause).await,
        Backup::TYPE => of_backup(office, job, cause).await,
        Invitation::TYPE => of_invitation(office, job, cause).await,
        User::TYPE => of_account(cause),
        Presence::TYPE => of_place(cause),
        ApiKey::TYPE => return of_key(office, job, cause).await,
        SecurityLog::TYPE => return of_refusal(office, job, cause).await,
        Ledger::TYPE => return of_tampering(office, job, cause).await,
        Trigger::TYPE => return of_trigger(office, job, cause).await,
        Thread::TYPE => return of_thread(office, job, cause).await,
        Plan::TYPE => return of_plan(office, job, cause).await,
        Organization::TYPE => return of_organization(office, job, cause).await,
        Endpoint::TYPE => return of_endpoint(office, job, cause).await,
        Asset::TYPE => return of_asset(office, job, cause).await,
        Task::TYPE => return of_task(office, job, cause).await,
        other => anyhow::bail!("nobody is told of events of {other}"),
    };
    Ok(message?.into_iter().collect())
}

/// Whether an event is one that somebody is told of; most refusals are nobody's business but the caller's, where somebody signs in
/// for the first time they know, and most comments call nobody.
pub(super) fn is_told(event: &Recorded) -> bool {
    match event.aggregate_type.as_str() {
        SecurityLog::TYPE => escalation(&event.payload).is_some(),
        Presence::TYPE => opened_elsewhere(Presence::TYPE, &event.payload).is_some(),
        Thread::TYPE => collaboration::is_news(&event.payload),
        _ => true,
    }
}

/// The operation by which somebody tried to give what they do not have.
fn escalation(payload: &str) -> Option<String> {
    match serde_json::from_str(payload).ok()? {
        security_log::Event::CommandRefused(refused) => {
            is_escalation(&refused.code).then_some(refused.command)
        }
        security_log::Event::AccessDenied(_) | security_log::Event::DataRead(_) => None,
    }
}

/// The administrators hear of it, so many of them at most.
async fn of_refusal(office: &Office, job: &Job, cause: &Cause) -> anyhow::Result<Vec<Message>> {
    const MOST: usize = 20;
    let Some(command) = escalation(&cause.payload) else { return Ok(Vec::new()) };
    let tenant = job.tenant_id;
    let policy = office.aggregates.refresh::<Policy>(tenant, &tenant.to_string()).await?;
    let message = |user_id| Message {
        user_id,
        kind: Kind::Security,
        title: "Somebody tried to give more access than they have".into(),
        text: format!("{command} was refused. The audit trail shows who asked, and for what."),
        priority: Priority::High,
    };
    Ok(policy.state.administrators().take(MOST).map(message).collect())
}

/// Every administrator hears that the log is not what was recorded.
async fn of_tampering(office: &Office, job: &Job, cause: &Cause) -> anyhow::Result<Vec<Message>> {
    let refusal = match serde_json::from_str(&cause.payload)? {
        ledger::Event::SigningRefused(refusal) => refusal,
        ledger::Event::ArchiveRequested { .. }
        | ledger::Event::Archived(_)
        | ledger::Event::MonthDropped { .. } => return Ok(Vec::new()),
    };
    let seq = refusal.tenant_seq.map(|seq| format!(" from event {seq} on")).unwrap_or_default();
    let reason = refusal.reason;
    let message = |user_id| Message {
        user_id,
        kind: Kind::Security,
        title: "What is recorded is not what was recorded".into(),
        text: format!(
            "The notary does not sign the log of the organisation{seq}: {reason}. Tell whoever runs the installation."
        ),
        priority: Priority::Critical,
    };
    Ok(office.administrators(job.tenant_id).await?.into_iter().map(message).collect())
}

/// Every administrator hears of a purge, also whoever asked for it.
async fn of_organization(
    office: &Office,
    job: &Job,
    cause: &Cause,
) -> anyhow::Result<Vec<Message>> {
    let event = serde_json::from_str(&cause.payload)?;
    let Some(news) = purge_news(&event) else { return Ok(Vec::new()) };
    let administrators = office.administrators(job.tenant_id).await?;
    let messages = administrators.into_iter().map(|user_id| Message {
        user_id,
        kind: Kind::OrganizationPurge,
        title: news.title.into(),
        text: news.text.clone(),
        priority: Priority::High,
    });
    Ok(messages.collect())
}

async fn of_access(office: &Office, job: &Job, cause: &Cause) -> anyhow::Result<Option<Message>> {
    use user_access::Event;
    let (role_id, change) = match serde_json::from_str(&cause.payload)? {
        Event::RoleAssigned { role_id, .. } => (role_id, Change::Got),
        Event::RoleRemoved { role_id, reason, .. } => (role_id, Change::Lost(reason)),
        Event::RoleAssignmentExpired { role_id, .. } => (role_id, Change::Ended),
        Event::RoleEndAnnounced { role_id, expires_at, .. } => (role_id, Change::Ends(expires_at)),
        Event::UnitAccessGranted { .. }
        | Event::UnitAccessRevoked { .. }
        | Event::UnitAccessExpired { .. }
        | Event::RoleExtended { .. }
        | Event::RoleShortened { .. } => return Ok(None),
    };
    let user_id = cause.stream_id.parse().context("the stream is no user's")?;
    of_role(office, job, (user_id, role_id), change).await
}

async fn of_policy(office: &Office, job: &Job, cause: &Cause) -> anyhow::Result<Option<Message>> {
    use policy::Event;
    // Four events of many; the others are not asked for.
    let event: Event = serde_json::from_str(&cause.payload)?;
    let (held, change) = if let Event::ProtectedRoleGranted { user_id, role_id, .. } = event {
        ((user_id, role_id), Change::Got)
    } else if let Event::ProtectedRoleRevoked { user_id, role_id, reason, .. } = event {
        ((user_id, role_id), Change::Lost(reason))
    } else if let Event::ProtectedRoleExpired { user_id, role_id, .. } = event {
        ((user_id, role_id), Change::Ended)
    } else if let Event::ProtectedRoleEndAnnounced { user_id, role_id, expires_at, .. } = event {
        ((user_id, role_id), Change::Ends(expires_at))
    } else {
        return Ok(None);
    };
    of_role(office, job, held, change).await
}

/// What became of a role that somebody holds or held.
enum Change {
    Got,
    Lost(Option<String>),
    Ended,
    Ends(Timestamp),
}

async fn of_role(
    office: &Office,
    job: &Job,
    (user_id, role_id): (UserId, RoleId),
    change: Change,
) -> anyhow::Result<Option<Message>> {
    let tenant = job.tenant_id;
    let told = office.setting_for((tenant, user_id), &[], Key::NotificationsTellOfRoles).await?;
    if !told.boolean().context("notifications.tell_of_roles is neither true nor false")? {
        return Ok(None);
    }
    let policy = office.aggregates.refresh::<Policy>(tenant, &tenant.to_string()).await?;
    let name = match policy.state.role(role_id) {
        Some(role) => role.facts.name.clone(),
        None => last_name(office, job, role_id).await?,
    };
    let message = |kind, title, text| Some(message_to(user_id, kind, title, text));
    let lost = format!("You no longer have the role “{name}”");
    Ok(match change {
        Change::Got => message(
            Kind::RoleAssigned,
            format!("You have the role “{name}”"),
            format!("The role “{name}” was assigned to you."),
        ),
        Change::Lost(reason) => {
            let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
            let text = format!("The role “{name}” was taken from you{reason}.");
            message(Kind::RoleRemoved, lost, text)
        }
        Change::Ends(at) => {
            let at = at.strftime("%Y-%m-%d %H:%M UTC");
            let title = format!("Your role “{name}” ends soon");
            message(Kind::RoleEnds, title, format!("You have the role “{name}” until {at}."))
        }
        Change::Ended => {
            message(Kind::RoleRemoved, lost, format!("Your time in the role “{name}” is over."))
        }
    })
}

/// What a role was called that was deleted since.
async fn last_name(office: &Office, job: &Job, role_id: RoleId) -> anyhow::Result<String> {
    let name: Option<String> = sqlx::query_scalar(
        "select payload->>'name' from log.events
          where tenant_id = $1 and aggregate_type = $2 and aggregate_id = $1::text
            and event_type in ('rbac.policy.role_created', 'rbac.policy.role_renamed')
            and payload->>'role_id' = $3
          order by sequence desc limit 1",
    )
    .bind(job.tenant_id.0)
    .bind(Policy::TYPE)
    .bind(role_id.to_string())
    .fetch_optional(&office.pool)
    .await?;
    name.context("the log does not say what the role was called")
}

async fn of_backup(office: &Office, job: &Job, cause: &Cause) -> anyhow::Result<Option<Message>> {
    let (first, metadata) = first_event(office, job, cause).await?;
    let backup::Event::Requested { name, .. } = serde_json::from_str(&first)? else {
        anyhow::bail!("the backup does not begin with its request");
    };
    let Some(user_id) = user_of(&metadata)? else { return Ok(None) };
    let message = |kind, title, text| Some(message_to(user_id, kind, title, text));
    Ok(match serde_json::from_str(&cause.payload)? {
        backup::Event::Completed(archive) => message(
            Kind::BackupReady,
            format!("The backup “{name}” is complete"),
            format!("{} events, {} bytes.", archive.events, archive.size_bytes),
        ),
        backup::Event::Failed { message: reason, .. } => {
            message(Kind::BackupFailed, format!("The backup “{name}” failed"), reason)
        }
        backup::Event::VerificationFailed { errors, .. } => message(
            Kind::BackupFailed,
            format!("The backup “{name}” is damaged"),
            errors.into_iter().next().unwrap_or_default(),
        ),
        backup::Event::Requested { .. }
        | backup::Event::Started { .. }
        | backup::Event::CancelRequested
        | backup::Event::Cancelled
        | backup::Event::Retried { .. }
        | backup::Event::VerificationRequested
        | backup::Event::Verified { .. }
        | backup::Event::Expired => None,
    })
}

/// Whoever sent the invitation last hears of it.
async fn of_invitation(
    office: &Office,
    job: &Job,
    cause: &Cause,
) -> anyhow::Result<Option<Message>> {
    match serde_json::from_str(&cause.payload)? {
        invitation::Event::Accepted { .. } => {
            let (tenant, id) = (job.tenant_id, &cause.stream_id);
            let invitation = office.aggregates.refresh::<Invitation>(tenant, id).await?;
            // Nobody is named: what is told stays, and the link leads to who it is for as long as that is known.
            let title = "Your invitation was accepted".into();
            let text = "The invitation shows who joined.".into();
            let kind = Kind::InvitationAccepted;
            Ok(Some(message_to(invitation.state.invited_by, kind, title, text)))
        }
        invitation::Event::Issued { .. }
        | invitation::Event::Resent { .. }
        | invitation::Event::Expired { .. }
        | invitation::Event::Revoked { .. }
        | invitation::Event::Erased { .. } => Ok(None),
    }
}

/// Payload and metadata of the event that a stream begins with.
pub(super) async fn first_event(
    office: &Office,
    job: &Job,
    cause: &Cause,
) -> Result<(String, String), sqlx::Error> {
    sqlx::query_as(
        "select payload::text, metadata::text from log.events
          where tenant_id = $1 and aggregate_type = $2 and aggregate_id = $3 and sequence = 1",
    )
    .bind(job.tenant_id.0)
    .bind(&cause.stream)
    .bind(&cause.stream_id)
    .fetch_one(&office.pool)
    .await
}

/// The user who did something, by what is around the event.
pub(super) fn user_of(metadata: &str) -> serde_json::Result<Option<UserId>> {
    let metadata: Metadata = serde_json::from_str(metadata)?;
    let kind: &str = ActorKind::User.into();
    let by_user = metadata.get(meta::ACTOR_KIND).is_some_and(|actor| actor == kind);
    Ok(metadata.get(meta::ACTOR_ID).filter(|_| by_user).and_then(|id| id.parse().ok()))
}
