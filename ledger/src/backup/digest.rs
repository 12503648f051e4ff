//! The record digest of a file: what `mdb_dump -n FILE | sed '1,/HEADER=END/d' | sha256sum` prints.

use std::path::Path;

use ledger_types::Hash;
use sha2::{Digest as _, Sha256};

use crate::store::{Durability, File, FileOptions, StoreError};

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
/// When the file is missing or cannot be read.
pub fn digest(path: &Path) -> Result<FileDigest, StoreError> {
    // LMDB keeps the map size that the file records when asked for less.
    let options = FileOptions { durability: Durability::EveryCommit, map_bytes: 4096, must_exist: true };
    sum(&File::open(path, options)?)
}

fn sum(file: &File) -> Result<FileDigest, StoreError> {
    let mut hasher = Sha256::new();
    let mut records = 0;
    let mut line = Vec::new();
    file.read()?.for_each(&[], |key, value| {
        for part in [key, value] {
            line.clear();
            line.push(b' ');
            line.extend_from_slice(data_encoding::HEXLOWER.encode(part).as_bytes());
            line.push(b'\n');
            hasher.update(&line);
        }
        records += 1;
        Ok::<_, StoreError>(())
    })?;
    hasher.update(b"DATA=END\n");
    Ok(FileDigest { sha256: Hash(hasher.finalize().into()), records })
}
