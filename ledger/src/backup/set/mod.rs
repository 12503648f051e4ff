//! Backup sets: a folder with the dumps of a node's four files of one moment, and a manifest that says what is in them.
//!
//! The dumps are those of `mdb_dump -n`, so the stock tools can restore a set as well. The manifest is written last, from
//! what the dumps on the disk say when they are read back, and the folder gets its name after that: a set is whole or not
//! there.

mod create;
mod error;
mod manifest;
mod moment;
mod restore;

pub use create::{NewSet, create_set};
pub use error::SetError;
pub use manifest::{Manifest, SetFile};
pub use restore::{Restoring, Staged};

use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::FileDigest;
use super::dump::{DATA_END, open_dump, push_hex_line};
use crate::store::FileKind;

/// Checks that a folder is a whole set: its manifest, and every dump against it. `progress` is told which file is read
/// and how many of its records are.
///
/// # Errors
/// What is missing, damaged or not what the manifest says.
pub fn check_set(folder: &Path, progress: &mut dyn FnMut(FileKind, u64)) -> Result<Manifest, SetError> {
    let manifest = Manifest::read(folder)?;
    for file in &manifest.files {
        let path = folder.join(&file.dump);
        if !path.is_file() {
            return Err(SetError::Partial { path });
        }
        let found = digest_of_dump(&path, &mut |records| progress(file.kind, records))?;
        if found != file.digest {
            return Err(SetError::Differs { path, expected: file.digest, found });
        }
    }
    Ok(manifest)
}

/// Reads a dump to its end; the digest is that of the records, as [`super::digest`] gives it for the file.
fn digest_of_dump(path: &Path, progress: &mut dyn FnMut(u64)) -> Result<FileDigest, SetError> {
    let mut dump = open_dump(Some(path))?;
    let (mut hasher, mut lines) = (Sha256::new(), Vec::new());
    while let Some((key, value)) = dump.next_record()? {
        lines.clear();
        push_hex_line(&mut lines, key);
        push_hex_line(&mut lines, value);
        hasher.update(&lines);
        if dump.records().is_multiple_of(1 << 12) {
            progress(dump.records());
        }
    }
    hasher.update(DATA_END);
    hasher.update(b"\n");
    Ok(FileDigest { sha256: ledger_types::Hash(hasher.finalize().into()), records: dump.records() })
}
