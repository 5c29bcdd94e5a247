//! The Merkle tree hash of RFC 6962, as it grows and as it is kept: in tiles of 256 hashes, as C2SP tlog-tiles lays them out.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use sha2::{Digest, Sha256};

use super::Hash;

/// The hashes of a full tile; each stands for 256 of the level below.
pub const TILE_WIDTH: usize = 256;
/// As many levels of a tree as one tile spans.
const TILE_HEIGHT: u32 = 8;

/// The hash of a leaf.
pub fn leaf_hash(entry: &[u8]) -> Hash {
    Sha256::new().chain_update([0]).chain_update(entry).finalize().into()
}

/// The hash of two neighbouring subtrees.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

/// Which tile: at level 0 stand leaves, at each further level the roots of the tiles of the one below.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TileId {
    /// From 0.
    pub level: u8,
    /// Its place within the level, from 0.
    pub tile: u64,
}

/// A tile; the last one of a level may have fewer than [`TILE_WIDTH`] hashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tile {
    /// Which.
    pub id: TileId,
    /// Its hashes from left to right.
    pub hashes: Vec<Hash>,
}

/// A tile that is needed is not there, or too short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stored tree lacks hashes of tile {} at level {}", .0.tile, .0.level)]
pub struct Missing(pub TileId);

/// The right edge of a tree: the unfinished tiles, which suffice to go on and to tell the root.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edge {
    size: u64,
    tiles: Vec<Vec<Hash>>,
}

impl Edge {
    /// The edge of a tree of `size` leaves that is kept in tiles; [`edge_tiles`] says which it takes.
    pub fn resume(size: u64, stored: &Tiles) -> Result<Self, Missing> {
        let mut tiles = Vec::new();
        for (level, wanted) in (0..).zip(edge(size)) {
            let id = TileId { level, tile: shift(size, TILE_HEIGHT * (u32::from(level) + 1)) };
            let hashes = if wanted == 0 { &[][..] } else { stored.part(id, 0, wanted)? };
            tiles.push(hashes.to_vec());
        }
        Ok(Self { size, tiles })
    }

    /// How many leaves the tree has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf; the tiles that it fills.
    pub fn push(&mut self, leaf: Hash) -> Vec<Tile> {
        let mut full = Vec::new();
        let mut hash = leaf;
        for level in 0_u8.. {
            let place = usize::from(level);
            if self.tiles.len() == place {
                self.tiles.push(Vec::with_capacity(TILE_WIDTH));
            }
            let Some(tile) = self.tiles.get_mut(place) else { break };
            tile.push(hash);
            if tile.len() < TILE_WIDTH {
                break;
            }
            let hashes = std::mem::take(tile);
            hash = perfect(&hashes);
            let tile = shift(self.size, TILE_HEIGHT * (u32::from(level) + 1));
            full.push(Tile { id: TileId { level, tile }, hashes });
        }
        self.size += 1;
        full
    }

    /// The tiles that are begun and not full.
    pub fn unfinished(&self) -> impl Iterator<Item = Tile> + '_ {
        let begun = (0_u8..).zip(&self.tiles).filter(|(_, hashes)| !hashes.is_empty());
        begun.map(|(level, hashes)| {
            let tile = shift(self.size, TILE_HEIGHT * (u32::from(level) + 1));
            Tile { id: TileId { level, tile }, hashes: hashes.clone() }
        })
    }

    /// The root of the tree so far.
    pub fn root(&self) -> Hash {
        let mut peaks = Vec::new();
        for tile in self.tiles.iter().rev() {
            let mut rest = &tile[..];
            while !rest.is_empty() {
                let (largest, smaller) = rest.split_at(1 << rest.len().ilog2());
                peaks.push(perfect(largest));
                rest = smaller;
            }
        }
        joined(&peaks)
    }
}

/// The tiles that [`Edge::resume`] takes.
pub fn edge_tiles(size: u64) -> Vec<TileId> {
    let begun = (0_u8..).zip(edge(size)).filter(|(_, hashes)| *hashes > 0);
    begun
        .map(|(level, _)| TileId { level, tile: shift(size, TILE_HEIGHT * (u32::from(level) + 1)) })
        .collect()
}

/// How many hashes the last tile of each level has that is not full.
fn edge(size: u64) -> impl Iterator<Item = usize> {
    let levels = (0_u32..).map(move |level| shift(size, TILE_HEIGHT * level));
    let width = TILE_WIDTH as u64;
    levels.take_while(|count| *count > 0).map(move |count| {
        usize::try_from(count % width).unwrap_or_default() // less than the width
    })
}

fn shift(number: u64, bits: u32) -> u64 {
    number.checked_shr(bits).unwrap_or_default()
}

/// The tiles that were read to answer one question.
#[derive(Debug, Clone, Default)]
pub struct Tiles(BTreeMap<TileId, Vec<Hash>>);

impl Tiles {
    /// Takes a tile as it is stored.
    pub fn insert(&mut self, id: TileId, stored: &[u8]) {
        let (hashes, _) = stored.as_chunks::<32>();
        self.0.insert(id, hashes.to_vec());
    }

    /// The tiles that the hashes of these ranges of leaves are worked out from.
    pub fn needed(ranges: &[Range<u64>]) -> BTreeSet<TileId> {
        ranges.iter().flat_map(subtrees).map(|subtree| place(&subtree).0).collect()
    }

    /// The hash of a range of leaves that the tree hashes together.
    pub fn range(&self, range: &Range<u64>) -> Result<Hash, Missing> {
        let peaks = subtrees(range).into_iter().map(|subtree| {
            let (id, from, count) = place(&subtree);
            self.part(id, from, count).map(perfect)
        });
        Ok(joined(&peaks.collect::<Result<Vec<_>, _>>()?))
    }

    fn part(&self, id: TileId, from: usize, count: usize) -> Result<&[Hash], Missing> {
        self.0.get(&id).and_then(|hashes| hashes.get(from..from + count)).ok_or(Missing(id))
    }
}

/// A complete subtree: of 2^level leaves, the index-th of its level.
struct Subtree {
    level: u32,
    index: u64,
}

/// The complete subtrees that a range falls into, the largest first.
fn subtrees(range: &Range<u64>) -> Vec<Subtree> {
    let mut found = Vec::new();
    let mut start = range.start;
    while start < range.end {
        let level = (range.end - start).ilog2();
        found.push(Subtree { level, index: start >> level });
        start += 1 << level;
    }
    found
}

/// The tile that a subtree's root follows from, and which of its hashes.
fn place(subtree: &Subtree) -> (TileId, usize, usize) {
    let within = subtree.level % TILE_HEIGHT;
    let first = subtree.index << within;
    let level = u8::try_from(subtree.level / TILE_HEIGHT).unwrap_or(u8::MAX); // at most 7
    let from = usize::try_from(first % TILE_WIDTH as u64).unwrap_or_default();
    (TileId { level, tile: first >> TILE_HEIGHT }, from, 1 << within)
}

/// The root of as many neighbours as a power of two.
fn perfect(hashes: &[Hash]) -> Hash {
    match hashes {
        [] => joined(&[]),
        [one] => *one,
        several => {
            let (left, right) = several.split_at(several.len() / 2);
            node_hash(&perfect(left), &perfect(right))
        }
    }
}

/// The root over complete subtrees that grow smaller; of none, the hash of nothing.
fn joined(peaks: &[Hash]) -> Hash {
    let joined = peaks.iter().rev().copied().reduce(|right, left| node_hash(&left, &right));
    joined.unwrap_or_else(|| Sha256::digest([]).into())
}
