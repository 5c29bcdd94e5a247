//! Who may read what is about a record: whoever may see it, and whoever it is.

use events::subject::Subject;

use super::{Standing, authorize};
use crate::principal::Principal;

/// Whether the caller may read what is about a record.
pub fn may_read_of(caller: &Principal, standing: Option<&Standing>, subject: &Subject) -> bool {
    let themselves = caller.user().is_some_and(|user| subject.is_user(user));
    themselves || authorize(caller, standing, subject.kind.read_permission()).is_ok()
}
