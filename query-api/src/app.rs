//! What all requests of this process share.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use events::TenantId;
use moka::sync::Cache;
use platform::access::{Access, Shared, TRUSTED};
use platform::aggregates::Aggregates;
use platform::api_keys::{self, ApiKeys};
use platform::config::Settings;
use platform::consistency::TokenKey;
use platform::db::{self, Role};
use platform::files::Files;
use platform::lifecycle::Tasks;
use platform::limits::Limits;
use platform::personal::Personal;
use platform::principal::{Principal, TokenError, Tokens};
use platform::problem::Problem;
use platform::redis::Redis;
use platform::secrets::MasterKey;
use platform::signing_keys;
use sqlx::PgPool;
use tokio::sync::{Mutex, Semaphore};

use crate::denials::Denials;
use crate::past::{Recent, Stream};
use crate::poll::WAITING_MOST;
use crate::positions::Positions;
use crate::readers::Readers;
use crate::reads::Reads;
use crate::stream::hub::Hub;
use crate::stream::ticket::Tickets;
use crate::telling::{self, Telling};

const KEPT_AGGREGATES: u64 = 100_000;
const KEPT_RECENT: u64 = 10_000;
/// A token signed with an unknown key makes us look for new keys at most this often.
const KEY_SEARCH: Duration = Duration::from_secs(1);

/// What all requests share.
pub(crate) struct App {
    pub(crate) settings: Arc<Settings>,
    pub(crate) pool: PgPool,
    pub(crate) readers: Arc<Readers>,
    pub(crate) telling: Arc<Telling>,
    pub(crate) reads: Reads,
    pub(crate) denials: Denials,
    pub(crate) access: Access,
    pub(crate) aggregates: Aggregates,
    /// What opens personal data in answers.
    pub(crate) personal: Personal,
    pub(crate) keys: Keys,
    pub(crate) positions: Positions,
    /// Where streams were seen to stand a moment ago.
    pub(crate) recent: Cache<(TenantId, Vec<Stream>), Arc<Recent>>,
    pub(crate) hub: Arc<Hub>,
    pub(crate) files: Files,
    pub(crate) limits: Arc<Limits>,
    pub(crate) tickets: Tickets,
    /// Turns of those who wait for a change.
    pub(crate) pollers: Semaphore,
    pub(crate) tasks: Tasks,
    api_keys: ApiKeys,
    tokens: Tokens,
    searched: Mutex<Option<Instant>>,
}

/// Keys derived from the master key.
pub(crate) struct Keys {
    pub(crate) master: MasterKey,
    /// Of the cursors of lists.
    pub(crate) cursor: [u8; 32],
    /// Of consistency tokens.
    pub(crate) consistency: TokenKey,
}

impl App {
    /// Connects, reads the keys and starts the tasks.
    pub(crate) async fn start(settings: Arc<Settings>, tasks: &Tasks) -> anyhow::Result<Arc<Self>> {
        let pool = db::connect(&settings.database_url, Role::QueryApi, settings.pool_size).await?;
        let readers = Readers::open(&settings.database_url, settings.pool_size).await?;
        let readers = Arc::new(readers);
        let master = MasterKey::parse(&settings.master_key)?;
        let bus = match settings.nats_url.as_str() {
            "" => None, // the log is polled instead
            url => Some(nats::connect(url).await?),
        };
        let positions = Positions::read(&readers)
            .await
            .map_err(|problem| anyhow::anyhow!("the log cannot be read: {}", problem.detail))?;
        let personal = Personal::new(master.clone());
        let aggregates = Aggregates::new(pool.clone(), KEPT_AGGREGATES).opening(personal.clone());
        let telling = Arc::new(Telling::new(&settings, &master)?);
        let app = Arc::new(Self {
            reads: Reads::new(Arc::clone(&telling)),
            denials: Denials::new(Arc::clone(&telling)),
            telling,
            access: Access::new(aggregates.clone(), Shared::open(&settings.redis_url, &master)?),
            api_keys: ApiKeys::new(aggregates.clone()),
            aggregates,
            personal,
            keys: Keys {
                cursor: master.derive("list-cursor/v1"),
                consistency: TokenKey::new(&master),
                master: master.clone(),
            },
            positions,
            recent: Cache::builder().max_capacity(KEPT_RECENT).time_to_live(TRUSTED).build(),
            hub: Arc::new(Hub::new(Arc::clone(&readers), master.derive("stream-cursor/v1"))),
            readers,
            limits: Limits::open(&settings)?,
            tickets: Tickets::new(
                master.derive("stream-ticket/v1"),
                Redis::open(&settings.redis_url)?,
            ),
            pollers: Semaphore::new(WAITING_MOST),
            files: Files::open(&settings)?,
            tokens: Tokens::new(&settings.issuer),
            searched: Mutex::new(None),
            tasks: tasks.clone(),
            pool,
            settings,
        });
        app.tokens.load(&app.pool, None).await.context("the keys of tokens cannot be read")?;
        let limits = Arc::clone(&app.limits).run(tasks.shutdown().clone());
        tasks.spawn("rate limits", limits);
        let uses = app.api_keys.clone().run(app.pool.clone(), tasks.shutdown().clone());
        tasks.spawn("uses of API keys", uses);
        tasks.spawn("positions", Arc::clone(&app).poll_positions());
        tasks.spawn("signing keys", Arc::clone(&app).refresh_keys());
        tasks.spawn("reads and denials", telling::run(Arc::clone(&app)));
        tasks.spawn("live events", Arc::clone(&app.hub).run(bus, tasks.shutdown().clone()));
        Ok(app)
    }

    async fn poll_positions(self: Arc<Self>) -> anyhow::Result<()> {
        self.positions.run(&self.readers, self.tasks.shutdown()).await;
        Ok(())
    }

    async fn refresh_keys(self: Arc<Self>) -> anyhow::Result<()> {
        while self.tasks.shutdown().sleep(signing_keys::REFRESH).await {
            if let Err(error) = self.tokens.load(&self.pool, None).await {
                tracing::warn!(error = format!("{error:#}"), "the keys of tokens cannot be read");
            }
        }
        Ok(())
    }

    /// Whom a token or an API key speaks for, and from where it comes. A token that is not accepted may be signed with a key
    /// younger than our last look.
    pub(crate) async fn verify(
        &self,
        token: &str,
        ip: Option<IpAddr>,
    ) -> Result<Arc<Principal>, Problem> {
        if api_keys::is_meant(token) {
            let stranger = || self.limits.admit_address(ip).map(drop);
            return self.api_keys.verify(token, stranger).await;
        }
        let verified = match self.tokens.verify(token) {
            Err(TokenError::Invalid) => self.verify_searching(token).await?,
            verified => verified,
        };
        verified.map_err(|error| Problem::token_refused(error.to_string()))
    }

    /// Looks for new keys, unless that was done a moment ago. Requests that meet the same new key wait here for the one
    /// that looks, instead of being turned away.
    async fn verify_searching(
        &self,
        token: &str,
    ) -> Result<Result<Arc<Principal>, TokenError>, Problem> {
        let mut searched = self.searched.lock().await;
        let verified = self.tokens.verify(token);
        if verified.is_ok() || searched.is_some_and(|last| last.elapsed() < KEY_SEARCH) {
            return Ok(verified);
        }
        *searched = Some(Instant::now());
        self.tokens.load(&self.pool, None).await?;
        Ok(self.tokens.verify(token))
    }
}
