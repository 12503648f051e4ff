//! The record digest of a file: what `mdb_dump -n FILE | sed '1,/HEADER=END/d' | sha256sum` prints.

use std::path::Path;

use ledger_types::Hash;
use sha2::{Digest as _, Sha256};

use super::dump::{DATA_END, push_hex_line};
use crate::store::{File, FileOptions, StoreError, pages};

/// A file's records, summed up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileDigest {
    /// SHA-256 over the dump's text behind its header.
    pub sha256: Hash,
    /// The number of records.
    pub records: u64,
}

/// Digests a file's records. Nothing is written but LMDB's lock file, which is removed again.
///
/// # Errors
/// When the file is missing or cannot be read, or a page is damaged.
pub fn digest(path: &Path) -> Result<FileDigest, StoreError> {
    // LMDB would follow a bad page anywhere.
    pages::check_structure(path)?;
    sum(&File::open(path, FileOptions::EXISTING)?)
}

fn sum(file: &File) -> Result<FileDigest, StoreError> {
    let mut hasher = Sha256::new();
    let mut records = 0;
    let mut line = Vec::new();
    file.read()?.for_each_stored(&[], |key, value| {
        for part in [key, value] {
            line.clear();
            push_hex_line(&mut line, part);
            hasher.update(&line);
        }
        records += 1;
        Ok::<_, StoreError>(())
    })?;
    hasher.update(DATA_END.as_bytes());
    hasher.update(b"\n");
    Ok(FileDigest { sha256: Hash(hasher.finalize().into()), records })
}
