//! What a replay is compared with besides itself: checkpoints that were kept elsewhere, and the leaves that one of them covers.

use std::io::{ErrorKind, Read};

use anyhow::{Context as _, bail, ensure};
use events::TenantId;
use platform::transparency::Hash;
use platform::transparency::checkpoint::Checkpoint;
use platform::transparency::note::{self, VerifierKey};
use platform::transparency::tree::Edge;

use super::check::{Span, Wrong};

/// Reads a signed note; without keys, whoever kept the note vouches for it.
pub(super) fn checkpoint(signed: &str, keys: &[VerifierKey]) -> anyhow::Result<Checkpoint> {
    let text = if keys.is_empty() { note::unverified(signed) } else { note::open(signed, keys) };
    Ok(text?.parse()?)
}

/// The checkpoints of one organisation's log, and how far a replay has been compared with them.
pub(super) struct Anchor {
    /// From the smallest to the largest; at least one.
    checkpoints: Vec<Checkpoint>,
    /// How many of them the replay has reached, and found to be right.
    reached: usize,
    leaves: Option<Box<dyn Read>>,
    edge: Edge,
}

impl Anchor {
    /// Checkpoints must be of one log, and must not contradict each other.
    pub(super) fn new(mut checkpoints: Vec<Checkpoint>) -> anyhow::Result<Self> {
        checkpoints.sort_by_key(|checkpoint| checkpoint.size);
        for pair in checkpoints.windows(2) {
            let [one, other] = pair else { continue };
            ensure!(one.origin == other.origin, "the checkpoints are of different logs");
            ensure!(
                one.size != other.size || one.root == other.root,
                "two checkpoints of {} events differ: the log was shown in two versions",
                one.size
            );
        }
        checkpoints.dedup();
        ensure!(!checkpoints.is_empty(), "there is no checkpoint");
        Ok(Self { checkpoints, reached: 0, leaves: None, edge: Edge::default() })
    }

    /// Compares event by event with leaves that [`Self::proves`] has believed.
    pub(super) fn with_leaves(self, leaves: Box<dyn Read>) -> Self {
        Self { leaves: Some(leaves), ..self }
    }

    /// Whether these are the leaves that the last checkpoint covers; only then they can tell which event was altered.
    pub(super) fn proves(&self, mut leaves: impl Read) -> anyhow::Result<()> {
        let Some(last) = self.checkpoints.last() else { bail!("there is no checkpoint") };
        let mut edge = Edge::default();
        let mut leaf = [0; 32];
        while edge.size() < last.size {
            match leaves.read_exact(&mut leaf) {
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                    bail!(
                        "there are {} leaves, but the checkpoint covers {}",
                        edge.size(),
                        last.size
                    )
                }
                read => read.context("the leaves cannot be read")?,
            }
            edge.push(leaf);
        }
        ensure!(
            edge.root() == last.root,
            "the leaves are not those of the checkpoint; take the file that was kept with it"
        );
        Ok(())
    }

    /// The organisation.
    pub(super) fn tenant(&self) -> TenantId {
        self.checkpoints.first().map(|checkpoint| checkpoint.origin.tenant).unwrap_or_default()
    }

    /// How many events the last checkpoint covers.
    pub(super) fn size(&self) -> u64 {
        self.checkpoints.last().map_or(0, |checkpoint| checkpoint.size)
    }

    /// How many events were compared and not found to be wrong.
    pub(super) fn compared(&self) -> u64 {
        self.edge.size()
    }

    /// Compares the next event; what comes after the last checkpoint is not its business.
    pub(super) fn take(&mut self, leaf: Hash) -> Result<(), Wrong> {
        if self.edge.size() >= self.size() {
            return Ok(());
        }
        if let Some(leaves) = &mut self.leaves {
            let mut expected = [0; 32];
            let read = leaves.read_exact(&mut expected);
            if read.is_err() || expected != leaf {
                let what = "it is not the event that the checkpoint covers".into();
                return Err(Wrong { what, first_bad: Some(Span::one(self.edge.size() + 1)) });
            }
        }
        self.edge.push(leaf);
        let size = self.edge.size();
        match self.checkpoints.get(self.reached) {
            Some(next) if next.size == size => {
                if self.edge.root() == next.root {
                    self.reached += 1;
                    return Ok(());
                }
                let before = self.reached.checked_sub(1).and_then(|at| self.checkpoints.get(at));
                let from = before.map_or(0, |checkpoint| checkpoint.size) + 1;
                let what = format!(
                    "the {size} events up to here are not those of the checkpoint: the history \
                     was rewritten, chain and all; which event was altered first, its leaves tell"
                );
                Err(Wrong { what, first_bad: Some(Span { from, to: size }) })
            }
            Some(_) | None => Ok(()),
        }
    }
}
