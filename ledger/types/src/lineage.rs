//! The ids that a network had: the one of its network file, and a new one after each agreed rollback, under which every
//! older signature is void.

use serde::{Deserialize, Serialize};

use crate::hash::sha512_256;
use crate::{BlockId, NetworkId};

/// An agreed return to a block. What was decided above it is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rollback {
    /// The height of the block.
    pub height: u64,
    /// The block. It and all below it stand, since those who run the network say so.
    pub block: BlockId,
}

impl Rollback {
    /// The id of a network that goes on from the block: SHA-512/256 of `"dgt-rollback"`, the id before, the height as 8
    /// big-endian bytes and the block.
    fn network_after(&self, before: &NetworkId) -> NetworkId {
        let height = self.height.to_be_bytes();
        NetworkId(sha512_256(&[b"dgt-rollback", before.as_bytes(), &height, self.block.as_bytes()]).0)
    }
}

/// A network's first id, its rollbacks in order, and the id after each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lineage {
    first: NetworkId,
    rollbacks: Vec<(Rollback, NetworkId)>,
}

impl From<NetworkId> for Lineage {
    fn from(first: NetworkId) -> Self {
        Self { first, rollbacks: Vec::new() }
    }
}

impl Lineage {
    /// A network with these rollbacks.
    pub fn new(first: NetworkId, rollbacks: impl IntoIterator<Item = Rollback>) -> Self {
        rollbacks.into_iter().fold(first.into(), Self::then)
    }

    /// The network after one more rollback.
    #[must_use]
    pub fn then(mut self, rollback: Rollback) -> Self {
        let id = rollback.network_after(&self.current());
        self.rollbacks.push((rollback, id));
        self
    }

    /// The network as it was before its rollbacks from this one on, counted from 0.
    #[must_use]
    pub fn up_to(&self, rollbacks: usize) -> Self {
        Self { first: self.first, rollbacks: self.rollbacks.iter().take(rollbacks).copied().collect() }
    }

    /// The id that the network file makes.
    pub fn first(&self) -> NetworkId {
        self.first
    }

    /// The id that is signed under now.
    pub fn current(&self) -> NetworkId {
        self.rollbacks.last().map_or(self.first, |(_, id)| *id)
    }

    /// The rollbacks in order, each with the id from then on.
    pub fn rollbacks(&self) -> &[(Rollback, NetworkId)] {
        &self.rollbacks
    }

    /// The block from which the network goes on under its current id; `None` when that is its first.
    pub fn origin(&self) -> Option<Rollback> {
        self.rollbacks.last().map(|(rollback, _)| *rollback)
    }

    /// The id under which the block of a height was decided: that after the last rollback to below it.
    pub fn of_height(&self, height: u64) -> NetworkId {
        let last = self.rollbacks.iter().rev().find(|(rollback, _)| rollback.height < height);
        last.map_or(self.first, |(_, id)| *id)
    }

    /// The block that stands at a height by agreement, where a rollback names one that no later one undid.
    pub fn agreed(&self, height: u64) -> Option<BlockId> {
        let last = self.rollbacks.iter().rev().find(|(rollback, _)| rollback.height <= height);
        last.filter(|(rollback, _)| rollback.height == height).map(|(rollback, _)| rollback.block)
    }

    /// Whether the other lineage is this one, or goes on from it.
    pub fn is_begin_of(&self, other: &Self) -> bool {
        self.first == other.first && other.rollbacks.starts_with(&self.rollbacks)
    }
}

#[cfg(test)]
mod tests {
    use super::{Lineage, Rollback};
    use crate::hash::sha512_256;
    use crate::{BlockId, NetworkId};

    fn to(height: u64, byte: u8) -> Rollback {
        Rollback { height, block: BlockId([byte; 64]) }
    }

    fn ids(lineage: &Lineage, heights: std::ops::Range<u64>) -> Vec<usize> {
        let known = |id| {
            lineage.rollbacks().iter().position(|(_, after)| *after == id).map_or(0, |position| position + 1)
        };
        heights.map(|height| known(lineage.of_height(height))).collect()
    }

    #[test]
    fn the_id_is_made_of_the_old_one_the_height_and_the_block() {
        let lineage = Lineage::new(NetworkId([7; 32]), [to(258, 9)]);
        let bytes = [&b"dgt-rollback"[..], &[7; 32], &[0, 0, 0, 0, 0, 0, 1, 2], &[9; 64]].concat();
        assert_eq!(lineage.current().0, sha512_256(&[&bytes]).0);
        let again = lineage.clone().then(to(258, 9));
        assert_ne!(again.current(), lineage.current(), "the same block again gives another network");
        assert_eq!(again.up_to(1), lineage);
        assert!(lineage.is_begin_of(&again) && !again.is_begin_of(&lineage));
    }

    #[test]
    fn each_height_has_the_id_under_which_it_was_decided_last() {
        let first = NetworkId([0; 32]);
        assert_eq!(ids(&first.into(), 0..3), [0, 0, 0]);
        let up = Lineage::new(first, [to(2, 1), to(4, 2)]);
        assert_eq!(ids(&up, 0..7), [0, 0, 0, 1, 1, 2, 2]);
        let down = Lineage::new(first, [to(4, 1), to(2, 2)]);
        assert_eq!(ids(&down, 0..7), [0, 0, 0, 2, 2, 2, 2], "of the first relaunch nothing is left");
        let both = Lineage::new(first, [to(3, 1), to(1, 2), to(4, 3)]);
        assert_eq!(ids(&both, 0..7), [0, 0, 2, 2, 2, 3, 3]);
    }

    #[test]
    fn an_agreed_block_stands_until_a_rollback_to_below_it() {
        let lineage = Lineage::new(NetworkId([0; 32]), [to(3, 1), to(1, 2), to(4, 3)]);
        let agreed: Vec<Option<u8>> =
            (0..6).map(|height| lineage.agreed(height).map(|block| block.0[0])).collect();
        assert_eq!(agreed, [None, Some(2), None, None, Some(3), None]);
        assert_eq!(lineage.origin(), Some(to(4, 3)));
    }
}
