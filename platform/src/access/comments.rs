//! Who may read a comment: whoever may see the record that it is on, whoever wrote it, and moderators.

use events::subject::Subject;
use events::{Permission, UserId};

use super::{Standing, authorize, may_read_of};
use crate::principal::Principal;

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
pub fn may_moderate(caller: &Principal, standing: Option<&Standing>) -> bool {
    authorize(caller, standing, Permission::CollaborationCommentsModerate).is_ok()
}
