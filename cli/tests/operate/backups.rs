//! A backup is made, verified, found damaged, and restored into an empty database.

use std::path::{Path, PathBuf};

use platform::testkit::TestDatabase;
use sqlx::PgPool;

use crate::house::{House, both, text};

/// The files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// The one stored backup.
fn stored(house: &House) -> PathBuf {
    let name = |path: &PathBuf| {
        std::fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"ANNALS-BACKUP/"))
    };
    let mut found = files(&house.settings.data_dir).into_iter().filter(name);
    let first = found.next().expect("a stored backup");
    assert_eq!(found.next(), None);
    first
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_made_verified_and_restored() {
    let house = House::start().await;
    house.with_workers();
    let matrix = house.file("matrix", "anna 1\nberta 2\n");
    house.json(&["import", "access", text(&matrix)]).await;
    let create = ["backup", "create", "--name", "nightly", "--wait"];
    let made = house.as_owner(&create).output().await.unwrap();
    assert!(made.status.success(), "{}", both(&made));
    let id = both(&made).lines().next().unwrap().to_owned();
    let listed = house.json(&["backup", "list"]).await;
    assert_eq!(
        (&listed[0]["backup_id"], &listed[0]["status"]),
        (&id.as_str().into(), &"succeeded".into())
    );
    let checked = house.as_owner(&["backup", "verify", &id]).output().await.unwrap();
    assert!(checked.status.success(), "{}", both(&checked));

    let file = stored(&house);
    let whole = house.annals(&["backup", "verify", text(&file)]).await;
    assert!(whole.status.success(), "{}", both(&whole));
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let damaged = house.file("damaged", bytes);
    let found = house.annals(&["backup", "verify", text(&damaged)]).await;
    assert_eq!(found.status.code(), Some(1), "{}", both(&found));

    let empty = TestDatabase::create_empty().await.unwrap();
    let restore = ["backup", "restore", text(&file), "--into", &empty.url];
    let unready = house.annals(&restore).await;
    assert!(both(&unready).contains("annals migrate"), "{}", both(&unready));
    let other = TestDatabase::create(&migrations::MIGRATOR).await.unwrap();
    let restore = ["backup", "restore", text(&file), "--into", &other.url];
    let restored = house.annals(&restore).await;
    assert!(restored.status.success(), "{}", both(&restored));
    assert!(both(&restored).contains("epoch 2"), "{}", both(&restored));
    let pool = PgPool::connect(&other.url).await.unwrap();
    let users: i64 = sqlx::query_scalar(
        "select count(*) from log.events where event_type = 'identity.user.registered'",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    assert_eq!(users, 3);
    let twice = house.annals(&restore).await;
    assert!(both(&twice).contains("not empty"), "{}", both(&twice));
    pool.close().await;
    other.drop_now().await.unwrap();
    empty.drop_now().await.unwrap();
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_backed_up_by_the_bootstrap_token() {
    let house = House::start().await;
    house.with_workers();
    let create = ["backup", "create", "--name", "all", "--everything", "--wait"];
    let made = house.annals(&create).await;
    assert!(made.status.success(), "{}", both(&made));
    let whole = house.annals(&["backup", "verify", text(&stored(&house))]).await;
    assert!(whole.status.success(), "{}", both(&whole));
    house.end().await;
}
