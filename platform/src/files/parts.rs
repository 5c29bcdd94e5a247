//! What was sent so far of files that come in parts: a growing file each in the folder for what is half-made, written by one at a
//! time. How much is there is how long it is, so a process that was killed leaves nothing to be put right.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::Duration;

use events::{FileId, TenantId};

use super::Files;

const PARTS: &str = "parts";

/// The folder of files that come in parts.
#[derive(Debug, Clone)]
pub struct Parts(PathBuf);

/// Why a part cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum PartError {
    /// Somebody is sending a part of the same file.
    #[error("another part of the file is being sent")]
    Busy,
    /// The folder or the disk does not play along.
    #[error(
        "the parts of a file cannot be kept; check the free space and rights of ANNALS_DATA_DIR"
    )]
    Disk(#[from] std::io::Error),
}

impl Parts {
    /// Beside the other half-made files of a store.
    pub fn of(files: &Files) -> Self {
        Self(files.scratch().join(PARTS))
    }

    /// How many bytes are there.
    pub fn length(&self, tenant: TenantId, file: FileId) -> Result<u64, PartError> {
        match self.path(tenant, file).metadata() {
            Ok(found) => Ok(found.len()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
            Err(error) => Err(error.into()),
        }
    }

    /// What is there, to be added to or read by nobody else until it is closed.
    pub fn open(&self, tenant: TenantId, file: FileId) -> Result<File, PartError> {
        std::fs::create_dir_all(self.0.join(tenant.to_string()))?;
        let path = self.path(tenant, file);
        let opened =
            OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)?;
        match opened.try_lock() {
            Ok(()) => Ok(opened),
            Err(TryLockError::WouldBlock) => Err(PartError::Busy),
            Err(TryLockError::Error(error)) => Err(error.into()),
        }
    }

    /// Removes what is there; nothing there counts as removed.
    pub fn remove(&self, tenant: TenantId, file: FileId) -> Result<(), PartError> {
        match std::fs::remove_file(self.path(tenant, file)) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes whatever of an organisation was not added to for so long; how many files.
    pub fn sweep(&self, tenant: TenantId, idle: Duration) -> Result<usize, PartError> {
        let entries = match std::fs::read_dir(self.0.join(tenant.to_string())) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
            Err(error) => return Err(error.into()),
        };
        let mut removed = 0;
        for entry in entries {
            let entry = entry?;
            let untouched = entry.metadata()?.modified()?.elapsed().unwrap_or_default();
            if untouched >= idle {
                std::fs::remove_file(entry.path())?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// Both parts are UUIDs, so nothing that a client writes can become a path.
    fn path(&self, tenant: TenantId, file: FileId) -> PathBuf {
        self.0.join(tenant.to_string()).join(file.to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use events::testing::id;

    use super::*;

    #[test]
    fn a_part_is_written_by_one_at_a_time_and_goes_when_nobody_adds_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let parts = Parts::of(&Files::open_folder(folder.path()).unwrap());
        assert_eq!(parts.length(id(1), id(2)).unwrap(), 0);
        let mut open = parts.open(id(1), id(2)).unwrap();
        open.write_all(b"abc").unwrap();
        assert!(matches!(parts.open(id(1), id(2)), Err(PartError::Busy)));
        drop(open);
        assert_eq!(parts.length(id(1), id(2)).unwrap(), 3);
        assert_eq!(parts.length(id(3), id(2)).unwrap(), 0, "of another organisation");
        assert_eq!(parts.sweep(id(1), Duration::from_hours(1)).unwrap(), 0);
        assert_eq!(parts.sweep(id(3), Duration::ZERO).unwrap(), 0);
        assert_eq!(parts.sweep(id(1), Duration::ZERO).unwrap(), 1);
        assert_eq!(parts.length(id(1), id(2)).unwrap(), 0);
        parts.remove(id(1), id(2)).unwrap();
    }
}
