//! A running query-api with its projections over a database of its own, and organisations to ask about.

use std::sync::Arc;
use std::time::Duration;

use events::envelope::{Encoded, encode};
use events::exports::export::{self, Export};
use events::identity::organization::{self, Organization};
use events::identity::session::{self, Session};
use events::identity::user::{self, User};
use events::rbac::policy::{self, Policy, RoleCreated};
use events::rbac::user_access::{self, UserAccess};
use events::{Actor, ActorKind, Decider, Permission, RoleId, SessionId, TenantId, UserId};
use jiff::{SignedDuration, Timestamp};
use platform::clock;
use platform::config::Settings;
use platform::consistency::{Token, TokenKey};
use platform::db::{self, Role};
use platform::lifecycle::{Shutdown, Tasks};
use platform::principal::Tokens;
use platform::secrets::MasterKey;
use platform::testkit::TestDatabase;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;
use sqlx::{Connection as _, PgConnection, PgPool};
use tempfile::TempDir;
use uuid::Uuid;

const SOON: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(5);

/// Everything a test needs.
pub(crate) struct World {
    pub(crate) settings: Arc<Settings>,
    pub(crate) client: Client,
    pub(crate) log: PgPool,
    pub(crate) read: PgPool,
    pub(crate) master: MasterKey,
    tokens: Tokens,
    database: TestDatabase,
    queries: Tasks,
    projections: Tasks,
    _files: TempDir,
}

/// Somebody signed in.
#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) tenant: TenantId,
    pub(crate) user: UserId,
    pub(crate) session: SessionId,
    pub(crate) token: String,
}

/// An organisation with an owner.
#[derive(Clone)]
pub(crate) struct Org {
    pub(crate) tenant: TenantId,
    pub(crate) owner: Person,
    pub(crate) owner_role: RoleId,
}

/// A new id of whatever kind.
pub(crate) fn new<T: From<Uuid>>() -> T {
    clock::new_id()
}

impl World {
    /// Starts query-api and the projections.
    pub(crate) async fn start() -> Self {
        let world = Self::without_projections().await;
        world.feed();
        world
    }

    /// Starts query-api with a bus and the relay that feeds it.
    pub(crate) async fn with_bus() -> Self {
        let server = platform::testkit::engine("NATS_URL").unwrap();
        let space: Uuid = new();
        let world = Self::over(&format!("{server}/{space}")).await;
        let shutdown = world.projections.shutdown().clone();
        world.projections.spawn("relay", relay::run(Arc::clone(&world.settings), shutdown));
        world
    }

    /// Starts query-api alone; the log is polled.
    pub(crate) async fn without_projections() -> Self {
        Self::over("").await
    }

    async fn over(nats_url: &str) -> Self {
        let files = tempfile::tempdir().unwrap();
        let database = TestDatabase::create(&migrations::MIGRATOR).await.unwrap();
        let mut settings = (*database.settings(files.path()).unwrap()).clone();
        nats_url.clone_into(&mut settings.nats_url);
        settings.pool_size = 8;
        platform::telemetry::init(&settings);
        let settings = Arc::new(settings);
        let master = MasterKey::parse(&settings.master_key).unwrap();
        let log = db::connect(&settings.database_url, Role::CommandApi, 8).await.unwrap();
        let read = db::connect(&settings.database_url, Role::QueryApi, 2).await.unwrap();
        let tokens = Tokens::new(&settings.issuer);
        tokens.load(&log, Some(&master)).await.unwrap();
        let world = Self {
            client: Client::builder().build().unwrap(),
            settings,
            log,
            read,
            master,
            tokens,
            database,
            queries: Tasks::new(Shutdown::new()),
            projections: Tasks::new(Shutdown::new()),
            _files: files,
        };
        let shutdown = world.queries.shutdown().clone();
        world.queries.spawn("query-api", query_api::run(Arc::clone(&world.settings), shutdown));
        world
            .until("query-api answers", || async {
                let ready = world.client.get(format!("{}/readyz", world.settings.query_url));
                ready.send().await.is_ok_and(|response| response.status().is_success())
            })
            .await;
        world
    }

    /// Starts the projections.
    pub(crate) fn feed(&self) {
        let shutdown = self.projections.shutdown().clone();
        self.projections.spawn("projectors", projectors::run(Arc::clone(&self.settings), shutdown));
    }

    /// Ends the life of the signing key and makes the next one, which query-api has not seen yet.
    pub(crate) async fn rotate_keys(&self) {
        let mut owner = PgConnection::connect(&self.database.url).await.unwrap();
        let ended = "update secrets.signing_keys set not_after = now()";
        sqlx::query(ended).execute(&mut owner).await.unwrap();
        self.tokens.load(&self.log, Some(&self.master)).await.unwrap();
    }

    /// Stops query-api, as an operator would.
    pub(crate) fn begin_shutdown(&self) {
        self.queries.shutdown().begin();
    }

    /// Ends everything and drops the database.
    pub(crate) async fn end(self) {
        self.queries.shutdown().begin();
        self.projections.shutdown().begin();
        assert!(self.queries.join(SOON).await, "query-api does not end");
        self.projections.join(SOON).await;
        self.log.close().await;
        self.read.close().await;
        self.database.drop_now().await.unwrap();
    }

    /// Waits for something that comes about by itself.
    pub(crate) async fn until<F: Future<Output = bool>>(&self, what: &str, holds: impl Fn() -> F) {
        let wait = async {
            while !holds().await {
                tokio::time::sleep(POLL).await;
            }
        };
        assert!(tokio::time::timeout(SOON, wait).await.is_ok(), "in vain: {what}");
    }

    /// Appends to one stream as `actor`; the position of the last event.
    pub(crate) async fn append<D: Decider>(
        &self,
        by: (TenantId, &str),
        id: impl ToString,
        events: impl IntoIterator<Item = D::Event>,
    ) -> i64 {
        let encoded = events.into_iter().map(|event| encode(&event).unwrap()).collect();
        self.store::<D>(by, id, encoded).await
    }

    /// The same for events as they are stored.
    pub(crate) async fn store<D: Decider>(
        &self,
        (tenant, actor): (TenantId, &str),
        id: impl ToString,
        encoded: Vec<Encoded>,
    ) -> i64 {
        let count = encoded.len();
        let kind = if actor == "system" { "system" } else { "user" };
        let metadata = serde_json::json!({
            "actor_kind": kind, "actor_id": actor, "ip": "192.0.2.7", "correlation_id": "c-1",
        });
        let row: (Option<String>, i64) = sqlx::query_as(
            "select reason, last_position from log.append(
               array[$1], array[null::text], array[null::bytea],
               array[1], array[$1], array[$2], array[$3], array[null::bigint],
               '{}', '{}', '{}', '{}', '{}',
               '{}', '{}', '{}', '{}', '{}', '{}', '{}',
               array_fill(1, array[$4]), array_fill($1, array[$4]), array_fill($2, array[$4]),
               array_fill($3, array[$4]), $5, $6, $7, $8, $9)",
        )
        .bind(tenant.0)
        .bind(D::TYPE)
        .bind(id.to_string())
        .bind(i32::try_from(count).unwrap())
        .bind((0..count).map(|_| new::<Uuid>()).collect::<Vec<_>>())
        .bind(encoded.iter().map(|event| event.event_type.clone()).collect::<Vec<_>>())
        .bind(encoded.iter().map(|event| event.event_version.clone()).collect::<Vec<_>>())
        .bind(encoded.iter().map(|event| event.payload.clone()).collect::<Vec<_>>())
        .bind(vec![metadata.to_string(); count])
        .fetch_one(&self.log)
        .await
        .unwrap();
        assert_eq!(row.0, None);
        row.1
    }

    /// Makes an organisation with an owner who may do everything.
    pub(crate) async fn org(&self, slug: &str) -> Org {
        let tenant: TenantId = new();
        let owner_role: RoleId = new();
        let system = (tenant, "system");
        let created = organization::Event::Created {
            name: format!("{slug} Ltd"),
            slug: slug.into(),
            time_zone: "Europe/Berlin".into(),
            locale: "en".into(),
            currency: "EUR".into(),
        };
        self.append::<Organization>(system, tenant, [created]).await;
        let owner = self.person(tenant, "owner").await;
        let role = RoleCreated {
            role_id: owner_role,
            name: "Owner".into(),
            code: "owner".into(),
            description: None,
            level: 1000,
            unit_id: None,
            system: true,
            protected: true,
        };
        self.append::<Policy>(
            system,
            tenant,
            [
                policy::Event::Initialized { owner_role_id: owner_role },
                policy::Event::RoleCreated(role),
                policy::Event::PermissionGranted { role_id: owner_role, permission: "*:*".into() },
                policy::Event::ProtectedRoleGranted {
                    user_id: owner.user,
                    role_id: owner_role,
                    unit_id: None,
                    expires_at: None,
                },
            ],
        )
        .await;
        Org { tenant, owner, owner_role }
    }

    /// Registers a user and signs them in.
    pub(crate) async fn person(&self, tenant: TenantId, handle: &str) -> Person {
        let user: UserId = new();
        let registered = user::Event::Registered {
            handle: handle.into(),
            display_name: handle.to_uppercase(),
            email: None,
            locale: "en".into(),
            time_zone: "UTC".into(),
        };
        self.append::<User>((tenant, "system"), user, [registered]).await;
        self.sign_in(tenant, user).await
    }

    /// Signs a user in once more.
    pub(crate) async fn sign_in(&self, tenant: TenantId, user: UserId) -> Person {
        let session: SessionId = new();
        let started = session::Event::Started {
            user_id: user,
            refresh_sha256: "0".repeat(64),
            expires_at: hours_from_now(1),
            amr: vec!["pwd".into()],
            ip: Some("192.0.2.7".into()),
            user_agent: Some("test".into()),
            began_after: 0,
            issuer_id: None,
            issuer_endings: 0,
            token_sha256: None,
        };
        self.append::<Session>((tenant, &user.to_string()), session, [started]).await;
        let token = self.token(tenant, user, Some(session), 600);
        Person { tenant, user, session, token }
    }

    /// An access token of `seconds`.
    pub(crate) fn token(
        &self,
        tenant: TenantId,
        user: UserId,
        session: Option<SessionId>,
        seconds: u32,
    ) -> String {
        let actor = Actor {
            kind: ActorKind::User,
            id: user.to_string(),
            session_id: session,
            on_behalf_of: None,
            api_key_id: None,
        };
        self.tokens.sign(tenant, &actor, seconds).unwrap()
    }

    /// Makes a role.
    pub(crate) async fn role(&self, org: &Org, code: &str, permissions: &[&str]) -> RoleId {
        let role_id: RoleId = new();
        let created = RoleCreated {
            role_id,
            name: code.to_uppercase(),
            code: code.into(),
            description: None,
            level: 10,
            unit_id: None,
            system: false,
            protected: false,
        };
        let grant =
            |name: &&str| policy::Event::PermissionGranted { role_id, permission: (*name).into() };
        let events = [policy::Event::RoleCreated(created)].into_iter();
        let events = events.chain(permissions.iter().map(grant));
        self.append::<Policy>((org.tenant, &org.owner.user.to_string()), org.tenant, events).await;
        role_id
    }

    /// Gives a role to a user; the position.
    pub(crate) async fn assign(&self, org: &Org, user: UserId, role_id: RoleId) -> i64 {
        let assigned =
            user_access::Event::RoleAssigned { role_id, unit_id: None, expires_at: None };
        let actor = org.owner.user.to_string();
        self.append::<UserAccess>((org.tenant, &actor), user, [assigned]).await
    }

    /// Takes a role from a user.
    pub(crate) async fn unassign(&self, org: &Org, user: UserId, role_id: RoleId) -> i64 {
        let removed = user_access::Event::RoleRemoved { role_id, unit_id: None, reason: None };
        let actor = org.owner.user.to_string();
        self.append::<UserAccess>((org.tenant, &actor), user, [removed]).await
    }

    /// Somebody with a role of these permissions.
    pub(crate) async fn entitled(&self, org: &Org, handle: &str, may: &[Permission]) -> Person {
        let person = self.person(org.tenant, handle).await;
        let names: Vec<_> = may.iter().map(|permission| permission.name()).collect();
        let role = self.role(org, handle, &names).await;
        self.assign(org, person.user, role).await;
        person
    }

    /// Requests an export as somebody; its id.
    pub(crate) async fn export(&self, person: &Person) -> events::ExportId {
        let id = new();
        let requested = export::Event::Requested {
            format: export::Format::Csv,
            dataset: "rbac.roles".into(),
            columns: vec!["code".into()],
            filter: None,
            sort: Vec::new(),
            title: None,
            locale: "en".into(),
            time_zone: "UTC".into(),
            requested_by: person.user,
            wishes: Box::default(),
            options: Box::default(),
        };
        let actor = (person.tenant, &*person.user.to_string());
        self.append::<Export>(actor, id, [requested]).await;
        id
    }

    /// A request as somebody.
    pub(crate) fn ask(
        &self,
        method: Method,
        path: &str,
        person: Option<&Person>,
    ) -> RequestBuilder {
        let url = format!("{}/api/v1{path}", self.settings.query_url);
        let request = self.client.request(method, url);
        match person {
            Some(person) => request.bearer_auth(&person.token),
            None => request,
        }
    }

    /// A `GET` as somebody.
    pub(crate) fn get(&self, path: &str, person: &Person) -> RequestBuilder {
        self.ask(Method::GET, path, Some(person))
    }

    /// A successful answer's body.
    pub(crate) async fn body(&self, path: &str, person: &Person) -> Value {
        json(self.get(path, person).send().await.unwrap()).await
    }

    /// A refused answer's status and problem.
    pub(crate) async fn problem(&self, path: &str, person: &Person) -> (StatusCode, Value) {
        problem(self.get(path, person).send().await.unwrap()).await
    }

    /// The consistency token of a position.
    pub(crate) fn place(&self, tenant: TenantId, epoch: i32, position: i64) -> String {
        TokenKey::new(&self.master).encode(&Token { epoch, position, tenant })
    }

    /// Waits until every projection has read the log up to its end.
    pub(crate) async fn settled(&self) {
        self.until("the projections catch up", || async {
            let (count, behind): (i64, i64) = sqlx::query_as(
                "select count(c.projection), count(*) filter (where c.position < h.position or c.state <> 'live') \
                   from log.head h left join read.checkpoints c on true",
            )
            .fetch_one(&self.read)
            .await
            .unwrap();
            count > 0 && behind == 0
        })
        .await;
    }
}

/// A moment some hours ahead.
pub(crate) fn hours_from_now(hours: i64) -> Timestamp {
    clock::now() + SignedDuration::from_hours(hours)
}

/// A successful answer's body.
pub(crate) async fn json(response: Response) -> Value {
    let status = response.status();
    let text = response.text().await.unwrap();
    assert!(status.is_success(), "{status} {text}");
    serde_json::from_str(&text).unwrap()
}

/// A refused answer's status and problem.
pub(crate) async fn problem(response: Response) -> (StatusCode, Value) {
    let status = response.status();
    assert!(status.is_client_error() || status.is_server_error(), "{status}");
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    (status, response.json().await.unwrap())
}

/// One member of every item of a page.
pub(crate) fn column(body: &Value, name: &str) -> Vec<String> {
    let items = body["items"].as_array().unwrap();
    items.iter().map(|item| item[name].as_str().unwrap_or_default().to_owned()).collect()
}
