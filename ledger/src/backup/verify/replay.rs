//! Everything executed again from block 0, into a temporary ledger beside the files, and compared record by record.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ledger_types::family::FamilyRegistry;
use ledger_types::{Block, Verified};

use super::files::Files;
use crate::chain::{GenesisBlock, Ledger, LedgerError, OpenOptions};
use crate::reader::Head;
use crate::store::{File, StoreError, schema};

/// Blocks in one commit: a disk sync each would take most of the time.
const BLOCKS_PER_COMMIT: usize = 64;

/// A temporary ledger. The ledger is dropped first, then its directory is removed.
struct Replay {
    ledger: Ledger,
    _directory: Temporary,
}

/// A directory that is removed at the end.
struct Temporary(PathBuf);

impl Temporary {
    /// Takes a directory in a data directory, which we hold: what is there already is from a check that was killed.
    fn new(data: &Path) -> Result<Self, LedgerError> {
        let path = data.join("verify-replay");
        if path.exists() {
            std::fs::remove_dir_all(&path)
                .map_err(|source| LedgerError::Directory { path: path.clone(), source })?;
        }
        Ok(Self(path))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next check.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Executes the blocks up to the head again. `progress` is told each height.
pub(super) fn check(
    files: &Files,
    directory: &Path,
    registry: Arc<dyn FamilyRegistry>,
    progress: &mut dyn FnMut(u64),
) -> Result<(), LedgerError> {
    let head = Head::of(&files.block)?.map_or(0, |head| head.height);
    let derived = [&files.receipts, &files.merkle];
    let heads = [Head::of(derived[0])?, Head::of(derived[1])?];
    let ends_at =
        |height: u64| move |(_, head): &(&File, Option<Head>)| head.is_some_and(|head| head.height == height);
    // The files were opened with maps of just their size; the copy has other pages and needs room.
    let largest = [&files.block, &files.receipts, &files.merkle].map(File::map_bytes).into_iter().max();
    let map_bytes = largest.unwrap_or_default() * 4 + (1 << 30);
    let replay = open(directory, map_bytes, &stored(&files.block, 0)?, registry)?;
    let ledger = &replay.ledger;
    let mut executed = Vec::new();
    for height in 0..=head {
        if height > 0 {
            executed.push(ledger.replay(&stored(&files.block, height)?)?);
        }
        let mut ending = derived.into_iter().zip(heads).filter(ends_at(height)).peekable();
        if executed.len() == BLOCKS_PER_COMMIT || ending.peek().is_some() {
            ledger.commit(&std::mem::take(&mut executed))?;
        }
        ending.try_for_each(|(file, _)| compare(file, ledger))?;
        progress(height);
    }
    Ok(())
}

fn open(
    directory: &Path,
    map_bytes: usize,
    first: &Block,
    registry: Arc<dyn FamilyRegistry>,
) -> Result<Replay, LedgerError> {
    let directory = Temporary::new(directory)?;
    let (found, header) = (Box::new(first.id()), first.header.clone());
    let ledger = Ledger::open(&OpenOptions {
        directory: directory.0.clone(),
        map_bytes,
        rebuild: false,
        genesis: GenesisBlock {
            network_id: header.network_id,
            cfg_hash: header.cfg_hash,
            time_ms: header.time_ms,
            batches: first.batches().cloned().map(Verified::of_final_block).collect(),
        },
        registry,
    })?;
    let expected = Box::new(ledger.head().id);
    match expected == found {
        true => Ok(Replay { ledger, _directory: directory }),
        false => Err(LedgerError::OtherGenesis { found, expected }),
    }
}

/// A block that was checked before.
fn stored(blocks: &File, height: u64) -> Result<Block, StoreError> {
    let damaged = |reason: String| StoreError::damaged(blocks.name(), format!("block {height}"), reason);
    let record = blocks.read()?.get_copy(&schema::block_by_height(height))?;
    let record = record.filter(|record| record.len() >= 64).ok_or_else(|| damaged("missing".to_owned()))?;
    Block::decode(record.slice(64..)).map_err(|error| damaged(error.to_string()))
}

/// Compares a file with the one of the same name in the replay.
fn compare(file: &File, replay: &Ledger) -> Result<(), StoreError> {
    let reader = replay.reader();
    let committed = reader.committed();
    let other = if file.name() == committed.merkle.name() { &committed.merkle } else { &committed.receipts };
    let (ours, theirs) = (file.read()?, other.read()?);
    let damaged =
        |key: &[u8], reason| StoreError::damaged(file.name(), data_encoding::HEXLOWER.encode(key), reason);
    ours.for_each(&[], |key, value| match theirs.get(key)? {
        Some(expected) if expected == value => Ok(()),
        Some(_) => Err(damaged(key, "execution gives another value")),
        None => Err(damaged(key, "execution does not give it")),
    })?;
    theirs.for_each(&[], |key, _| match ours.get(key)? {
        Some(_) => Ok(()),
        None => Err(damaged(key, "missing, but execution gives it")),
    })
}
