//! Who may read a file: whoever uploaded it, may see a record that it is about, or may see them all.

use events::Permission;
use events::files::file::File;

use super::{Standing, authorize, may_read_of};
use crate::principal::Principal;

/// Whether the caller may know of the file and read it.
pub fn may_read(caller: &Principal, standing: Option<&Standing>, file: &File) -> bool {
    let own = caller.user().is_some_and(|user| user == file.uploaded_by);
    own || authorize(caller, standing, Permission::FilesFilesReadAll).is_ok()
        || may_keep(caller, standing)
        || file.links.iter().any(|link| may_read_of(caller, standing, &link.subject))
}

/// Whether the caller looks after everybody's files.
pub fn may_keep(caller: &Principal, standing: Option<&Standing>) -> bool {
    authorize(caller, standing, Permission::FilesFilesManage).is_ok()
}
