//! Where the next events come from: the bus while it brings them in order, the log whenever it does not.

use std::time::Duration;

use anyhow::bail;
use events::TenantId;
use events::envelope::Recorded;
use nats::events::{Batch, Consumer, Delivered};
use nats::{Bus, LogId, Message};
use sqlx::PgPool;
use tokio::time::Instant;

use super::log::{self, Head, Scan, Wanted};
use super::pack::BATCH_EVENTS;
use crate::model::Fact;

/// How long the bus may be silent before the log is asked.
const SILENCE: Duration = Duration::from_millis(20);
/// How often the bus is told how far we are: each time it writes that down, and what it is not told it only sends again.
const ACK_EVERY: Duration = Duration::from_millis(100);
/// The name of the durable consumer.
const CONSUMER: &str = "projectors";
const BATCH: i64 = 500;

/// The events in order.
pub(crate) struct Source {
    pool: PgPool,
    head: Head,
    consumer: Option<Consumer>,
    scan: Option<Scan>,
    /// What was applied since the bus was last told, and when that was.
    applied: Option<Delivered>,
    acked: Instant,
}

/// Events that follow on the position asked for; none when there are none yet.
#[derive(Default)]
pub(crate) struct Next {
    pub(crate) facts: Vec<Fact>,
    pub(crate) delivered: Option<Delivered>,
}

impl Source {
    /// Events of the log whose head is given, after `position`.
    pub(crate) fn new(pool: &PgPool, bus: Option<&Bus>, head: Head, position: i64) -> Self {
        let id = LogId { epoch: head.epoch, born_us: head.born_us };
        let consumer = bus.map(|bus| Consumer::new(bus, CONSUMER, id, position));
        let (scan, applied, acked) = (None, None, Instant::now());
        Self { pool: pool.clone(), head, consumer, scan, applied, acked }
    }

    /// What follows on `position`, after a short wait when nothing does.
    pub(crate) async fn next(&mut self, position: i64) -> anyhow::Result<Next> {
        if let Some(facts) = self.scanned(position).await? {
            return Ok(Next { facts, delivered: None });
        }
        let delivered = self.wait(position).await;
        if let Some(mut delivered) = delivered {
            let facts = in_order(std::mem::take(&mut delivered.messages), position);
            if facts.is_empty() {
                // All old, or the first is missing: in both cases the log knows what comes next.
                let facts = self.read_log(position).await?;
                return Ok(Next { facts, delivered: Some(delivered) });
            }
            return Ok(Next { facts, delivered: Some(delivered) });
        }
        Ok(Next { facts: self.read_log(position).await?, delivered: None })
    }

    /// Takes note that what was delivered, and all before it, has been applied.
    pub(crate) async fn applied(&mut self, delivered: Delivered) {
        self.applied = Some(delivered);
        if self.acked.elapsed() >= ACK_EVERY {
            self.ack().await;
        }
    }

    async fn ack(&mut self) {
        if let Some(delivered) = self.applied.take() {
            delivered.ack().await;
            self.acked = Instant::now();
        }
    }

    /// What is being read ahead from the log.
    async fn scanned(&mut self, position: i64) -> anyhow::Result<Option<Vec<Fact>>> {
        while let Some(scan) = &mut self.scan {
            match scan.next().await? {
                Some(mut facts) => {
                    facts.retain(|fact| fact.recorded.position > position);
                    if !facts.is_empty() {
                        return Ok(Some(facts));
                    }
                }
                None => self.scan = None,
            }
        }
        Ok(None)
    }

    async fn wait(&mut self, position: i64) -> Option<Delivered> {
        let Some(consumer) = &mut self.consumer else {
            tokio::time::sleep(SILENCE).await;
            return None;
        };
        consumer.set_checkpoint(position);
        match consumer.next_batch(BATCH_EVENTS, SILENCE).await {
            Batch::Events(delivered) => Some(delivered),
            Batch::Idle | Batch::Unavailable => {
                self.ack().await;
                None
            }
        }
    }

    async fn read_log(&mut self, position: i64) -> anyhow::Result<Vec<Fact>> {
        let head = log::head(&self.pool).await?;
        if (head.epoch, head.born_us) != (self.head.epoch, self.head.born_us) {
            bail!("the log was replaced by another one");
        }
        let behind = head.position - position;
        if behind > 2 * BATCH {
            let wanted = Wanted::everything();
            self.scan = Some(Scan::start(&self.pool, position, head.position, BATCH, wanted));
            return Ok(self.scanned(position).await?.unwrap_or_default());
        }
        if behind <= 0 {
            return Ok(Vec::new());
        }
        log::read(&self.pool, position, head.position.min(position + BATCH), &Wanted::everything())
            .await
    }
}

/// The messages that follow on `position` without a gap; what comes after a gap is left to the log.
fn in_order(messages: Vec<Message>, position: i64) -> Vec<Fact> {
    let mut facts: Vec<Fact> = Vec::with_capacity(messages.len());
    let mut expected = position + 1;
    for message in messages {
        if message.position == expected {
            let Some(fact) = fact(message) else { break };
            facts.push(fact);
            expected += 1;
        } else if message.position > expected {
            break;
        }
    }
    facts
}

fn fact(message: Message) -> Option<Fact> {
    Some(Fact::new(Recorded {
        position: message.position,
        tenant_id: TenantId(message.tenant_id),
        tenant_seq: message.tenant_seq,
        aggregate_type: message.aggregate_type,
        aggregate_id: message.aggregate_id,
        sequence: message.sequence,
        event_id: message.event_id,
        event_type: message.event_type,
        event_version: message.event_version,
        payload: String::from_utf8(message.payload.to_vec()).ok()?,
        metadata: message.metadata,
        recorded_at: message.recorded_at.parse().ok()?,
        chain: Vec::new(),
    }))
}
