//! Workers: each takes one job after another, keeps its lease while it works, and says how it ended.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use futures::FutureExt;
use metrics::{counter, histogram};
use nats::Bus;
use nats::jobs::{Next, Worker};
use platform::lifecycle::Shutdown;
use sqlx::PgPool;

use super::queue::{self, Ended, Hold, Job};
use super::{Done, Handler, Office, Trouble};

/// Without a wake-up the queue is looked at this often.
const POLL: Duration = Duration::from_secs(1);
const RETRY: Duration = Duration::from_secs(1);
/// A heartbeat may be lost twice before the lease ends.
const HEARTBEATS_PER_LEASE: u32 = 3;
/// A worker that is to let go of its job hears of it within this.
const INTERRUPTED_WITHIN: Duration = Duration::from_millis(250);
/// What is being done when the process is to end has so long to be done, so that a letter that is on its way is noted.
const FINISHING: Duration = Duration::from_secs(3);
/// Leases are looked through at least this often.
const RECLAIM_MOST: Duration = Duration::from_secs(5);
/// Jobs that ended well are forgotten after a week; the log remembers what they led to.
const PRUNE_EVERY: Duration = Duration::from_hours(1);

/// One worker.
pub(super) struct Slot {
    office: Office,
    handler: Handler,
    bell: Option<Worker>,
}

/// What became of a job in hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It is over.
    Over,
    /// It comes again after this time.
    Again(Duration),
}

/// Why a worker stops in the middle of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loss {
    /// It was taken back after a silence, or cancelled.
    Taken,
    /// Nobody wants it any more, and its subject waits to hear that the worker has let go.
    Interrupted,
}

impl Slot {
    pub(super) fn new(office: Office, bus: Option<&Bus>, handler: Handler) -> Self {
        let bell = bus.map(|bus| Worker::new(bus, handler.kind, handler.lease));
        Self { office, handler, bell }
    }

    /// Works until the process ends; an outage is waited out.
    pub(super) async fn run(mut self, shutdown: Shutdown) -> anyhow::Result<()> {
        let mut well = true;
        while !shutdown.begun() {
            match self.take().await {
                Ok(Some(job)) => {
                    self.work(&job, &shutdown).await;
                }
                Ok(None) => {
                    well = true;
                    self.wait(&shutdown).await;
                }
                Err(error) => {
                    if std::mem::replace(&mut well, false) {
                        tracing::warn!(job.kind = self.handler.kind, %error, "cannot take jobs, trying again");
                    }
                    shutdown.sleep(RETRY).await;
                }
            }
        }
        Ok(())
    }

    async fn take(&self) -> Result<Option<Job>, sqlx::Error> {
        let Handler { kind, lease, .. } = self.handler;
        queue::take(&self.office.pool, kind, &self.office.worker, lease).await
    }

    /// Waits for the bell or the next look. A message of the bus stands for one job; it is answered only when a job has
    /// been done in its name, so that a worker which dies is missed by the bus as well.
    async fn wait(&mut self, shutdown: &Shutdown) {
        let Some(bell) = &mut self.bell else {
            shutdown.sleep(POLL).await;
            return;
        };
        let next = tokio::select! {
            next = bell.next(POLL) => next,
            () = shutdown.wait() => return,
        };
        let Next::Job(message) = next else { return };
        let fate = message
            .while_working(async {
                match self.take().await {
                    Ok(Some(job)) => self.work(&job, shutdown).await,
                    Ok(None) => Fate::Over, // somebody was quicker
                    Err(_) => Fate::Again(RETRY),
                }
            })
            .await;
        let answered = match fate {
            Fate::Over => message.ack().await,
            Fate::Again(delay) => message.nak(delay).await,
        };
        if let Err(error) = answered {
            tracing::debug!(%error, "could not answer the bus, the message will come again");
        }
    }

    async fn work(&self, job: &Job, shutdown: &Shutdown) -> Fate {
        let start = Instant::now();
        let out_of_time = async {
            shutdown.wait().await;
            tokio::time::sleep(FINISHING).await;
        };
        let fate = tokio::select! {
            fate = self.attempt(job) => fate,
            loss = self.loss(job) => self.let_go(job, loss).await,
            () = out_of_time => {
                job.give_back(&self.office.pool).await.map(|()| Fate::Again(Duration::ZERO))
            }
        };
        histogram!("job_seconds", "kind" => self.handler.kind).record(start.elapsed());
        fate.unwrap_or_else(|error| {
            // The lease ends by itself, and the job is done again; its commands carry the same keys.
            tracing::warn!(job.id = %job.id, job.kind = self.handler.kind, %error, "could not say how the job ended");
            Fate::Again(self.handler.lease)
        })
    }

    /// One attempt, to its end.
    async fn attempt(&self, job: &Job) -> Result<Fate, sqlx::Error> {
        if job.exhausted() {
            return self
                .give_up(job, job.error.as_deref().unwrap_or("the worker fell silent"))
                .await;
        }
        let office = self.office.because(job);
        let run = AssertUnwindSafe((self.handler.run)(&office, job)).catch_unwind();
        let result = run.await.unwrap_or_else(|_| Err(Trouble(anyhow!("the job panicked"))));
        match result {
            Ok(Done::Finished) => self.end(job, Ended::Succeeded, None).await,
            Ok(Done::Cancelled) => self.end(job, Ended::Cancelled, None).await,
            Ok(Done::Failed(reason)) => self.end(job, Ended::Failed, Some(&reason)).await,
            Ok(Done::Stuck(reason)) => self.give_up(job, &reason).await,
            Ok(Done::Later(_, reason)) if job.attempt >= job.max_attempts => {
                self.give_up(job, &reason).await
            }
            Ok(Done::Later(delay, reason)) => self.after(job, delay, &reason).await,
            Ok(Done::NotYet(delay)) => {
                job.put_off(&self.office.pool, delay).await?;
                Ok(Fate::Again(delay))
            }
            Err(Trouble(error)) => {
                let error = format!("{error:#}");
                if job.attempt >= job.max_attempts {
                    return self.give_up(job, &error).await;
                }
                self.again(job, &error).await
            }
        }
    }

    async fn end(&self, job: &Job, ended: Ended, error: Option<&str>) -> Result<Fate, sqlx::Error> {
        let state: &str = ended.into();
        counter!("jobs_ended_total", "kind" => self.handler.kind, "state" => state).increment(1);
        job.end(&self.office.pool, ended, error).await?;
        Ok(Fate::Over)
    }

    async fn again(&self, job: &Job, error: &str) -> Result<Fate, sqlx::Error> {
        self.after(job, job.back_off(), error).await
    }

    async fn after(&self, job: &Job, delay: Duration, error: &str) -> Result<Fate, sqlx::Error> {
        tracing::warn!(
            job.id = %job.id,
            job.kind = self.handler.kind,
            job.attempt,
            error,
            delay_s = delay.as_secs(),
            "a job failed, it will be tried again"
        );
        counter!("jobs_retried_total", "kind" => self.handler.kind).increment(1);
        job.retry(&self.office.pool, delay, error).await?;
        Ok(Fate::Again(delay))
    }

    /// Tells the subject first: a job that died silently would leave somebody waiting for ever.
    async fn give_up(&self, job: &Job, error: &str) -> Result<Fate, sqlx::Error> {
        let office = self.office.because(job);
        let told = AssertUnwindSafe((self.handler.give_up)(&office, job)).catch_unwind();
        match told.await {
            Ok(Ok(())) => {
                tracing::error!(
                    job.id = %job.id,
                    job.kind = self.handler.kind,
                    error,
                    "a job is given up; see `annals dlq list`"
                );
                self.end(job, Ended::Dead, Some(error)).await
            }
            Ok(Err(trouble)) => self.again(job, &format!("{error}; and {trouble:#}")).await,
            Err(_) => self.end(job, Ended::Dead, Some(error)).await,
        }
    }

    /// What was begun of the job is left as it is; its subject hears of it where it was interrupted.
    async fn let_go(&self, job: &Job, loss: Loss) -> Result<Fate, sqlx::Error> {
        let kind = self.handler.kind;
        let tell = self.handler.let_go.filter(|_| loss == Loss::Interrupted);
        let Some(tell) = tell else {
            tracing::info!(job.id = %job.id, job.kind = kind, "the job is no longer ours");
            return Ok(Fate::Over);
        };
        let office = self.office.because(job);
        match tell(&office, job).await {
            Ok(()) => self.end(job, Ended::Cancelled, None).await,
            Err(error) => self.again(job, &format!("{error:#}")).await,
        }
    }

    /// Keeps the lease until the job is lost.
    async fn loss(&self, job: &Job) -> Loss {
        let (lease, pool) = (self.handler.lease, &self.office.pool);
        let beat_every = lease / HEARTBEATS_PER_LEASE;
        let look_every = match self.handler.let_go {
            Some(_) => INTERRUPTED_WITHIN.min(beat_every),
            None => beat_every,
        };
        let (mut heard, mut beaten) = (Instant::now(), Instant::now());
        loop {
            tokio::time::sleep(look_every).await;
            let beating = beaten.elapsed() >= beat_every;
            let hold =
                if beating { job.heartbeat(pool, lease).await } else { job.look(pool).await };
            match hold {
                Ok(Hold::Ours) => heard = Instant::now(),
                Ok(Hold::Interrupted) => return Loss::Interrupted,
                Ok(Hold::Lost) => return Loss::Taken,
                Err(error) => {
                    tracing::debug!(%error, "could not send a heartbeat");
                    if heard.elapsed() > lease {
                        return Loss::Taken;
                    }
                }
            }
            if beating {
                beaten = Instant::now();
            }
        }
    }
}

/// Looks after the queue of one kind: jobs whose worker fell silent go back, old ones are forgotten.
pub(super) async fn keep(pool: PgPool, handler: Handler, shutdown: Shutdown) -> anyhow::Result<()> {
    let pause = (handler.lease / HEARTBEATS_PER_LEASE).min(RECLAIM_MOST);
    let mut pruned = Instant::now();
    while shutdown.sleep(pause).await {
        match queue::reclaim(&pool, handler.kind).await {
            Ok(0) => {}
            Ok(jobs) => {
                counter!("jobs_reclaimed_total", "kind" => handler.kind).increment(jobs);
                tracing::warn!(
                    job.kind = handler.kind,
                    jobs,
                    "workers fell silent, their jobs go to others"
                );
            }
            Err(error) => tracing::debug!(%error, "could not look through the leases"),
        }
        if pruned.elapsed() > PRUNE_EVERY {
            pruned = Instant::now();
            if let Err(error) = queue::prune(&pool, handler.kind).await {
                tracing::debug!(%error, "could not forget old jobs");
            }
        }
    }
    Ok(())
}
