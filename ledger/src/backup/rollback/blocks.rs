//! The block file: blocks above a height and their index go.

use ledger_types::{Block, Lineage};

use super::finish;
use crate::reader::{Head, read_block};
use crate::recent::{Id as _, SLICES, written_at};
use crate::store::schema::{self, Key};
use crate::store::{File, FileKind, StoreError, Writer, lineage};

/// Takes away what is above a block, up to the head's height, and adds the rollback.
pub(super) fn truncate(file: &File, (to, head): (&Head, u64), after: &Lineage) -> Result<(), StoreError> {
    let mut writer = file.write()?;
    for height in to.height + 1..=head {
        let block = read_block(file, height)?;
        writer.delete(&schema::block_by_height(height))?;
        writer.delete(&schema::height_by_block(&block.id()))?;
    }
    // Blocks that stay have records that were written with blocks that go.
    for height in (to.height + 1).saturating_sub(SLICES)..=head {
        delete_places(&mut writer, &read_block(file, height)?, to.height)?;
    }
    for (key, value) in lineage::records(after) {
        writer.put(&key, &value)?;
    }
    finish(writer, (file, FileKind::Block), to, after.current())
}

/// Deletes what was written above a height of the index of a block.
fn delete_places(writer: &mut Writer<'_>, block: &Block, height: u64) -> Result<(), StoreError> {
    let mut delete =
        |key: Key, written: u64| if written > height { writer.delete(&key).map(drop) } else { Ok(()) };
    let of_block = block.header.height;
    for batch in block.batches() {
        delete(batch.id.key(), written_at(of_block, &batch.id))?;
        for transaction in &batch.transactions {
            let content = transaction.content_hash();
            delete(transaction.id.key(), written_at(of_block, &transaction.id))?;
            delete(content.key(), written_at(of_block, &content))?;
        }
    }
    Ok(())
}
