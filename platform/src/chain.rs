//! The tamper-evidence chain: the canonical bytes of an event and the hash that ties it to all before it, as `log.append` computes them.

use events::envelope::Recorded;
use sha2::{Digest, Sha256};

const ENTRY: &[u8] = b"annals-entry/v1";
const LINK: &[u8] = b"annals-chain/v1";

/// The canonical bytes of an event, version 1: fixed parts as they are, variable parts preceded by their length in bytes.
pub fn entry(event: &Recorded) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(256 + event.payload.len() + event.metadata.len());
    bytes.extend_from_slice(ENTRY);
    bytes.extend_from_slice(event.tenant_id.0.as_bytes());
    bytes.extend_from_slice(&event.tenant_seq.to_be_bytes());
    part(&mut bytes, event.aggregate_type.as_bytes());
    part(&mut bytes, event.aggregate_id.as_bytes());
    bytes.extend_from_slice(&event.sequence.to_be_bytes());
    bytes.extend_from_slice(event.event_id.as_bytes());
    part(&mut bytes, event.event_type.as_bytes());
    part(&mut bytes, event.event_version.as_bytes());
    bytes.extend_from_slice(&event.recorded_at.as_microsecond().to_be_bytes());
    part(&mut bytes, event.metadata.as_bytes());
    part(&mut bytes, event.payload.as_bytes());
    bytes
}

fn part(bytes: &mut Vec<u8>, value: &[u8]) {
    let length = u32::try_from(value.len()).unwrap_or(u32::MAX);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(value);
}

/// The head of the chain after `event`, where `before` is the head before it (empty before the first).
pub fn link(before: &[u8], event: &Recorded) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(LINK);
    hash.update(before);
    hash.update(Sha256::digest(entry(event)));
    hash.finalize().into()
}
