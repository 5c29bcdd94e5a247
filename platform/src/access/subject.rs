//! Who may read what is about a record: whoever may see it, and whoever it is; and of comments, also who wrote them and moderators.

use events::subject::Subject;
use events::{Permission, UserId};

use super::{Standing, authorize};
use crate::principal::Principal;

/// Whether the caller may read what is about a record.
pub fn may_read_of(caller: &Principal, standing: Option<&Standing>, subject: &Subject) -> bool {
    let themselves = caller.user().is_some_and(|user| subject.is_user(user));
    themselves || authorize(caller, standing, subject.kind.read_permission()).is_ok()
}

/// Whether the caller may read the comments on a record, and be called by them.
pub fn may_read_comments(
    caller: &Principal,
    standing: Option<&Standing>,
    subject: &Subject,
) -> bool {
    let takes_part = authorize(caller, standing, Permission::CollaborationCommentsUse).is_ok();
    takes_part && (may_moderate(caller, standing) || may_read_of(caller, standing, subject))
}

/// Whether the caller may read one comment on a record, which is of this author.
pub fn may_read_comment(
    caller: &Principal,
    standing: Option<&Standing>,
    (subject, author): (&Subject, UserId),
) -> bool {
    caller.user() == Some(author) || may_read_comments(caller, standing, subject)
}

/// Whether the caller looks after everybody's comments.
fn may_moderate(caller: &Principal, standing: Option<&Standing>) -> bool {
    authorize(caller, standing, Permission::CollaborationCommentsModerate).is_ok()
}
