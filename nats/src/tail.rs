//! The live tail: what the relay publishes, as it passes, without any promise. It wakes readers; the log tells them.

use std::time::Duration;

use async_nats::Subscriber;
use futures::{FutureExt, StreamExt};

use crate::bus::Bus;
use crate::envelope::{LogId, Message, Received};
use crate::error::Error;

/// A subscription to all events of one log. Messages may be missing, repeated or old: compare positions.
pub struct Tail {
    subscriber: Subscriber,
    log: LogId,
}

/// What passed since the last look.
pub struct Passed {
    /// The events that came whole, in the order in which they passed.
    pub messages: Vec<Message>,
    /// The highest position seen.
    pub reaches: i64,
}

impl Tail {
    /// Subscribes; it goes on by itself after an outage.
    pub async fn subscribe(bus: &Bus, log: LogId) -> Result<Self, Error> {
        let subject = bus.subject("events.>");
        let subscriber = bus.client().subscribe(subject).await.map_err(Error::unavailable)?;
        Ok(Self { subscriber, log })
    }

    /// At most `max` events as soon as there is one; nothing when none came within `max_wait`, or the process ends.
    pub async fn next(&mut self, max: usize, max_wait: Duration) -> Option<Passed> {
        let first = tokio::time::timeout(max_wait, self.subscriber.next()).await.ok()??;
        let mut passed = Passed { messages: Vec::new(), reaches: 0 };
        self.read(first, &mut passed);
        let mut taken = 1;
        while taken < max {
            match tokio::task::unconstrained(self.subscriber.next()).now_or_never() {
                Some(Some(raw)) => self.read(raw, &mut passed),
                Some(None) | None => break,
            }
            taken += 1;
        }
        (passed.reaches > 0).then_some(passed)
    }

    fn read(&self, raw: async_nats::Message, passed: &mut Passed) {
        let headers = raw.headers.unwrap_or_default();
        match Message::from_message(&headers, raw.payload) {
            Ok(Received::Whole(message)) if message.log == self.log => {
                passed.reaches = passed.reaches.max(message.position);
                passed.messages.push(*message);
            }
            Ok(Received::Reference { log, position }) if log == self.log => {
                passed.reaches = passed.reaches.max(position);
            }
            Ok(Received::Whole(_) | Received::Reference { .. }) => {}
            Err(error) => tracing::debug!(%error, "passes over a message that no relay sent"),
        }
    }
}
