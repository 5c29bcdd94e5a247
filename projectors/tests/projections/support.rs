//! A log of a test's own, and projectors that run on it.

use std::sync::Arc;
use std::time::Duration;

use events::envelope::encode;
use events::{Decider, TenantId};
use nats::{LogId, Message};
use platform::config::Settings;
use platform::db::{self, Role};
use platform::lifecycle::Shutdown;
use platform::testkit::TestDatabase;
use projectors::runtime::projection::Projection;
use projectors::{Runner, TableDigest, admin};
use sqlx::{Executor, PgPool};
use uuid::Uuid;

/// Long enough for a slow machine, so that a test that meets it has found something.
pub(crate) const SOON: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(5);

pub(crate) type Projections = Vec<Arc<dyn Projection>>;

/// A database with a log and read models.
pub(crate) struct Place {
    pub(crate) database: TestDatabase,
    /// As the projectors.
    pub(crate) pool: PgPool,
    /// As whoever may do everything.
    pub(crate) owner: PgPool,
    writer: PgPool,
}

impl Place {
    pub(crate) async fn new() -> Self {
        let database = TestDatabase::create(&migrations::MIGRATOR).await.unwrap();
        Self {
            pool: db::connect(&database.url, Role::Projectors, 8).await.unwrap(),
            owner: PgPool::connect(&database.url).await.unwrap(),
            writer: db::connect(&database.url, Role::CommandApi, 2).await.unwrap(),
            database,
        }
    }

    /// Gets sessions anew after Postgres ended them.
    pub(crate) async fn reconnect(&mut self) {
        self.pool = db::connect(&self.database.url, Role::Projectors, 8).await.unwrap();
    }

    /// Appends events to a stream; the last position.
    pub(crate) async fn append<D: Decider>(
        &self,
        tenant: TenantId,
        stream: impl ToString,
        events: impl IntoIterator<Item = D::Event>,
    ) -> i64 {
        let encoded: Vec<_> = events.into_iter().map(|event| encode(&event).unwrap()).collect();
        let stream = stream.to_string();
        let texts: Vec<(String, String)> =
            encoded.into_iter().map(|event| (event.event_type, event.payload)).collect();
        self.append_raw(tenant, (D::TYPE, &stream), &texts).await
    }

    /// Appends events as they are, even such as no build can read.
    pub(crate) async fn append_raw(
        &self,
        tenant: TenantId,
        (kind, stream): (&str, &str),
        events: &[(String, String)],
    ) -> i64 {
        let n = events.len();
        let metadata =
            r#"{"actor_kind":"user","actor_id":"ada","command":"test","ip":"192.0.2.9"}"#;
        let (types, payloads): (Vec<&str>, Vec<&str>) =
            events.iter().map(|(kind, payload)| (kind.as_str(), payload.as_str())).unzip();
        let ids: Vec<Uuid> = (0..n).map(|_| platform::clock::new_id()).collect();
        sqlx::query_scalar(
            "select last_position from log.append(
               a_tenant => array[$1::uuid], a_key => array[null::text], a_fingerprint => array[null::bytea],
               s_append => array[1], s_tenant => array[$1::uuid], s_type => array[$2::text], s_id => array[$3::text],
               s_expected => array[null::bigint],
               f_append => '{}', f_tenant => '{}', f_type => '{}', f_id => '{}', f_version => '{}',
               c_append => '{}', c_tenant => '{}', c_type => '{}', c_id => '{}', c_namespace => '{}', c_key => '{}', c_take => '{}',
               e_append => array_fill(1, array[$4]), e_tenant => array_fill($1::uuid, array[$4]),
               e_aggregate_type => array_fill($2::text, array[$4]), e_aggregate_id => array_fill($3::text, array[$4]),
               e_id => $5, e_type => $6, e_version => array_fill('1'::text, array[$4]), e_payload => $7,
               e_metadata => array_fill($8::text, array[$4]))",
        )
        .bind(tenant.0)
        .bind(kind)
        .bind(stream)
        .bind(i32::try_from(n).unwrap())
        .bind(&ids)
        .bind(&types)
        .bind(&payloads)
        .bind(metadata)
        .fetch_one(&self.writer)
        .await
        .unwrap()
    }

    /// The log as messages of the bus.
    pub(crate) async fn messages(&self) -> Vec<Message> {
        type Row =
            (i64, Uuid, i64, String, String, i64, Uuid, String, String, String, String, String);
        let rows: Vec<Row> = sqlx::query_as(
            "select position, tenant_id, tenant_seq, aggregate_type, aggregate_id, sequence, event_id, event_type,
               event_version, payload::text, metadata::text,
               to_char(recorded_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')
             from log.events order by position",
        )
        .fetch_all(&self.owner)
        .await
        .unwrap();
        let log = self.log().await;
        let message = |row: Row| Message {
            log,
            position: row.0,
            tenant_id: row.1,
            tenant_seq: row.2,
            aggregate_type: row.3,
            aggregate_id: row.4,
            sequence: row.5,
            event_id: row.6,
            event_type: row.7,
            event_version: row.8,
            payload: row.9.into(),
            metadata: row.10,
            recorded_at: row.11,
            chain: vec![0; 32],
        };
        rows.into_iter().map(message).collect()
    }

    pub(crate) async fn log(&self) -> LogId {
        let (epoch, born_us) = sqlx::query_as(
            "select epoch, (extract(epoch from born_at) * 1000000)::bigint from log.head",
        )
        .fetch_one(&self.owner)
        .await
        .unwrap();
        LogId { epoch, born_us }
    }

    pub(crate) fn settings(&self, nats_url: &str) -> Settings {
        Settings {
            database_url: self.database.url.clone(),
            nats_url: nats_url.into(),
            ..Settings::default()
        }
    }

    /// Starts a projector without a bus.
    pub(crate) async fn projector(&self, projections: Projections) -> Running {
        self.projector_on("", projections).await
    }

    pub(crate) async fn projector_on(&self, nats_url: &str, projections: Projections) -> Running {
        let runner = Runner::new(&self.settings(nats_url), projections).await.unwrap();
        let shutdown = Shutdown::new();
        let signal = shutdown.clone();
        #[expect(clippy::disallowed_methods, reason = "the test ends it")]
        let task = tokio::spawn(runner.run(signal));
        Running { shutdown, task }
    }

    /// Waits until every one of `projections` stands at `position`.
    pub(crate) async fn reached(&self, projections: &Projections, position: i64) {
        let names: Vec<&str> = projections.iter().map(|p| p.table().name).collect();
        self.until(
            "select count(*) filter (where position >= $2 and state = 'live') = cardinality($1)
             from read.checkpoints where projection = any($1)",
            |query| query.bind(names.clone()).bind(position),
        )
        .await;
    }

    /// Waits until a question is answered with yes.
    pub(crate) async fn until<'q, F>(&self, question: &'q str, bind: F)
    where
        F: Fn(Question<'q>) -> Question<'q>,
    {
        let asked = async {
            while !bind(sqlx::query_scalar(question)).fetch_one(&self.owner).await.unwrap() {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        assert!(tokio::time::timeout(SOON, asked).await.is_ok(), "never true: {question}");
    }

    pub(crate) async fn count(&self, from: &str) -> i64 {
        let statement = format!("select count(*) from {from}");
        sqlx::query_scalar(&statement).fetch_one(&self.owner).await.unwrap()
    }

    pub(crate) async fn run(&self, statement: &str) {
        self.owner.execute(statement).await.unwrap();
    }

    pub(crate) async fn digests(&self, projections: &Projections) -> Vec<TableDigest> {
        admin::digests(&self.pool, projections).await.unwrap()
    }

    /// Proves that every read model is what the log says.
    pub(crate) async fn prove(&self, projections: &Projections) {
        for proof in admin::prove(&self.pool, projections).await.unwrap() {
            assert!(proof.equal, "{proof:#?}");
        }
    }
}

pub(crate) type Question<'q> =
    sqlx::query::QueryScalar<'q, sqlx::Postgres, bool, sqlx::postgres::PgArguments>;

/// A projector under way.
pub(crate) struct Running {
    shutdown: Shutdown,
    task: tokio::task::JoinHandle<anyhow::Result<()>>,
}

impl Running {
    /// Ends as a process that is asked to.
    pub(crate) async fn stop(self) {
        self.shutdown.begin();
        self.task.await.unwrap().unwrap();
    }

    /// Ends as a process that is killed.
    pub(crate) async fn kill(self) {
        self.task.abort();
        drop(self.task.await);
    }
}
