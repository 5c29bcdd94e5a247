//! An organisation with one role, and processes that answer whether a user holds it.

use ::redis::AsyncCommands as _;
use ::redis::aio::MultiplexedConnection;
use events::envelope::encode;
use events::rbac::policy::{self, Policy, RoleCreated};
use events::rbac::user_access::{self, UserAccess};
use events::{Actor, ActorKind, Decider, Permission, RoleId, TenantId, UserId};
use jiff::Timestamp;
use platform::access::{Access, Shared, authorize};
use platform::aggregates::Aggregates;
use platform::clock;
use platform::db::{self, Role};
use platform::principal::Principal;
use platform::secrets::{self, MasterKey};
use platform::testkit::{TestDatabase, engine};
use sqlx::PgPool;
use std::time::Duration;
use uuid::Uuid;

pub(crate) const SOON: Duration = Duration::from_secs(20);
pub(crate) const POLL: Duration = Duration::from_millis(2);
pub(crate) const PERMISSION: Permission = Permission::RbacRolesManage;

/// An organisation with one role, and a user who may hold it.
pub(crate) struct World {
    pub(crate) database: TestDatabase,
    pub(crate) log: PgPool,
    pub(crate) pool: PgPool,
    pub(crate) master: String,
    pub(crate) redis_url: String,
    pub(crate) redis: MultiplexedConnection,
    pub(crate) principal: Principal,
    pub(crate) role: RoleId,
}

/// What one process has: nothing but its memory is its own.
pub(crate) struct Process {
    pub(crate) access: Access,
    pub(crate) aggregates: Aggregates,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with_redis(engine("REDIS_URL").unwrap()).await
    }

    pub(crate) async fn with_redis(redis_url: String) -> Self {
        let database = TestDatabase::create(&migrations::MIGRATOR).await.unwrap();
        let log = db::connect(&database.url, Role::CommandApi, 2).await.unwrap();
        let pool = db::connect(&database.url, Role::QueryApi, 8).await.unwrap();
        let (tenant, user): (TenantId, UserId) = (clock::new_id(), clock::new_id());
        let key: [u8; 32] = secrets::random();
        let redis = connect(&redis_url).await;
        let world = Self {
            database,
            log,
            pool,
            master: base64::Engine::encode(&base64::engine::general_purpose::STANDARD, key),
            redis_url,
            redis,
            principal: principal(tenant, user),
            role: clock::new_id(),
        };
        let owner_role_id = clock::new_id();
        let role = RoleCreated {
            role_id: world.role,
            name: "Keeper".into(),
            code: "keeper".into(),
            description: None,
            level: 10,
            unit_id: None,
            system: false,
            protected: false,
        };
        world.policy(policy::Event::Initialized { owner_role_id }).await;
        world.policy(policy::Event::RoleCreated(role)).await;
        world.permit().await;
        world
    }

    pub(crate) fn master(&self) -> MasterKey {
        MasterKey::parse(&self.master).unwrap()
    }

    pub(crate) fn shared(&self) -> Shared {
        Shared::open(&self.redis_url, &self.master()).unwrap().unwrap()
    }

    /// A process that has just started.
    pub(crate) fn process(&self) -> Process {
        self.process_with(self.shared())
    }

    pub(crate) fn process_with(&self, shared: Shared) -> Process {
        process(&self.pool, shared)
    }

    pub(crate) fn user(&self) -> UserId {
        self.principal.user().unwrap()
    }

    pub(crate) fn key(&self) -> String {
        format!("rbac:tenant:{}:user:{}", self.principal.tenant, self.user())
    }

    pub(crate) async fn policy(&self, event: policy::Event) {
        self.append::<Policy>(self.principal.tenant, event).await;
    }

    pub(crate) async fn permit(&self) {
        let permission = PERMISSION.name().to_owned();
        self.policy(policy::Event::PermissionGranted { role_id: self.role, permission }).await;
    }

    pub(crate) async fn forbid(&self) {
        let permission = PERMISSION.name().to_owned();
        self.policy(policy::Event::PermissionRevoked { role_id: self.role, permission }).await;
    }

    pub(crate) async fn assign(&self, user: UserId, expires_at: Option<Timestamp>) {
        let role_id = self.role;
        let assigned = user_access::Event::RoleAssigned { role_id, unit_id: None, expires_at };
        self.append::<UserAccess>(user, assigned).await;
    }

    pub(crate) async fn unassign(&self) {
        let role_id = self.role;
        let removed = user_access::Event::RoleRemoved { role_id, unit_id: None, reason: None };
        self.append::<UserAccess>(self.user(), removed).await;
    }

    pub(crate) async fn append<D: Decider>(&self, id: impl ToString, event: D::Event) {
        let encoded = encode(&event).unwrap();
        let reason: Option<String> = sqlx::query_scalar(
            "select reason from log.append(
               array[$1], array[null::text], array[null::bytea],
               array[1], array[$1], array[$2], array[$3], array[null::bigint],
               '{}', '{}', '{}', '{}', '{}',
               '{}', '{}', '{}', '{}', '{}', '{}', '{}',
               array[1], array[$1], array[$2], array[$3],
               array[$4], array[$5], array[$6], array[$7], array['{}'])",
        )
        .bind(self.principal.tenant.0)
        .bind(D::TYPE)
        .bind(id.to_string())
        .bind(clock::new_id::<Uuid>())
        .bind(encoded.event_type)
        .bind(encoded.event_version)
        .bind(encoded.payload)
        .fetch_one(&self.log)
        .await
        .unwrap();
        assert_eq!(reason, None);
    }

    /// What Redis holds of the user, once it holds something else than `other`.
    pub(crate) async fn value_unlike(&self, other: Option<&[u8]>) -> Vec<u8> {
        let mut redis = self.redis.clone();
        let wait = async {
            loop {
                let value: Option<Vec<u8>> = redis.get(self.key()).await.unwrap();
                match value {
                    Some(value) if other != Some(&value) => return value,
                    Some(_) | None => tokio::time::sleep(POLL).await,
                }
            }
        };
        tokio::time::timeout(SOON, wait).await.expect("nothing was kept in Redis")
    }

    pub(crate) async fn plant(&self, user: UserId, value: &[u8]) {
        let key = format!("rbac:tenant:{}:user:{user}", self.principal.tenant);
        self.redis.clone().set::<_, _, ()>(key, value).await.unwrap();
    }

    pub(crate) async fn end(self) {
        self.log.close().await;
        self.pool.close().await;
        self.database.drop_now().await.unwrap();
    }
}

pub(crate) fn process(pool: &PgPool, shared: Shared) -> Process {
    let aggregates = Aggregates::new(pool.clone(), 1_000);
    Process { access: Access::new(aggregates.clone(), Some(shared)), aggregates }
}

pub(crate) fn principal(tenant: TenantId, user: UserId) -> Principal {
    let (kind, id) = (ActorKind::User, user.to_string());
    let actor = Actor { kind, id, session_id: None, on_behalf_of: None, api_key_id: None };
    Principal { tenant, actor, expires_at: Timestamp::MAX, key: None, through: None }
}

pub(crate) async fn connect(url: &str) -> MultiplexedConnection {
    let client = ::redis::Client::open(url).unwrap();
    client.get_multiplexed_async_connection().await.unwrap()
}

impl Process {
    pub(crate) async fn may(&self, principal: &Principal) -> bool {
        let standing = self.access.current(principal).await.unwrap();
        authorize(principal, standing.as_ref(), PERMISSION).is_ok()
    }

    /// Whether it had to fold what the answer follows from.
    pub(crate) fn folded(&self, principal: &Principal) -> bool {
        let tenant = principal.tenant;
        let policy = self.aggregates.kept::<Policy>(tenant, &tenant.to_string()).is_some();
        policy || self.aggregates.kept::<UserAccess>(tenant, &principal.actor.id).is_some()
    }
}
