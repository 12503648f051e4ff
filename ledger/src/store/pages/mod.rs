//! The pages of an LMDB file, read without LMDB.
//!
//! LMDB trusts its file: it follows any page number into its memory map, so one bad byte may end the process. This walk
//! takes nothing for granted. It reads with ordinary reads, checks every number before it is used, and needs memory by
//! the size of the file only; a bad page is an error with its number, never a fault, so no child process is needed.
//!
//! What is checked, for the newest snapshot: both meta pages; every page is reached once, from the records, the list of
//! free pages, or that list itself, and none is left over; each page's number, kind and bounds; its nodes fill it
//! without gap or overlap; keys grow, within pages and between them; depth and all counts are those of the meta page.
//!
//! The format is that of LMDB 0.9 (data version 1) on 64-bit little-endian machines.

mod image;
mod live;
mod meta;
mod page;
#[cfg(test)]
mod tests;
mod tree;

use std::path::Path;

pub use self::image::Source;
use self::image::{Image, Used};
use self::meta::Snapshot;
use self::tree::{Order, Tree};
use super::schema;
use super::{StoreError, seal};

/// The first pages of a file are its two meta pages.
const META_PAGES: u64 = 2;

/// The pages of a sound file, all of which have one of these uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PageCount {
    /// Bytes of a page.
    pub page_size: u64,
    /// All pages, the two meta pages included. Free ones at the end may lie beyond the end of the file.
    pub all: u64,
    /// Pages of records: inner pages, leaves, and pages of large values.
    pub records: u64,
    /// Pages that hold the list of free pages.
    pub free_list: u64,
    /// Free pages.
    pub free: u64,
    /// The number of records.
    pub entries: u64,
}

/// A record on its page: page number, key, stored value.
pub type Visit<'a> = dyn FnMut(u64, &[u8], &[u8]) -> Result<(), StoreError> + 'a;

/// Checks the pages of a file that nobody writes, and the seal of every record. `progress` is told the bytes of each.
///
/// # Errors
/// The first page or record that is wrong; or when the file cannot be read.
pub fn check(path: &Path, progress: &mut dyn FnMut(u64)) -> Result<PageCount, StoreError> {
    let (name, file) = open(path)?;
    let mut check_seal = check_seals(&name);
    Pages::of(&name, &file, None)?.walk(&mut |page, key, stored| {
        progress((key.len() + stored.len()) as u64);
        check_seal(page, key, stored)
    })
}

/// Checks the pages alone.
///
/// # Errors
/// The first page that is wrong; or when the file cannot be read.
pub fn check_structure(path: &Path) -> Result<PageCount, StoreError> {
    let (name, file) = open(path)?;
    Pages::of(&name, &file, None)?.walk(&mut |_, _, _| Ok(()))
}

/// A file to walk, and the name that errors call it.
fn open(path: &Path) -> Result<(String, std::fs::File), StoreError> {
    let name = super::env::file_name(path);
    match std::fs::File::open(path) {
        Ok(file) => Ok((name, file)),
        Err(error) => Err(image::unreadable(&name, error)),
    }
}

/// The pages of one state of a file.
pub struct Pages<'a> {
    image: Image<'a>,
    snapshot: Snapshot,
}

impl<'a> Pages<'a> {
    /// Reads the meta pages of anything that can be read like a file. `transaction` is that of an open read when the file
    /// may be written meanwhile, else the newest is taken.
    ///
    /// # Errors
    /// When a meta page is wrong or cannot be read, or there is no such state (any more).
    pub fn of(name: &'a str, source: &'a dyn Source, transaction: Option<u64>) -> Result<Self, StoreError> {
        let mut image = Image::new(name, source)?;
        let snapshot = meta::snapshot(&mut image, transaction)?;
        Ok(Self { image, snapshot })
    }

    /// Walks all pages and hands out the records in the order of their keys, with their seals, which are not checked.
    ///
    /// # Errors
    /// The first page that is wrong, or the visitor's error; or when a page cannot be read.
    pub fn walk(self, visit: &mut Visit<'_>) -> Result<PageCount, StoreError> {
        let (image, Snapshot { meta, page: meta_page }) = (&self.image, self.snapshot);
        let mut used = Used::new(image, meta.last_page, meta_page)?;
        let mut free = FreeList { image, newest: None, pages: Vec::new() };
        let free_list = Tree::new(image, &meta.free, Order::Integer).walk(
            &mut used,
            meta_page,
            &mut |page, key, value| free.take(page, key, value),
        )?;
        free.check_newest(meta.transaction, meta_page)?;
        for (page, number) in &free.pages {
            used.take(image, *number, *page)?;
        }
        let records = Tree::new(image, &meta.records, Order::Bytes).walk(&mut used, meta_page, visit)?;
        if let Some(left) = used.first_unused() {
            return Err(image.damaged(left, "it is neither in use nor free"));
        }
        Ok(PageCount {
            page_size: image.page_size() as u64,
            all: meta.last_page + 1,
            records: records.pages(),
            free_list: free_list.pages(),
            free: free.pages.len() as u64,
            entries: records.entries,
        })
    }
}

/// A visitor that checks the seals of a file of this format; of another format, opening the file tells by its meta
/// record.
fn check_seals(name: &str) -> impl FnMut(u64, &[u8], &[u8]) -> Result<(), StoreError> + use<> {
    let (name, mut is_sealed) = (name.to_owned(), false);
    move |page, key, stored| {
        if key == schema::META {
            is_sealed = schema::is_of_this_format(stored);
        } else if is_sealed && seal::open(key, stored).is_none() {
            let record = data_encoding::HEXLOWER.encode(key);
            return Err(StoreError::damaged(&name, record, format!("{} (page {page})", seal::BROKEN)));
        }
        Ok(())
    }
}

/// The free pages of a snapshot: transaction -> the pages that it freed.
struct FreeList<'a> {
    image: &'a Image<'a>,
    /// The last transaction that freed something.
    newest: Option<u64>,
    /// The pages that list a free page, and the free page.
    pages: Vec<(u64, u64)>,
}

impl FreeList<'_> {
    fn take(&mut self, page: u64, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        self.newest = key.try_into().ok().map(u64::from_le_bytes);
        let mut words =
            value.chunks_exact(8).map(|word| u64::from_le_bytes(word.try_into().unwrap_or_default()));
        let count = words.next().and_then(|count| usize::try_from(count).ok());
        let Some(count) = count.filter(|count| *count <= words.len()) else {
            return Err(self.image.damaged(page, "a list of free pages is longer than its record"));
        };
        let mut above = u64::MAX;
        for number in words.take(count) {
            if number >= above {
                return Err(self.image.damaged(page, "a list of free pages is not in order"));
            }
            above = number;
            self.pages.push((page, number));
        }
        Ok(())
    }

    /// Each transaction but the first frees the root that it replaces. So an older meta page that passes for the newest,
    /// by a changed number, is found.
    fn check_newest(&self, transaction: u64, meta_page: u64) -> Result<(), StoreError> {
        match self.newest {
            None if transaction <= 1 => Ok(()),
            Some(newest) if newest == transaction => Ok(()),
            _ => Err(self.image.damaged(meta_page, "its transaction is not the one that freed pages last")),
        }
    }
}
