//! Backups written, verified, damaged and restored, on real databases.

use std::io::Cursor;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use events::TenantId;
use events::identity::user::{Event as UserEvent, User};
use events::testing::id;
use platform::files::Files;
use platform::personal::Erasure;
use platform::secrets;
use platform::testkit::TestDatabase;
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;

use super::*;
use crate::testing::Log;

fn master(byte: u8) -> MasterKey {
    MasterKey::parse(&STANDARD.encode([byte; 32])).unwrap()
}

fn key(byte: u8) -> Key {
    Key::new(master(byte))
}

/// A log whose events are sealed as command-api seals them.
async fn sealed_log() -> Log {
    Log::new().await.sealing(master(1))
}

fn registered(number: u32) -> UserEvent {
    UserEvent::Registered {
        handle: format!("user{number}"),
        display_name: format!("Žluťoučký \"{number}\" 漢字\n😀"),
        email: Some(format!("user{number}@example.org")),
        locale: "en".into(),
        time_zone: "Europe/Zurich".into(),
    }
}

/// Two organisations whose users come by turns, one of whom gave an address back, with files and a secret each.
async fn filled(log: &Log, files: &Files, users: u32) {
    for number in 0..users {
        for tenant in [1, 2] {
            let user = u128::from(number) + 1000 * tenant;
            log.append::<User>(id(tenant), id::<events::UserId>(user), &[registered(number)]).await;
        }
    }
    let replaced = UserEvent::EmailReplaced {
        previous: Some("user0@example.org".into()),
        email: Some("other@example.org".into()),
    };
    log.append::<User>(id(1), id::<events::UserId>(1000), &[replaced]).await;
    for tenant in [1, 2] {
        let content = vec![u8::try_from(tenant).unwrap(); 2_500_000];
        files.put(id(tenant), id(50 + tenant), content.as_slice()).await.unwrap();
        let mut connection = PgConnection::connect(&log.database.url).await.unwrap();
        sqlx::query("insert into secrets.secrets (tenant_id, secret_id, kind, sealed) values ($1, $2, 'password', $3)")
            .bind(id::<TenantId>(tenant).0)
            .bind(id::<TenantId>(60 + tenant).0)
            .bind([9_u8; 40])
            .execute(&mut connection)
            .await
            .unwrap();
    }
    files.put(id(1), id(70), b"".as_slice()).await.unwrap();
}

async fn made(log: &Log, files: &Files, scope: Scope) -> (Vec<u8>, Manifest) {
    let source = Source { pool: &log.workers, files, scope, backup_id: id(90) };
    write(source, &key(1), Vec::new()).await.unwrap()
}

fn store() -> (TempDir, Files) {
    let folder = tempfile::tempdir().unwrap();
    let files = Files::open_folder(folder.path()).unwrap();
    (folder, files)
}

/// Everything that a restore must bring back, as text.
async fn content(url: &str, tenant: Option<TenantId>, positions: bool) -> Vec<String> {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let mut all = Vec::new();
    for query in [
        "select (to_jsonb(e) - case when $2 then '{}'::text[] else '{position}' end)::text || payload::text || metadata::text
           from log.events e where $1::uuid is null or tenant_id = $1 order by position",
        "select to_jsonb(t)::text from log.streams t where $1::uuid is null or tenant_id = $1 order by 1",
        "select to_jsonb(t)::text from log.tenants t where $1::uuid is null or tenant_id = $1 order by 1",
        "select (to_jsonb(t) - 'position')::text from log.claims t where $1::uuid is null or tenant_id = $1 order by 1",
        "select (to_jsonb(t) - case when $2 then '{}'::text[] else '{first_position,last_position}' end)::text
           from log.idempotency t where $1::uuid is null or tenant_id = $1 order by 1",
        "select to_jsonb(t)::text from secrets.secrets t where $1::uuid is null or tenant_id = $1 order by 1",
        "select to_jsonb(t)::text from secrets.subject_keys t where $1::uuid is null or tenant_id = $1 order by 1",
    ] {
        let rows: Vec<String> = sqlx::query_scalar(query)
            .bind(tenant.map(|tenant| tenant.0))
            .bind(positions)
            .fetch_all(&mut connection)
            .await
            .unwrap();
        assert!(!rows.is_empty(), "nothing came of {query}");
        all.extend(rows);
    }
    all
}

async fn restored(bytes: Vec<u8>, files: &Files) -> (TestDatabase, anyhow::Result<Restored>) {
    restored_without(bytes, files, &[]).await
}

async fn restored_without(
    bytes: Vec<u8>,
    files: &Files,
    erased: &[Erasure],
) -> (TestDatabase, anyhow::Result<Restored>) {
    let target = TestDatabase::create(&migrations::MIGRATOR).await.unwrap();
    let mut connection = PgConnection::connect(&target.url).await.unwrap();
    let result = restore(Cursor::new(bytes), &key(1), &mut connection, files, erased).await;
    (target, result)
}

#[tokio::test]
async fn a_restored_installation_is_the_same_in_a_new_epoch() {
    let (log, (_folder, files)) = (sealed_log().await, store());
    filled(&log, &files, 20).await;
    let (bytes, manifest) = made(&log, &files, Scope::Installation).await;
    assert_eq!((manifest.events, manifest.to_position, manifest.files), (41, 41, 3));
    assert_eq!(manifest.streams, BTreeMap::from([("identity.user".to_owned(), 41)]));

    let (_other_folder, other_files) = store();
    let (target, result) = restored(bytes, &other_files).await;
    let result = result.unwrap();
    assert_eq!((result.epoch, result.position, result.events, result.files), (2, 41, 41, 3));
    assert_eq!(
        content(&log.database.url, None, true).await,
        content(&target.url, None, true).await
    );
    let mut connection = PgConnection::connect(&target.url).await.unwrap();
    let head: (i32, i64) = sqlx::query_as("select epoch, position from log.head")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(head, (2, 41));
    let file = std::io::Read::bytes(other_files.open_local(id(2), id(52)).await.unwrap());
    assert_eq!(file.map(Result::unwrap).collect::<Vec<_>>(), vec![2; 2_500_000]);
    other_files.open_local(id(1), id(70)).await.unwrap();
}

#[tokio::test]
async fn who_was_erased_since_the_backup_has_no_key_and_holds_nothing_after_a_restore() {
    let (log, (_folder, files)) = (sealed_log().await, store());
    filled(&log, &files, 3).await;
    let (bytes, _) = made(&log, &files, Scope::Installation).await;
    let subject_id = id::<events::UserId>(1000).0;
    let erased_at = events::testing::at("2026-01-01T12:00:00Z");
    let erasure = Erasure { tenant_id: id(1), subject_id, erased_at };
    let (target, result) = restored_without(bytes, &files, &[erasure]).await;
    result.unwrap();
    let mut connection = PgConnection::connect(&target.url).await.unwrap();
    let (keys, theirs, claims, whole): (i64, i64, i64, bool) = sqlx::query_as(
        "select (select count(*) from secrets.subject_keys),
                (select count(*) from secrets.subject_keys where subject_id = $1),
                (select count(*) from log.claims where aggregate_id = $1::text or key in ('erased', 'user0', 'other@example.org') and tenant_id = $2),
                (select count(*) = 7 from log.events)",
    )
    .bind(subject_id)
    .bind(id::<TenantId>(1).0)
    .fetch_one(&mut connection)
    .await
    .unwrap();
    assert_eq!((keys, theirs, claims, whole), (5, 0, 0, true));
}

#[tokio::test]
async fn a_restored_log_takes_appends_where_it_stopped() {
    let (log, (_folder, files)) = (sealed_log().await, store());
    filled(&log, &files, 2).await;
    let (bytes, _) = made(&log, &files, Scope::Installation).await;
    let (target, result) = restored(bytes, &files).await;
    result.unwrap();
    let target = Log::over(target).await;
    assert_eq!(target.append::<User>(id(1), id::<TenantId>(9), &[registered(77)]).await, 6);
    let (bytes, _) = made(&target, &files, Scope::Installation).await;
    let report = verify(Cursor::new(bytes), &key(1)).unwrap();
    assert!(report.whole(), "{:?}", report.errors);
}

#[tokio::test]
async fn one_organisation_restored_alone_counts_from_one_and_keeps_its_chain() {
    let (log, (_folder, files)) = (sealed_log().await, store());
    filled(&log, &files, 20).await;
    let tenant = id(2);
    let (bytes, manifest) = made(&log, &files, Scope::Tenant(tenant)).await;
    assert_eq!((manifest.events, manifest.files), (20, 1));
    let (_other_folder, other_files) = store();
    let (target, result) = restored(bytes, &other_files).await;
    assert_eq!(result.unwrap().position, 20);
    assert_eq!(
        content(&log.database.url, Some(tenant), false).await,
        content(&target.url, None, false).await
    );
    let mut connection = PgConnection::connect(&target.url).await.unwrap();
    let (same, keys): (bool, i64) = sqlx::query_as(
        "select (select bool_and(position = tenant_seq) from log.events),
                (select count(*) from log.idempotency i join log.events e on e.position = i.last_position)",
    )
    .fetch_one(&mut connection)
    .await
    .unwrap();
    assert!(same);
    assert_eq!(keys, 20);
}

#[tokio::test]
async fn a_database_that_holds_something_is_refused() {
    let (log, (_folder, files)) = (sealed_log().await, store());
    filled(&log, &files, 1).await;
    let (bytes, _) = made(&log, &files, Scope::Installation).await;
    let mut connection = PgConnection::connect(&log.database.url).await.unwrap();
    let error =
        restore(Cursor::new(bytes), &key(1), &mut connection, &files, &[]).await.unwrap_err();
    assert!(error.to_string().contains("not empty (log.events has rows)"), "{error}");
}

#[tokio::test]
async fn every_flipped_byte_and_every_cut_is_found() {
    let (log, (_folder, files)) = (sealed_log().await, store());
    filled(&log, &files, 30).await;
    let (bytes, _) = made(&log, &files, Scope::Installation).await;
    let whole = verify(Cursor::new(bytes.clone()), &key(1)).unwrap();
    assert!(whole.whole() && whole.events == 61, "{:?}", whole.errors);

    let damaged = |bytes: Vec<u8>| !verify(Cursor::new(bytes), &key(1)).unwrap().whole();
    for _ in 0..200 {
        let place = usize::from_be_bytes(secrets::random()) % bytes.len();
        let bit = 1_u8 << (secrets::random::<1>()[0] % 8);
        let mut altered = bytes.clone();
        altered[place] ^= bit;
        assert!(damaged(altered), "byte {place} bit {bit} was missed");
    }
    for place in (0..200).map(|_| usize::from_be_bytes(secrets::random()) % bytes.len()) {
        assert!(damaged(bytes[..place].to_vec()), "cut at {place}");
    }
    // The header, the frame heads and the end, byte by byte.
    for place in (0..64).chain(bytes.len() - 64..bytes.len()) {
        let mut altered = bytes.clone();
        altered[place] ^= 0xff;
        assert!(damaged(altered), "byte {place}");
    }
    assert!(damaged([&bytes[..], b"x"].concat()));
}

#[tokio::test]
async fn another_master_key_is_named_as_the_reason() {
    let (log, (_folder, files)) = (sealed_log().await, store());
    filled(&log, &files, 1).await;
    let (bytes, manifest) = made(&log, &files, Scope::Installation).await;
    let report = verify(Cursor::new(bytes.clone()), &key(2)).unwrap();
    assert!(report.errors[0].contains(&manifest.key_id), "{:?}", report.errors);
    assert_eq!(super::manifest(Cursor::new(bytes), &key(1)).unwrap(), manifest);
}

#[tokio::test]
async fn a_log_that_was_altered_is_not_backed_up() {
    let (log, (_folder, files)) = (sealed_log().await, store());
    filled(&log, &files, 3).await;
    let mut connection = PgConnection::connect(&log.database.url).await.unwrap();
    for statement in [
        "alter table log.events_00000 disable trigger append_only",
        "update log.events_00000 set payload = replace(payload::text, 'Zurich', 'Vienna')::json where position = 6",
    ] {
        sqlx::query(statement).execute(&mut connection).await.unwrap();
    }
    let source =
        Source { pool: &log.workers, files: &files, scope: Scope::Installation, backup_id: id(9) };
    let error = write(source, &key(1), Vec::new()).await.unwrap_err().to_string();
    assert!(error.contains("seq 3"), "{error}");
}
