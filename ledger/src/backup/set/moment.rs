//! Whether four files belong together.

use ledger_types::BlockId;

use super::SetError;
use crate::backup::verify::Files;
use crate::reader::Head;
use crate::store::{FileKind, StoreError, schema};

/// The head of four files of one moment. Receipts and state may end below the blocks, where a crash left them: the next
/// start adds what is missing.
pub(super) fn head_of(files: &Files) -> Result<Head, SetError> {
    let block = files.of(FileKind::Block);
    let blocks = Head::of(block)?.ok_or_else(|| StoreError::damaged(block.name(), "head", "missing"))?;
    for kind in [FileKind::Receipts, FileKind::Merkle] {
        let Some(head) = Head::of(files.of(kind))? else { continue };
        let stored = block.read()?.get_copy(&schema::block_by_height(head.height))?;
        let id = stored.and_then(|record| record.first_chunk().map(|id| BlockId(*id)));
        if id != Some(head.id) || head.height > blocks.height {
            let blocks = match id {
                Some(id) => format!("has {id} there"),
                None => format!("ends at {}", blocks.height),
            };
            let (file, height, found) = (kind.file_name(), head.height, Box::new(head.id));
            return Err(SetError::Mixed { file, height, found, blocks });
        }
    }
    Ok(blocks)
}
