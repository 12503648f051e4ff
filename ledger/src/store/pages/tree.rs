//! One B-tree of a file: the records, or the list of free pages.

use std::cmp::Ordering;

use super::Visit;
use super::image::{Image, Used};
use super::meta::Described;
use super::page::{Content, HEADER, Node};
use crate::store::StoreError;

/// The deepest tree that LMDB can read.
const MOST_LEVELS: u16 = 32;

/// How keys compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Byte by byte.
    Bytes,
    /// As 64-bit numbers of the machine.
    Integer,
}

/// What a walk found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    branch_pages: u64,
    leaf_pages: u64,
    overflow_pages: u64,
    pub(super) entries: u64,
}

impl Found {
    pub(super) fn pages(&self) -> u64 {
        self.branch_pages + self.leaf_pages + self.overflow_pages
    }
}

pub(super) struct Tree<'a> {
    image: &'a Image<'a>,
    described: &'a Described,
    order: Order,
}

/// The keys that a page may have: from the first on, and below the second.
#[derive(Clone, Copy)]
struct Bounds<'a>(Option<&'a [u8]>, Option<&'a [u8]>);

struct Walk<'a, 'v> {
    tree: &'a Tree<'a>,
    used: &'a mut Used,
    visit: &'a mut Visit<'v>,
    found: Found,
}

impl<'a> Tree<'a> {
    pub(super) fn new(image: &'a Image<'a>, described: &'a Described, order: Order) -> Self {
        Self { image, described, order }
    }

    /// Visits every record in key order. `from` is the meta page.
    pub(super) fn walk(
        &self,
        used: &mut Used,
        from: u64,
        visit: &mut Visit<'_>,
    ) -> Result<Found, StoreError> {
        if self.described.depth > MOST_LEVELS {
            return Err(self.image.damaged(from, format!("a tree of {} levels", self.described.depth)));
        }
        let mut walk = Walk { tree: self, used, visit, found: Found::default() };
        if let Some(root) = self.described.root {
            walk.page(root, from, self.described.depth, Bounds(None, None))?;
        }
        let found = walk.found;
        let Described { branch_pages, leaf_pages, overflow_pages, entries, .. } = *self.described;
        match found == (Found { branch_pages, leaf_pages, overflow_pages, entries }) {
            true => Ok(found),
            false => Err(self.image.damaged(from, "its counts are not those of the tree")),
        }
    }

    fn compare(&self, a: &[u8], b: &[u8]) -> Ordering {
        let number = |key: &[u8]| key.try_into().map(u64::from_le_bytes).ok();
        match self.order {
            Order::Bytes => a.cmp(b),
            Order::Integer => number(a).cmp(&number(b)),
        }
    }

    /// Whether a page's keys grow and lie in its bounds. `first` is the first one that counts.
    fn is_in_order(&self, nodes: &[Node<'_>], first: usize, bounds: Bounds<'_>) -> bool {
        let keys = nodes.get(first..).unwrap_or_default();
        let is_below = |a: &[u8], b: &[u8]| self.compare(a, b) == Ordering::Less;
        let has_form = |key: &[u8]| !key.is_empty() && (self.order == Order::Bytes || key.len() == 8);
        let Bounds(low, high) = bounds;
        keys.iter().all(|node| has_form(node.key))
            && keys.windows(2).all(|pair| is_below(pair[0].key, pair[1].key))
            && low.zip(keys.first()).is_none_or(|(low, first)| !is_below(first.key, low))
            && high.zip(keys.last()).is_none_or(|(high, last)| is_below(last.key, high))
    }
}

impl Walk<'_, '_> {
    /// Walks the page and all below it. `levels` is 1 at a leaf.
    fn page(&mut self, number: u64, from: u64, levels: u16, bounds: Bounds<'_>) -> Result<(), StoreError> {
        let image = self.tree.image;
        self.used.take(image, number, from)?;
        let page = image.page(number)?;
        let is_leaf = levels == 1;
        let nodes = page.nodes(is_leaf).map_err(|reason| image.damaged(number, reason))?;
        if !self.tree.is_in_order(&nodes, usize::from(!is_leaf), bounds) {
            return Err(image.damaged(number, "its keys are not in order"));
        }
        match is_leaf {
            true => self.found.leaf_pages += 1,
            false => self.found.branch_pages += 1,
        }
        for (at, node) in nodes.iter().enumerate() {
            let low = if at == 0 { bounds.0 } else { Some(node.key) };
            let high = nodes.get(at + 1).map_or(bounds.1, |next| Some(next.key));
            match node.content {
                Content::Child(child) => self.page(child, number, levels - 1, Bounds(low, high))?,
                Content::Value(value) => self.record(number, node.key, value)?,
                Content::Large { page, len } => {
                    let value = self.large(page, number, len)?;
                    self.record(page, node.key, &value)?;
                }
            }
        }
        Ok(())
    }

    fn record(&mut self, page: u64, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        self.found.entries += 1;
        (self.visit)(page, key, value)
    }

    /// A value on pages of its own, of which only the first has a header. There may be more pages than it needs now.
    fn large(&mut self, number: u64, from: u64, len: u32) -> Result<Vec<u8>, StoreError> {
        let image = self.tree.image;
        self.used.take(image, number, from)?;
        let first = image.page(number)?;
        let pages = first.large_pages().ok_or_else(|| image.damaged(number, "not a page of large values"))?;
        let needed = (HEADER as u64 + u64::from(len)).div_ceil(image.page_size() as u64);
        if u64::from(pages) < needed {
            return Err(image.damaged(number, format!("{pages} pages for a value of {len} bytes")));
        }
        for further in 1..u64::from(pages) {
            self.used.take(image, number + further, from)?;
        }
        self.found.overflow_pages += u64::from(pages);
        image.bytes(number, number * image.page_size() as u64 + HEADER as u64, len as usize)
    }
}
