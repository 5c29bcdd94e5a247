//! A log of one test's own, and relays on it.

use std::sync::Arc;
use std::time::Duration;

use nats::events::{self, Batch, Consumer};
use nats::{Bus, LogId, Message};
use platform::config::Settings;
use platform::lifecycle::{Shutdown, Tasks};
use platform::testkit::TestDatabase;
use sqlx::{Connection as _, Executor as _, PgConnection};
use uuid::Uuid;

#[path = "../../../tests/bus/support/server.rs"]
mod server;

pub(crate) use server::{SOON, Server};

const APPEND: &str = "select coalesce(max(last_position), 0) from log.append(
    a_tenant => array[$1], a_key => array[null::text], a_fingerprint => array[null::bytea],
    s_append => '{}', s_tenant => '{}', s_type => '{}', s_id => '{}', s_expected => '{}',
    f_append => '{}', f_tenant => '{}', f_type => '{}', f_id => '{}', f_version => '{}',
    c_append => '{}', c_tenant => '{}', c_type => '{}', c_id => '{}', c_namespace => '{}', c_key => '{}', c_take => '{}',
    e_append => array_fill(1, array[$2]), e_tenant => array_fill($1, array[$2]),
    e_aggregate_type => array_fill('rbac.policy'::text, array[$2]),
    e_aggregate_id => array_fill($1::text, array[$2]),
    e_id => (select array_agg(gen_random_uuid()) from generate_series(1, $2)),
    e_type => array_fill('rbac.policy.role_created'::text, array[$2]),
    e_version => array_fill('1'::text, array[$2]),
    e_payload => array_fill($3, array[$2]), e_metadata => array_fill($4, array[$2]))";

/// A database with a log, and a nats-server.
pub(crate) struct Place {
    pub(crate) server: Server,
    pub(crate) url: String,
    owner: PgConnection,
    writer: PgConnection,
}

impl Place {
    pub(crate) async fn new() -> Self {
        let database = TestDatabase::create(&migrations::MIGRATOR).await.unwrap();
        let owner = PgConnection::connect(&database.url).await.unwrap();
        let mut writer = PgConnection::connect(&database.url).await.unwrap();
        writer.execute("set role command_api").await.unwrap();
        Self { server: Server::start().await, url: database.url.clone(), owner, writer }
    }

    /// Appends events as command-api does, without telling anybody; the last position.
    pub(crate) async fn append(&mut self, count: i32) -> i64 {
        self.append_as(Uuid::from_u128(7), count, r#"{"type":"x"}"#, r#"{"actor_id":"u"}"#).await
    }

    pub(crate) async fn append_as(
        &mut self,
        tenant: Uuid,
        count: i32,
        payload: &str,
        metadata: &str,
    ) -> i64 {
        sqlx::query_scalar(APPEND)
            .bind(tenant)
            .bind(count)
            .bind(payload)
            .bind(metadata)
            .fetch_one(&mut self.writer)
            .await
            .unwrap()
    }

    pub(crate) async fn notify(&mut self) {
        self.writer.execute("notify annals_log").await.unwrap();
    }

    /// As the database's owner, who may do anything.
    pub(crate) async fn execute(&mut self, statement: &str) {
        self.owner.execute(statement).await.unwrap();
    }

    pub(crate) async fn count(&mut self, query: &str) -> i64 {
        sqlx::query_scalar(query).fetch_one(&mut self.owner).await.unwrap()
    }

    pub(crate) async fn log(&mut self) -> LogId {
        let (epoch, born_us) = sqlx::query_as(
            "select epoch, (extract(epoch from born_at) * 1000000)::bigint from log.head",
        )
        .fetch_one(&mut self.owner)
        .await
        .unwrap();
        LogId { epoch, born_us }
    }

    pub(crate) fn settings(&self) -> Arc<Settings> {
        Arc::new(Settings {
            database_url: self.url.clone(),
            nats_url: self.server.url(),
            ..Settings::default()
        })
    }

    pub(crate) fn relay(&self) -> Relay {
        let shutdown = Shutdown::new();
        let tasks = Tasks::new(shutdown.clone());
        tasks.spawn("relay", relay::run(self.settings(), shutdown.clone()));
        Relay { tasks, shutdown }
    }

    pub(crate) async fn bus(&self) -> Bus {
        self.server.bus().await
    }

    /// Waits until the stream ends at `position` of our log.
    pub(crate) async fn published(&mut self, position: i64) {
        let log = self.log().await;
        let bus = self.bus().await;
        let reached = async {
            while !events::end(&bus).await.is_ok_and(|end| end.last == Some((log, position))) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let outcome = tokio::time::timeout(3 * SOON, reached).await;
        if outcome.is_err() {
            let end = events::end(&bus).await;
            panic!("the stream does not reach {position} of {log}: {end:?}");
        }
    }

    /// Everything the stream holds of our log, up to `last`.
    pub(crate) async fn stream(&mut self, last: i64) -> Vec<Message> {
        let bus = self.bus().await;
        let name = format!("reader_{}", platform::clock::new_id::<Uuid>());
        let mut consumer = Consumer::new(&bus, &name, self.log().await, 0);
        let mut found = Vec::new();
        let reading = async {
            loop {
                let Batch::Events(delivered) = consumer.next_batch(500, SOON).await else {
                    continue;
                };
                let reaches = delivered.reaches;
                found.extend(delivered.messages.iter().cloned());
                delivered.ack().await;
                if reaches >= last {
                    break;
                }
            }
        };
        tokio::time::timeout(3 * SOON, reading).await.expect("the stream can be read");
        found
    }
}

/// A running relay.
pub(crate) struct Relay {
    tasks: Tasks,
    shutdown: Shutdown,
}

impl Relay {
    pub(crate) async fn stop(self) {
        self.shutdown.begin();
        assert!(self.tasks.join(SOON).await, "the relay ends when asked");
    }
}

/// The runs of positions, so that a failure can be read.
pub(crate) fn places(messages: &[Message]) -> Vec<(i64, i64)> {
    let mut runs: Vec<(i64, i64)> = Vec::new();
    for position in messages.iter().map(|message| message.position) {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == position => *last = position,
            Some(_) | None => runs.push((position, position)),
        }
    }
    runs
}
