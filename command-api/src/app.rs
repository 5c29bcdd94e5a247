//! What every request of this process shares.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode};
use events::settings::configuration::Configuration;
use events::settings::{Flag, Key, effective};
use events::{ActorKind, TenantId};
use moka::sync::Cache;
use platform::access::{Access, Shared};
use platform::aggregates::Aggregates;
use platform::api_keys::{self, ApiKeys};
use platform::config::Settings;
use platform::consistency::{Token, TokenKey};
use platform::db::{self, Role};
use platform::files::{Files, Parts};
use platform::http::RequestFacts;
use platform::jwks::KeySets;
use platform::lifecycle::Tasks;
use platform::limits::Limits;
use platform::personal::Personal;
use platform::principal::{Principal, Tokens};
use platform::problem::Problem;
use platform::secrets::MasterKey;
use platform::signing_keys;
use sqlx::{Executor as _, PgConnection, PgPool};
use subtle::ConstantTimeEq;
use tokio::sync::{Notify, Semaphore};

use crate::denials::{self, Denials};
use crate::errands::Errands;
use crate::files::Turns;
use crate::log::Writer;
use crate::pipeline::Ask;
use crate::visible::WAITING_MOST;

const KEPT_AGGREGATES: u64 = 200_000;
/// What another process set holds here after this time: a round trip per organisation now and then, and none per command.
const COMPARED: Duration = Duration::from_secs(5);
const COMPARED_MOST: u64 = 100_000;
/// Password hashes computed at once; each takes a core for tens of milliseconds, and commands must go on meanwhile.
const HASHES_AT_ONCE: usize = 2;
/// Forgotten passwords looked after at once; more are refused, whoever asks.
const FORGOTTEN_AT_ONCE: usize = 8;
/// Wake-ups of the relay are joined for this long, because one NOTIFY per batch would cost more than it tells.
const NOTIFY_PAUSE: Duration = Duration::from_millis(1);

pub(crate) struct App {
    pub(crate) settings: Arc<Settings>,
    pub(crate) pool: PgPool,
    pub(crate) writer: Writer,
    pub(crate) aggregates: Aggregates,
    pub(crate) access: Access,
    pub(crate) api_keys: ApiKeys,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) master: MasterKey,
    pub(crate) personal: Personal,
    pub(crate) hashing: Semaphore,
    pub(crate) limits: Arc<Limits>,
    /// The keys of issuers whose word organisations take.
    pub(crate) key_sets: KeySets,
    /// Turns of those who wait until read models show what they did.
    pub(crate) waiting: Semaphore,
    /// Forgotten passwords being looked after, beside the requests.
    pub(crate) forgotten: Arc<Semaphore>,
    /// Stored files.
    pub(crate) files: Files,
    /// What was sent so far of files that come in parts.
    pub(crate) parts: Parts,
    /// How much is done at once for files.
    pub(crate) turns: Turns,
    /// Refusals that are counted instead of written.
    pub(crate) denials: Denials,
    /// The commands that can be given by name; known once the routes are.
    errands: OnceLock<Errands>,
    consistency: TokenKey,
    /// Whose settings were compared with the log a moment ago.
    compared: Cache<TenantId, ()>,
}

impl App {
    /// Connects, reads the signing keys and starts the writer.
    pub(crate) async fn start(settings: Arc<Settings>, tasks: &Tasks) -> anyhow::Result<Arc<Self>> {
        let master = MasterKey::parse(&settings.master_key)?;
        let pool =
            db::connect(&settings.database_url, Role::CommandApi, settings.pool_size).await?;
        let tokens = Arc::new(Tokens::new(&settings.issuer));
        tokens.load(&pool, Some(&master)).await?;
        let committed = Arc::new(Notify::new());
        let writer = Writer::start(settings.database_url.clone(), Arc::clone(&committed), tasks);
        start_keeping_keys(tasks, &tokens, &pool, &master);
        start_waking(tasks, committed, settings.database_url.clone());
        let personal = Personal::new(master.clone());
        let aggregates = Aggregates::new(pool.clone(), KEPT_AGGREGATES).opening(personal.clone());
        let api_keys = ApiKeys::new(aggregates.clone());
        let uses = api_keys.clone().run(pool.clone(), tasks.shutdown().clone());
        tasks.spawn("uses of API keys", uses);
        let limits = Limits::open(&settings)?;
        tasks.spawn("rate limits", Arc::clone(&limits).run(tasks.shutdown().clone()));
        let files = Files::open(&settings)?;
        let app = Arc::new(Self {
            parts: Parts::of(&files),
            files,
            turns: Turns::default(),
            access: Access::new(aggregates.clone(), Shared::open(&settings.redis_url, &master)?),
            consistency: TokenKey::new(&master),
            compared: Cache::builder().max_capacity(COMPARED_MOST).time_to_live(COMPARED).build(),
            hashing: Semaphore::new(HASHES_AT_ONCE),
            limits,
            key_sets: KeySets::new(settings.loopback_issuers)?,
            waiting: Semaphore::new(WAITING_MOST),
            forgotten: Arc::new(Semaphore::new(FORGOTTEN_AT_ONCE)),
            settings,
            pool,
            writer,
            aggregates,
            api_keys,
            tokens,
            master,
            personal,
            denials: Denials::default(),
            errands: OnceLock::new(),
        });
        denials::start(&app, tasks);
        Ok(app)
    }

    /// The caller of a request, by its access token or its API key.
    pub(crate) async fn authenticate(
        &self,
        headers: &HeaderMap,
        facts: &RequestFacts,
    ) -> Result<Arc<Principal>, Problem> {
        let token = platform::http::bearer(headers)?;
        if api_keys::is_meant(token) {
            let stranger = || self.limits.admit_address(facts.ip).map(drop);
            return self.api_keys.verify(token, stranger).await;
        }
        self.tokens.verify(token).map_err(|error| Problem::token_refused(error.to_string()))
    }

    /// Lets in whoever holds the installation's bootstrap token; `refusal` says what it is for.
    pub(crate) fn check_bootstrap(
        &self,
        headers: &HeaderMap,
        refusal: &str,
    ) -> Result<(), Problem> {
        let token = platform::http::bearer(headers)?;
        if is_secret(token, &self.settings.bootstrap_token) {
            return Ok(());
        }
        Err(Problem::token_refused(refusal))
    }

    /// Refuses a user's command without a key, where the organisation wants one; our services always send theirs.
    pub(crate) async fn check_key(&self, ask: &Ask) -> Result<(), Problem> {
        if ask.principal.actor.kind != ActorKind::User || ask.manner.key.is_some() {
            return Ok(());
        }
        let configuration = self.configuration(ask.principal.tenant).await?;
        let required = effective(Key::ApiIdempotencyKeyRequired, &configuration, &[]).value;
        if required.boolean() == Some(true) { ask.manner.require_key() } else { Ok(()) }
    }

    /// Refuses what a feature offers to whom it is not on for.
    pub(crate) async fn check_feature(
        &self,
        caller: &Principal,
        flag: Flag,
    ) -> Result<(), Problem> {
        let configuration = self.configuration(caller.tenant).await?;
        let environment = self.settings.feature_flags.get(&flag).copied();
        let found = self.access.feature(flag, (environment, &configuration), caller).await;
        if found.map_err(|error| Problem::internal(&error))?.on {
            return Ok(());
        }
        let name = flag.name();
        let detail =
            format!("the feature {name} is not on for you; have it switched on, or do without it");
        let problem = Problem::new(StatusCode::FORBIDDEN, "FEATURE_OFF", detail);
        Err(problem.with("flag", name))
    }

    /// What the organisation has set, at most a moment ago.
    async fn configuration(&self, tenant: TenantId) -> Result<Arc<Configuration>, Problem> {
        let id = tenant.to_string();
        let configuration = if self.compared.contains_key(&tenant) {
            self.aggregates.get::<Configuration>(tenant, &id).await
        } else {
            let refreshed = self.aggregates.refresh::<Configuration>(tenant, &id).await;
            self.compared.insert(tenant, ());
            refreshed
        };
        Ok(configuration.map_err(|error| Problem::internal(&error))?.state)
    }

    /// Takes in the commands that can be given by name.
    pub(crate) fn know(&self, errands: Errands) {
        let _first_time_only = self.errands.set(errands);
    }

    /// The commands that can be given by name.
    pub(crate) fn errands(&self) -> Result<&Errands, Problem> {
        self.errands.get().ok_or_else(|| Problem::unavailable("the process is starting; try again"))
    }

    /// The consistency token for a position.
    pub(crate) fn consistency_token(&self, epoch: i32, position: i64, tenant: TenantId) -> String {
        self.consistency.encode(&Token { epoch, position, tenant })
    }
}

/// Whether `given` is a secret of the settings, compared in constant time; a secret that is not set lets nobody in.
pub(crate) fn is_secret(given: &str, secret: &str) -> bool {
    !secret.is_empty() && bool::from(given.as_bytes().ct_eq(secret.as_bytes()))
}

fn start_keeping_keys(tasks: &Tasks, tokens: &Arc<Tokens>, pool: &PgPool, master: &MasterKey) {
    let (tokens, pool, master) = (Arc::clone(tokens), pool.clone(), master.clone());
    let shutdown = tasks.shutdown().clone();
    tasks.spawn("signing keys", async move {
        while shutdown.sleep(signing_keys::REFRESH).await {
            if let Err(error) = tokens.load(&pool, Some(&master)).await {
                tracing::warn!(%error, "signing keys could not be read again; the known ones stay");
            }
        }
        Ok(())
    });
}

/// Tells the relay after commits, on a connection of its own: a NOTIFY inside the append would serialise commits.
fn start_waking(tasks: &Tasks, committed: Arc<Notify>, url: String) {
    let shutdown = tasks.shutdown().clone();
    tasks.spawn("wake the relay", async move {
        let mut connection = None;
        loop {
            tokio::select! {
                () = shutdown.wait() => return Ok(()),
                () = committed.notified() => {}
            }
            if let Err(error) = wake(&mut connection, &url).await {
                tracing::debug!(%error, "the relay was not woken; it will look by itself");
                connection = None;
            }
            tokio::time::sleep(NOTIFY_PAUSE).await;
        }
    });
}

/// One NOTIFY. A lost one costs the relay a moment, so it does not wait for the disk as commits of the log do.
async fn wake(kept: &mut Option<PgConnection>, url: &str) -> anyhow::Result<()> {
    let connection = if let Some(connection) = kept {
        connection
    } else {
        let mut connection = db::connect_alone(url, Role::CommandApi).await?;
        connection
            .execute("SET application_name = 'annals waker'; SET synchronous_commit = off")
            .await?;
        kept.insert(connection)
    };
    sqlx::query("select pg_notify('annals_log', '')").execute(connection).await?;
    Ok(())
}
