//! Who may read what is about a record: whoever may see it, and whoever it is; and of comments, also who wrote them and moderators.

use events::maintenance::asset::Asset;
use events::maintenance::task::Task;
use events::subject::{Subject, SubjectKind};
use events::{Decider, Permission, UserId};

use super::{Access, LetsIn, Standing, authorize};
use crate::fold::FoldError;
use crate::principal::Principal;

impl Access {
    /// Whether the caller may read what is about a record: whoever sees that may, be it in a unit or because it is shared with them.
    pub async fn may_read_of(
        &self,
        caller: &Principal,
        standing: Option<&Standing>,
        subject: &Subject,
    ) -> Result<bool, FoldError> {
        let themselves = caller.user().is_some_and(|user| subject.is_user(user));
        if themselves || authorize(caller, standing, subject.kind.read_permission()).is_ok() {
            return Ok(true);
        }
        match subject.kind {
            SubjectKind::Asset => self.sees::<Asset>(caller, standing, subject).await,
            SubjectKind::Task => self.sees::<Task>(caller, standing, subject).await,
            SubjectKind::Organization
            | SubjectKind::User
            | SubjectKind::Role
            | SubjectKind::Export
            | SubjectKind::Backup
            | SubjectKind::Trigger => Ok(false),
        }
    }

    async fn sees<R: Decider + LetsIn>(
        &self,
        caller: &Principal,
        standing: Option<&Standing>,
        subject: &Subject,
    ) -> Result<bool, FoldError> {
        let record = self.aggregates.refresh::<R>(caller.tenant, &subject.id.to_string()).await?;
        Ok(self.reach(caller, standing, &*record.state).await?.is_some())
    }

    /// Whether the caller may read the comments on a record, and be called by them.
    pub async fn may_read_comments(
        &self,
        caller: &Principal,
        standing: Option<&Standing>,
        subject: &Subject,
    ) -> Result<bool, FoldError> {
        let takes_part = authorize(caller, standing, Permission::CollaborationCommentsUse).is_ok();
        Ok(takes_part
            && (may_moderate(caller, standing)
                || self.may_read_of(caller, standing, subject).await?))
    }

    /// Whether the caller may read one comment on a record, which is of this author.
    pub async fn may_read_comment(
        &self,
        caller: &Principal,
        standing: Option<&Standing>,
        (subject, author): (&Subject, UserId),
    ) -> Result<bool, FoldError> {
        Ok(caller.user() == Some(author)
            || self.may_read_comments(caller, standing, subject).await?)
    }
}

/// Whether the caller looks after everybody's comments.
fn may_moderate(caller: &Principal, standing: Option<&Standing>) -> bool {
    authorize(caller, standing, Permission::CollaborationCommentsModerate).is_ok()
}
