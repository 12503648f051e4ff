//! Reading the files of a stopped node, as they are.

use std::path::Path;
use std::sync::Arc;

use ledger_types::NetworkId;
use parking_lot::RwLock;

use super::LedgerError;
use crate::reader::{Committed, Head, Reader};
use crate::recent::Recent;
use crate::state::Top;
use crate::store::{File, FileKind, FileLock, FileOptions, StoreError, pages, schema};

impl Reader {
    /// Reads of the data directory of a stopped node. Nothing is written and nothing is finished that a crash left.
    ///
    /// # Errors
    /// When a node runs, a file is missing, of another network or damaged, or receipts or state are not at the height of
    /// the blocks.
    pub fn of_stopped(directory: &Path, network_id: NetworkId) -> Result<Self, LedgerError> {
        let lock = FileLock::take(&directory.join("node.lock"))?;
        let open = |kind: FileKind| -> Result<File, LedgerError> {
            let path = directory.join(kind.file_name());
            // LMDB would follow a bad page anywhere.
            pages::check_structure(&path)?;
            let file = File::open(&path, FileOptions::EXISTING)?;
            if file.read()?.is_empty()? {
                // It would be taken for a new one, and written to.
                return Err(StoreError::damaged(file.name(), "meta", "the file has no records at all").into());
            }
            schema::check_meta(&file, kind, network_id)?;
            Ok(file)
        };
        let (block, receipts) = (open(FileKind::Block)?, open(FileKind::Receipts)?);
        let merkle = open(FileKind::Merkle)?;
        let head = Head::of(&block)?.ok_or_else(|| StoreError::damaged(block.name(), "head", "missing"))?;
        for (file, kind) in [(&receipts, FileKind::Receipts), (&merkle, FileKind::Merkle)] {
            match Head::of(file)? {
                Some(found) if found == head => {}
                Some(found) if found.height > head.height => {
                    let (height, blocks) = (found.height, head.height);
                    return Err(LedgerError::Ahead { file: kind.file_name(), height, blocks });
                }
                Some(found) if found.height == head.height => {
                    return Err(
                        StoreError::damaged(file.name(), "head", "differs from the block file").into()
                    );
                }
                _ => return Err(LedgerError::Behind { file: kind.file_name(), blocks: head.height }),
            }
        }
        let recent = Recent::default();
        recent.load(&block)?;
        let committed = Committed {
            block,
            receipts,
            merkle,
            head: RwLock::new(Some(head)),
            recent,
            top: Top::default(),
            _lock: lock,
        };
        Ok(Self(Arc::new(committed)))
    }
}
