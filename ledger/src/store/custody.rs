//! What administrators' tools need of a file beyond a node's reads and writes.

use std::path::Path;

use heed::{CompactionOption, PutFlags};

use super::StoreError;
use super::env::{File, View, Writer};

/// What LMDB tells of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileStats {
    /// The size of the map that the file records, bytes.
    pub map_bytes: usize,
    /// Places for readers.
    pub max_readers: u32,
    /// Readers now, this one included.
    pub readers: u32,
    /// The size of a page, bytes.
    pub page_bytes: u32,
    /// The highest page in use.
    pub last_page: usize,
    /// The last committed transaction.
    pub last_transaction: usize,
    /// Levels of the tree of records.
    pub depth: u32,
    /// Its inner pages.
    pub branch_pages: usize,
    /// Its pages of records.
    pub leaf_pages: usize,
    /// Pages of values too large for a leaf.
    pub overflow_pages: usize,
    /// Records.
    pub entries: usize,
}

/// How a copy is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copying {
    /// Page by page.
    AsIs,
    /// Without free pages.
    Compacting,
}

impl View<'_> {
    /// What LMDB tells of the file.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn stats(&self) -> Result<FileStats, StoreError> {
        let info = self.file.env.info();
        let tree = self.file.records.stat(&self.transaction);
        let tree = tree.map_err(|source| self.file.error("reading", source))?;
        Ok(FileStats {
            map_bytes: info.map_size,
            max_readers: info.maximum_number_of_readers,
            readers: info.number_of_readers,
            page_bytes: tree.page_size,
            last_page: info.last_page_number,
            last_transaction: info.last_txn_id,
            depth: tree.depth,
            branch_pages: tree.branch_pages,
            leaf_pages: tree.leaf_pages,
            overflow_pages: tree.overflow_pages,
            entries: tree.entries,
        })
    }
}

impl Writer<'_> {
    /// Adds a record behind all others, as [`Writer::put_stored`]: several times as fast, and pages become full.
    ///
    /// # Errors
    /// When the key is not greater than all keys of the file, the map is full or the write fails.
    pub fn append_stored(&mut self, key: &[u8], stored: &[u8]) -> Result<(), StoreError> {
        let put = self.file.records.put_with_flags(&mut self.transaction, PutFlags::APPEND, key, stored);
        put.map_err(|source| self.file.error("writing", source))
    }

    /// As [`Writer::put_stored`], unless the key is there.
    ///
    /// # Errors
    /// When the map is full or the write fails.
    pub fn put_new_stored(&mut self, key: &[u8], stored: &[u8]) -> Result<(), StoreError> {
        let found = self.file.records.get(&self.transaction, key);
        match found.map_err(|source| self.file.error("reading", source))? {
            Some(_) => Ok(()),
            None => self.put_stored(key, stored),
        }
    }
}

impl File {
    /// Copies one consistent state of the file into an open, empty file, and syncs that.
    ///
    /// # Errors
    /// When a file cannot be read or written.
    pub fn copy_to(&self, target: &mut std::fs::File, copying: Copying) -> Result<(), StoreError> {
        let compaction = match copying {
            Copying::AsIs => CompactionOption::Disabled,
            Copying::Compacting => CompactionOption::Enabled,
        };
        self.env.copy_to_file(target, compaction).map_err(|source| self.error("copying", source))
    }
}

/// Whether another process has an LMDB file open. This one must not have it open: its locks would be lost (fcntl).
///
/// # Errors
/// When its reader table cannot be opened.
pub fn is_open_somewhere(path: &Path) -> std::io::Result<bool> {
    super::lock::ReaderTable::of(path).is_held()
}

/// The version of LMDB that this was built with, in its own words.
pub fn lmdb_version() -> &'static str {
    heed::lmdb_version().string
}
