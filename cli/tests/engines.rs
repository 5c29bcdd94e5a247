//! Private engines, for real: their data survives, their ports stay, nobody else's is touched.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use cli::engines::{Engine, Engines, Options};
use sqlx::{Connection as _, Executor as _, PgConnection};

/// A temporary folder that user `postgres` may enter.
fn place() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    open(place.path(), 0o711);
    place
}

fn open(folder: &Path, mode: u32) {
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(mode)).unwrap();
}

async fn start(folder: impl Into<PathBuf>) -> Engines {
    Engines::start(&Options::private(folder)).await.unwrap()
}

async fn execute(engines: &Engines, sql: &str) {
    let mut connection = PgConnection::connect(engines.database_url()).await.unwrap();
    connection.execute(sql).await.unwrap();
}

async fn count(engines: &Engines, sql: &str) -> i64 {
    let mut connection = PgConnection::connect(engines.database_url()).await.unwrap();
    sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap()
}

#[tokio::test]
async fn start_again_where_they_were_with_their_data() {
    let place = place();
    let engines = start(place.path()).await;
    let urls = engines.environment().map(|(_, url)| url.to_owned());
    execute(&engines, "create table kept as select 7 as n").await;
    engines.stop().await;

    let engines = start(place.path()).await;
    assert_eq!(engines.environment().map(|(_, url)| url.to_owned()), urls);
    assert_eq!(count(&engines, "select count(*) from kept").await, 1);
    engines.stop().await;
}

#[tokio::test]
async fn are_durable_and_checksummed() {
    let place = place();
    let engines = start(place.path()).await;
    let on = "select count(*) from pg_settings where setting = 'on' and name in
              ('fsync', 'full_page_writes', 'synchronous_commit', 'data_checksums')";
    assert_eq!(count(&engines, on).await, 4);
    engines.stop().await;
}

#[tokio::test]
async fn a_second_start_in_the_folder_is_refused_but_not_beside_it() {
    let (place, other) = (place(), self::place());
    let first = start(place.path()).await;
    let refused = Engines::start(&Options::private(place.path())).await.unwrap_err().to_string();
    assert!(refused.contains(&format!("in use by process {}", std::process::id())), "{refused}");
    let second = start(other.path()).await;
    assert_ne!(first.database_url(), second.database_url());
    second.stop().await;
    first.stop().await;
}

#[tokio::test]
async fn a_killed_engine_comes_back_where_it_was() {
    let place = place();
    let mut engines = start(place.path()).await;
    execute(&engines, "create table kept as select 7 as n").await;
    for engine in Engine::ALL {
        let url = engines.environment().map(|(_, url)| url.to_owned());
        engines.kill(engine).await.unwrap();
        engines.start_again(engine).await.unwrap();
        assert_eq!(engines.environment().map(|(_, url)| url.to_owned()), url, "{engine:?}");
    }
    assert_eq!(count(&engines, "select count(*) from kept").await, 1);
    engines.wipe_nats().await.unwrap();
    engines.wipe_redis().await.unwrap();
    engines.stop().await;
}

#[tokio::test]
async fn an_engine_that_ends_by_itself_is_reported_with_its_last_words() {
    let place = place();
    let engines = start(place.path()).await;
    let port = engines.redis_url().rsplit(':').next().unwrap().to_owned();
    let password = engines.redis_url().split([':', '@']).nth(2).unwrap().to_owned();
    let mut stream = tokio::net::TcpStream::connect(format!("127.0.0.1:{port}")).await.unwrap();
    let bye = format!("AUTH {password}\r\nSHUTDOWN\r\n");
    tokio::io::AsyncWriteExt::write_all(&mut stream, bye.as_bytes()).await.unwrap();
    let error = engines.failed().await.to_string();
    assert!(error.starts_with("redis-server ended by itself: "), "{error}");
    engines.stop().await;
}

#[tokio::test]
async fn given_engines_are_used_and_left_alone() {
    let (place, other) = (place(), self::place());
    let engines = start(place.path()).await;
    let options = Options {
        database_url: Some(engines.database_url().into()),
        nats_url: Some(engines.nats_url().into()),
        smtp_url: Some(engines.smtp_url().into()),
        ..Options::private(other.path())
    };
    let mut borrowed = Engines::start(&options).await.unwrap();
    assert_eq!(borrowed.private(), [Engine::Redis]);
    assert_eq!(borrowed.database_url(), engines.database_url());
    let refused = borrowed.kill(Engine::Nats).await.unwrap_err().to_string();
    assert_eq!(refused, "nats is not ours to stop or start");
    borrowed.stop().await;
    assert_eq!(
        count(&engines, "select count(*) from pg_database where datname = 'annals'").await,
        1
    );
    engines.stop().await;
}

#[tokio::test]
async fn a_folder_that_only_root_may_enter_still_works() {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: only root runs Postgres as another user");
        return;
    }
    let place = tempfile::tempdir().unwrap();
    open(place.path(), 0o700);
    let folder = place.path().join("data");
    let engines = start(&folder).await;
    execute(&engines, "create table kept as select 7 as n").await;
    engines.stop().await;
    let engines = start(&folder).await;
    assert_eq!(count(&engines, "select count(*) from kept").await, 1);
    engines.stop().await;
    let memory = std::fs::read_to_string(folder.join("postgres.json")).unwrap();
    let memory: serde_json::Value = serde_json::from_str(&memory).unwrap();
    let home = PathBuf::from(memory["home"].as_str().unwrap());
    assert!(home.starts_with("/var/tmp"), "{}", home.display());
    std::fs::remove_dir_all(home).unwrap();
}

#[tokio::test]
async fn a_broken_cluster_is_refused_with_its_reason() {
    let place = place();
    start(place.path()).await.stop().await;
    std::fs::write(place.path().join("postgres/data/global/pg_control"), b"broken").unwrap();
    let error = Engines::start(&Options::private(place.path())).await.unwrap_err().to_string();
    assert!(
        error.starts_with("postgres did not start: ") && error.contains("postgres.log"),
        "{error}"
    );
    assert!(!error.contains('\n'), "{error}");
}
