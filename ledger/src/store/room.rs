//! Room on the disk. Writing stops before it ends: a disk that fills up in the midst of a transaction would look to LMDB
//! like one that fails, and then nobody could tell what it holds.

use std::path::Path;

use super::StoreError;

/// What is left free on the disk of the files, bytes: more than the largest transactions of all four take.
pub const RESERVE_BYTES: u64 = 32 << 20;

/// Bytes that are free on the disk of a folder, for this process's user.
///
/// # Errors
/// When the file system does not tell.
pub fn free_bytes(folder: &Path) -> std::io::Result<u64> {
    let disk = rustix::fs::statvfs(folder)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Whether a transaction may be written to a file, which is named as `file`.
pub(super) fn check(path: &Path, file: &str) -> Result<(), StoreError> {
    let free_bytes = free_bytes(path.parent().unwrap_or(path)).map_err(|error| StoreError::Failed {
        file: file.to_owned(),
        operation: "asking for the room on the disk",
        source: error.into(),
    })?;
    match free_bytes >= RESERVE_BYTES {
        true => Ok(()),
        false => Err(StoreError::NoRoom { file: file.to_owned(), free_bytes, reserve_bytes: RESERVE_BYTES }),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::backup::{VerifyOptions, verify};
    use crate::execute::Executed;
    use crate::testing::{build, options, put};
    use crate::{Ledger, LedgerError, OpenOptions};

    /// Commits blocks, each larger than the last, until one is refused; the block and the reason.
    fn fill(ledger: &Ledger) -> (Arc<Executed>, LedgerError) {
        (1..)
            .find_map(|number: u32| {
                let batches: Vec<_> = (0..number).map(|index| put(number << 16 | index, &[7; 900])).collect();
                let executed = build(ledger, &batches);
                let refused = ledger.commit(std::slice::from_ref(&executed)).err()?;
                Some((executed, refused))
            })
            .unwrap()
    }

    #[test]
    fn a_full_map_is_told_and_a_larger_one_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let open = |map_bytes| Ledger::open(&OpenOptions { map_bytes, ..options(folder.path()) }).unwrap();
        let ledger = open(1 << 20);
        let (block, refused) = fill(&ledger);
        assert!(refused.is_out_of_space(), "{refused}");
        let words = ["-01.lmdb: the map of 1048576 bytes is full", "--map-gib"];
        assert!(words.iter().all(|word| refused.to_string().contains(word)), "{refused}");
        let head = ledger.head();
        // Reads go on, and what is refused stays refused without harm.
        let reader = ledger.reader();
        assert!(reader.block(head.height).unwrap().is_some());
        assert!(ledger.commit(std::slice::from_ref(&block)).unwrap_err().is_out_of_space());
        drop((ledger, reader));

        let ledger = open(1 << 26);
        // The block file may have had room for what another file had not.
        assert!([head.height, head.height + 1].contains(&ledger.head().height));
        if ledger.head() == head {
            ledger.commit(std::slice::from_ref(&block)).unwrap();
        }
        assert_eq!(ledger.head().id, block.id());
        drop(ledger);
        let checked = VerifyOptions {
            directory: folder.path().to_owned(),
            genesis: None,
            certificates: None,
            registry: Some(options(folder.path()).registry),
        };
        assert_eq!(verify(&checked, &mut |_, _, _| {}).unwrap().head.id, block.id());
    }
}
