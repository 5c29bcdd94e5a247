//! What a person is told because of an event, and the sending of it.

use anyhow::Context as _;
use events::backups::backup::{self, Backup};
use events::envelope::{Metadata, meta};
use events::exports::export::{self, Export};
use events::identity::invitation::{self, Invitation};
use events::identity::organization::Organization;
use events::notifications::notification::Kind;
use events::rbac::policy::{self, Policy};
use events::rbac::user_access::{self, UserAccess};
use events::settings::Key;
use events::{ActorKind, Decider, RoleId, UserId};
use futures::FutureExt;
use futures::future::BoxFuture;
use platform::commands::CommandError;
use serde::Deserialize;
use serde_json::json;

use crate::identity::purge_news;
use crate::runtime::{Done, Job, Office, Trouble};

/// The events that somebody is told of.
pub(super) const EVENTS: &[&str] = &[
    "exports.export.completed",
    "exports.export.failed",
    "rbac.user_access.role_assigned",
    "rbac.user_access.role_removed",
    "rbac.user_access.role_assignment_expired",
    "rbac.policy.protected_role_granted",
    "rbac.policy.protected_role_revoked",
    "rbac.policy.protected_role_expired",
    "backups.backup.completed",
    "backups.backup.failed",
    "backups.backup.verification_failed",
    "identity.invitation.accepted",
    "identity.organization.purge_requested",
    "identity.organization.purge_confirmed",
    "identity.organization.purge_cancelled",
];

/// The event, as the reaction put it into the job.
#[derive(Deserialize)]
struct Cause {
    stream: String,
    stream_id: String,
    payload: String,
}

/// A message to one person.
#[derive(Debug, PartialEq)]
struct Message {
    user_id: UserId,
    kind: Kind,
    title: String,
    text: String,
}

pub(super) fn run<'a>(office: &'a Office, job: &'a Job) -> BoxFuture<'a, Result<Done, Trouble>> {
    async move {
        let cause: Cause =
            serde_json::from_value(job.body.clone()).context("the job has no event")?;
        if cause.stream == Organization::TYPE {
            for message in of_organization(office, job, &cause).await? {
                let step = format!("/{}", message.user_id);
                send(office, job, (&cause, &step), &message).await?;
            }
            return Ok(Done::Finished);
        }
        match message(office, job, &cause).await? {
            Some(message) => send(office, job, (&cause, ""), &message).await,
            None => Ok(Done::Finished),
        }
    }
    .boxed()
}

/// Puts a message into an inbox; `step` tells the messages of one event apart.
async fn send(
    office: &Office,
    job: &Job,
    (cause, step): (&Cause, &str),
    message: &Message,
) -> Result<Done, Trouble> {
    let body = json!({
        "id": job.key(&format!("notification{step}")),
        "user_id": message.user_id,
        "kind": message.kind,
        "title": message.title,
        "message": message.text,
        "link": {"type": cause.stream, "id": cause.stream_id},
        "dedupe_key": job.subject_id,
    });
    let key = job.key(&format!("send{step}"));
    match office.commands.post(job.tenant_id, "/notifications/send", key, &body).await {
        Ok(_) => Ok(Done::Finished),
        // The person was told before, by this job in another life or by one restored.
        Err(CommandError::Refused(problem)) if problem.status == 409 => Ok(Done::Finished),
        Err(CommandError::Refused(problem)) => Ok(Done::Failed(problem.detail)),
        Err(error @ CommandError::Unavailable(_)) => Err(Trouble(error.into())),
    }
}

/// Nobody waits for an answer, so nobody is told; the dead letter stays to be seen.
pub(super) fn give_up<'a>(_: &'a Office, _: &'a Job) -> BoxFuture<'a, anyhow::Result<()>> {
    futures::future::ready(Ok(())).boxed()
}

/// What follows from the event; nothing where nobody is to be told.
async fn message(office: &Office, job: &Job, cause: &Cause) -> anyhow::Result<Option<Message>> {
    match cause.stream.as_str() {
        Export::TYPE => of_export(office, job, cause).await,
        UserAccess::TYPE => of_access(office, job, cause).await,
        Policy::TYPE => of_policy(office, job, cause).await,
        Backup::TYPE => of_backup(office, job, cause).await,
        Invitation::TYPE => of_invitation(office, job, cause).await,
        other => anyhow::bail!("nobody is told of events of {other}"),
    }
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
    });
    Ok(messages.collect())
}

async fn of_export(office: &Office, job: &Job, cause: &Cause) -> anyhow::Result<Option<Message>> {
    let (first, _) = first_event(office, job, cause).await?;
    let export::Event::Requested { dataset, title, requested_by, .. } =
        serde_json::from_str(&first)?
    else {
        anyhow::bail!("the export does not begin with its request");
    };
    let name = title
        .or_else(|| platform::dataset::find(&dataset).map(|dataset| dataset.label.to_owned()))
        .unwrap_or(dataset);
    let message = |kind, title, text| Message { user_id: requested_by, kind, title, text };
    Ok(match serde_json::from_str(&cause.payload)? {
        export::Event::Completed(file) => Some(message(
            Kind::ExportReady,
            format!("Your export “{name}” is ready"),
            format!("{} rows in {}.", file.rows, file.file_name),
        )),
        export::Event::Failed { message: reason, .. } => {
            Some(message(Kind::ExportFailed, format!("Your export “{name}” failed"), reason))
        }
        export::Event::Requested { .. }
        | export::Event::Started { .. }
        | export::Event::Progressed { .. }
        | export::Event::Cancelled
        | export::Event::Retried { .. }
        | export::Event::Downloaded { .. }
        | export::Event::Expired => None,
    })
}

async fn of_access(office: &Office, job: &Job, cause: &Cause) -> anyhow::Result<Option<Message>> {
    use user_access::Event;
    let (role_id, change) = match serde_json::from_str(&cause.payload)? {
        Event::RoleAssigned { role_id, .. } => (role_id, Change::Got),
        Event::RoleRemoved { role_id, reason, .. } => (role_id, Change::Lost(reason)),
        Event::RoleAssignmentExpired { role_id, .. } => (role_id, Change::Ended),
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
    // Three events of many; the others are not asked for.
    let event: Event = serde_json::from_str(&cause.payload)?;
    let (held, change) = if let Event::ProtectedRoleGranted { user_id, role_id, .. } = event {
        ((user_id, role_id), Change::Got)
    } else if let Event::ProtectedRoleRevoked { user_id, role_id, reason, .. } = event {
        ((user_id, role_id), Change::Lost(reason))
    } else if let Event::ProtectedRoleExpired { user_id, role_id, .. } = event {
        ((user_id, role_id), Change::Ended)
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
}

async fn of_role(
    office: &Office,
    job: &Job,
    (user_id, role_id): (UserId, RoleId),
    change: Change,
) -> anyhow::Result<Option<Message>> {
    let tenant = job.tenant_id;
    let told = office.setting(tenant, Key::NotificationsTellOfRoles).await?;
    if !told.boolean().context("notifications.tell_of_roles is neither true nor false")? {
        return Ok(None);
    }
    let policy = office.aggregates.refresh::<Policy>(tenant, &tenant.to_string()).await?;
    let name = policy.state.role(role_id).map(|role| role.facts.name.clone());
    let name = name.unwrap_or_else(|| "a role that was deleted since".into());
    let message = |kind, title, text| Some(Message { user_id, kind, title, text });
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
        Change::Ended => {
            message(Kind::RoleRemoved, lost, format!("Your time in the role “{name}” is over."))
        }
    })
}

async fn of_backup(office: &Office, job: &Job, cause: &Cause) -> anyhow::Result<Option<Message>> {
    let (first, metadata) = first_event(office, job, cause).await?;
    let backup::Event::Requested { name, .. } = serde_json::from_str(&first)? else {
        anyhow::bail!("the backup does not begin with its request");
    };
    let metadata: Metadata = serde_json::from_str(&metadata)?;
    let kind: &str = ActorKind::User.into();
    let by_user = metadata.get(meta::ACTOR_KIND).is_some_and(|actor| actor == kind);
    let requester = metadata.get(meta::ACTOR_ID).filter(|_| by_user).and_then(|id| id.parse().ok());
    let Some(user_id) = requester else { return Ok(None) };
    let message = |kind, title, text| Some(Message { user_id, kind, title, text });
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
            Ok(Some(Message {
                user_id: invitation.state.invited_by,
                kind: Kind::InvitationAccepted,
                title: "Your invitation was accepted".into(),
                text: "The invitation shows who joined.".into(),
            }))
        }
        invitation::Event::Issued { .. }
        | invitation::Event::Resent { .. }
        | invitation::Event::Expired { .. }
        | invitation::Event::Revoked { .. }
        | invitation::Event::Erased { .. } => Ok(None),
    }
}

/// Payload and metadata of the event that a stream begins with.
async fn first_event(
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
