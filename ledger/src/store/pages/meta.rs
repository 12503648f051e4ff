//! The two meta pages. Transaction N writes page N modulo 2, so one of them is always whole.

use super::META_PAGES;
use super::image::Image;
use super::page::{HEADER, Page, word16, word32, word64};
use crate::store::StoreError;

const MAGIC: u32 = 0xBEEF_C0DE;
const DATA_VERSION: u32 = 1;
/// The page flag of meta pages.
const META: u16 = 0x08;
/// No page: the root of an empty tree.
const NO_PAGE: u64 = u64::MAX;
/// Bytes of a meta page that have a meaning.
const BYTES: usize = 152;
/// The smallest and the largest page that LMDB makes.
const PAGE_SIZES: std::ops::RangeInclusive<u32> = 512..=0x8000;
/// Flags of the list of free pages: integer keys; MDB_NOSUBDIR of the environment is kept beside it.
const FREE_FLAGS: u16 = 0x08;
const NO_SUB_DIR: u16 = 0x4000;

/// A tree, as a meta page describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Described {
    pub(super) depth: u16,
    pub(super) branch_pages: u64,
    pub(super) leaf_pages: u64,
    pub(super) overflow_pages: u64,
    pub(super) entries: u64,
    /// `None`: the tree is empty.
    pub(super) root: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Meta {
    pub(super) free: Described,
    pub(super) records: Described,
    pub(super) last_page: u64,
    pub(super) transaction: u64,
}

/// A state of the file and the page that describes it.
pub(super) struct Snapshot {
    pub(super) meta: Meta,
    pub(super) page: u64,
}

/// The state after a transaction, or the newest.
pub(super) fn snapshot(image: &mut Image<'_>, transaction: Option<u64>) -> Result<Snapshot, StoreError> {
    let first = Page::new(image.bytes(0, 0, BYTES)?);
    let page_size = word32(first.bytes(), 40);
    if !PAGE_SIZES.contains(&page_size) || !page_size.is_power_of_two() {
        return Err(image.damaged(0, format!("{page_size} is no size of a page")));
    }
    image.set_page_size(page_size as usize);
    let read = |number: u64| {
        let page = image.page(number)?;
        parse(&page, page_size).map_err(|reason| image.damaged(number, reason))
    };
    let metas = [read(0)?, read(1)?];
    let [even, odd] = metas.map(|meta| meta.transaction);
    // Two zeros: a file that nothing was written to yet.
    let is_pair = even.is_multiple_of(2) && (odd % 2 == 1 || odd == 0) && even.abs_diff(odd) <= 1;
    if !is_pair && transaction.is_none() {
        return Err(image.damaged(0, format!("transactions {even} and {odd} do not follow each other")));
    }
    let wanted = transaction.unwrap_or(even.max(odd));
    // On equal numbers LMDB takes the first.
    let found = (0..META_PAGES).zip(metas).find(|(_, meta)| meta.transaction == wanted);
    let (page, meta) = found.ok_or_else(|| image.damaged(0, format!("no state of transaction {wanted}")))?;
    Ok(Snapshot { meta, page })
}

fn parse(page: &Page, page_size: u32) -> Result<Meta, &'static str> {
    let bytes = page.bytes();
    let (free_flags, record_flags) = (word16(bytes, 44), word16(bytes, 92));
    let last_page = word64(bytes, 136);
    let rules = [
        (page.flags() == META, "not a meta page"),
        (word32(bytes, HEADER) == MAGIC, "not a file of LMDB"),
        (word32(bytes, 20) == DATA_VERSION, "another data version of LMDB"),
        (word64(bytes, 24) == 0, "it asks for a fixed address"),
        (word32(bytes, 40) == page_size, "the meta pages differ in the size of pages"),
        (free_flags & !NO_SUB_DIR == FREE_FLAGS, "wrong flags of the list of free pages"),
        (word32(bytes, 88) == 0 && record_flags == 0, "the main database has flags"),
        (word64(bytes, 32) / u64::from(page_size) > last_page, "the map is smaller than the pages"),
    ];
    if let Some((_, reason)) = rules.iter().find(|(holds, _)| !holds) {
        return Err(reason);
    }
    Ok(Meta {
        free: describe(bytes, 40)?,
        records: describe(bytes, 88)?,
        last_page,
        transaction: word64(bytes, 144),
    })
}

fn describe(bytes: &[u8], at: usize) -> Result<Described, &'static str> {
    let root = word64(bytes, at + 40);
    let described = Described {
        depth: word16(bytes, at + 6),
        branch_pages: word64(bytes, at + 8),
        leaf_pages: word64(bytes, at + 16),
        overflow_pages: word64(bytes, at + 24),
        entries: word64(bytes, at + 32),
        root: (root != NO_PAGE).then_some(root),
    };
    let counts = [described.branch_pages, described.leaf_pages, described.overflow_pages, described.entries];
    match described.root {
        None if described.depth != 0 || counts != [0; 4] => Err("an empty tree has pages"),
        Some(_) if described.depth == 0 => Err("a tree has no depth"),
        _ => Ok(described),
    }
}
