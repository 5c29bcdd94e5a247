//! Anyone with the crate postgres-es can open our log: every aggregate reads the same through it as through ourselves.

use std::path::Path;

use cqrs_es::persist::{PersistedEventRepository, PersistedEventStore};
use cqrs_es::{AggregateContext, EventStore};
use events::aggregate::Root;
use events::modules::{AggregateVisitor, visit_aggregates};
use events::testing::id;
use events::{Decider, Module, TenantId};
use platform::fold::{Folded, fold};
use platform::testkit::TestDatabase;
use postgres_es::PostgresEventRepository;
use sqlx::PgPool;
use uuid::Uuid;

const STREAM: &str = "01900000-0000-7000-8000-00000000abcd";

/// What to compare, once for each aggregate; collected first, because a visitor cannot wait.
struct Streams(Vec<Stream>);

struct Stream {
    kind: &'static str,
    payloads: Vec<String>,
    compare: fn(PgPool) -> futures::future::BoxFuture<'static, ()>,
}

impl AggregateVisitor for Streams {
    fn visit<D: Decider>(&mut self) {
        let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../events/samples");
        let kinds = events::catalogue::of::<D>();
        let payloads = kinds.iter().map(|entry| {
            let file = samples.join(format!("{}.json", entry.event_type));
            let text = std::fs::read_to_string(&file).expect("a frozen sample");
            let event: D::Event = serde_json::from_str(&text).expect("a sample decodes");
            serde_json::to_string(&event).expect("an event encodes")
        });
        self.0.push(Stream {
            kind: D::TYPE,
            payloads: payloads.collect(),
            compare: |pool| Box::pin(compare::<D>(pool)),
        });
    }
}

async fn compare<D: Decider>(pool: PgPool) {
    let repository =
        || PostgresEventRepository::new(pool.clone()).with_tables("log.events", "log.snapshots");
    let theirs =
        repository().get_events::<Root<D>>(STREAM).await.expect("postgres-es reads the stream");
    let ours: Vec<(i64, String, String, String, String)> = sqlx::query_as(
        "select sequence, event_type, event_version, payload::text, metadata::text from log.events
          where aggregate_type = $1 and aggregate_id = $2 order by sequence",
    )
    .bind(D::TYPE)
    .bind(STREAM)
    .fetch_all(&pool)
    .await
    .unwrap();
    assert_eq!(theirs.len(), ours.len(), "{}", D::TYPE);
    assert!(!theirs.is_empty(), "{}", D::TYPE);
    for (their, (sequence, event_type, event_version, payload, metadata)) in
        theirs.iter().zip(&ours)
    {
        assert_eq!(i64::try_from(their.sequence).unwrap(), *sequence);
        assert_eq!(&their.event_type, event_type);
        assert_eq!(&their.event_version, event_version);
        assert_eq!(their.payload, serde_json::from_str::<serde_json::Value>(payload).unwrap());
        assert_eq!(their.metadata, serde_json::from_str::<serde_json::Value>(metadata).unwrap());
    }
    let store = PersistedEventStore::<_, Root<D>>::new_event_store(repository());
    let mut context = store.load_aggregate(STREAM).await.expect("the stock store folds the stream");
    let folded: Folded<D> =
        fold(&pool, id(7), STREAM, Folded::default()).await.expect("we fold the stream");
    let (their, our) =
        (serde_json::to_value(&context.aggregate().0), serde_json::to_value(&*folded.state));
    assert_eq!(their.unwrap(), our.unwrap(), "{}", D::TYPE);
}

#[tokio::test]
async fn every_aggregate_reads_the_same_through_postgres_es() {
    let database = TestDatabase::create(&migrations::MIGRATOR).await.unwrap();
    let pool = PgPool::connect(&database.url).await.unwrap();
    let mut streams = Streams(Vec::new());
    for module in Module::ALL {
        visit_aggregates(*module, &mut streams);
    }
    for stream in &streams.0 {
        append(&pool, id(7), stream).await;
    }
    for stream in &streams.0 {
        (stream.compare)(pool.clone()).await;
    }
    pool.close().await;
    database.drop_now().await.unwrap();
}

async fn append(pool: &PgPool, tenant: TenantId, stream: &Stream) {
    let count = stream.payloads.len();
    let types: Vec<String> = stream
        .payloads
        .iter()
        .map(|payload| events::envelope::stored_type(payload).unwrap().to_owned())
        .collect();
    let ids: Vec<Uuid> = (0..count).map(|_| platform::clock::new_id()).collect();
    let (none, texts) = (Vec::<i32>::new(), Vec::<String>::new());
    sqlx::query(
        "select * from log.append(array[$1], array[null]::text[], array[null]::bytea[],
           array[1], array[$1], array[$2], array[$3], array[0]::bigint[],
           $4, array[]::uuid[], $5, $5, array[]::bigint[],
           $4, array[]::uuid[], $5, $5, $5, $5, array[]::boolean[],
           array_fill(1, array[$6]), array_fill($1, array[$6]), array_fill($2, array[$6]), array_fill($3, array[$6]),
           $7, $8, array_fill('1'::text, array[$6]), $9, array_fill('{\"actor_kind\":\"system\"}'::text, array[$6]))",
    )
    .bind(tenant.0)
    .bind(stream.kind)
    .bind(STREAM)
    .bind(&none)
    .bind(&texts)
    .bind(i32::try_from(count).unwrap())
    .bind(&ids)
    .bind(&types)
    .bind(&stream.payloads)
    .execute(pool)
    .await
    .unwrap_or_else(|error| panic!("{}: {error}", stream.kind));
}
