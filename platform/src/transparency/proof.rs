//! Proofs about the tree: that it has an event, and that a later tree begins with an earlier one (RFC 6962 2.1, RFC 9162 2.1).

use std::ops::Range;

use super::Hash;
use super::tree::node_hash;

/// The ranges of leaves whose hashes prove that a tree of `size` leaves has the one at `index`; none prove it when it has not.
pub fn inclusion_path(index: u64, size: u64) -> Vec<Range<u64>> {
    let mut path = Vec::new();
    let mut range = 0..size;
    while range.end - range.start > 1 {
        let middle = range.start + split(range.end - range.start);
        let (left, right) = (range.start..middle, middle..range.end);
        let (taken, sibling) = if index < middle { (left, right) } else { (right, left) };
        path.push(sibling);
        range = taken;
    }
    path.reverse();
    path
}

/// The ranges of leaves whose hashes prove that the tree of `to` leaves begins with that of `from`, of which there is one at least.
pub fn consistency_path(from: u64, to: u64) -> Vec<Range<u64>> {
    let mut path = Vec::new();
    let mut range = 0..to;
    while range.end > from {
        let middle = range.start + split(range.end - range.start);
        let (left, right) = (range.start..middle, middle..range.end);
        let (taken, sibling) = if from <= middle { (left, right) } else { (right, left) };
        path.push(sibling);
        range = taken;
    }
    if range.start > 0 {
        path.push(range); // else it is the whole earlier tree, whose root is known
    }
    path.reverse();
    path
}

/// The largest power of two below `count`, which is more than one.
fn split(count: u64) -> u64 {
    1 << (count - 1).ilog2()
}

/// Whether `proof` shows that the tree of `size` leaves with `root` has `leaf` at `index`.
pub fn includes(leaf: &Hash, index: u64, size: u64, proof: &[Hash], root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut node, mut last) = (index, size - 1);
    let mut hash = *leaf;
    for sibling in proof {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            climb(&mut node, &mut last);
        } else {
            hash = node_hash(&hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    last == 0 && hash == *root
}

/// A tree by its size and root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Root {
    /// Its leaves.
    pub size: u64,
    /// Its root.
    pub hash: Hash,
}

/// Whether `proof` shows that the tree `to` begins with the tree `from`.
pub fn continues(from: &Root, to: &Root, proof: &[Hash]) -> bool {
    if from.size == to.size {
        return proof.is_empty() && from.hash == to.hash;
    }
    if from.size == 0 || from.size > to.size {
        return false;
    }
    let (mut node, mut last) = (from.size - 1, to.size - 1);
    let ones = node.trailing_ones();
    (node, last) = (node >> ones, last >> ones);
    let (first, rest) = match proof.split_first() {
        _ if from.size.is_power_of_two() => (from.hash, proof),
        Some((first, rest)) => (*first, rest),
        None => return false,
    };
    let (mut earlier, mut later) = (first, first);
    for sibling in rest {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            earlier = node_hash(sibling, &earlier);
            later = node_hash(sibling, &later);
            climb(&mut node, &mut last);
        } else {
            later = node_hash(&later, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    last == 0 && earlier == from.hash && later == to.hash
}

/// Past the levels at which a node on the right edge has no sibling.
fn climb(node: &mut u64, last: &mut u64) {
    while *node & 1 == 0 && *node != 0 {
        *node >>= 1;
        *last >>= 1;
    }
}
