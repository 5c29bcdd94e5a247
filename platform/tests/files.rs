//! The store of files keeps its word in a folder, and in a bucket of a server that speaks S3.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use events::TenantId;
use events::testing::id;
use futures::TryStreamExt as _;
use object_store::GetRange;
use platform::config::Settings;
use platform::files::{FileError, Files};
use platform::testkit;
use sha2::{Digest as _, Sha256};

/// A server of S3 for tests.
const SERVER: &str = "moto[server]==5.2.5";
const PATIENCE: Duration = Duration::from_mins(1);

/// A server of S3 on this machine, with one bucket; it ends with the test.
struct S3 {
    server: Child,
    settings: Settings,
}

impl Drop for S3 {
    fn drop(&mut self) {
        let _gone = self.server.kill();
        let _gone = self.server.wait();
    }
}

impl S3 {
    /// Nothing where Python's packages cannot be installed.
    async fn start(data_dir: &Path) -> Option<Self> {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let python = match testkit::python(folder, SERVER) {
            Ok(python) => python,
            Err(error) => {
                eprintln!("skipped: {SERVER} cannot be installed: {error:#}");
                return None;
            }
        };
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let server = Command::new(python.join("bin/moto_server"))
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let endpoint = format!("http://127.0.0.1:{port}");
        let settings = Settings {
            data_dir: data_dir.to_owned(),
            s3_endpoint: endpoint.clone(),
            s3_bucket: "annals".into(),
            s3_access_key_id: "testing".into(),
            s3_secret_access_key: "testing".into(),
            ..Settings::default()
        };
        let s3 = Self { server, settings };
        let (client, began) = (reqwest::Client::builder().build().unwrap(), Instant::now());
        while client.put(format!("{endpoint}/annals")).send().await.is_err() {
            assert!(began.elapsed() < PATIENCE, "the server of S3 does not answer");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Some(s3)
    }
}

/// What both kinds of store keep to.
async fn keeps_its_word(files: &Files) {
    stores_hashes_ranges_and_removes(files).await;
    holds_an_empty_file(files).await;
    another_organisation_does_not_find_the_file(files).await;
    keeps_what_was_made_beside(files).await;
    a_source_that_fails_leaves_no_file(files).await;
}

async fn stores_hashes_ranges_and_removes(files: &Files) {
    // More than two parts of a bucket.
    let content: Vec<u8> = (0..4_400_000_u32).flat_map(u32::to_be_bytes).collect();
    let stored = files.put(id(1), id(2), content.as_slice()).await.unwrap();
    assert_eq!(stored.size_bytes, content.len() as u64);
    assert_eq!(stored.sha256, hex::encode(Sha256::digest(&content)));
    assert!(files.holds(id(1), id(2)).await.unwrap());

    let range = Some(GetRange::Bounded(1000..300_000));
    let part = files.get(id(1), id(2), range).await.unwrap();
    assert_eq!((part.size_bytes, part.range.clone()), (content.len() as u64, 1000..300_000));
    let read: Vec<u8> = part.bytes.try_collect::<Vec<_>>().await.unwrap().concat();
    assert!(read == content[1000..300_000]);
    let mut local = files.open_local(id(1), id(2)).await.unwrap();
    let mut whole = Vec::new();
    std::io::Read::read_to_end(&mut local, &mut whole).unwrap();
    assert!(whole == content);

    let listed: Vec<_> = files.list(None).try_collect().await.unwrap();
    assert_eq!(listed.len(), 1);
    let only = listed[0];
    assert_eq!((only.tenant, only.id, only.size_bytes), (id(1), id(2), content.len() as u64));
    assert!(only.stored_at.duration_since(platform::clock::now()).abs().as_secs() < 600);
    assert!(files.list(Some(id(7))).try_collect::<Vec<_>>().await.unwrap().is_empty());
    files.delete(id(1), id(2)).await.unwrap();
    files.delete(id(1), id(2)).await.unwrap();
    assert!(matches!(files.get(id(1), id(2), None).await, Err(FileError::Absent)));
    assert!(matches!(files.open_local(id(1), id(2)).await, Err(FileError::Absent)));
    assert!(!files.holds(id(1), id(2)).await.unwrap());
}

async fn holds_an_empty_file(files: &Files) {
    let stored = files.put(id(1), id(4), b"".as_slice()).await.unwrap();
    assert_eq!(stored.size_bytes, 0);
    assert_eq!(files.get(id(1), id(4), None).await.unwrap().size_bytes, 0);
    files.delete(id(1), id(4)).await.unwrap();
}

async fn another_organisation_does_not_find_the_file(files: &Files) {
    files.put(id(1), id(2), b"secret".as_slice()).await.unwrap();
    assert!(matches!(files.get(id(3), id(2), None).await, Err(FileError::Absent)));
    assert!(matches!(files.open_local(id(3), id(2)).await, Err(FileError::Absent)));
    assert!(files.list(Some(id(3))).try_collect::<Vec<_>>().await.unwrap().is_empty());
}

async fn keeps_what_was_made_beside(files: &Files) {
    for content in ["first", "", "second"] {
        let mut made = tempfile::NamedTempFile::new_in(files.scratch()).unwrap();
        std::io::Write::write_all(&mut made, content.as_bytes()).unwrap();
        let beside = made.path().to_owned();
        let stored = files.keep(id(8), id(6), made).await.unwrap();
        assert_eq!(stored.size_bytes, content.len() as u64);
        assert_eq!(stored.sha256, hex::encode(Sha256::digest(content)));
        let found = files.get(id(8), id(6), None).await.unwrap();
        assert_eq!(found.bytes.try_collect::<Vec<_>>().await.unwrap().concat(), content.as_bytes());
        assert!(!beside.exists());
    }
    files.delete(id(8), id(6)).await.unwrap();
}

async fn a_source_that_fails_leaves_no_file(files: &Files) {
    for before in [600_000, 9_000_000] {
        let broken = futures::stream::iter([
            Ok(Bytes::from(vec![1; before])),
            Err(std::io::Error::other("gone")),
        ]);
        let source = tokio_util::io::StreamReader::new(broken);
        assert!(matches!(files.put(id(1), id(5), source).await, Err(FileError::Source(_))));
        assert!(matches!(files.get(id(1), id(5), None).await, Err(FileError::Absent)));
    }
}

#[tokio::test]
async fn a_folder_keeps_its_word() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings { data_dir: folder.path().to_owned(), ..Settings::default() };
    keeps_its_word(&Files::open(&settings).unwrap()).await;
}

#[tokio::test]
async fn a_bucket_keeps_its_word_and_backups_are_apart() {
    let folder = tempfile::tempdir().unwrap();
    let Some(s3) = S3::start(folder.path()).await else { return };
    let files = Files::open(&s3.settings).unwrap();
    keeps_its_word(&files).await;
    let archives = Files::open_archives(&s3.settings).unwrap();
    assert!(matches!(archives.get(id(1), id(2), None).await, Err(FileError::Absent)));
    let place = format!("{}/annals/blobs/{}", s3.settings.s3_endpoint, id::<TenantId>(1));
    let there = reqwest::get(format!("{place}/{}", id::<events::FileId>(2))).await.unwrap();
    assert_eq!(there.bytes().await.unwrap(), "secret");
    let left = std::fs::read_dir(files.scratch()).unwrap().count();
    assert_eq!(left, 0, "copies are gone when they are closed");
    let elsewhere = Settings { s3_bucket: "another".into(), ..s3.settings.clone() };
    let absent = Files::open(&elsewhere).unwrap();
    assert!(absent.put(id(1), id(2), b"lost".as_slice()).await.is_err());
}
