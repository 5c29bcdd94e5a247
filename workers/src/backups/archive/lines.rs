//! What the chunks hold: an event as a line, and the check that events continue each organisation's chain.

use std::collections::BTreeMap;

use events::envelope::Recorded;
use events::{FileId, TenantId};
use jiff::Timestamp;
use platform::chain;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::ChainHead;

/// An event as one line of JSON. Payload and metadata are JSON in a string, so that their exact text, which is hashed,
/// comes through.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EventLine {
    position: i64,
    tenant_id: TenantId,
    tenant_seq: i64,
    aggregate_type: String,
    aggregate_id: String,
    sequence: i64,
    event_id: Uuid,
    event_type: String,
    event_version: String,
    recorded_at: Timestamp,
    chain: String,
    payload: String,
    metadata: String,
}

impl From<Recorded> for EventLine {
    fn from(event: Recorded) -> Self {
        Self {
            position: event.position,
            tenant_id: event.tenant_id,
            tenant_seq: event.tenant_seq,
            aggregate_type: event.aggregate_type,
            aggregate_id: event.aggregate_id,
            sequence: event.sequence,
            event_id: event.event_id,
            event_type: event.event_type,
            event_version: event.event_version,
            recorded_at: event.recorded_at,
            chain: hex::encode(event.chain),
            payload: event.payload,
            metadata: event.metadata,
        }
    }
}

impl EventLine {
    pub(super) fn into_recorded(self) -> anyhow::Result<Recorded> {
        Ok(Recorded {
            chain: hex::decode(&self.chain)?,
            position: self.position,
            tenant_id: self.tenant_id,
            tenant_seq: self.tenant_seq,
            aggregate_type: self.aggregate_type,
            aggregate_id: self.aggregate_id,
            sequence: self.sequence,
            event_id: self.event_id,
            event_type: self.event_type,
            event_version: self.event_version,
            recorded_at: self.recorded_at,
            payload: self.payload,
            metadata: self.metadata,
        })
    }
}

/// The events of a chunk.
pub(super) fn recorded(body: &[u8]) -> impl Iterator<Item = anyhow::Result<Recorded>> {
    split(body).map(|line| serde_json::from_slice::<EventLine>(line)?.into_recorded())
}

/// The lines of a chunk.
pub(super) fn split(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

/// The head of a piece of a file; its bytes follow the line.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FilePiece {
    pub tenant_id: TenantId,
    pub file_id: FileId,
    pub offset: u64,
    /// Length of the whole file.
    pub size_bytes: u64,
}

impl FilePiece {
    /// Splits the body of a chunk into the head and the bytes.
    pub(super) fn split(body: &[u8]) -> Option<(Self, &[u8])> {
        let end = body.iter().position(|byte| *byte == b'\n')?;
        let head = serde_json::from_slice(&body[..end]).ok()?;
        Some((head, &body[end + 1..]))
    }
}

/// Every organisation's chain, as far as events were seen.
#[derive(Debug, Default)]
pub(super) struct Chains(BTreeMap<TenantId, (i64, Vec<u8>)>);

impl Chains {
    /// Takes the next event; says what is wrong when it does not continue its organisation's chain. Goes on with the
    /// chain that the event carries, so that one altered event is one error.
    pub(super) fn take(&mut self, event: &Recorded) -> Result<(), String> {
        let (seq, head) = self.0.entry(event.tenant_id).or_default();
        let (expected_seq, before) = (*seq + 1, std::mem::take(head));
        *seq = event.tenant_seq;
        head.clone_from(&event.chain);
        let place = format!("tenant {} seq {}", event.tenant_id, event.tenant_seq);
        if event.tenant_seq != expected_seq {
            return Err(format!("{place}: seq {expected_seq} was expected"));
        }
        if chain::link(&before, event)[..] != event.chain[..] {
            return Err(format!("{place}: the event or the chain before it was altered"));
        }
        Ok(())
    }

    pub(super) fn heads(&self) -> BTreeMap<TenantId, ChainHead> {
        let heads = self.0.iter().map(|(tenant, (seq, chain))| {
            (*tenant, ChainHead { seq: *seq, chain: hex::encode(chain) })
        });
        heads.collect()
    }
}
