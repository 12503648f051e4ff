//! Writing decided blocks: block file, then receipts, then state, then the new head is shown.

use std::sync::Arc;

use ledger_types::Entry;

use super::{Ledger, LedgerError};
use crate::execute::Executed;
use crate::reader::{BatchPlace, Head, TransactionPlace};
use crate::state_file;
use crate::store::{File, StoreError, Writer, schema};

/// Blocks written in one transaction of each file. A power loss takes the last transaction of a file at most, and what is
/// executed again then needs states that are kept: fewer than the 64 that always are.
const BLOCKS_PER_WRITE: usize = 32;

/// Keys and values.
pub(crate) type Records = Vec<(Vec<u8>, Vec<u8>)>;

impl Ledger {
    /// Commits decided blocks, in order, on top of the head. When this returns they are readable; they are durable after
    /// [`Ledger::sync`] (until then the consensus file has their bodies).
    ///
    /// # Errors
    /// When the first does not follow the head, or storage fails.
    pub fn commit(&self, blocks: &[Arc<Executed>]) -> Result<(), LedgerError> {
        let _writing = self.writing.lock();
        let Some((first, last)) = blocks.first().zip(blocks.last()) else { return Ok(()) };
        let head = self.head();
        if first.header().height != head.height + 1 || first.header().parent != head.id {
            return Err(LedgerError::NotNext { height: first.header().height, head: head.height });
        }
        for group in blocks.chunks(BLOCKS_PER_WRITE) {
            self.write(group)?;
            *self.committed.head.write() = group.last().map(|last| head_of(last));
        }
        let committed = last.header().height;
        self.executed.lock().retain(|_, executed| executed.header().height > committed);
        Ok(())
    }

    /// Makes everything committed durable in all three files and returns the height reached.
    ///
    /// # Errors
    /// When the disk reports a failure; the process must then stop.
    pub fn sync(&self) -> Result<u64, StoreError> {
        let height = self.head().height;
        self.committed.block.sync()?;
        self.committed.receipts.sync()?;
        self.committed.merkle.sync()?;
        Ok(height)
    }

    pub(super) fn write(&self, blocks: &[Arc<Executed>]) -> Result<(), LedgerError> {
        let records = blocks.iter().flat_map(|executed| block_records(executed)).collect();
        put_all(&self.committed.block, records, blocks)?;
        self.write_derived(blocks)
    }

    /// Writes what can be computed from the blocks.
    pub(super) fn write_derived(&self, blocks: &[Arc<Executed>]) -> Result<(), LedgerError> {
        let missing = above_head(&self.committed.receipts, blocks)?;
        if !missing.is_empty() {
            let records = missing.iter().flat_map(|executed| receipt_records(executed)).collect();
            put_all(&self.committed.receipts, records, missing)?;
        }
        match above_head(&self.committed.merkle, blocks)? {
            [] => Ok(()),
            missing => self.write_state(missing),
        }
    }

    /// Writes the state after the blocks, takes away the versions that are no longer kept, and remembers the top of the tree.
    fn write_state(&self, blocks: &[Arc<Executed>]) -> Result<(), LedgerError> {
        let mut writer = self.committed.merkle.write()?;
        for executed in blocks {
            state_file::put(&mut writer, executed.changes(), executed.tree())?;
        }
        for executed in blocks {
            state_file::prune(&mut writer, executed.header().height, executed.keep_versions())?;
        }
        put_head(&mut writer, blocks)?;
        writer.commit()?;
        blocks.iter().for_each(|executed| self.committed.top.commit(executed.tree()));
        Ok(())
    }
}

/// The blocks that a file does not hold yet. Of two files one may be behind after a power loss, and the other must not take
/// a block twice: with it the steps of pruning would be, too.
fn above_head<'a>(file: &File, blocks: &'a [Arc<Executed>]) -> Result<&'a [Arc<Executed>], StoreError> {
    let head = Head::of(file)?.map(|head| head.height);
    let held = blocks.partition_point(|executed| Some(executed.header().height) <= head);
    Ok(&blocks[held..])
}

fn head_of(executed: &Executed) -> Head {
    let header = executed.header();
    Head { height: header.height, id: executed.id(), state_root: header.state_root }
}

/// Puts records in key order (LMDB is many times faster so) and the file's new head, in one transaction. Of records with
/// one key, the last one stands.
fn put_all(file: &File, mut records: Records, blocks: &[Arc<Executed>]) -> Result<(), StoreError> {
    records.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut writer = file.write()?;
    for (key, value) in &records {
        writer.put(key, value)?;
    }
    put_head(&mut writer, blocks)?;
    writer.commit()
}

fn put_head(writer: &mut Writer<'_>, blocks: &[Arc<Executed>]) -> Result<(), StoreError> {
    blocks.last().map_or(Ok(()), |last| writer.put(schema::HEAD, &head_of(last).encode()))
}

fn block_records(executed: &Executed) -> Records {
    let (id, header) = (executed.id(), executed.header());
    let mut records = vec![
        (schema::block_by_height(header.height), [&id.0[..], executed.body()].concat()),
        (schema::height_by_block(&id), header.height.to_be_bytes().to_vec()),
    ];
    for (entry_index, entry) in (0u32..).zip(&executed.block().entries) {
        let Entry::Batch(batch) = entry else { continue };
        let batch_place = BatchPlace { height: header.height, entry: entry_index };
        records.push((schema::batch_place(&batch.id), batch_place.encode()));
        for (index, transaction) in (0u32..).zip(&batch.transactions) {
            let place = TransactionPlace { batch: batch_place, index };
            records.push((schema::transaction_place(&transaction.id), place.encode()));
            let content = schema::transaction_content(&transaction.content_hash());
            records.push((content, transaction.id.0.to_vec()));
        }
    }
    records
}

/// What a block adds to the receipts file.
pub(crate) fn receipt_records(executed: &Executed) -> Records {
    let height = executed.header().height.to_be_bytes();
    let receipts = executed.receipts().iter();
    let mut records: Records =
        receipts.map(|(id, receipt)| (schema::receipt(id), [&height[..], receipt].concat())).collect();
    for rejection in executed.block().rejections() {
        let mut writer = ledger_types::codec::Writer::new();
        rejection.encode(writer.raw(&height));
        records.push((schema::rejection(&rejection.batch), writer.finish()));
    }
    records
}
