//! The work queue: one subject per kind of job, explicit acknowledgement, heartbeats, redelivery after a bounded silence.
//!
//! The queue hands jobs out; what is to be done, and what was given up, stands in Postgres.

use std::future::Future;
use std::time::Duration;

use async_nats::jetstream::consumer::{self, AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::{AckKind, Message as Raw};
use bytes::Bytes;
use futures::StreamExt;

use crate::bus::{ANSWER_LIMIT, Bus};
use crate::error::Error;
use crate::topology;

const JOB_ID: &str = "annals-job-id";
/// A heartbeat may be lost twice before the job goes to somebody else.
const HEARTBEATS_PER_WAIT: u32 = 3;

/// Puts a job into the queue; false when a job of this id came in the last two minutes.
pub async fn enqueue(bus: &Bus, kind: &str, job_id: &str, body: Bytes) -> Result<bool, Error> {
    if !bus.is_connected() {
        return Err(Error::Unavailable("no connection".into()));
    }
    match publish(bus, kind, job_id, body.clone()).await {
        Err(Error::StreamGone(_)) => {
            topology::jobs(bus).await?;
            publish(bus, kind, job_id, body).await
        }
        other => other,
    }
}

async fn publish(bus: &Bus, kind: &str, job_id: &str, body: Bytes) -> Result<bool, Error> {
    use async_nats::jetstream::context::PublishErrorKind as Kind;
    let sorted = |error: async_nats::jetstream::context::PublishError| match error.kind() {
        Kind::StreamNotFound => Error::StreamGone(bus.stream(topology::JOBS)),
        Kind::TimedOut | Kind::BrokenPipe => Error::unavailable(error),
        Kind::WrongLastMessageId
        | Kind::WrongLastSequence
        | Kind::MaxAckPending
        | Kind::MaxPayloadExceeded
        | Kind::Other => Error::Refused(error.to_string()),
    };
    let message = PublishMessage::build().message_id(job_id).header(JOB_ID, job_id).payload(body);
    let subject = bus.subject(&format!("jobs.{kind}"));
    let answer = bus.jetstream().send_publish(subject, message).await.map_err(sorted)?;
    Ok(!answer.await.map_err(sorted)?.duplicate)
}

/// Takes jobs of one kind; any number of workers share them.
pub struct Worker {
    bus: Bus,
    kind: String,
    name: String,
    ack_wait: Duration,
    consumer: Option<(consumer::Consumer<pull::Config>, u64)>,
}

/// What the queue had to give.
pub enum Next {
    /// A job, ours until its silence lasts longer than the worker's `ack_wait`.
    Job(Job),
    /// Nothing arrived in time.
    Idle,
    /// The queue cannot be read now; call again.
    Unavailable(Error),
}

/// A job in hand. Dropping it without an answer sends it to somebody after `ack_wait`.
pub struct Job {
    /// The id it was enqueued with.
    pub id: String,
    /// 1 at the first delivery. A job that kills its worker comes again too: give it up when this passes the limit.
    pub attempt: u64,
    /// What to do.
    pub body: Bytes,
    raw: Box<Raw>,
    heartbeat: Duration,
}

impl Worker {
    /// A worker for jobs of `kind` (`exports.render`). A job of which nothing is heard for `ack_wait` is given to
    /// somebody else.
    pub fn new(bus: &Bus, kind: &str, ack_wait: Duration) -> Self {
        Self {
            bus: bus.clone(),
            kind: kind.to_owned(),
            name: format!("worker_{}", kind.replace('.', "_")),
            ack_wait,
            consumer: None,
        }
    }

    /// The next job, waiting at most `max_wait`.
    pub async fn next(&mut self, max_wait: Duration) -> Next {
        match self.take(max_wait).await {
            Ok(Some(job)) => Next::Job(job),
            Ok(None) => Next::Idle,
            Err(error) => {
                self.consumer = None;
                // Whoever calls in a loop must not spin.
                if self.bus.is_connected() {
                    tokio::time::sleep(max_wait.min(Duration::from_secs(1))).await;
                } else {
                    self.bus.connected_within(max_wait).await;
                }
                Next::Unavailable(error)
            }
        }
    }

    async fn take(&mut self, max_wait: Duration) -> Result<Option<Job>, Error> {
        let bus = self.bus.clone();
        let generation = bus.generation();
        if !bus.is_connected() {
            return Err(Error::Unavailable("no connection".into()));
        }
        let consumer = match self.consumer.take().filter(|(_, made)| *made == generation) {
            Some((consumer, _)) => consumer,
            None => self.open().await?,
        };
        let (consumer, _) = self.consumer.insert((consumer, generation));
        let mut batch = consumer
            .batch()
            .max_messages(1)
            .expires(max_wait)
            .messages()
            .await
            .map_err(Error::unavailable)?;
        // The server ends the request; our own limit is for the case that it cannot.
        let first = tokio::select! {
            next = tokio::time::timeout(max_wait + ANSWER_LIMIT, batch.next()) => next,
            () = bus.lost(generation) => return Err(Error::Unavailable("no connection".into())),
        };
        match first {
            Ok(Some(Ok(raw))) => Ok(Some(self.job(raw))),
            Ok(Some(Err(error))) => Err(Error::unavailable(error)),
            Ok(None) => Ok(None),
            Err(_) => Err(Error::Unavailable("it does not answer in time".into())),
        }
    }

    fn job(&self, raw: Raw) -> Job {
        let id = raw.headers.as_ref().and_then(|headers| headers.get(JOB_ID));
        let delivered = raw.info().map_or(1, |info| info.delivered);
        Job {
            id: id.map(|id| id.as_str().to_owned()).unwrap_or_default(),
            attempt: u64::try_from(delivered).unwrap_or(1),
            body: raw.payload.clone(),
            heartbeat: self.ack_wait / HEARTBEATS_PER_WAIT,
            raw: Box::new(raw),
        }
    }

    async fn open(&self) -> Result<consumer::Consumer<pull::Config>, Error> {
        let stream = topology::jobs(&self.bus).await?;
        let wanted = pull::Config {
            durable_name: Some(self.name.clone()),
            deliver_policy: DeliverPolicy::All,
            ack_policy: AckPolicy::Explicit,
            ack_wait: self.ack_wait,
            max_deliver: -1,
            filter_subject: self.bus.subject(&format!("jobs.{}", self.kind)),
            ..pull::Config::default()
        };
        // Creating is idempotent, and changes an `ack_wait` that was configured otherwise.
        let made = stream.create_consumer(wanted.clone()).await.map_err(Error::unavailable)?;
        let echoed = &made.cached_info().config;
        let same = echoed.filter_subject == wanted.filter_subject
            && echoed.ack_policy == wanted.ack_policy
            && echoed.ack_wait == wanted.ack_wait
            && echoed.max_deliver == wanted.max_deliver;
        if same {
            return Ok(made);
        }
        Err(Error::Topology {
            name: format!("consumer {}", self.name),
            field: "configuration",
            found: format!("{echoed:?}"),
            wanted: format!("{wanted:?}"),
        })
    }
}

impl Job {
    /// Says that somebody is working on it.
    pub async fn heartbeat(&self) -> Result<(), Error> {
        self.raw.ack_with(AckKind::Progress).await.map_err(Error::unavailable)
    }

    /// Runs `work`, with heartbeats until it ends.
    pub async fn while_working<F: Future>(&self, work: F) -> F::Output {
        let mut work = Box::pin(work);
        let mut beat = tokio::time::interval(self.heartbeat);
        loop {
            tokio::select! {
                done = &mut work => return done,
                _ = beat.tick() => {
                    if let Err(error) = self.heartbeat().await {
                        tracing::debug!(job = self.id, %error, "could not send a heartbeat");
                    }
                }
            }
        }
    }

    /// Says that it is done, and waits until the queue knows.
    pub async fn ack(self) -> Result<(), Error> {
        self.raw.double_ack().await.map_err(Error::unavailable)
    }

    /// Gives it back, to be delivered again after `delay`.
    pub async fn nak(self, delay: Duration) -> Result<(), Error> {
        self.raw.ack_with(AckKind::Nak(Some(delay))).await.map_err(Error::unavailable)
    }

    /// Gives it up: it is never delivered again.
    pub async fn term(self) -> Result<(), Error> {
        self.raw.double_ack_with(AckKind::Term).await.map_err(Error::unavailable)
    }
}
