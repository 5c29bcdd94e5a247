//! The store for files (uploads, exports, backups): written whole or not at all, found by keys that only we make. It is a folder
//! of this machine or a bucket of an S3-compatible server; what is half-made lies in a folder of this machine either way.

mod links;
mod parts;
mod s3;

use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use bytes::Bytes;
use events::{FileId, TenantId};
use futures::stream::BoxStream;
use futures::{Stream, StreamExt, TryStreamExt};
use jiff::Timestamp;
use object_store::local::LocalFileSystem;
use object_store::prefix::PrefixStore;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt, WriteMultipart};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

use crate::config::Settings;
use crate::secrets::{self, MasterKey};

pub use links::{Link, LinkError, sign_link, verify_link};
pub use parts::{PartError, Parts};
pub(crate) use s3::check;

const READ_BYTES: usize = 256 * 1024;
const PARTS_IN_FLIGHT: usize = 2;
const BLOBS: &str = "blobs";
const ARCHIVES: &str = "backups";
const SCRATCH: &str = "scratch";

/// A store of files, and the folder for what is half-made.
#[derive(Debug, Clone)]
pub struct Files {
    store: Arc<dyn ObjectStore>,
    /// The same store where it is a folder.
    folder: Option<Arc<LocalFileSystem>>,
    part_bytes: usize,
    scratch: PathBuf,
}

/// What was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFile {
    /// The file's id.
    pub id: FileId,
    /// Length in bytes.
    pub size_bytes: u64,
    /// SHA-256 of the bytes, in hex.
    pub sha256: String,
}

/// A file as a list of the store has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed {
    /// The organisation whose file it is.
    pub tenant: TenantId,
    /// Its id.
    pub id: FileId,
    /// Length in bytes.
    pub size_bytes: u64,
    /// When it was stored, to the second.
    pub stored_at: Timestamp,
}

/// A file being read.
pub struct OpenFile {
    /// Length of the whole file in bytes.
    pub size_bytes: u64,
    /// The part of it that comes: the whole file, unless a range was asked for.
    pub range: std::ops::Range<u64>,
    /// The bytes.
    pub bytes: BoxStream<'static, Result<Bytes, FileError>>,
}

/// Why a file cannot be stored or read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// There is no such file.
    #[error("there is no such file")]
    Absent,
    /// The folder, the disk or the bucket does not play along.
    #[error(
        "the file store failed; check the free space and rights of ANNALS_DATA_DIR, or the settings ANNALS_S3_*"
    )]
    Store(#[source] object_store::Error),
    /// What was to be stored could not be read.
    #[error("the bytes to store could not be read")]
    Source(#[from] std::io::Error),
}

impl From<object_store::Error> for FileError {
    fn from(error: object_store::Error) -> Self {
        if matches!(error, object_store::Error::NotFound { .. }) {
            return Self::Absent;
        }
        Self::Store(error)
    }
}

impl Files {
    /// Opens the store of files as the settings say, making its folders where they are missing.
    pub fn open(settings: &Settings) -> anyhow::Result<Self> {
        Self::open_part(settings, BLOBS)
    }

    /// Opens the store of backups: apart from the files, because a backup holds those.
    pub fn open_archives(settings: &Settings) -> anyhow::Result<Self> {
        Self::open_part(settings, ARCHIVES)
    }

    /// Opens the store of files in a folder of this machine.
    pub fn open_folder(data_dir: &Path) -> anyhow::Result<Self> {
        Self::in_folder(data_dir, BLOBS)
    }

    fn open_part(settings: &Settings, name: &str) -> anyhow::Result<Self> {
        let Some(bucket) = s3::bucket(settings)? else {
            return Self::in_folder(&settings.data_dir, name);
        };
        let store = Arc::new(PrefixStore::new(bucket, name));
        let scratch = made(&settings.data_dir.join(SCRATCH))?;
        Ok(Self { store, folder: None, part_bytes: s3::PART_BYTES, scratch })
    }

    fn in_folder(data_dir: &Path, name: &str) -> anyhow::Result<Self> {
        let (files, scratch) = (made(&data_dir.join(name))?, made(&data_dir.join(SCRATCH))?);
        let store = Arc::new(LocalFileSystem::new_with_prefix(&files)?.with_fsync(true));
        let folder = Some(Arc::clone(&store));
        Ok(Self { store, folder, part_bytes: READ_BYTES, scratch })
    }

    /// Where half-made files may lie: a real disk, unlike the system's folder for temporary files, which may be memory.
    pub fn scratch(&self) -> &Path {
        &self.scratch
    }

    /// Stores what `source` yields. Nobody sees the file before all of it is kept: a folder has it written beside its place and
    /// renamed, a bucket has it put together from parts at the end. A file of the same id is replaced.
    pub async fn put<R: AsyncRead + Unpin>(
        &self,
        tenant: TenantId,
        id: FileId,
        mut source: R,
    ) -> Result<StoredFile, FileError> {
        let upload = self.store.put_multipart(&key(tenant, id)).await?;
        let mut writer = WriteMultipart::new_with_chunk_size(upload, self.part_bytes);
        let (mut hash, mut size_bytes) = (Sha256::new(), 0);
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let read = match source.read(&mut buffer).await {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) => {
                    writer.abort().await?;
                    return Err(error.into());
                }
            };
            hash.update(&buffer[..read]);
            size_bytes += read as u64;
            writer.wait_for_capacity(PARTS_IN_FLIGHT).await?;
            writer.write(&buffer[..read]);
        }
        writer.finish().await?;
        Ok(StoredFile { id, size_bytes, sha256: hex::encode(hash.finalize()) })
    }

    /// Stores what a half-made file holds, as [`put`](Self::put) does; a folder takes the file itself, so that nothing is written twice.
    pub async fn keep(
        &self,
        tenant: TenantId,
        id: FileId,
        made: NamedTempFile,
    ) -> Result<StoredFile, FileError> {
        let Some(folder) = &self.folder else { return self.copy(tenant, id, &made).await };
        let path = folder.path_to_filesystem(&key(tenant, id))?;
        let taken = tokio::task::spawn_blocking(move || take(made, &path)).await;
        match taken.map_err(std::io::Error::other)?? {
            Taken::In { size_bytes, sha256 } => Ok(StoredFile { id, size_bytes, sha256 }),
            Taken::Elsewhere(made) => self.copy(tenant, id, &made).await,
        }
    }

    async fn copy(
        &self,
        tenant: TenantId,
        id: FileId,
        made: &NamedTempFile,
    ) -> Result<StoredFile, FileError> {
        self.put(tenant, id, tokio::fs::File::from_std(made.reopen()?)).await
    }

    /// Opens a file, or a range of it as of RFC 9110.
    pub async fn get(
        &self,
        tenant: TenantId,
        id: FileId,
        range: Option<GetRange>,
    ) -> Result<OpenFile, FileError> {
        let options = GetOptions { range, ..GetOptions::default() };
        let found = self.store.get_opts(&key(tenant, id), options).await?;
        let (size_bytes, range) = (found.meta.size, found.range.clone());
        Ok(OpenFile { size_bytes, range, bytes: found.into_stream().err_into().boxed() })
    }

    /// Whether there is such a file.
    pub async fn holds(&self, tenant: TenantId, id: FileId) -> Result<bool, FileError> {
        match self.store.head(&key(tenant, id)).await.map_err(FileError::from) {
            Ok(_) => Ok(true),
            Err(FileError::Absent) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Opens a file for reading at any place, for what reads it more than once: the file itself, or a copy of it that is gone when
    /// it is closed.
    pub async fn open_local(
        &self,
        tenant: TenantId,
        id: FileId,
    ) -> Result<std::fs::File, FileError> {
        let Some(folder) = &self.folder else { return self.fetch(tenant, id).await };
        let path = folder.path_to_filesystem(&key(tenant, id))?;
        std::fs::File::open(path).map_err(|error| {
            let absent = error.kind() == std::io::ErrorKind::NotFound;
            if absent { FileError::Absent } else { FileError::Source(error) }
        })
    }

    async fn fetch(&self, tenant: TenantId, id: FileId) -> Result<std::fs::File, FileError> {
        let mut found = self.get(tenant, id, None).await?;
        let mut copy = tokio::fs::File::from_std(tempfile::tempfile_in(&self.scratch)?);
        while let Some(bytes) = found.bytes.try_next().await? {
            copy.write_all(&bytes).await?;
        }
        copy.flush().await?;
        copy.rewind().await?;
        Ok(copy.into_std().await)
    }

    /// Removes a file; one that is not there counts as removed.
    pub async fn delete(&self, tenant: TenantId, id: FileId) -> Result<(), FileError> {
        match self.store.delete(&key(tenant, id)).await.map_err(FileError::from) {
            Ok(()) | Err(FileError::Absent) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Every file of every organisation, or of one.
    pub fn list(
        &self,
        tenant: Option<TenantId>,
    ) -> impl Stream<Item = Result<Listed, FileError>> + use<> {
        let prefix = tenant.map(|tenant| object_store::path::Path::from(tenant.to_string()));
        let listed = self.store.list(prefix.as_ref()).err_into();
        listed.try_filter_map(|found| async move {
            let mut parts = found.location.parts();
            let tenant = parts.next().and_then(|part| part.as_ref().parse().ok());
            let id = parts.next().and_then(|part| part.as_ref().parse().ok());
            let stored_at = Timestamp::from_second(found.last_modified.timestamp());
            let stored_at = stored_at.unwrap_or(Timestamp::MAX); // which is never old
            let size_bytes = found.size;
            Ok(tenant.zip(id).map(|(tenant, id)| Listed { tenant, id, size_bytes, stored_at }))
        })
    }
}

/// The place of bytes that an organisation keeps once, however often it uploads them: a UUID of version 8 (RFC 9562) made from
/// their SHA-256 and the organisation under a key of ours. Nobody without the key can tell from a name what is stored, nor look for
/// other bytes of the same name; and no organisation has the name that another has.
pub fn blob_id(master: &MasterKey, tenant: TenantId, sha256: &[u8; 32]) -> FileId {
    const BLOB_KEY: &str = "blob/v1";
    let mut named = [0; 48];
    named[..16].copy_from_slice(tenant.0.as_bytes());
    named[16..].copy_from_slice(sha256);
    let mac = secrets::hmac(&master.derive(BLOB_KEY), &named);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&mac[..16]);
    FileId(uuid::Builder::from_custom_bytes(bytes).into_uuid())
}

/// Whether a file's id is the place of bytes kept once, and not that of a file made here.
pub fn is_blob(id: FileId) -> bool {
    id.0.get_version() == Some(uuid::Version::Custom)
}

/// What became of a half-made file that was to be moved to its place.
enum Taken {
    /// It is there.
    In { size_bytes: u64, sha256: String },
    /// It lies on another disk than its place.
    Elsewhere(NamedTempFile),
}

/// Moves a file to its place once all of it is on the disk.
fn take(made: NamedTempFile, path: &Path) -> std::io::Result<Taken> {
    let mut source = made.reopen()?;
    let (mut hash, mut size_bytes) = (Sha256::new(), 0);
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let read = source.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        hash.update(&buffer[..read]);
        size_bytes += read as u64;
    }
    source.sync_all()?;
    let folder = path.parent().ok_or(ErrorKind::InvalidFilename)?;
    std::fs::create_dir_all(folder)?;
    match made.persist(path) {
        Ok(_) => {}
        Err(lost) if lost.error.kind() == ErrorKind::CrossesDevices => {
            return Ok(Taken::Elsewhere(lost.file));
        }
        Err(lost) => return Err(lost.error),
    }
    std::fs::File::open(folder)?.sync_all()?; // its name is kept as well
    Ok(Taken::In { size_bytes, sha256: hex::encode(hash.finalize()) })
}

fn made(folder: &Path) -> anyhow::Result<PathBuf> {
    std::fs::create_dir_all(folder).with_context(|| {
        format!("cannot make {}; check ANNALS_DATA_DIR and its rights", folder.display())
    })?;
    Ok(folder.to_owned())
}

/// Both parts are UUIDs, so nothing that a client writes can become a path.
fn key(tenant: TenantId, id: FileId) -> object_store::path::Path {
    object_store::path::Path::from(format!("{tenant}/{id}"))
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use events::testing::id;

    use super::*;

    #[test]
    fn the_same_bytes_have_one_place_in_an_organisation_and_another_elsewhere() {
        let master = |byte| MasterKey::parse(&STANDARD.encode([byte; 32])).unwrap();
        let place = |key, tenant, byte| blob_id(&master(key), id(tenant), &[byte; 32]);
        assert_eq!(place(9, 1, 7), place(9, 1, 7));
        assert!(is_blob(place(9, 1, 7)));
        for other in [place(8, 1, 7), place(9, 2, 7), place(9, 1, 8)] {
            assert_ne!(other, place(9, 1, 7));
        }
        assert!(!is_blob(crate::clock::new_id()));
    }
}
