//! One page: its header, and the nodes in it.

/// Bytes of a page's header: number u64, unused u16, flags u16, then lower and upper u16 or, of large values, the number
/// of pages u32. Behind it, up to `lower`, the offsets of the nodes.
pub(super) const HEADER: usize = 16;
/// Bytes of a node's header: u16 each low and high part of the data's length or, in a branch, of the child's number;
/// flags, which in a branch are the rest of that number; the key's length.
const NODE_HEADER: usize = 8;
const BRANCH: u16 = 0x01;
const LEAF: u16 = 0x02;
const OVERFLOW: u16 = 0x04;
/// A node's flag: its data is the number of a page of large values.
const LARGE: u16 = 0x01;
/// The longest key.
const KEY_BYTES: usize = 511;

pub(super) struct Page(Vec<u8>);

/// Where a branch leads, or what a leaf holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content<'a> {
    Child(u64),
    Value(&'a [u8]),
    /// A value of so many bytes on pages of its own.
    Large {
        page: u64,
        len: u32,
    },
}

pub(super) struct Node<'a> {
    pub(super) key: &'a [u8],
    pub(super) content: Content<'a>,
    offset: usize,
    len: usize,
}

impl Page {
    /// A page of at least [`HEADER`] bytes.
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn number(&self) -> u64 {
        word64(&self.0, 0)
    }

    pub(super) fn flags(&self) -> u16 {
        word16(&self.0, 10)
    }

    /// The number of pages of a large value, of which this is the first.
    pub(super) fn large_pages(&self) -> Option<u32> {
        (self.flags() == OVERFLOW).then(|| word32(&self.0, 12))
    }

    /// The nodes of a branch or leaf page, in the order of their keys.
    pub(super) fn nodes(&self, is_leaf: bool) -> Result<Vec<Node<'_>>, &'static str> {
        match (self.flags(), is_leaf) {
            (BRANCH, false) | (LEAF, true) => {}
            (BRANCH | LEAF, _) => return Err("the tree has another depth here"),
            _ => return Err("neither a branch nor a leaf"),
        }
        let (lower, upper) = (usize::from(word16(&self.0, 12)), usize::from(word16(&self.0, 14)));
        if lower < HEADER || lower % 2 != 0 || lower > upper || upper > self.0.len() {
            return Err("wrong bounds of free space");
        }
        let offsets = (HEADER..lower).step_by(2).map(|at| usize::from(word16(&self.0, at)));
        let nodes = offsets.map(|offset| self.node(offset, is_leaf)).collect::<Option<Vec<_>>>();
        let nodes = nodes.ok_or("a node is not what LMDB writes")?;
        if nodes.is_empty() || !is_leaf && nodes.len() < 2 {
            return Err("too few nodes");
        }
        let mut places: Vec<_> = nodes.iter().map(|node| (node.offset, node.len)).collect();
        places.sort_unstable();
        let end = places.iter().try_fold(upper, |end, (offset, len)| (*offset == end).then_some(end + len));
        match end == Some(self.0.len()) {
            true => Ok(nodes),
            false => Err("its nodes leave gaps or overlap"),
        }
    }

    fn node(&self, offset: usize, is_leaf: bool) -> Option<Node<'_>> {
        let header = self.0.get(offset..)?.get(..NODE_HEADER)?;
        let [low, high, flags, key_len] = [0, 2, 4, 6].map(|at| word16(header, at));
        let len = u32::from(low) | u32::from(high) << 16;
        let rest = &self.0[offset + NODE_HEADER..];
        let (key, rest) = rest.split_at_checked(usize::from(key_len).min(KEY_BYTES + 1))?;
        let (content, data_len) = match (is_leaf, flags) {
            (false, _) => (Content::Child(u64::from(len) | u64::from(flags) << 32), 0),
            (true, 0) => (Content::Value(rest.get(..len as usize)?), len as usize),
            (true, LARGE) => (Content::Large { page: word64(rest.get(..8)?, 0), len }, 8),
            (true, _) => return None,
        };
        // The first key of a branch page says nothing, and is often empty.
        let is_key = key.len() <= KEY_BYTES && !(is_leaf && key.is_empty());
        let len = (NODE_HEADER + key.len() + data_len).next_multiple_of(2);
        is_key.then_some(Node { key, content, offset, len })
    }
}

pub(super) fn word16(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(array(bytes, at))
}

pub(super) fn word32(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array(bytes, at))
}

pub(super) fn word64(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array(bytes, at))
}

/// The bytes at a place; zeros beyond the end, which no caller reads.
fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or([0; N])
}
