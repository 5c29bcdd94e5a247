//! The tamper evidence of an organisation's log: a Merkle tree over its events (RFC 6962), proofs about it, and signed
//! checkpoints of it (C2SP tlog-checkpoint). Pure: whoever signs, serves and verifies uses the same code.

pub mod checkpoint;
pub mod manifest;
pub mod note;
pub mod proof;
#[cfg(test)]
mod tests;
pub mod tree;

use sha2::{Digest, Sha256};

/// SHA-256.
pub type Hash = [u8; 32];

/// The leaf of an event, `SHA-256(0x00 || entry)`. Its entry has 96 bytes: the position (8, big-endian), what the chain
/// takes in of it ([`crate::chain::covered`], 56), and the chain after it (32). So every column of the event's row is in
/// its own leaf, and the leaf of the last event binds the head of the chain.
pub fn leaf(position: i64, covered: &[u8; 56], chain: &[u8]) -> Hash {
    let mut hash = Sha256::new();
    hash.update([0]);
    hash.update(position.to_be_bytes());
    hash.update(covered);
    hash.update(chain);
    hash.finalize().into()
}
