//! The block file: blocks above a height and their index go.

use ledger_types::{Block, Lineage};

use super::finish;
use crate::reader::Head;
use crate::store::{File, FileKind, StoreError, Writer, lineage, schema};

/// The block of a height, whose header gives its id.
pub(super) fn read(file: &File, height: u64) -> Result<Block, StoreError> {
    let damaged = |reason: String| StoreError::damaged(file.name(), format!("block {height}"), reason);
    let record = file.read()?.get_copy(&schema::block_by_height(height))?;
    let record = record.ok_or_else(|| damaged("missing".to_owned()))?;
    let Some((id, _)) = record.split_first_chunk::<64>() else {
        return Err(damaged("shorter than an id".to_owned()));
    };
    let block = Block::decode(record.slice(64..)).map_err(|error| damaged(error.to_string()))?;
    match block.id().0 == *id && block.header.height == height {
        true => Ok(block),
        false => Err(damaged("its header does not give its id and height".to_owned())),
    }
}

/// Takes away what is above a block, up to the head's height, and adds the rollback.
pub(super) fn truncate(file: &File, (to, head): (&Head, u64), after: &Lineage) -> Result<(), StoreError> {
    let mut writer = file.write()?;
    for height in to.height + 1..=head {
        delete(&mut writer, &read(file, height)?)?;
    }
    for (key, value) in lineage::records(after) {
        writer.put(&key, &value)?;
    }
    finish(writer, (file, FileKind::Block), to, after.current())
}

fn delete(writer: &mut Writer<'_>, block: &Block) -> Result<(), StoreError> {
    writer.delete(&schema::block_by_height(block.header.height))?;
    writer.delete(&schema::height_by_block(&block.id()))?;
    for batch in block.batches() {
        writer.delete(&schema::batch_place(&batch.id))?;
        for transaction in &batch.transactions {
            writer.delete(&schema::transaction_place(&transaction.id))?;
            writer.delete(&schema::content_place(&transaction.content_hash()))?;
        }
    }
    Ok(())
}
