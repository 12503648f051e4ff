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
        Self::Leaf(leaf, hashing::leaf(&leaf.key_hash, &leaf.value_hash))
    }

    pub(super) fn hash(&self) -> &Hash {
        match self {
            Self::Leaf(_, hash) | Self::Branch(_, hash) => hash,
        }
    }

    pub(super) fn version(&self) -> u64 {
        match self {
            Self::Leaf(leaf, _) => leaf.version,
            Self::Branch(version, _) => *version,
        }
    }

    pub(super) fn as_leaf(&self) -> Option<&Leaf> {
        match self {
            Self::Leaf(leaf, _) => Some(leaf),
            Self::Branch(..) => None,
        }
    }
}

/// The places below a branch, by nibble.
pub(super) type Children = [Option<Child>; 16];

/// An inner node: sixteen places, that is four levels of the binary tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch {
    children: Children,
    /// Hashes of the ranges of places that the four levels are, as a heap: the whole at 1, its halves at 2 and 3, down to
    /// the pairs at 8 to 15. Nothing is at 0.
    ranges: [Hash; 16],
}

impl Branch {
    /// The branch of the children that are put in their places, and what putting them gave. It is made where it stays: it
    /// has more than two kilobytes, which would be copied with every step.
    pub(super) fn build<T>(put: impl FnOnce(&mut Children) -> T) -> (Arc<Self>, T) {
        let mut branch = Arc::new(Self { children: Children::default(), ranges: [EMPTY_ROOT; 16] });
        // Nobody else has it, so nothing is copied.
        let place = Arc::make_mut(&mut branch);
        let given = put(&mut place.children);
        place.hash_ranges(u16::MAX);
        (branch, given)
    }

    /// The branch of these children.
    #[cfg(test)]
    pub(super) fn of(children: Children) -> Arc<Self> {
        Self::build(|places| *places = children).0
    }

    /// Changes what is at a nibble. The hashes are those of before until [`Branch::hash_ranges`].
    pub(super) fn set(&mut self, nibble: u8, child: Option<Child>) {
        self.children[usize::from(nibble)] = child;
    }

    /// The children and their nibbles, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u8, &Child)> {
        (0..).zip(&self.children).filter_map(|(nibble, child)| Some((nibble, child.as_ref()?)))
    }

    /// What is at each nibble.
    #[cfg(test)]
    pub(super) fn children(&self) -> &Children {
        &self.children
    }

    /// The child at a nibble.
    pub(super) fn child(&self, nibble: u8) -> Option<&Child> {
        self.children[usize::from(nibble)].as_ref()
    }

    /// The node's hash.
    pub(super) fn hash(&self) -> Hash {
        self.ranges[1]
    }

    /// Goes down the four binary levels towards a nibble and appends the sibling of each level, upper one
    /// first. Ends at the child that stands for the nibble's place: the child itself, or the only leaf of the
    /// smallest range that holds the place; `None` when that range is empty.
    pub(super) fn descend(&self, nibble: u8, siblings: &mut Vec<Hash>) -> Option<&Child> {
        let mut range = 1;
        for level in (0..4).rev() {
            range = 2 * range + usize::from(nibble >> level & 1);
            siblings.push(self.range_hash(range ^ 1));
            let mut children = self.children[places(range)].iter().flatten();
            match (children.next(), children.next()) {
                (None, _) => return None,
                (Some(only), None) if level == 0 || only.as_leaf().is_some() => return Some(only),
                _ => {}
            }
        }
        None
    }

    /// Computes the ranges that hold a changed place, whose bits are set; the smallest ones first.
    pub(super) fn hash_ranges(&mut self, changed: u16) {
        for range in (1..16).rev() {
            let places = places(range);
            let mask = (u16::MAX >> (16 - places.len())) << places.start;
            if changed & mask == 0 {
                continue;
            }
            let mut children = self.children[places].iter().flatten();
            self.ranges[range] = match (children.next(), children.next()) {
                (None, _) => EMPTY_ROOT,
                // A single inner node does not stand for a wider range, only a single leaf does.
                (Some(Child::Leaf(_, hash)), None) => *hash,
                _ => hashing::inner(&self.range_hash(2 * range), &self.range_hash(2 * range + 1)),
            };
        }
    }

    /// The hash of a range of the heap; those from 16 on are the places themselves.
    fn range_hash(&self, range: usize) -> Hash {
        match range.checked_sub(16) {
            None => self.ranges[range],
            Some(place) => self.children[place].as_ref().map_or(EMPTY_ROOT, |child| *child.hash()),
        }
    }
}

/// The places that a range of the heap stands for.
fn places(range: usize) -> std::ops::Range<usize> {
    let width = 16 >> range.ilog2();
    let start = range * width - 16;
    start..start + width
}
