//! Whether a record is there that something is to be about.

use events::RoleId;
use events::backups::backup::Backup;
use events::exports::export::Export;
use events::identity::organization::Organization;
use events::identity::user::User;
use events::maintenance::asset::Asset;
use events::maintenance::task::Task;
use events::rbac::policy::Policy;
use events::scheduling::trigger::Trigger;
use events::subject::{Subject, SubjectKind};
use platform::problem::Problem;

use super::Sources;

impl Sources<'_> {
    /// Whether the record is there, or was.
    pub(crate) async fn has(&mut self, subject: &Subject) -> Result<bool, Problem> {
        let id = subject.id.to_string();
        Ok(match subject.kind {
            SubjectKind::Organization => self.now::<Organization>(&id).await?.version > 0,
            SubjectKind::User => self.now::<User>(&id).await?.version > 0,
            SubjectKind::Role => {
                let policy = self.now::<Policy>(&self.tenant.to_string()).await?;
                policy.state.roles().any(|(role, _)| role == RoleId(subject.id))
            }
            SubjectKind::Export => self.now::<Export>(&id).await?.version > 0,
            SubjectKind::Backup => self.now::<Backup>(&id).await?.version > 0,
            SubjectKind::Trigger => self.now::<Trigger>(&id).await?.version > 0,
            SubjectKind::Asset => self.now::<Asset>(&id).await?.version > 0,
            SubjectKind::Task => self.now::<Task>(&id).await?.version > 0,
        })
    }
}
