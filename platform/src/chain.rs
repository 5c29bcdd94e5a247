//! The tamper-evidence chain: what an event says as one hash, and the hash that ties it to all before it, as the log computes them.

use events::envelope::Recorded;
use sha2::{Digest, Sha256};
use uuid::Uuid;

const ENTRY: &[u8] = b"annals-entry/v1";
const LINK: &[u8] = b"annals-chain/v1";

/// What the hash of an event covers besides its place: everything that its writer said.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// The organisation.
    pub tenant: Uuid,
    /// Stream name.
    pub aggregate_type: &'a str,
    /// Stream id.
    pub aggregate_id: &'a str,
    /// The event's id.
    pub event_id: Uuid,
    /// Stored name.
    pub event_type: &'a str,
    /// Schema version.
    pub event_version: &'a str,
    /// Exact text.
    pub metadata: &'a str,
    /// Exact text.
    pub payload: &'a str,
}

impl Entry<'_> {
    /// SHA-256 over the canonical bytes, version 1: fixed parts as they are, variable parts preceded by their length.
    pub fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(ENTRY);
        hash.update(self.tenant.as_bytes());
        part(&mut hash, self.aggregate_type);
        part(&mut hash, self.aggregate_id);
        hash.update(self.event_id.as_bytes());
        part(&mut hash, self.event_type);
        part(&mut hash, self.event_version);
        part(&mut hash, self.metadata);
        part(&mut hash, self.payload);
        hash.finalize().into()
    }
}

fn part(hash: &mut Sha256, value: &str) {
    let length = u32::try_from(value.len()).unwrap_or(u32::MAX);
    hash.update(length.to_be_bytes());
    hash.update(value.as_bytes());
}

/// What a stored event says, as one hash.
pub fn digest(event: &Recorded) -> [u8; 32] {
    Entry {
        tenant: event.tenant_id.0,
        aggregate_type: &event.aggregate_type,
        aggregate_id: &event.aggregate_id,
        event_id: event.event_id,
        event_type: &event.event_type,
        event_version: &event.event_version,
        metadata: &event.metadata,
        payload: &event.payload,
    }
    .digest()
}

/// What the chain takes in of an event: its number, its version, when it was recorded, and what it says.
pub fn covered(event: &Recorded) -> [u8; 56] {
    let mut covered = [0; 56];
    covered[..8].copy_from_slice(&event.tenant_seq.to_be_bytes());
    covered[8..16].copy_from_slice(&event.sequence.to_be_bytes());
    covered[16..24].copy_from_slice(&event.recorded_at.as_microsecond().to_be_bytes());
    covered[24..].copy_from_slice(&digest(event));
    covered
}

/// The head of the chain after an event that [`covered`] stands for, where `before` is the head before it.
pub fn extend(before: &[u8], covered: &[u8; 56]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(LINK);
    hash.update(before);
    hash.update(covered);
    hash.finalize().into()
}

/// The head of the chain after `event`, where `before` is the head before it (empty before the first).
pub fn link(before: &[u8], event: &Recorded) -> [u8; 32] {
    extend(before, &covered(event))
}
