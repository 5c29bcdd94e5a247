//! The leader's work: read, publish, remember; and after any trouble look at the stream anew.

use std::time::Duration;

use metrics::gauge;
use nats::events::{self, Publisher};
use nats::{Bus, LogId};
use platform::lifecycle::Shutdown;
use tokio::time::Instant;

use crate::log::{Head, Log, Saved};
use crate::resume;
use crate::wake::Wake;

/// The floor when no wake-up comes.
const POLL_EVERY: Duration = Duration::from_millis(20);
const SAVE_EVERY: Duration = Duration::from_secs(1);
/// How soon a stream that somebody wiped in a quiet hour is noticed.
const LOOK_EVERY: Duration = Duration::from_secs(2);
const BACK_OFF_FIRST: Duration = Duration::from_millis(50);
const BACK_OFF_MAX: Duration = Duration::from_secs(2);
/// Shorter than the time after which Postgres takes the lead away from a silent session.
const SIGN_OF_LIFE: Duration = Duration::from_secs(1);
const LAST_ANSWERS: Duration = Duration::from_secs(2);

/// Why following ended.
enum Stop {
    /// The process ends.
    Asked,
    /// Look at the stream anew.
    Bus(nats::Error),
    /// The session is lost, and with it the lead.
    Log(anyhow::Error),
}

impl From<nats::Error> for Stop {
    fn from(error: nats::Error) -> Self {
        Self::Bus(error)
    }
}

impl From<anyhow::Error> for Stop {
    fn from(error: anyhow::Error) -> Self {
        Self::Log(error)
    }
}

pub(crate) struct Follower {
    bus: Bus,
    log: Log,
    wake: Wake,
    shutdown: Shutdown,
    /// The trouble last reported; the next one like it is silent.
    trouble: Option<String>,
    back_off: Duration,
    /// Whether the stream refused the last run: perhaps because it remembers an id of something it no longer has.
    fenced: bool,
}

/// One run over a stream whose end is known.
struct Run {
    log: LogId,
    stream_created_ns: i64,
    publisher: Publisher,
    /// Read from the log and handed to the publisher.
    sent: i64,
    saved: Option<Saved>,
    save_at: Instant,
    look_at: Instant,
}

impl Follower {
    pub(crate) fn new(bus: Bus, log: Log, wake: Wake, shutdown: Shutdown) -> Self {
        Self { bus, log, wake, shutdown, trouble: None, back_off: BACK_OFF_FIRST, fenced: false }
    }

    /// Publishes until the process ends; an error is the loss of the log's session.
    pub(crate) async fn run(mut self) -> anyhow::Result<()> {
        loop {
            match self.follow().await {
                Err(Stop::Asked) => {
                    self.log.close().await;
                    return Ok(());
                }
                Err(Stop::Log(error)) => return Err(error),
                Err(Stop::Bus(error)) => {
                    self.fenced = matches!(error, nats::Error::Fenced(_));
                    self.report(&error);
                    self.wait_for_bus().await?;
                }
                Ok(never) => match never {},
            }
        }
    }

    fn report(&mut self, error: &nats::Error) {
        let text = error.to_string();
        if self.trouble.as_ref() != Some(&text) {
            tracing::warn!(error = text, "the relay cannot publish, trying again");
            self.trouble = Some(text);
        }
    }

    async fn wait_for_bus(&mut self) -> anyhow::Result<()> {
        self.shutdown.sleep(self.back_off).await;
        self.back_off = (self.back_off * 2).min(BACK_OFF_MAX);
        self.log.head().await?;
        while !self.shutdown.begun() && !self.bus.connected_within(SIGN_OF_LIFE).await {
            self.log.head().await?;
        }
        Ok(())
    }

    async fn follow(&mut self) -> Result<std::convert::Infallible, Stop> {
        if self.shutdown.begun() {
            return Err(Stop::Asked);
        }
        let mut run = self.resume().await?;
        let mut page = self.log.page(run.log, run.sent).await?;
        loop {
            if let Some(last) = page.messages.last() {
                run.sent = last.position;
                let publish = run.publisher.publish(&page.messages);
                if page.more {
                    // Reads ahead while the page before is on its way.
                    let read = self.log.page(run.log, run.sent);
                    let (published, next) = tokio::join!(publish, read);
                    published?;
                    page = next?;
                    self.remember(&mut run).await?;
                    continue;
                }
                publish.await?;
            }
            self.idle(&mut run).await?;
            page = self.log.page(run.log, run.sent).await?;
            self.remember(&mut run).await?;
        }
    }

    /// Brings the stream in line with the log, as far as that needs more than publishing.
    async fn resume(&mut self) -> Result<Run, Stop> {
        let mut end = events::end(&self.bus).await?;
        let head = self.log.head().await?;
        let saved = self.log.saved().await?;
        let floor = self.log.floor(head.log.epoch).await?;
        let plan = resume::plan(head, end, saved, floor);
        if let Some(reason) = plan.repair {
            tracing::warn!(reason, after = plan.after, "the relay fills the stream from the log");
        }
        if plan.purge {
            events::purge(&self.bus).await?;
            end = events::end(&self.bus).await?;
        }
        let mut publisher = Publisher::after(&self.bus, end.last_sequence, plan.after);
        if plan.repair.is_some() || self.fenced {
            publisher = publisher.without_ids();
        }
        let now = Instant::now();
        let mut run = Run {
            log: head.log,
            stream_created_ns: end.created_ns,
            publisher,
            sent: plan.after,
            saved: None,
            save_at: now,
            look_at: now + LOOK_EVERY,
        };
        self.remember(&mut run).await?;
        Ok(run)
    }

    /// Waits for news, and meanwhile for the answers to what was sent.
    async fn idle(&mut self, run: &mut Run) -> Result<(), Stop> {
        if run.publisher.is_settled() {
            if self.trouble.take().is_some() {
                tracing::info!("the relay publishes again");
            }
            self.back_off = BACK_OFF_FIRST;
            self.fenced = false;
            if Instant::now() >= run.look_at {
                self.look(run).await?;
            }
        }
        let poll = tokio::time::sleep(POLL_EVERY);
        tokio::pin!(poll);
        loop {
            tokio::select! {
                () = self.shutdown.wait() => {
                    tokio::time::timeout(LAST_ANSWERS, run.publisher.settle()).await.ok();
                    run.save_at = Instant::now();
                    self.remember(run).await?;
                    return Err(Stop::Asked);
                }
                stored = run.publisher.settle_one(), if !run.publisher.is_settled() => stored?,
                () = self.wake.heard() => return Ok(()),
                () = &mut poll => return Ok(()),
            }
        }
    }

    /// Whether the stream still ends where it was left.
    async fn look(&mut self, run: &mut Run) -> Result<(), Stop> {
        run.look_at = Instant::now() + LOOK_EVERY;
        let end = events::end(&self.bus).await?;
        if end.created_ns != run.stream_created_ns
            || end.last_sequence != run.publisher.stored_sequence()
        {
            return Err(Stop::Bus(nats::Error::Fenced("EVENTS".into())));
        }
        Ok(())
    }

    /// Now and then, says how far it is: to the next leader, to the projectors, and to whoever watches.
    async fn remember(&mut self, run: &mut Run) -> Result<(), Stop> {
        let now = Instant::now();
        if now < run.save_at {
            return Ok(());
        }
        run.save_at = now + SAVE_EVERY;
        let published = run.publisher.stored_position();
        let saved = Saved {
            epoch: run.log.epoch,
            stream_created_ns: run.stream_created_ns,
            stream_sequence: i64::try_from(run.publisher.stored_sequence()).unwrap_or(i64::MAX),
            published_position: published,
        };
        if run.saved != Some(saved) {
            self.log.save(saved).await?;
            run.saved = Some(saved);
        }
        let head: Head = self.log.head().await?;
        if head.log != run.log || head.position < published {
            return Err(Stop::Log(anyhow::anyhow!("the log was replaced by another one")));
        }
        #[expect(clippy::cast_precision_loss, reason = "gauges are floats; 2^53 positions suffice")]
        {
            gauge!("relay_published_position").set(published as f64);
            gauge!("relay_lag_events").set((head.position - published) as f64);
        }
        Ok(())
    }
}
