//! A durable reader of the log's stream that comes back by itself and never turns an outage into an error.

use std::time::Duration;

use async_nats::jetstream::consumer::{self, AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::stream::Stream;
use async_nats::jetstream::{AckKind, Message as Raw};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use tokio::time::Instant;

use crate::bus::Bus;
use crate::envelope::{LogId, Message, Received};
use crate::error::Error;
use crate::topology;

const ACK_WAIT: Duration = Duration::from_secs(30);
/// Far above what a client holds, so that it never limits the rate.
const MAX_ACK_PENDING: i64 = 16_384;
const FETCH_MESSAGES: usize = 1024;
const FETCH_BYTES: usize = 8 * 1024 * 1024;
const HEARTBEAT: Duration = Duration::from_secs(5);
const FETCH_EXPIRES: Duration = Duration::from_secs(30);
const RETRY: Duration = Duration::from_secs(1);

/// One durable consumer of all events. Instances of the same name share the work; order is kept by the reader, who
/// compares positions with its checkpoint.
pub struct Consumer {
    place: Place,
    feed: Option<Feed>,
    /// Goes on over several calls, so that no short wait cuts it off.
    opening: Option<BoxFuture<'static, Result<Feed, Error>>>,
    retry_at: Instant,
    available: bool,
}

/// Which consumer, and where it starts when it has to be made.
#[derive(Clone)]
struct Place {
    bus: Bus,
    name: String,
    log: LogId,
    checkpoint: i64,
}

type Pull = consumer::Consumer<pull::Config>;

struct Feed {
    messages: pull::Stream,
    generation: u64,
}

/// What the bus had to give.
pub enum Batch {
    /// At least one message.
    Events(Delivered),
    /// Nothing arrived in time.
    Idle,
    /// The bus cannot be read now: read the log instead, and call again.
    Unavailable,
}

/// Events in the stream's order. Positions may repeat, and may jump where the bus lost something: the log has it.
pub struct Delivered {
    /// The events of this log that came whole.
    pub messages: Vec<Message>,
    /// The highest position seen, also of an event too large for the bus.
    pub reaches: i64,
    last: Box<Raw>,
}

impl Delivered {
    /// Says that these, and all before them, need not be sent again. A lost acknowledgement costs a repetition only.
    pub async fn ack(self) {
        self.answer(AckKind::Ack).await;
    }

    /// Asks for the last of these again after `delay`.
    pub async fn nak(self, delay: Duration) {
        self.answer(AckKind::Nak(Some(delay))).await;
    }

    async fn answer(&self, kind: AckKind) {
        if let Err(error) = self.last.ack_with(kind).await {
            tracing::debug!(%error, "could not acknowledge, the messages will come again");
        }
    }
}

impl Consumer {
    /// A consumer named after its owner, such as `projector_rbac`. It knows only messages of `log`; where it has to be
    /// made on the server, it starts after `checkpoint`.
    pub fn new(bus: &Bus, name: &str, log: LogId, checkpoint: i64) -> Self {
        Self {
            place: Place { bus: bus.clone(), name: name.to_owned(), log, checkpoint },
            feed: None,
            opening: None,
            retry_at: Instant::now(),
            available: true,
        }
    }

    /// Tells how far the reader is, for the case that the consumer has to be made again.
    pub fn set_checkpoint(&mut self, position: i64) {
        self.place.checkpoint = position;
    }

    /// The next at most `max` messages, as soon as there is one, waiting at most `max_wait`. Dropping the future loses
    /// nothing.
    pub async fn next_batch(&mut self, max: usize, max_wait: Duration) -> Batch {
        let deadline = Instant::now() + max_wait;
        match self.fetch(max, deadline).await {
            Ok(batch) => {
                if matches!(batch, Batch::Events(_)) {
                    self.report(None);
                }
                batch
            }
            Err(error) => {
                self.feed = None;
                self.retry_at = Instant::now() + RETRY;
                self.report(Some(&error.to_string()));
                self.pause(deadline).await;
                Batch::Unavailable
            }
        }
    }

    /// Whoever calls in a loop must not spin; a connection that comes back ends the pause.
    async fn pause(&mut self, deadline: Instant) {
        let end = deadline.min(self.retry_at);
        if self.place.bus.is_connected() {
            tokio::time::sleep_until(end).await;
        } else {
            let limit = end.saturating_duration_since(Instant::now());
            if self.place.bus.connected_within(limit).await {
                self.retry_at = Instant::now();
            }
        }
    }

    fn report(&mut self, trouble: Option<&str>) {
        match trouble {
            None if !self.available => {
                tracing::info!(consumer = self.place.name, "reads from the bus again");
            }
            Some(reason) if self.available => {
                tracing::warn!(
                    consumer = self.place.name,
                    reason,
                    "reads from the log, not from the bus"
                );
            }
            None | Some(_) => {}
        }
        self.available = trouble.is_none();
    }

    async fn fetch(&mut self, max: usize, deadline: Instant) -> Result<Batch, Error> {
        loop {
            let bus = self.place.bus.clone();
            let Some(feed) = self.feed(deadline).await? else { return Ok(Batch::Unavailable) };
            let first = tokio::select! {
                biased;
                next = feed.messages.next() => next,
                () = bus.lost(feed.generation) => {
                    return Err(Error::Unavailable("no connection".into()));
                }
                () = tokio::time::sleep_until(deadline) => return Ok(Batch::Idle),
            };
            let first = first
                .ok_or_else(|| Error::Unavailable("the consumer ended".into()))?
                .map_err(Error::unavailable)?;
            let mut raw = vec![first];
            while raw.len() < max {
                // Outside the task's budget, or a full buffer would look empty after 128 messages.
                match tokio::task::unconstrained(feed.messages.next()).now_or_never() {
                    Some(Some(Ok(message))) => raw.push(message),
                    Some(Some(Err(_)) | None) => {
                        self.feed = None; // what came is good; the next call begins anew
                        break;
                    }
                    None => break,
                }
            }
            if let Some(delivered) = self.read(raw).await {
                return Ok(Batch::Events(delivered));
            }
        }
    }

    /// Nothing when none of the messages counts in our log; they are put away then.
    async fn read(&mut self, raw: Vec<Raw>) -> Option<Delivered> {
        let mut reaches = 0;
        let mut messages = Vec::with_capacity(raw.len());
        let mut last = None;
        for mut message in raw {
            let headers = message.message.headers.take().unwrap_or_default();
            let received = Message::from_message(&headers, message.payload.clone());
            last = Some(message);
            match received {
                Ok(Received::Whole(message)) if message.log == self.place.log => {
                    reaches = reaches.max(message.position);
                    messages.push(*message);
                }
                Ok(Received::Reference { log, position }) if log == self.place.log => {
                    reaches = reaches.max(position);
                }
                Ok(Received::Whole(_) | Received::Reference { .. }) => {}
                Err(error) => tracing::warn!(%error, "passes over a message that no relay sent"),
            }
        }
        let delivered = Delivered { messages, reaches, last: Box::new(last?) };
        if delivered.reaches == 0 {
            delivered.ack().await;
            return None;
        }
        Some(delivered)
    }

    /// The messages; nothing while the way to them is still being made.
    async fn feed(&mut self, deadline: Instant) -> Result<Option<&mut Feed>, Error> {
        let generation = self.place.bus.generation();
        // Whoever answers on a new connection may be a server that knows nothing of us.
        let kept = self.feed.take().filter(|feed| feed.generation == generation);
        if let Some(feed) = kept {
            return Ok(Some(self.feed.insert(feed)));
        }
        if !self.place.bus.is_connected() {
            self.opening = None;
            return Err(Error::Unavailable("no connection".into()));
        }
        if Instant::now() < self.retry_at {
            tokio::time::sleep_until(deadline.min(self.retry_at)).await;
            return Ok(None);
        }
        let place = &self.place;
        let opening = self.opening.get_or_insert_with(|| Box::pin(place.clone().open(generation)));
        match tokio::time::timeout_at(deadline, opening).await {
            Ok(opened) => {
                self.opening = None;
                Ok(Some(self.feed.insert(opened?)))
            }
            Err(_) => Ok(None),
        }
    }
}

impl Place {
    async fn open(self, generation: u64) -> Result<Feed, Error> {
        let stream = topology::events(&self.bus).await?;
        let consumer = match stream.get_consumer::<pull::Config>(&self.name).await {
            Ok(found) if self.suits(&found.cached_info().config) => found,
            Ok(_) => {
                stream.delete_consumer(&self.name).await.map_err(Error::unavailable)?;
                self.create(&stream).await?
            }
            Err(_) => self.create(&stream).await?,
        };
        let messages = consumer
            .stream()
            .max_messages_per_batch(FETCH_MESSAGES)
            .max_bytes_per_batch(FETCH_BYTES)
            .heartbeat(HEARTBEAT)
            .expires(FETCH_EXPIRES)
            .messages()
            .await
            .map_err(Error::unavailable)?;
        Ok(Feed { messages, generation })
    }

    async fn create(&self, stream: &Stream) -> Result<Pull, Error> {
        let start = super::sequence_after(stream, self.log, self.checkpoint).await?;
        let wanted = pull::Config {
            durable_name: Some(self.name.clone()),
            deliver_policy: match start {
                Some(start_sequence) => DeliverPolicy::ByStartSequence { start_sequence },
                None => DeliverPolicy::All,
            },
            ack_policy: AckPolicy::All,
            ack_wait: ACK_WAIT,
            max_deliver: -1,
            filter_subject: self.bus.subject("events.>"),
            max_ack_pending: MAX_ACK_PENDING,
            ..pull::Config::default()
        };
        let made = stream.create_consumer(wanted).await.map_err(Error::unavailable)?;
        let echoed = &made.cached_info().config;
        if self.suits(echoed) {
            tracing::info!(consumer = self.name, ?start, "made a consumer");
            return Ok(made);
        }
        Err(Error::Topology {
            name: format!("consumer {}", self.name),
            field: "configuration",
            found: format!("{echoed:?}"),
            wanted: "what was asked".into(),
        })
    }

    /// Where a consumer started is history; how it delivers must be as we would ask for it today.
    fn suits(&self, config: &consumer::Config) -> bool {
        config.deliver_subject.is_none()
            && config.ack_policy == AckPolicy::All
            && config.ack_wait == ACK_WAIT
            && config.max_deliver == -1
            && config.max_ack_pending == MAX_ACK_PENDING
            && config.filter_subject == self.bus.subject("events.>")
            && config.filter_subjects.is_empty()
            && !config.headers_only
    }
}
