//! The running projector: one leads and feeds all projections, the others stand by.

use std::sync::Arc;
use std::time::Duration;

use nats::Bus;
use platform::config::Settings;
use platform::db::{self, Role, locks};
use platform::lifecycle::{Shutdown, Tasks};
use sqlx::{Executor, PgPool};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::log;
use super::pack::{Outcome, Pack, Stale};
use super::projection::Projection;
use super::rebuild;
use super::source::Source;

/// A leader that stands still for this long is taken for dead, and Postgres ends its session and with it the lead.
const LET_GO: &str =
    "set idle_session_timeout = '10s'; set idle_in_transaction_session_timeout = '10s'";
const STANDBY_POLL: Duration = Duration::from_millis(200);
/// How often what is believed is compared with what is written.
const CHECK: Duration = Duration::from_secs(3);
const BACK_OFF_MIN: Duration = Duration::from_millis(100);
const BACK_OFF_MAX: Duration = Duration::from_secs(5);
const POOL_SIZE: u32 = 10;
const END_LIMIT: Duration = Duration::from_secs(5);

/// Feeds projections until it is told to end.
pub struct Runner {
    url: String,
    pool: PgPool,
    bus: Option<Bus>,
    projections: Vec<Arc<dyn Projection>>,
    tasks: Tasks,
    building: Option<oneshot::Receiver<()>>,
}

impl Runner {
    /// A runner for these projections; without NATS when no address is given.
    pub async fn new(
        settings: &Settings,
        projections: Vec<Arc<dyn Projection>>,
    ) -> anyhow::Result<Self> {
        let bus = match settings.nats_url.as_str() {
            "" => None,
            url => Some(nats::connect(url).await?),
        };
        Ok(Self {
            url: settings.database_url.clone(),
            pool: db::connect(&settings.database_url, Role::Projectors, POOL_SIZE).await?,
            bus,
            projections,
            tasks: Tasks::new(Shutdown::new()),
            building: None,
        })
    }

    /// Leads or stands by until the signal. Whatever fails is tried again: a projector has nothing to lose.
    pub async fn run(mut self, shutdown: Shutdown) -> anyhow::Result<()> {
        let mut back_off = BACK_OFF_MIN;
        while !shutdown.begun() {
            let started = Instant::now();
            match self.lead(&shutdown).await {
                Ok(()) => back_off = BACK_OFF_MIN,
                Err(error) => {
                    if started.elapsed() > CHECK {
                        back_off = BACK_OFF_MIN;
                    }
                    tracing::warn!(error = format!("{error:#}"), "projections pause, trying again");
                    shutdown.sleep(back_off).await;
                    back_off = (back_off * 2).min(BACK_OFF_MAX);
                }
            }
        }
        self.tasks.shutdown().begin();
        self.tasks.join(END_LIMIT).await;
        self.pool.close().await;
        Ok(())
    }

    /// Waits for the lead, then feeds everybody until something changes under the pack's feet. The lock is held by the
    /// very connection that writes: whoever loses it cannot write either.
    async fn lead(&mut self, shutdown: &Shutdown) -> anyhow::Result<()> {
        let mut connection = db::connect_alone(&self.url, Role::Projectors).await?;
        connection.execute(LET_GO).await?;
        if !db::lead(&mut connection, locks::PROJECTORS, STANDBY_POLL, shutdown).await? {
            return Ok(());
        }
        tracing::info!("leads the projections");
        while !shutdown.begun() {
            let head = log::head(&self.pool).await?;
            let (mut pack, stale) = Pack::open(connection, &self.projections, head).await?;
            let waiting = !stale.is_empty();
            self.build(stale);
            let position = pack.position().unwrap_or(head.position);
            let source = Source::new(&self.pool, self.bus.as_ref(), head, position);
            self.feed(&mut pack, source, waiting, shutdown).await?;
            connection = pack.into_connection();
        }
        Ok(())
    }

    async fn feed(
        &mut self,
        pack: &mut Pack,
        mut source: Source,
        waiting: bool,
        shutdown: &Shutdown,
    ) -> anyhow::Result<()> {
        let mut checked = Instant::now();
        while !shutdown.begun() {
            if self.built() {
                return Ok(());
            }
            let Some(position) = pack.position() else {
                shutdown.sleep(STANDBY_POLL).await;
                if !pack.is_current(&self.projections).await? {
                    return Ok(());
                }
                continue;
            };
            let next = source.next(position).await?;
            if !next.facts.is_empty() && pack.apply(&next.facts).await? == Outcome::Fenced {
                tracing::info!("somebody else moved a projection, reads the checkpoints anew");
                return Ok(());
            }
            if let Some(delivered) = next.delivered {
                source.applied(delivered).await;
            }
            if checked.elapsed() > CHECK {
                checked = Instant::now();
                let abandoned = waiting && self.building.is_none();
                if abandoned || !pack.is_current(&self.projections).await? {
                    return Ok(());
                }
                self.report_lag(pack).await?;
            }
        }
        Ok(())
    }

    /// Starts to build what has to be built, beside the feeding of the others.
    fn build(&mut self, stale: Stale) {
        if stale.is_empty() || self.building.is_some() {
            return;
        }
        let (done, building) = oneshot::channel();
        self.building = Some(building);
        let pool = self.pool.clone();
        self.tasks.spawn("rebuild projections", async move {
            if let Err(error) = rebuild::rebuild(&pool, &stale).await {
                tracing::error!(error = format!("{error:#}"), "could not rebuild projections");
            }
            drop(done);
            Ok(())
        });
    }

    /// Whether a build has ended since the last call.
    fn built(&mut self) -> bool {
        let ended = |building: &mut oneshot::Receiver<()>| {
            matches!(building.try_recv(), Ok(()) | Err(oneshot::error::TryRecvError::Closed))
        };
        let ended = self.building.as_mut().is_some_and(ended);
        if ended {
            self.building = None;
        }
        ended
    }

    async fn report_lag(&self, pack: &Pack) -> Result<(), sqlx::Error> {
        let (Some(position), head) = (pack.position(), log::head(&self.pool).await?) else {
            return Ok(());
        };
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
        metrics::gauge!("projector_lag_positions").set((head.position - position) as f64);
        Ok(())
    }
}
