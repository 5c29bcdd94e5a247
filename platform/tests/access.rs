//! Effective permissions in Redis: found by other processes, never believed when old, and never needed.

use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ::redis::AsyncCommands as _;
use ::redis::aio::MultiplexedConnection;
use events::envelope::encode;
use events::rbac::policy::{self, Policy, RoleCreated};
use events::rbac::user_access::{self, UserAccess};
use events::{Actor, ActorKind, Decider, Permission, RoleId, TenantId, UserId};
use jiff::{SignedDuration, Timestamp};
use platform::access::{Access, Shared, TRUSTED, authorize};
use platform::aggregates::Aggregates;
use platform::clock;
use platform::db::{self, Role};
use platform::lifecycle::{Shutdown, Tasks};
use platform::principal::Principal;
use platform::secrets::{self, MasterKey};
use platform::testkit::{TestDatabase, engine};
use sqlx::{Connection as _, PgConnection, PgPool};
use uuid::Uuid;

const SOON: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(2);
const PERMISSION: Permission = Permission::RbacRolesManage;

/// An organisation with one role, and a user who may hold it.
struct World {
    database: TestDatabase,
    log: PgPool,
    pool: PgPool,
    master: String,
    redis_url: String,
    redis: MultiplexedConnection,
    principal: Principal,
    role: RoleId,
}

/// What one process has: nothing but its memory is its own.
struct Process {
    access: Access,
    aggregates: Aggregates,
}

impl World {
    async fn new() -> Self {
        Self::with_redis(engine("REDIS_URL").unwrap()).await
    }

    async fn with_redis(redis_url: String) -> Self {
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

    fn master(&self) -> MasterKey {
        MasterKey::parse(&self.master).unwrap()
    }

    fn shared(&self) -> Shared {
        Shared::open(&self.redis_url, &self.master()).unwrap().unwrap()
    }

    /// A process that has just started.
    fn process(&self) -> Process {
        self.process_with(self.shared())
    }

    fn process_with(&self, shared: Shared) -> Process {
        process(&self.pool, shared)
    }

    fn user(&self) -> UserId {
        self.principal.user().unwrap()
    }

    fn key(&self) -> String {
        format!("rbac:tenant:{}:user:{}", self.principal.tenant, self.user())
    }

    async fn policy(&self, event: policy::Event) {
        self.append::<Policy>(self.principal.tenant, event).await;
    }

    async fn permit(&self) {
        let permission = PERMISSION.name().to_owned();
        self.policy(policy::Event::PermissionGranted { role_id: self.role, permission }).await;
    }

    async fn forbid(&self) {
        let permission = PERMISSION.name().to_owned();
        self.policy(policy::Event::PermissionRevoked { role_id: self.role, permission }).await;
    }

    async fn assign(&self, user: UserId, expires_at: Option<Timestamp>) {
        let role_id = self.role;
        let assigned = user_access::Event::RoleAssigned { role_id, unit_id: None, expires_at };
        self.append::<UserAccess>(user, assigned).await;
    }

    async fn unassign(&self) {
        let role_id = self.role;
        let removed = user_access::Event::RoleRemoved { role_id, unit_id: None, reason: None };
        self.append::<UserAccess>(self.user(), removed).await;
    }

    async fn append<D: Decider>(&self, id: impl ToString, event: D::Event) {
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
    async fn value_unlike(&self, other: Option<&[u8]>) -> Vec<u8> {
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

    async fn plant(&self, user: UserId, value: &[u8]) {
        let key = format!("rbac:tenant:{}:user:{user}", self.principal.tenant);
        self.redis.clone().set::<_, _, ()>(key, value).await.unwrap();
    }

    async fn end(self) {
        self.log.close().await;
        self.pool.close().await;
        self.database.drop_now().await.unwrap();
    }
}

fn process(pool: &PgPool, shared: Shared) -> Process {
    let aggregates = Aggregates::new(pool.clone(), 1_000);
    Process { access: Access::new(aggregates.clone(), Some(shared)), aggregates }
}

fn principal(tenant: TenantId, user: UserId) -> Principal {
    let (kind, id) = (ActorKind::User, user.to_string());
    let actor = Actor { kind, id, session_id: None, on_behalf_of: None };
    Principal { tenant, actor, expires_at: Timestamp::MAX }
}

async fn connect(url: &str) -> MultiplexedConnection {
    let client = ::redis::Client::open(url).unwrap();
    client.get_multiplexed_async_connection().await.unwrap()
}

impl Process {
    async fn may(&self, principal: &Principal) -> bool {
        let standing = self.access.current(principal).await.unwrap();
        authorize(principal, standing.as_ref(), PERMISSION).is_ok()
    }

    /// Whether it had to fold what the answer follows from.
    fn folded(&self, principal: &Principal) -> bool {
        let tenant = principal.tenant;
        let policy = self.aggregates.kept::<Policy>(tenant, &tenant.to_string()).is_some();
        policy || self.aggregates.kept::<UserAccess>(tenant, &principal.actor.id).is_some()
    }
}

#[tokio::test]
async fn a_process_that_has_folded_nothing_answers_from_redis() {
    let world = World::new().await;
    let who = &world.principal;
    world.assign(world.user(), None).await;
    let first = world.process();
    assert!(first.may(who).await && first.folded(who));
    world.value_unlike(None).await;

    let second = world.process();
    assert!(second.may(who).await);
    assert!(!second.folded(who));
    let standing = second.access.last_known(who).await.unwrap().unwrap();
    assert_eq!((standing.versions.policy, standing.versions.access), (3, 1));
    assert!(standing.effective.allows(PERMISSION.name()) && !standing.effective.allows("a:b"));
    assert!(!second.folded(who));
    // Who wants to know why gets the policy itself.
    let rights = second.access.rights(who.tenant, &standing).await.unwrap();
    assert_eq!(rights.versions(), standing.versions);
    assert!(rights.holder(world.user(), &[], clock::now()).explain(PERMISSION.name()).is_allowed());

    // A decision may lean on it just so: the append checks the versions that it names.
    let third = world.process();
    let standing = third.access.last_known(who).await.unwrap().unwrap();
    assert!(standing.effective.permits(PERMISSION) && !third.folded(who));

    let life: i64 = world.redis.clone().ttl(world.key()).await.unwrap();
    assert!((1..=3600).contains(&life), "{life} s");
    world.end().await;
}

#[tokio::test]
async fn what_a_process_works_out_from_memory_is_kept_for_others_now_and_then() {
    let world = World::new().await;
    let who = &world.principal;
    world.assign(world.user(), None).await;
    let process = world.process();
    assert!(process.may(who).await);
    let before = world.value_unlike(None).await;
    let wait = async {
        let mut redis = world.redis.clone();
        while redis.get::<_, Vec<u8>>(world.key()).await.unwrap() == before {
            world.forbid().await;
            while process.may(who).await {
                tokio::time::sleep(POLL).await;
            }
            world.permit().await;
            while !process.may(who).await {
                tokio::time::sleep(POLL).await;
            }
        }
    };
    tokio::time::timeout(SOON, wait).await.expect("only the first value was kept");
    world.end().await;
}

#[tokio::test]
async fn a_value_of_an_older_version_is_not_believed() {
    let world = World::new().await;
    let who = &world.principal;
    world.assign(world.user(), None).await;
    assert!(world.process().may(who).await);
    let yes = world.value_unlike(None).await;

    world.unassign().await;
    world.plant(world.user(), &yes).await;
    let process = world.process();
    assert!(!process.may(who).await);
    assert!(process.folded(who));
    let no = world.value_unlike(Some(&yes)).await;

    world.assign(world.user(), None).await;
    world.plant(world.user(), &no).await;
    assert!(world.process().may(who).await);
    let yes = world.value_unlike(Some(&no)).await;

    world.forbid().await;
    world.plant(world.user(), &yes).await;
    let process = world.process();
    assert!(!process.may(who).await && process.folded(who));
    // What a process has just found is not shaken by what is planted afterwards.
    world.plant(world.user(), &yes).await;
    assert!(!process.may(who).await);
    world.end().await;
}

#[tokio::test]
async fn a_value_counts_for_one_user_one_epoch_and_one_installation() {
    let world = World::new().await;
    let who = &world.principal;
    world.assign(world.user(), None).await;
    assert!(world.process().may(who).await);
    let yes = world.value_unlike(None).await;

    // Somebody else, whose roles stand at the same version.
    let (other, none) = (clock::new_id::<UserId>(), clock::new_id::<RoleId>());
    let assigned =
        user_access::Event::RoleAssigned { role_id: none, unit_id: None, expires_at: None };
    world.append::<UserAccess>(other, assigned).await;
    world.plant(other, &yes).await;
    assert!(!world.process().may(&principal(who.tenant, other)).await);

    let key: [u8; 32] = secrets::random();
    let key = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, key);
    let key = MasterKey::parse(&key).unwrap();
    let foreign = world.process_with(Shared::open(&world.redis_url, &key).unwrap().unwrap());
    assert!(foreign.may(who).await && foreign.folded(who));

    // After a restore the same versions may stand for other events.
    world.plant(world.user(), &yes).await;
    let mut owner = PgConnection::connect(&world.database.url).await.unwrap();
    sqlx::query("update log.head set epoch = epoch + 1").execute(&mut owner).await.unwrap();
    let process = world.process();
    assert!(process.may(who).await && process.folded(who));
    owner.close().await.unwrap();
    world.end().await;
}

#[tokio::test]
async fn garbage_in_redis_is_a_miss_and_is_replaced() {
    let world = World::new().await;
    let who = &world.principal;
    world.assign(world.user(), None).await;
    assert!(world.process().may(who).await);
    let good = world.value_unlike(None).await;
    let mut flipped = good.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let noise: [u8; 500] = secrets::random();
    for garbage in [&b""[..], b"yes", &noise, &good[..good.len() / 2], &flipped] {
        world.plant(world.user(), garbage).await;
        let process = world.process();
        assert!(process.may(who).await && process.folded(who));
        world.value_unlike(Some(garbage)).await;
    }
    let mut redis = world.redis.clone();
    redis.del::<_, ()>(world.key()).await.unwrap();
    redis.lpush::<_, _, ()>(world.key(), "a list").await.unwrap();
    let process = world.process();
    assert!(process.may(who).await && process.folded(who));
    let wait = async {
        while redis.key_type::<_, String>(world.key()).await.unwrap() != "string" {
            tokio::time::sleep(POLL).await;
        }
    };
    tokio::time::timeout(SOON, wait).await.expect("the list is still there");
    let process = world.process();
    assert!(process.may(who).await && !process.folded(who));
    world.end().await;
}

#[tokio::test]
async fn an_assignment_ends_by_the_clock_also_in_redis() {
    let world = World::new().await;
    let who = &world.principal;
    let end = clock::now() + SignedDuration::from_millis(1500);
    world.assign(world.user(), Some(end)).await;
    let wait = async {
        loop {
            let asked = clock::now();
            if !world.process().may(who).await {
                return;
            }
            assert!(asked < end, "yes after the end");
            tokio::time::sleep(POLL).await;
        }
    };
    tokio::time::timeout(SOON, wait).await.expect("it never ends");
    assert!(clock::now() >= end);
    world.end().await;
}

/// A Redis of a test's own, so that it may be wiped and killed.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    async fn start(port: Option<u16>) -> Self {
        let free = || {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            listener.local_addr().unwrap().port()
        };
        let port = port.unwrap_or_else(free);
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port"]);
        command.arg(port.to_string()).stdout(Stdio::null());
        let server = Self { child: command.spawn().unwrap(), port };
        let wait = async {
            while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
                tokio::time::sleep(POLL).await;
            }
        };
        tokio::time::timeout(SOON, wait).await.expect("redis-server does not listen");
        server
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn a_redis_that_is_wiped_or_killed_costs_time_and_no_answer() {
    let server = Server::start(None).await;
    let world = World::with_redis(server.url()).await;
    let (who, shared) = (&world.principal, world.shared());
    world.assign(world.user(), None).await;
    assert!(world.process_with(shared.clone()).may(who).await);
    world.value_unlike(None).await;

    ::redis::cmd("FLUSHALL").exec_async(&mut world.redis.clone()).await.unwrap();
    let process = world.process_with(shared.clone());
    assert!(process.may(who).await && process.folded(who));
    world.value_unlike(None).await;

    let port = server.port;
    drop(server);
    for _ in 0..3 {
        world.unassign().await;
        assert!(!world.process_with(shared.clone()).may(who).await);
        world.assign(world.user(), None).await;
        assert!(world.process_with(shared.clone()).may(who).await);
    }
    // Once it is back it is used again, by the same connection.
    let server = Server::start(Some(port)).await;
    let wait = async {
        loop {
            let process = world.process_with(shared.clone());
            assert!(process.may(who).await);
            if !process.folded(who) {
                return;
            }
            tokio::time::sleep(POLL).await;
        }
    };
    tokio::time::timeout(SOON, wait).await.expect("redis is back and is not used");
    world.end().await;
    drop(server);
}

#[tokio::test]
async fn a_redis_that_does_not_answer_or_is_not_there_changes_no_answer() {
    let world = World::new().await;
    let who = &world.principal;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}", silent.local_addr().unwrap());
    let shared = Shared::open(&url, &world.master()).unwrap().unwrap();
    for _ in 0..5 {
        world.assign(world.user(), None).await;
        assert!(world.process_with(shared.clone()).may(who).await);
        world.unassign().await;
        assert!(!world.process_with(shared.clone()).may(who).await);
    }
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let shared = Shared::open(&format!("redis://{nobody}"), &world.master()).unwrap().unwrap();
    assert!(!world.process_with(shared.clone()).may(who).await);
    world.assign(world.user(), None).await;
    assert!(world.process_with(shared).may(who).await);
    world.end().await;
}

/// When somebody held the permission: from before the grant was sent to after the revocation was acknowledged.
#[derive(Clone, Copy)]
struct Held {
    from: Instant,
    until: Instant,
}

/// One check: when it was asked, when it was answered, and how.
#[derive(Clone, Copy)]
struct Answer {
    asked: Instant,
    answered: Instant,
    yes: bool,
}

/// Whoever asks, again and again.
struct Checker {
    pool: PgPool,
    shared: Shared,
    principal: Principal,
    /// Whether each question is asked by a process that has just started.
    fresh: bool,
    answers: Mutex<Vec<Answer>>,
    unfolded: Mutex<u32>,
}

impl Checker {
    fn new(world: &World, fresh: bool) -> Arc<Self> {
        Arc::new(Self {
            pool: world.pool.clone(),
            shared: world.shared(),
            principal: world.principal.clone(),
            fresh,
            answers: Mutex::default(),
            unfolded: Mutex::default(),
        })
    }

    async fn run(self: Arc<Self>, shutdown: Shutdown) -> anyhow::Result<()> {
        let mut process = process(&self.pool, self.shared.clone());
        while !shutdown.begun() {
            if self.fresh {
                process = self::process(&self.pool, self.shared.clone());
            }
            let asked = Instant::now();
            let yes = process.may(&self.principal).await;
            self.answers.lock().unwrap().push(Answer { asked, answered: Instant::now(), yes });
            if !process.folded(&self.principal) {
                *self.unfolded.lock().unwrap() += 1;
            }
            shutdown.sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    }

    /// How long an answer may lag behind.
    fn trust(&self) -> Duration {
        if self.fresh { Duration::ZERO } else { TRUSTED }
    }

    /// Returns once it answers `yes` to a question of now or later.
    async fn says(&self, yes: bool) {
        let now = Instant::now();
        let wait = async {
            loop {
                let last = self.answers.lock().unwrap().last().copied();
                if last.is_some_and(|last| last.yes == yes && last.asked >= now) {
                    return;
                }
                tokio::time::sleep(POLL).await;
            }
        };
        let waited = tokio::time::timeout(SOON, wait).await;
        assert!(waited.is_ok(), "never says {yes} (fresh: {})", self.fresh);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_check_says_yes_once_a_revocation_is_older_than_the_trust() {
    const ROUNDS: usize = 12;
    let world = World::new().await;
    let checkers = [false, false, true, true, true].map(|fresh| Checker::new(&world, fresh));
    let tasks = Tasks::new(Shutdown::new());
    for checker in &checkers {
        tasks.spawn("checker", Arc::clone(checker).run(tasks.shutdown().clone()));
    }
    // Somebody keeps putting back what was true before each revocation.
    let old: Arc<Mutex<Option<Vec<u8>>>> = Arc::default();
    let planted: Arc<Mutex<u32>> = Arc::default();
    let vandal = {
        let (old, planted, key) = (Arc::clone(&old), Arc::clone(&planted), world.key());
        let (mut redis, shutdown) = (world.redis.clone(), tasks.shutdown().clone());
        async move {
            while shutdown.sleep(Duration::from_millis(3)).await {
                let value = old.lock().unwrap().clone();
                if let Some(value) = value {
                    redis.set::<_, _, ()>(&key, value).await?;
                    *planted.lock().unwrap() += 1;
                }
            }
            Ok(())
        }
    };
    tasks.spawn("vandal", vandal);

    let mut history: Vec<Held> = Vec::new();
    for round in 0..ROUNDS {
        // By turns the user gets and loses the role, and the role the permission.
        let by_role = round % 2 == 0;
        let from = Instant::now();
        if by_role {
            world.assign(world.user(), None).await;
        } else {
            world.permit().await;
        }
        for checker in &checkers {
            checker.says(true).await;
        }
        let yes: Option<Vec<u8>> = world.redis.clone().get(world.key()).await.unwrap();
        if by_role {
            world.unassign().await;
        } else {
            world.forbid().await;
        }
        let until = Instant::now();
        *old.lock().unwrap() = yes;
        history.push(Held { from, until });
        for checker in &checkers {
            checker.says(false).await;
        }
        *old.lock().unwrap() = None;
        // What the next round gives is taken first, so that nothing is held in between.
        if by_role {
            world.forbid().await;
            world.assign(world.user(), None).await;
        } else {
            world.unassign().await;
            world.permit().await;
        }
    }
    tasks.shutdown().begin();
    assert!(tasks.join(SOON).await);
    assert!(*planted.lock().unwrap() > 0, "nothing was planted");
    for checker in &checkers {
        judge(checker, &history);
    }
    let unfolded: u32 = checkers.iter().map(|checker| *checker.unfolded.lock().unwrap()).sum();
    assert!(unfolded > 0, "redis never answered");
    world.end().await;
}

/// Every yes lies in a time in which it was true, or not longer after it than may be.
fn judge(checker: &Checker, history: &[Held]) {
    let answers = checker.answers.lock().unwrap();
    for answer in answers.iter().filter(|answer| answer.yes) {
        let was_true = history.iter().any(|held| {
            held.from <= answer.answered && answer.asked <= held.until + checker.trust()
        });
        let ended = history.iter().rev().map(|held| held.until).find(|until| *until < answer.asked);
        let since = ended.map(|until| answer.asked - until);
        assert!(was_true, "yes {since:?} after a revocation (fresh: {})", checker.fresh);
    }
}
