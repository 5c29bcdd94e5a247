//! Who may read a file: whoever uploaded it, may see a record that it is about, or may see them all.

use events::Permission;
use events::files::file::File;

use super::{Access, Standing, authorize};
use crate::fold::FoldError;
use crate::principal::Principal;

impl Access {
    /// Whether the caller may know of the file and read it.
    pub async fn may_read(
        &self,
        caller: &Principal,
        standing: Option<&Standing>,
        file: &File,
    ) -> Result<bool, FoldError> {
        let own = caller.user().is_some_and(|user| user == file.uploaded_by);
        if own
            || authorize(caller, standing, Permission::FilesFilesReadAll).is_ok()
            || may_keep(caller, standing)
        {
            return Ok(true);
        }
        for link in &file.links {
            if self.may_read_of(caller, standing, &link.subject).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Whether the caller looks after everybody's files.
pub fn may_keep(caller: &Principal, standing: Option<&Standing>) -> bool {
    authorize(caller, standing, Permission::FilesFilesManage).is_ok()
}
