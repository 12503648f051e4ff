//! When the pages of an open ledger's files are checked: small files before LMDB opens them, large ones while the node
//! runs, so that a start does not wait for a disk to be read from end to end.

use std::path::Path;

use super::Ledger;
use crate::store::{FileKind, StoreError, pages};

/// Checks files of at most so many bytes, and the consensus file in any case: what it holds decides whether this node may
/// vote. Its records' seals are not checked here, since a damaged vote makes an observer, not a refusal.
pub(super) fn check_before_opening(directory: &Path, check_bytes: u64) -> Result<(), StoreError> {
    let path = |kind: FileKind| directory.join(kind.file_name());
    let size = |kind| std::fs::metadata(path(kind)).map_or(0, |found| found.len());
    for kind in FileKind::ALL {
        match size(kind) {
            // Not there, or a first start was cut short; beside blocks, an empty file was once a full one.
            0 if !path(kind).exists() || size(FileKind::Block) == 0 => {}
            _ if kind == FileKind::Consensus => _ = pages::check_structure(&path(kind))?,
            bytes if bytes <= check_bytes => _ = pages::check(&path(kind), &mut |_| {})?,
            _ => {}
        }
    }
    Ok(())
}

impl Ledger {
    /// Checks the files that were too large to be checked when they were opened, as they are now; blocks may be committed
    /// meanwhile, but no page that becomes free is used again before this ends. `go_on` is asked at every record.
    ///
    /// # Errors
    /// The first page or record that is wrong, or when a file cannot be read; or, as an interrupted read, when `go_on` says
    /// no.
    pub fn check_large_files(&self, check_bytes: u64, go_on: &dyn Fn() -> bool) -> Result<(), StoreError> {
        let files = [&self.committed.block, &self.committed.receipts, &self.committed.merkle];
        for file in files {
            let bytes = std::fs::metadata(file.path()).map_or(0, |found| found.len());
            if bytes <= check_bytes {
                continue;
            }
            let found = file.check_pages(go_on)?;
            tracing::info!(file = file.name(), pages = found.all, "checked");
        }
        Ok(())
    }
}
