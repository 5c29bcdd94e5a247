//! For our tests: a database with a log to append to, as command-api would.

use events::aggregate::{ClaimChange, ClaimScope};
use events::envelope::{Recorded, encode};
use events::exports::export::{self, Wishes};
use events::{Decider, Event as _, TenantId, UserId};
use platform::clock;
use platform::config::Settings;
use platform::db::{self, Role};
use platform::personal::Personal;
use platform::secrets::MasterKey;
use platform::testkit::TestDatabase;
use sqlx::PgPool;
use uuid::Uuid;

use crate::runtime::Office;

/// An event of a stream of its kind as the log has it.
pub(crate) fn recorded<D: Decider>(stream: Uuid, event: &D::Event) -> Recorded {
    let encoded = encode(event).unwrap();
    Recorded {
        position: 1,
        tenant_id: events::testing::id(1),
        tenant_seq: 1,
        aggregate_type: D::TYPE.into(),
        aggregate_id: stream.to_string(),
        sequence: 1,
        event_id: Uuid::nil(),
        event_type: encoded.event_type,
        event_version: encoded.event_version,
        payload: encoded.payload,
        metadata: "{}".into(),
        recorded_at: events::testing::at("2026-01-01T00:00:00Z"),
        chain: Vec::new(),
    }
}

/// A request for a file, with these wishes.
pub(crate) fn requested(wishes: Wishes) -> export::Event {
    export::Event::Requested {
        format: export::Format::Csv,
        dataset: "rbac.roles".into(),
        columns: vec!["name".into()],
        filter: None,
        sort: Vec::new(),
        title: None,
        locale: "en".into(),
        time_zone: "UTC".into(),
        requested_by: events::testing::id(2),
        wishes: Box::new(wishes),
        options: Box::default(),
    }
}

/// A migrated database and the door to its log.
pub(crate) struct Log {
    pub(crate) database: TestDatabase,
    writer: PgPool,
    personal: Option<Personal>,
    pub(crate) workers: PgPool,
}

impl Log {
    /// What jobs work with over this log, where commands go to `door`.
    pub(crate) async fn office(&self, door: &str) -> (Office, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let settings = self.database.settings(folder.path()).unwrap();
        let settings = Settings {
            command_url: door.into(),
            loopback_webhooks: true,
            ..Settings::clone(&settings)
        };
        let office = Office::open(&settings);
        (office.await.unwrap(), folder)
    }

    /// As whoever may do everything.
    pub(crate) async fn owner(&self) -> PgPool {
        PgPool::connect(&self.database.url).await.unwrap()
    }

    pub(crate) async fn new() -> Self {
        Self::over(TestDatabase::create(&migrations::MIGRATOR).await.unwrap()).await
    }

    /// Over a database that is there.
    pub(crate) async fn over(database: TestDatabase) -> Self {
        let writer = db::connect(&database.url, Role::CommandApi, 2).await.unwrap();
        let workers = db::connect(&database.url, Role::Workers, 6).await.unwrap();
        Self { database, writer, personal: None, workers }
    }

    /// As command-api does it, with what is personal sealed.
    pub(crate) fn sealing(self, master: MasterKey) -> Self {
        Self { personal: Some(Personal::new(master)), ..self }
    }

    /// Appends events to one stream; the position of the last.
    pub(crate) async fn append<D: Decider>(
        &self,
        tenant: TenantId,
        id: impl ToString,
        events: &[D::Event],
    ) -> i64 {
        self.append_as::<D>(tenant, id, UserId::default(), events).await
    }

    /// Appends events to one stream, caused by a user.
    pub(crate) async fn append_as<D: Decider>(
        &self,
        tenant: TenantId,
        id: impl ToString,
        actor: UserId,
        events: &[D::Event],
    ) -> i64 {
        let (id, key) = (id.to_string(), clock::new_id::<Uuid>().to_string());
        let claims: Vec<_> = events.iter().flat_map(|event| event.claims(&id)).collect();
        let mut encoded: Vec<_> = events.iter().map(|event| encode(event).unwrap()).collect();
        if let Some(personal) = &self.personal {
            for event in &mut encoded {
                personal.seal_event(&self.writer, (tenant, &id), event).await.unwrap();
            }
        }
        let metadata = format!(r#"{{"actor_kind":"user","actor_id":"{actor}","command":"test"}}"#);
        let of_scope = |scope| match scope {
            ClaimScope::Tenant => tenant.0,
            ClaimScope::Global => Uuid::nil(),
        };
        let (reason, last): (Option<String>, Option<i64>) = sqlx::query_as(APPEND)
            .bind(tenant.0)
            .bind(key)
            .bind([7_u8; 32])
            .bind(D::TYPE)
            .bind(&id)
            .bind(claims.iter().map(|claim| of_scope(claim.scope)).collect::<Vec<_>>())
            .bind(claims.iter().map(|claim| claim.namespace).collect::<Vec<_>>())
            .bind(claims.iter().map(|claim| claim.key.as_str()).collect::<Vec<_>>())
            .bind(claims.iter().map(|claim| claim.change == ClaimChange::Take).collect::<Vec<_>>())
            .bind(encoded.iter().map(|_| clock::new_id::<Uuid>()).collect::<Vec<_>>())
            .bind(encoded.iter().map(|event| event.event_type.as_str()).collect::<Vec<_>>())
            .bind(encoded.iter().map(|event| event.event_version.as_str()).collect::<Vec<_>>())
            .bind(encoded.iter().map(|event| event.payload.as_str()).collect::<Vec<_>>())
            .bind(metadata)
            .fetch_one(&self.writer)
            .await
            .unwrap();
        assert_eq!(reason, None, "the append was refused");
        last.unwrap()
    }
}

const APPEND: &str = "
    select reason, last_position from log.append(
      array[$1::uuid], array[$2::text], array[$3::bytea],
      array[1], array[$1::uuid], array[$4::text], array[$5::text], array[null::bigint],
      '{}'::integer[], '{}'::uuid[], '{}'::text[], '{}'::text[], '{}'::bigint[],
      array_fill(1, array[cardinality($6::uuid[])]), $6::uuid[],
      array_fill($4::text, array[cardinality($6::uuid[])]), array_fill($5::text, array[cardinality($6::uuid[])]),
      $7::text[], $8::text[], $9::boolean[],
      array_fill(1, array[cardinality($10::uuid[])]), array_fill($1::uuid, array[cardinality($10::uuid[])]),
      array_fill($4::text, array[cardinality($10::uuid[])]), array_fill($5::text, array[cardinality($10::uuid[])]),
      $10::uuid[], $11::text[], $12::text[], $13::text[],
      array_fill($14::text, array[cardinality($10::uuid[])]))";
