//! Publishes the log in order, many messages in flight, fenced by the stream's own last number.

use std::collections::VecDeque;

use async_nats::header::{HeaderMap, HeaderValue, NATS_EXPECTED_LAST_SEQUENCE, NATS_MESSAGE_ID};
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::publish::PublishAck;
use bytes::Bytes;
use futures::future::BoxFuture;

use crate::bus::{ANSWER_LIMIT, Bus};
use crate::envelope::Message;
use crate::error::Error;
use crate::topology;

/// Only the last message of a group asks for an answer: each names the number of the one before it, so the last is
/// stored only where all before it were (a stranger's message could take the place of one; readers compare positions).
const GROUP_MESSAGES: usize = 128;
const GROUP_BYTES: usize = 256 * 1024;
const GROUPS_IN_FLIGHT: usize = 8;

/// A run of publications that follows one known end of the stream. After any error it is spent: read the end again.
///
/// Two of them may run over one stream, as when a relay was paused and another took over: since both know the same event
/// at the same number, whatever the stream takes from either is the next event of the log.
pub struct Publisher {
    bus: Bus,
    stream: String,
    sent_sequence: u64,
    stored_sequence: u64,
    stored_position: i64,
    in_flight: VecDeque<Group>,
    ids: bool,
}

struct Group {
    answer: BoxFuture<'static, Result<PublishAck, PublishError>>,
    sequence: u64,
    position: i64,
}

impl Publisher {
    /// Goes on after the message numbered `sequence` in the stream, which stands at `position` in the log.
    pub fn after(bus: &Bus, sequence: u64, position: i64) -> Self {
        Self {
            bus: bus.clone(),
            stream: bus.stream(topology::EVENTS),
            sent_sequence: sequence,
            stored_sequence: sequence,
            stored_position: position,
            in_flight: VecDeque::new(),
            ids: true,
        }
    }

    /// For filling a stream again: it would refuse, as repeated, what it had within its window of message ids. A purge
    /// does not make old servers forget them.
    #[must_use]
    pub fn without_ids(mut self) -> Self {
        self.ids = false;
        self
    }

    /// The last position known to be stored.
    pub fn stored_position(&self) -> i64 {
        self.stored_position
    }

    /// The stream's number of the last message known to be stored.
    pub fn stored_sequence(&self) -> u64 {
        self.stored_sequence
    }

    /// Whether answers are outstanding.
    pub fn is_settled(&self) -> bool {
        self.in_flight.is_empty()
    }

    /// Sends messages in order; waits only while too much is in flight.
    pub async fn publish(&mut self, messages: &[Message]) -> Result<(), Error> {
        let mut rest = messages;
        while !rest.is_empty() {
            while self.in_flight.len() >= GROUPS_IN_FLIGHT {
                self.settle_one().await?;
            }
            let (group, after) = rest.split_at(group_length(rest));
            // A connection that is down takes what it can buffer and then blocks.
            match tokio::time::timeout(ANSWER_LIMIT, self.send(group)).await {
                Ok(sent) => sent?,
                Err(_) => return Err(Error::Unavailable("cannot send".into())),
            }
            rest = after;
        }
        Ok(())
    }

    /// Waits until everything sent is stored.
    pub async fn settle(&mut self) -> Result<(), Error> {
        while !self.in_flight.is_empty() {
            self.settle_one().await?;
        }
        Ok(())
    }

    /// Waits for the oldest outstanding answer. Dropping the future loses nothing.
    pub async fn settle_one(&mut self) -> Result<(), Error> {
        let Some(oldest) = self.in_flight.front_mut() else { return Ok(()) };
        let answer = (&mut oldest.answer).await;
        let (sequence, position) = (oldest.sequence, oldest.position);
        self.in_flight.pop_front();
        let stored = answer.map_err(|error| self.sorted(&error))?;
        // Known to the server's window of message ids, but not where we put it: the stream was changed behind our back.
        if stored.sequence != sequence {
            return Err(Error::Fenced(self.stream.clone()));
        }
        self.stored_sequence = sequence;
        self.stored_position = position;
        Ok(())
    }

    async fn send(&mut self, group: &[Message]) -> Result<(), Error> {
        let Some((last, others)) = group.split_last() else { return Ok(()) };
        for message in others {
            let (headers, body) = self.wire(message);
            self.bus
                .client()
                .publish_with_headers(self.bus.subject(&message.subject()), headers, body)
                .await
                .map_err(Error::unavailable)?;
            self.sent_sequence += 1;
        }
        let (headers, body) = self.wire(last);
        let publish = PublishMessage::build().headers(headers).payload(body);
        let answer = self
            .bus
            .jetstream()
            .send_publish(self.bus.subject(&last.subject()), publish)
            .await
            .map_err(|error| self.sorted(&error))?;
        self.sent_sequence += 1;
        self.in_flight.push_back(Group {
            answer: answer.into_future(),
            sequence: self.sent_sequence,
            position: last.position,
        });
        Ok(())
    }

    fn wire(&self, message: &Message) -> (HeaderMap, Bytes) {
        let (mut headers, body) = message.to_headers();
        headers.insert(NATS_EXPECTED_LAST_SEQUENCE, HeaderValue::from(self.sent_sequence));
        if self.ids {
            headers.insert(NATS_MESSAGE_ID, message.event_id.to_string());
        }
        (headers, body)
    }

    fn sorted(&self, error: &PublishError) -> Error {
        match error.kind() {
            PublishErrorKind::WrongLastSequence | PublishErrorKind::WrongLastMessageId => {
                Error::Fenced(self.stream.clone())
            }
            PublishErrorKind::StreamNotFound => Error::StreamGone(self.stream.clone()),
            PublishErrorKind::TimedOut | PublishErrorKind::BrokenPipe => Error::unavailable(error),
            PublishErrorKind::MaxAckPending
            | PublishErrorKind::MaxPayloadExceeded
            | PublishErrorKind::Other => Error::Refused(error.to_string()),
        }
    }
}

fn group_length(messages: &[Message]) -> usize {
    let mut bytes = 0;
    let fitting = messages
        .iter()
        .take(GROUP_MESSAGES)
        .take_while(|message| {
            bytes += message.payload.len() + message.metadata.len();
            bytes <= GROUP_BYTES
        })
        .count();
    fitting.max(1)
}
