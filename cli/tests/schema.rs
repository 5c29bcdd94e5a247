//! The schema on a real Postgres: up, down, up again, by several at once, and what a process makes of it.

use cli::preflight;
use migrations::Status;
use platform::db::{self, Role};
use platform::testkit::TestDatabase;
use sqlx::PgPool;

/// Everything in the database that is not Postgres's own.
async fn objects(pool: &PgPool) -> Vec<String> {
    sqlx::query_scalar(
        "with ours as (select oid, nspname from pg_namespace
                        where nspname !~ '^pg_' and nspname <> 'information_schema')
         select 'schema ' || nspname from ours where nspname <> 'public'
         union all select 'relation ' || c.oid::regclass from pg_class c join ours o on o.oid = relnamespace
         union all select 'function ' || p.oid::regprocedure from pg_proc p join ours o on o.oid = pronamespace
         union all select 'type ' || t.oid::regtype from pg_type t join ours o on o.oid = typnamespace
         union all select 'extension ' || extname from pg_extension where extname <> 'plpgsql'
         union all select 'event trigger ' || evtname from pg_event_trigger
         union all select 'publication ' || pubname from pg_publication
         order by 1",
    )
    .fetch_all(pool)
    .await
    .unwrap()
}

async fn empty() -> (TestDatabase, PgPool) {
    let database = TestDatabase::create_empty().await.unwrap();
    let pool = preflight::schema_pool(&database.url).await.unwrap();
    (database, pool)
}

#[tokio::test]
async fn goes_up_down_and_up_again_and_leaves_nothing_behind() {
    let (database, pool) = empty().await;
    assert_eq!(objects(&pool).await, Vec::<String>::new());
    let all = migrations::up(&pool).await.unwrap();
    assert!(all > 0);
    assert_eq!(migrations::status(&pool).await.unwrap(), Status::Current);
    let made = objects(&pool).await;

    assert_eq!(migrations::down(&pool, usize::MAX).await.unwrap(), all);
    assert_eq!(objects(&pool).await, Vec::<String>::new());
    assert_eq!(migrations::status(&pool).await.unwrap(), Status::Pending(all));

    assert_eq!(migrations::up(&pool).await.unwrap(), all);
    assert_eq!(objects(&pool).await, made);
    database.drop_now().await.unwrap();
}

#[tokio::test]
async fn each_step_down_can_be_taken_up_again() {
    let (database, pool) = empty().await;
    let all = migrations::up(&pool).await.unwrap();
    let made = objects(&pool).await;
    for steps in 1..=all {
        assert_eq!(migrations::down(&pool, steps).await.unwrap(), steps);
        assert_eq!(migrations::up(&pool).await.unwrap(), steps);
        assert_eq!(objects(&pool).await, made, "after {steps} steps down and up");
    }
    database.drop_now().await.unwrap();
}

#[tokio::test]
async fn several_migrators_at_once_apply_each_migration_once() {
    let (database, pool) = empty().await;
    let (a, b, c) =
        tokio::join!(migrations::up(&pool), migrations::up(&pool), migrations::up(&pool));
    let mut counts = [a.unwrap(), b.unwrap(), c.unwrap()];
    counts.sort_unstable();
    assert_eq!(counts[..2], [0, 0]);
    assert_eq!(migrations::status(&pool).await.unwrap(), Status::Current);
    database.drop_now().await.unwrap();
}

#[tokio::test]
async fn a_process_refuses_a_schema_that_is_not_its_own() {
    let (database, pool) = empty().await;
    let refusal = async || preflight::check_schema(&pool).await.unwrap_err().to_string();
    assert!(refusal().await.contains("run `annals migrate up`"));
    migrations::up(&pool).await.unwrap();
    preflight::check_schema(&pool).await.unwrap();

    let insert = "insert into _sqlx_migrations (version, description, success, checksum, execution_time) \
                  values ($1, 'x', true, '', 0)";
    sqlx::query(insert).bind(99_991_231_000_000_i64).execute(&pool).await.unwrap();
    assert!(refusal().await.contains("newer than this program by 1 migration"));
    assert!(matches!(migrations::up(&pool).await, Err(migrations::Error::Newer(1))));

    sqlx::query(insert).bind(7_i64).execute(&pool).await.unwrap();
    assert!(refusal().await.contains("migrated by something else"));
    assert!(matches!(migrations::down(&pool, 1).await, Err(migrations::Error::Foreign)));
    database.drop_now().await.unwrap();
}

#[tokio::test]
async fn every_process_may_look_at_the_schemas_history() {
    let (database, pool) = empty().await;
    migrations::up(&pool).await.unwrap();
    for role in [
        Role::CommandApi,
        Role::Relay,
        Role::Projectors,
        Role::QueryApi,
        Role::Workers,
        Role::Auditor,
    ] {
        let pool = db::connect(&database.url, role, 1).await.unwrap();
        assert_eq!(migrations::status(&pool).await.unwrap(), Status::Current, "{role:?}");
    }
    database.drop_now().await.unwrap();
}
