//! The store for files (exports, backups): written whole or not at all, found by keys that only we make, and the short-lived
//! signed links by which a browser may fetch one.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use events::{FileId, TenantId, UserId};
use futures::stream::BoxStream;
use futures::{Stream, StreamExt, TryStreamExt};
use jiff::Timestamp;
use object_store::local::LocalFileSystem;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt, WriteMultipart};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio::io::{AsyncRead, AsyncReadExt};
use uuid::Uuid;

use crate::secrets::{self, MasterKey};

const CHUNK_BYTES: usize = 256 * 1024;
const PARTS_IN_FLIGHT: usize = 4;
const BLOBS: &str = "blobs";
const ARCHIVES: &str = "backups";
const SCRATCH: &str = "scratch";

/// The folder of files below the setting `data_dir`.
#[derive(Debug, Clone)]
pub struct Files {
    store: std::sync::Arc<LocalFileSystem>,
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
    /// The folder or the disk does not play along.
    #[error("the file store failed; check the free space and rights of ANNALS_DATA_DIR")]
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
    /// Opens the store of files, making its folders where they are missing.
    pub fn open(data_dir: &Path) -> anyhow::Result<Self> {
        Self::open_folder(data_dir, BLOBS)
    }

    /// Opens the store of backups: apart from the files, because a backup holds those.
    pub fn open_archives(data_dir: &Path) -> anyhow::Result<Self> {
        Self::open_folder(data_dir, ARCHIVES)
    }

    fn open_folder(data_dir: &Path, name: &str) -> anyhow::Result<Self> {
        use anyhow::Context as _;
        let (files, scratch) = (data_dir.join(name), data_dir.join(SCRATCH));
        for folder in [&files, &scratch] {
            std::fs::create_dir_all(folder).with_context(|| {
                format!("cannot make {}; check ANNALS_DATA_DIR and its rights", folder.display())
            })?;
        }
        let store = LocalFileSystem::new_with_prefix(&files)?.with_fsync(true);
        Ok(Self { store: std::sync::Arc::new(store), scratch })
    }

    /// Where half-made files may lie: a real disk, unlike the system's folder for temporary files, which may be memory.
    pub fn scratch(&self) -> &Path {
        &self.scratch
    }

    /// Stores what `source` yields. Nobody sees the file before all of it is on disk: it is written beside its place and
    /// renamed. A file of the same id is replaced.
    pub async fn put<R: AsyncRead + Unpin>(
        &self,
        tenant: TenantId,
        id: FileId,
        mut source: R,
    ) -> Result<StoredFile, FileError> {
        let upload = self.store.put_multipart(&key(tenant, id)).await?;
        let mut writer = WriteMultipart::new_with_chunk_size(upload, CHUNK_BYTES);
        let (mut hash, mut size_bytes) = (Sha256::new(), 0);
        let mut buffer = vec![0; CHUNK_BYTES];
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

    /// Opens a file for reading at any place, for what reads it more than once.
    pub fn open_local(&self, tenant: TenantId, id: FileId) -> Result<std::fs::File, FileError> {
        let path = self.store.path_to_filesystem(&key(tenant, id))?;
        std::fs::File::open(path).map_err(|error| {
            let absent = error.kind() == std::io::ErrorKind::NotFound;
            if absent { FileError::Absent } else { FileError::Source(error) }
        })
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
    ) -> impl Stream<Item = Result<(TenantId, FileId, u64), FileError>> + use<> {
        let prefix = tenant.map(|tenant| object_store::path::Path::from(tenant.to_string()));
        let listed = self.store.list(prefix.as_ref()).err_into();
        listed.try_filter_map(|found| async move {
            let mut parts = found.location.parts();
            let tenant = parts.next().and_then(|part| part.as_ref().parse().ok());
            let id = parts.next().and_then(|part| part.as_ref().parse().ok());
            Ok(tenant.zip(id).map(|(tenant, id)| (tenant, id, found.size)))
        })
    }
}

/// Both parts are UUIDs, so nothing that a client writes can become a path.
fn key(tenant: TenantId, id: FileId) -> object_store::path::Path {
    object_store::path::Path::from(format!("{tenant}/{id}"))
}

/// Leave to fetch one file for a short while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// The organisation whose file it is.
    pub tenant: TenantId,
    /// The user it was made for.
    pub user: UserId,
    /// The file.
    pub file: FileId,
    /// When it ends, to the second.
    pub expires_at: Timestamp,
}

/// Why a link is not accepted; the client is told no more than this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// Not one of ours, or altered.
    #[error("the link is not valid; ask for a new one")]
    Invalid,
    /// Too old.
    #[error("the link has expired; ask for a new one")]
    Expired,
}

const LINK_KEY: &str = "link/v1";
const LINK_BODY_BYTES: usize = 16 * 3 + 8;
const LINK_BYTES: usize = LINK_BODY_BYTES + 32;

/// Writes a link as one token that is safe in URLs: what it allows, and an HMAC-SHA-256 over that.
pub fn sign_link(master: &MasterKey, link: &Link) -> String {
    let mut bytes = link_body(link);
    let mac = secrets::hmac(&master.derive(LINK_KEY), &bytes);
    bytes.extend_from_slice(&mac);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// What the link allows, if we made it and it has not ended.
pub fn verify_link(master: &MasterKey, token: &str, now: Timestamp) -> Result<Link, LinkError> {
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| LinkError::Invalid)?;
    if bytes.len() != LINK_BYTES {
        return Err(LinkError::Invalid);
    }
    let (body, mac) = bytes.split_at(LINK_BODY_BYTES);
    let expected = secrets::hmac(&master.derive(LINK_KEY), body);
    if !bool::from(expected.as_slice().ct_eq(mac)) {
        return Err(LinkError::Invalid);
    }
    let id = |start: usize| Uuid::from_slice(&body[start..start + 16]).unwrap_or_default();
    let seconds = body[48..].try_into().map_or(0, i64::from_be_bytes);
    let expires_at = Timestamp::from_second(seconds).map_err(|_| LinkError::Invalid)?;
    if now >= expires_at {
        return Err(LinkError::Expired);
    }
    Ok(Link { tenant: TenantId(id(0)), user: UserId(id(16)), file: FileId(id(32)), expires_at })
}

fn link_body(link: &Link) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(LINK_BYTES);
    bytes.extend_from_slice(link.tenant.0.as_bytes());
    bytes.extend_from_slice(link.user.0.as_bytes());
    bytes.extend_from_slice(link.file.0.as_bytes());
    bytes.extend_from_slice(&link.expires_at.as_second().to_be_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::STANDARD;
    use events::testing::{at, id};

    fn master() -> MasterKey {
        MasterKey::parse(&STANDARD.encode([9; 32])).unwrap()
    }

    fn link() -> Link {
        Link { tenant: id(1), user: id(2), file: id(3), expires_at: at("2026-01-01T12:01:00Z") }
    }

    #[test]
    fn a_link_opens_for_what_it_was_made_until_it_ends() {
        let token = sign_link(&master(), &link());
        assert_eq!(verify_link(&master(), &token, at("2026-01-01T12:00:59Z")), Ok(link()));
        let late = verify_link(&master(), &token, at("2026-01-01T12:01:00Z"));
        assert_eq!(late, Err(LinkError::Expired));
    }

    #[test]
    fn an_altered_link_is_refused_at_every_byte() {
        let token = URL_SAFE_NO_PAD.decode(sign_link(&master(), &link())).unwrap();
        for index in 0..token.len() {
            let mut altered = token.clone();
            altered[index] ^= 1;
            let altered = URL_SAFE_NO_PAD.encode(altered);
            let result = verify_link(&master(), &altered, at("2026-01-01T12:00:00Z"));
            assert_eq!(result, Err(LinkError::Invalid), "byte {index}");
        }
        let now = at("2026-01-01T12:00:00Z");
        assert_eq!(verify_link(&master(), "", now), Err(LinkError::Invalid));
        assert_eq!(verify_link(&master(), "?", now), Err(LinkError::Invalid));
    }

    #[tokio::test]
    async fn a_file_is_stored_hashed_read_in_ranges_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::open(folder.path()).unwrap();
        let content: Vec<u8> = (0..1_000_000_u32).flat_map(u32::to_be_bytes).collect();
        let stored = files.put(id(1), id(2), content.as_slice()).await.unwrap();
        assert_eq!(stored.size_bytes, content.len() as u64);
        assert_eq!(stored.sha256, hex::encode(Sha256::digest(&content)));

        let range = Some(GetRange::Bounded(1000..300_000));
        let part = files.get(id(1), id(2), range).await.unwrap();
        assert_eq!((part.size_bytes, part.range.clone()), (content.len() as u64, 1000..300_000));
        let read: Vec<u8> = part.bytes.try_collect::<Vec<_>>().await.unwrap().concat();
        assert!(read == content[1000..300_000]);

        let listed: Vec<_> = files.list(None).try_collect().await.unwrap();
        assert_eq!(listed, [(id(1), id(2), content.len() as u64)]);
        files.delete(id(1), id(2)).await.unwrap();
        files.delete(id(1), id(2)).await.unwrap();
        assert!(matches!(files.get(id(1), id(2), None).await, Err(FileError::Absent)));
    }

    #[tokio::test]
    async fn another_organisation_does_not_find_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::open(folder.path()).unwrap();
        files.put(id(1), id(2), b"secret".as_slice()).await.unwrap();
        assert!(matches!(files.get(id(3), id(2), None).await, Err(FileError::Absent)));
    }

    #[tokio::test]
    async fn a_source_that_fails_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::open(folder.path()).unwrap();
        let broken = futures::stream::iter([
            Ok(Bytes::from(vec![1; 600_000])),
            Err(std::io::Error::other("gone")),
        ]);
        let source = tokio_util::io::StreamReader::new(broken);
        assert!(matches!(files.put(id(1), id(2), source).await, Err(FileError::Source(_))));
        assert!(matches!(files.get(id(1), id(2), None).await, Err(FileError::Absent)));
    }
}
