use std::sync::Arc;

use ledger_types::Hash;

use super::hashing::{self, EMPTY_ROOT};

/// The end of a way through the tree: an address that has a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Leaf {
    /// The version that set the value.
    pub(crate) version: u64,
    /// SHA-256 of the address.
    pub(crate) key_hash: Hash,
    /// SHA-256 of the value.
    pub(crate) value_hash: Hash,
}

impl Leaf {
    pub(super) fn hash(&self) -> Hash {
        hashing::leaf(&self.key_hash, &self.value_hash)
    }
}

/// What a branch says of one place below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Child {
    /// A leaf, which has no record of its own.
    Leaf(Leaf, Hash),
    /// A branch: the version that wrote it, never above its parent's own, and its hash.
    Branch(u64, Hash),
}

impl Child {
    /// A leaf and its hash.
    pub(super) fn leaf(leaf: Leaf) -> Self {
        Self::Leaf(leaf, leaf.hash())
    }
}

/// The places below a branch, by nibble.
#[cfg(test)]
pub(super) type Children = [Option<Child>; 16];

/// An inner node: sixteen places, that is four levels of the binary tree. Many are kept in memory, so a place takes what every
/// child has, and only a leaf takes more.
#[derive(Debug, PartialEq, Eq)]
pub struct Branch {
    /// Hashes of the ranges of places that the four levels are, as a heap: the whole at 1, its halves at 2 and 3, down to
    /// the pairs at 8 to 15 and the places themselves from 16 on. Nothing is at 0.
    hashes: [Hash; 32],
    /// The version that wrote what is at each place.
    versions: [u64; 16],
    /// The places that have a child: bit `n` is nibble `n`.
    present: u16,
    /// The places that have a leaf.
    leaves: u16,
    /// Key hash and value hash of each leaf, in the order of places.
    preimages: Vec<[Hash; 2]>,
}

impl Clone for Branch {
    fn clone(&self) -> Self {
        Self { preimages: self.preimages.clone(), ..*self }
    }

    /// In the memory that is there.
    fn clone_from(&mut self, other: &Self) {
        let Self { hashes, versions, present, leaves, preimages } = other;
        (self.hashes, self.versions, self.present, self.leaves) = (*hashes, *versions, *present, *leaves);
        self.preimages.clone_from(preimages);
    }
}

impl Branch {
    /// A branch without children, with room for so many leaves.
    pub(super) fn empty(leaves: usize) -> Self {
        Self {
            hashes: [EMPTY_ROOT; 32],
            versions: [0; 16],
            present: 0,
            leaves: 0,
            preimages: Vec::with_capacity(leaves),
        }
    }

    /// The branch whose children are set, and what setting them gave. It has room for so many leaves. It is made where it
    /// stays: it has more than a kilobyte, which would be copied with every step.
    pub(super) fn build<T>(leaves: usize, set: impl FnOnce(&mut Self) -> T) -> (Arc<Self>, T) {
        let mut branch = Arc::new(Self::empty(leaves));
        // Nobody else has it, so nothing is copied.
        let place = Arc::make_mut(&mut branch);
        let given = set(place);
        place.hash_ranges(u16::MAX);
        (branch, given)
    }

    /// The branch of these children.
    #[cfg(test)]
    pub(super) fn of(children: Children) -> Arc<Self> {
        Self::build(0, |branch| (0..).zip(children).for_each(|(nibble, child)| branch.set(nibble, child))).0
    }

    /// What is at each nibble.
    #[cfg(test)]
    pub(super) fn children(&self) -> Children {
        std::array::from_fn(|nibble| self.child(nibble as u8))
    }

    /// Changes what is at a nibble. The hashes of ranges are those of before until [`Branch::hash_ranges`].
    pub(super) fn set(&mut self, nibble: u8, child: Option<Child>) {
        let (place, bit) = (usize::from(nibble), 1 << nibble);
        let leaf = match child {
            Some(Child::Leaf(leaf, _)) => Some([leaf.key_hash, leaf.value_hash]),
            Some(Child::Branch(..)) | None => None,
        };
        let at = self.leaves_before(bit);
        match (self.leaves & bit != 0, leaf) {
            (true, Some(leaf)) => self.preimages[at] = leaf,
            (true, None) => _ = self.preimages.remove(at),
            (false, Some(leaf)) => self.preimages.insert(at, leaf),
            (false, None) => {}
        }
        self.leaves = self.leaves & !bit | if leaf.is_some() { bit } else { 0 };
        self.present = self.present & !bit | if child.is_some() { bit } else { 0 };
        (self.versions[place], self.hashes[16 + place]) = match child {
            Some(Child::Leaf(leaf, hash)) => (leaf.version, hash),
            Some(Child::Branch(version, hash)) => (version, hash),
            None => (0, EMPTY_ROOT),
        };
    }

    /// Where in the list of leaves that of a place is, or would be.
    fn leaves_before(&self, bit: u16) -> usize {
        (self.leaves & (bit - 1)).count_ones() as usize
    }

    /// The places that have a child: bit `n` is nibble `n`.
    pub(super) fn present(&self) -> u16 {
        self.present
    }

    /// The places that have a leaf: bit `n` is nibble `n`.
    pub(super) fn leaves(&self) -> u16 {
        self.leaves
    }

    /// The children and their nibbles, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u8, Child)> {
        (0..16).filter_map(|nibble| Some((nibble, self.child(nibble)?)))
    }

    /// The only child, if there is one and no other.
    pub(super) fn only(&self) -> Option<Child> {
        let nibble = self.present.trailing_zeros();
        if self.present.is_power_of_two() { self.child(nibble as u8) } else { None }
    }

    /// The child at a nibble.
    pub(super) fn child(&self, nibble: u8) -> Option<Child> {
        let (place, bit) = (usize::from(nibble), 1 << nibble);
        let (version, hash) = (self.versions[place], self.hashes[16 + place]);
        if self.leaves & bit != 0 {
            let [key_hash, value_hash] = self.preimages[self.leaves_before(bit)];
            Some(Child::Leaf(Leaf { version, key_hash, value_hash }, hash))
        } else if self.present & bit != 0 {
            Some(Child::Branch(version, hash))
        } else {
            None
        }
    }

    /// The node's hash.
    pub(super) fn hash(&self) -> Hash {
        self.hashes[1]
    }

    /// Goes down the four binary levels towards a nibble and appends the sibling of each level, upper one
    /// first. Ends at the child that stands for the nibble's place: the child itself, or the only leaf of the
    /// smallest range that holds the place; `None` when that range is empty.
    pub(super) fn descend(&self, nibble: u8, siblings: &mut Vec<Hash>) -> Option<Child> {
        let mut range = 1;
        for level in (0..4).rev() {
            range = 2 * range + usize::from(nibble >> level & 1);
            siblings.push(self.hashes[range ^ 1]);
            let held = self.present & places(range);
            if held == 0 {
                return None;
            }
            if held.is_power_of_two() && (level == 0 || self.leaves & held != 0) {
                return self.child(held.trailing_zeros() as u8);
            }
        }
        None
    }

    /// Computes the ranges that hold a changed place, whose bits are set; the smallest ones first.
    pub(super) fn hash_ranges(&mut self, changed: u16) {
        for range in (1..16).rev() {
            let places = places(range);
            if changed & places == 0 {
                continue;
            }
            let held = self.present & places;
            self.hashes[range] = if held == 0 {
                EMPTY_ROOT
            } else if held.is_power_of_two() && self.leaves & held != 0 {
                // A single inner node does not stand for a wider range, only a single leaf does.
                self.hashes[16 + held.trailing_zeros() as usize]
            } else {
                hashing::inner(&self.hashes[2 * range], &self.hashes[2 * range + 1])
            };
        }
    }
}

/// The places that a range of the heap stands for: bit `n` is nibble `n`.
fn places(range: usize) -> u16 {
    let width = 16 >> range.ilog2();
    (u16::MAX >> (16 - width)) << (range * width - 16)
}
