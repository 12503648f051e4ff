use ledger_types::Hash;

use super::hashing::{self, EMPTY_ROOT};

/// What an inner node says of one child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Child {
    /// The version that wrote the child, never above the inner node's own.
    pub(super) version: u64,
    /// The child's hash.
    pub(super) hash: Hash,
    /// Whether the child is a leaf.
    pub(super) is_leaf: bool,
}

/// An inner node: sixteen places, that is four levels of the binary tree.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct Branch {
    pub(super) children: [Option<Child>; 16],
}

/// The only leaf of a range, or several children, or none.
enum Content<'a> {
    Nothing,
    Only(u8, &'a Child),
    Several,
}

impl Branch {
    /// The children and their nibbles, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u8, &Child)> {
        (0..).zip(&self.children).filter_map(|(nibble, child)| Some((nibble, child.as_ref()?)))
    }

    /// The child at a nibble.
    pub(super) fn child(&self, nibble: u8) -> Option<&Child> {
        self.children[usize::from(nibble)].as_ref()
    }

    /// The node's hash.
    pub(super) fn hash(&self) -> Hash {
        self.range_hash(0, 16)
    }

    /// Goes down the four binary levels towards a nibble and appends the sibling of each level, upper one
    /// first. Ends at the child that stands for the nibble's place: the child itself, or the only leaf of the
    /// smallest range that holds the place; `None` when that range is empty.
    pub(super) fn descend(&self, nibble: u8, siblings: &mut Vec<Hash>) -> Option<(u8, &Child)> {
        for width in [8, 4, 2, 1] {
            let start = nibble & !(width - 1);
            siblings.push(self.range_hash(start ^ width, width));
            match self.content(start, width) {
                Content::Nothing => return None,
                Content::Only(nibble, child) => return Some((nibble, child)),
                Content::Several => {}
            }
        }
        None
    }

    fn range_hash(&self, start: u8, width: u8) -> Hash {
        match self.content(start, width) {
            Content::Nothing => EMPTY_ROOT,
            Content::Only(_, child) => child.hash,
            Content::Several => {
                let half = width / 2;
                hashing::inner(&self.range_hash(start, half), &self.range_hash(start + half, half))
            }
        }
    }

    /// A single inner node does not stand for a wider range, only a single leaf does.
    fn content(&self, start: u8, width: u8) -> Content<'_> {
        let mut range = (start..start + width).filter_map(|nibble| Some((nibble, self.child(nibble)?)));
        match (range.next(), range.next()) {
            (None, _) => Content::Nothing,
            (Some((nibble, child)), None) if child.is_leaf || width == 1 => Content::Only(nibble, child),
            _ => Content::Several,
        }
    }
}
