//! Every block executed again, on the state that its parent left in the files, so that blocks do not wait for each other.
//!
//! Roots that come out as in the header, and the records that belong to them, are those that the files hold; that these
//! are all, the check of records has shown before.

use std::sync::Arc;

use ledger_types::family::FamilyRegistry;
use rayon::prelude::*;

use super::files::Files;
use super::run::Step;
use crate::chain::for_each_receipt_record;
use crate::execute::{CheckError, Executed, Executor, ParentView};
use crate::reader::{Committed, Head, Reader, read_block};
use crate::state_file;
use crate::store::{File, StoreError, View, schema};

/// Blocks between two words about the progress.
const BLOCKS_AT_ONCE: u64 = 256;
/// Blocks above the state file that are executed on each other, in memory. After a crash there are at most some tens.
const MOST_LAYERS: usize = 1_000;

/// Executes the blocks again and returns the height reached: the head, unless the state file ends too far below it. Blocks
/// whose parents' states are no longer kept are passed over.
pub(super) fn check(
    files: &Files,
    registry: Arc<dyn FamilyRegistry>,
    progress: &mut dyn FnMut(Step, u64, u64),
) -> Result<Option<u64>, StoreError> {
    files.committed.recent.load(&files.committed.block)?;
    let replay = Replay { committed: &files.committed, executor: Executor::on_one_thread(registry) };
    let heights = Head::of(&files.committed.block)?.map_or(0, |head| head.height.saturating_add(1));
    let state_head = Head::of(&files.committed.merkle)?;
    let stored = state_head.map_or(0, |head| head.height.saturating_add(1));
    let oldest = state_file::oldest(&files.committed.merkle.read()?)?;
    let mut next = if oldest > 0 { oldest.saturating_add(1) } else { 0 };
    // The parent of the first block above the state file is its head.
    while next < heights.min(stored) {
        let end = heights.min(stored).min(next + BLOCKS_AT_ONCE);
        let results: Vec<_> = (next..end).into_par_iter().map(|height| replay.on_parent(height)).collect();
        results.into_iter().collect::<Result<(), _>>()?;
        next = end;
        progress(Step::Execution, next, heights);
    }
    let mut layers: Vec<Arc<Executed>> = Vec::new();
    while next < heights && layers.len() < MOST_LAYERS {
        let base = state_head.map(|head| head.height);
        layers.insert(0, Arc::new(replay.block(next, base, layers.clone())?));
        next += 1;
        progress(Step::Execution, next, heights);
    }
    Ok(next.checked_sub(1))
}

struct Replay<'a> {
    committed: &'a Arc<Committed>,
    executor: Executor,
}

impl Replay<'_> {
    fn on_parent(&self, height: u64) -> Result<(), StoreError> {
        self.block(height, height.checked_sub(1), Vec::new()).map(drop)
    }

    /// Executes one block and compares what the files hold of it.
    fn block(
        &self,
        height: u64,
        base: Option<u64>,
        layers: Vec<Arc<Executed>>,
    ) -> Result<Executed, StoreError> {
        let block = read_block(&self.committed.block, height)?;
        let parent = ParentView::new(Reader(self.committed.clone()), base, layers);
        let executed = self.executor.replay(&parent, &block).map_err(|error| match error {
            CheckError::Store(error) => error,
            differs => self.damaged(height, format!("executed again: {differs}")),
        })?;
        let Committed { receipts, merkle, .. } = &**self.committed;
        if let Some(view) = reaching(receipts, height)? {
            let blocks = std::slice::from_ref(&executed);
            for_each_receipt_record(blocks, |key, value| compare(&view, key, value))?;
        }
        if let Some(view) = reaching(merkle, height)? {
            let (changes, tree) = (executed.changes(), executed.tree());
            state_file::for_each_record(changes, tree, |key, value| compare(&view, key, value))?;
        }
        Ok(executed)
    }

    fn damaged(&self, height: u64, reason: impl std::fmt::Display) -> StoreError {
        StoreError::damaged(self.committed.block.name(), format!("block {height}"), reason)
    }
}

/// A view of a file, if it reaches a height.
fn reaching(file: &File, height: u64) -> Result<Option<View<'_>>, StoreError> {
    match Head::of(file)? {
        Some(head) if head.height >= height => file.read().map(Some),
        _ => Ok(None),
    }
}

/// Compares a record that a block made with what a file holds.
fn compare(view: &View<'_>, key: &[u8], expected: &[u8]) -> Result<(), StoreError> {
    let file = view.file_name();
    let damaged = |reason| StoreError::damaged(file, data_encoding::HEXLOWER.encode(key), reason);
    match view.get(key)? {
        Some(found) if found == expected => Ok(()),
        // A batch that a later block rejected again.
        Some(found) if schema::is_rejection(file, key) && found.get(..8) > expected.get(..8) => Ok(()),
        Some(_) => Err(damaged("execution gives another value")),
        None => Err(damaged("missing, but execution gives it")),
    }
}
