//! What people are told of comments: that one calls them by name.

use events::notifications::notification::Kind;
use events::subject::SubjectKind;

use super::tell::{Cause, Message, message_to};
use crate::collaboration::heard_by;
use crate::runtime::{Job, Office};

/// Nobody is named and nothing is repeated: what is told stays, and the link leads to the comment for as long as it is there.
pub(super) async fn of_thread(
    office: &Office,
    job: &Job,
    cause: &Cause,
) -> anyhow::Result<Vec<Message>> {
    let place = (job.tenant_id, cause.stream_id.as_str());
    let what = (cause.payload.as_str(), cause.actor_id.as_deref());
    let Some(heard) = heard_by(office, place, what).await? else { return Ok(Vec::new()) };
    let message = |user_id| {
        let text = format!("It is on {}, where you can answer it.", noun(heard.subject.kind));
        message_to(user_id, Kind::Mention, "A comment calls you by name".into(), text)
    };
    Ok(heard.by.into_iter().map(message).collect())
}

fn noun(kind: SubjectKind) -> &'static str {
    match kind {
        SubjectKind::Organization => "the organisation",
        SubjectKind::User => "a user",
        SubjectKind::Role => "a role",
        SubjectKind::Export => "an export",
        SubjectKind::Backup => "a backup",
        SubjectKind::Trigger => "a trigger",
        SubjectKind::Asset => "an asset",
        SubjectKind::Task => "a task",
    }
}
