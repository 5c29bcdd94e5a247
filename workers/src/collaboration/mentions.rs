//! Who hears of a comment: those whom it calls for the first time, as far as they may read it now.

use events::collaboration::thread::{Event, Thread};
use events::identity::user::Status;
use events::subject::Subject;
use events::{CommentId, Decider as _, TenantId, UserId};
use platform::principal::Principal;

use crate::runtime::Office;

/// Those who hear of a comment, and on what it is.
#[derive(Debug, PartialEq)]
pub(crate) struct Heard {
    /// On what it is.
    pub(crate) subject: Subject,
    /// Who hears of it.
    pub(crate) by: Vec<UserId>,
}

/// The comment that an event is about.
pub(crate) fn comment(stream: &str, payload: &str) -> Option<CommentId> {
    if stream != Thread::TYPE {
        return None;
    }
    let event: Event = serde_json::from_str(payload).ok()?;
    Some(event.comment_id())
}

/// Whether an event calls anybody who was not called before.
pub(crate) fn is_news(payload: &str) -> bool {
    serde_json::from_str(payload).is_ok_and(|event: Event| !event.newly_called().is_empty())
}

/// Who hears of what happened in a thread, by whoever did it. Nobody hears of what is gone again, of what they may not read, and of
/// what they wrote or did themselves.
pub(crate) async fn heard_by(
    office: &Office,
    (tenant, thread): (TenantId, &str),
    (payload, actor): (&str, Option<&str>),
) -> anyhow::Result<Option<Heard>> {
    let event: Event = serde_json::from_str(payload)?;
    let thread = office.aggregates.refresh::<Thread>(tenant, thread).await?.state;
    let comment = thread.comments.get(&event.comment_id()).filter(|comment| !comment.deleted);
    let (Some(subject), Some(comment)) = (thread.subject, comment) else { return Ok(None) };
    let mut by = Vec::new();
    for user in event.newly_called() {
        let themselves =
            *user == comment.author_id || actor.is_some_and(|it| it == user.to_string());
        if !themselves && may_read(office, (tenant, *user), &subject).await? {
            by.push(*user);
        }
    }
    Ok(Some(Heard { subject, by }))
}

async fn may_read(
    office: &Office,
    (tenant, user): (TenantId, UserId),
    subject: &Subject,
) -> anyhow::Result<bool> {
    let principal = Principal::somebody(tenant, user);
    office.access.refresh(&principal).await?;
    let standing = office.access.last_known(&principal).await?;
    let standing = standing.filter(|standing| standing.user.state.status == Status::Active);
    if standing.is_none() {
        return Ok(false);
    }
    Ok(office.access.may_read_comments(&principal, standing.as_ref(), subject).await?)
}

#[cfg(test)]
mod tests {
    use events::testing::{at, id};

    use super::*;

    fn stored(event: &Event) -> String {
        serde_json::to_string(event).unwrap()
    }

    fn edited(added: &[u128]) -> String {
        stored(&Event::CommentEdited {
            comment_id: id(4),
            author_id: id(1),
            body: "sealed".into(),
            mentions: vec![id(2)],
            mentions_added: added.iter().map(|user| id(*user)).collect(),
        })
    }

    #[test]
    fn only_who_was_not_called_before_is_news() {
        let posted = |called: Vec<UserId>| {
            stored(&Event::CommentPosted {
                comment_id: id(4),
                subject: "rbac.role:0190d0c8-7e34-7c51-9c2e-000000000001".parse().unwrap(),
                author_id: id(1),
                body: "sealed".into(),
                mentions: called,
                parent_id: None,
                editable_until: at("2026-01-01T12:15:00Z"),
            })
        };
        assert!(is_news(&posted(vec![id(2)])) && !is_news(&posted(Vec::new())));
        assert!(is_news(&edited(&[2])) && !is_news(&edited(&[])));
        assert!(!is_news(&stored(&Event::CommentDeleted { comment_id: id(4) })));
    }

    #[test]
    fn what_is_told_of_leads_to_the_comment() {
        assert_eq!(comment(Thread::TYPE, &edited(&[2])), Some(id(4)));
        assert_eq!(comment("rbac.policy", &edited(&[2])), None);
    }
}
