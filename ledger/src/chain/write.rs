//! Writing decided blocks: block file, then receipts, then state, then the new head is shown.

use std::sync::Arc;

use super::{Ledger, LedgerError, records};
use crate::execute::Executed;
use crate::reader::Head;
use crate::recent::SLICES;
use crate::state_file;
use crate::store::{File, StoreError, Writer, schema};

/// Blocks written in one transaction of each file. A power loss takes the last transaction of a file at most, and what is
/// executed again then needs states that are kept: fewer than the 64 that always are.
const BLOCKS_PER_WRITE: usize = 32;
const _: () = assert!(BLOCKS_PER_WRITE as u64 <= SLICES, "a slice of the index has one turn in a write");

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
        let Some((first, last)) = blocks.first().zip(blocks.last()) else { return Ok(()) };
        let (heights, recent) = (first.header().height..=last.header().height, &self.committed.recent);
        blocks.iter().for_each(|executed| recent.add(executed.block()));
        let mut writer = self.committed.block.write()?;
        records::for_each_block_record(blocks, |key, value| writer.put(key, value))?;
        recent.for_each_record(heights.clone(), |key, value| writer.put(key, value))?;
        put_head(&mut writer, blocks)?;
        writer.commit()?;
        recent.forget(heights);
        self.write_derived(blocks)
    }

    /// Writes what can be computed from the blocks.
    pub(super) fn write_derived(&self, blocks: &[Arc<Executed>]) -> Result<(), LedgerError> {
        let missing = above_head(&self.committed.receipts, blocks)?;
        if !missing.is_empty() {
            let mut writer = self.committed.receipts.write()?;
            records::for_each_receipt_record(missing, |key, value| match key[0] {
                schema::RECEIPT => writer.append(key, value),
                _ => writer.put(key, value),
            })?;
            put_head(&mut writer, missing)?;
            writer.commit()?;
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

fn put_head(writer: &mut Writer<'_>, blocks: &[Arc<Executed>]) -> Result<(), StoreError> {
    blocks.last().map_or(Ok(()), |last| writer.put(schema::HEAD, &head_of(last).encode()))
}
