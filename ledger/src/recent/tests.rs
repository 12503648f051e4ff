use std::cell::Cell;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;

use ledger_types::{Batch, Block, Hash, Transaction, Verified};
use tempfile::TempDir;

use super::{Id, Known, Place as _, Places, SLICES, written_at};
use crate::backup::{VerifyOptions, verify};
use crate::execute::ParentView;
use crate::reader::{BatchPlace, TransactionPlace};
use crate::store::{File, FileKind, FileOptions, StoreError, schema};
use crate::testing::{commit, options, put, several};
use crate::{Ledger, OpenOptions, Reader};

/// Higher than the index is behind, twice.
const HEIGHT: u64 = 170;

/// A chain of blocks that were committed one by one; 0 is genesis.
struct Chain {
    folder: TempDir,
    blocks: Vec<Block>,
}

impl Chain {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ledger = open(folder.path());
        let mut blocks = vec![ledger.reader().block(0).unwrap().unwrap()];
        for height in 1..=HEIGHT {
            blocks.push(commit(&ledger, &batches(height)).block().clone());
        }
        Self { folder, blocks }
    }

    fn batches(&self, heights: RangeInclusive<u64>) -> impl Iterator<Item = (BatchPlace, &Batch)> {
        heights.flat_map(|height| BatchPlace::all(&self.blocks[height as usize]))
    }

    fn transactions(
        &self,
        heights: RangeInclusive<u64>,
    ) -> impl Iterator<Item = (TransactionPlace, &Transaction)> {
        heights.flat_map(|height| TransactionPlace::all(&self.blocks[height as usize]))
    }

    /// The records of the index when the newest block is one of this height.
    fn records(&self, head: u64) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let mut records = BTreeMap::new();
        for (place, batch) in self.batches(0..=head) {
            add_written(&mut records, head, batch.id, place);
        }
        for (place, transaction) in self.transactions(0..=head) {
            add_written(&mut records, head, transaction.id, place);
            add_written(&mut records, head, transaction.content_hash(), place);
        }
        records
    }

    /// Looks for everything of this chain in a ledger that has the first blocks of it.
    fn check_found(&self, ledger: &Ledger) {
        let (reader, head) = (ledger.reader(), ledger.head().height);
        for (place, batch) in self.batches(0..=HEIGHT) {
            let found = reader.batch_place(&batch.id).unwrap();
            assert_eq!(found, (place.height <= head).then_some(place));
        }
        for (place, transaction) in self.transactions(0..=HEIGHT) {
            let found = reader.transaction_place(&transaction.id).unwrap();
            assert_eq!(found, (place.height() <= head).then_some(place));
        }
        for base in [0, head / 2, head.saturating_sub(1), head] {
            let parent = ParentView::new(reader.clone(), Some(base), Vec::new());
            let past = parent.open().unwrap();
            for (place, transaction) in self.transactions(0..=HEIGHT) {
                // What is above the base is as if it were not there.
                let expected = place.height() <= base;
                assert_eq!(past.has_transaction(&transaction.id).unwrap(), expected);
                assert_eq!(past.has_content(&transaction.content_hash()).unwrap(), expected);
            }
            for (place, batch) in self.batches(0..=HEIGHT) {
                assert_eq!(past.has_batch(&batch.id).unwrap(), place.height <= base);
            }
        }
    }
}

fn open(folder: &Path) -> Ledger {
    Ledger::open(&options(folder)).unwrap()
}

fn batches(height: u64) -> Vec<Verified<Batch>> {
    let number = u32::try_from(height).unwrap();
    match height % 5 {
        0 => Vec::new(),
        1 => vec![put(number, b"one"), put(number, b"refuse"), put(1_000 + number, b"two")],
        _ => vec![several(&[(number, b"a"), (2_000 + number, b"b")])],
    }
}

fn add_written<I: Id>(records: &mut BTreeMap<Vec<u8>, Vec<u8>>, head: u64, id: I, place: I::Place) {
    if written_at(place.height(), &id) <= head {
        let is_new = records.insert(id.key().to_vec(), place.stored().as_ref().to_vec()).is_none();
        assert!(is_new);
    }
}

/// What the block file of a stopped node has of the index.
fn stored(folder: &Path) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let [batches, transactions, contents] = [
        schema::batch_place(&ledger_types::BatchId([0; 64]))[0],
        schema::transaction_place(&ledger_types::TransactionId([0; 64]))[0],
        schema::content_place(&Hash([0; 32]))[0],
    ];
    let file = File::open(&folder.join(FileKind::Block.file_name()), FileOptions::EXISTING).unwrap();
    let mut records = BTreeMap::new();
    let visit = |key: &[u8], value: &[u8]| {
        if [batches, transactions, contents].contains(&key[0]) {
            records.insert(key.to_vec(), value.to_vec());
        }
        Ok::<_, StoreError>(())
    };
    file.read().unwrap().for_each(&[], visit).unwrap();
    records
}

#[test]
fn a_record_is_written_at_its_turn_and_found_before() {
    for height in [0, 1, 63, 64, 1_000_003] {
        for byte in 0..=255 {
            let hash = Hash([byte; 32]);
            let written = written_at(height, &hash);
            assert!((height..height + SLICES).contains(&written));
            assert_eq!(written % SLICES, u64::from(byte) / 4);
        }
    }
}

#[test]
fn however_a_chain_came_its_index_is_the_same_and_tells_everything() {
    let chain = Chain::new();
    assert!(stored(chain.folder.path()) == chain.records(HEIGHT));
    // Whether it came in large groups or small ones, and whether the node was stopped meanwhile.
    for (group, restarts_at) in [(1, vec![]), (7, vec![7, 63, 70]), (70, vec![140]), (170, vec![])] {
        let folder = tempfile::tempdir().unwrap();
        let mut ledger = open(folder.path());
        for blocks in chain.blocks[1..].chunks(group) {
            let executed: Vec<Arc<_>> = blocks.iter().map(|block| ledger.replay(block).unwrap()).collect();
            ledger.commit(&executed).unwrap();
            chain.check_found(&ledger);
            let head = ledger.head().height;
            if restarts_at.contains(&head) {
                drop(ledger);
                assert!(stored(folder.path()) == chain.records(head), "at height {head}");
                ledger = open(folder.path());
                chain.check_found(&ledger);
            }
        }
        drop(ledger);
        assert!(stored(folder.path()) == chain.records(HEIGHT), "in groups of {group}");
        let reader = Reader::of_stopped(folder.path(), crate::testing::NETWORK).unwrap();
        for (place, transaction) in chain.transactions(0..=HEIGHT) {
            assert_eq!(reader.transaction_place(&transaction.id).unwrap(), Some(place));
        }
    }
}

#[test]
fn what_no_block_has_is_known_without_the_file_and_all_else_is_found() {
    let chain = Chain::new();
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(folder.path());
    let commit = |ledger: &Ledger| {
        let next = &chain.blocks[ledger.head().height as usize + 1];
        ledger.commit(&[ledger.replay(next).unwrap()]).unwrap();
    };
    let knows_all = |ledger: &Ledger| {
        let reader = ledger.reader();
        let places = reader.committed().recent.read();
        let known = [
            places.batch(&ledger_types::BatchId([9; 64])) == Known::Nowhere,
            places.transaction(&ledger_types::TransactionId([9; 64])) == Known::Nowhere,
            places.content(&Hash([9; 32])) == Known::Nowhere,
        ];
        assert!(known == [known[0]; 3], "{known:?}");
        known[0]
    };
    (0..100).for_each(|_| commit(&ledger));
    assert!(knows_all(&ledger), "from block 0 on");
    chain.check_found(&ledger);
    drop(ledger);

    let ledger = open(folder.path());
    assert!(!knows_all(&ledger), "some are in the file alone");
    chain.check_found(&ledger);
    let asked = Cell::new(0);
    ledger
        .load_ids(&|| {
            asked.set(asked.get() + 1);
            asked.get() < 100
        })
        .unwrap();
    assert!(!knows_all(&ledger), "it was not to go on");
    chain.check_found(&ledger);
    // Records are written, and no longer in memory, behind and before the place where it reads.
    let commit_one = || {
        if ledger.head().height < HEIGHT {
            commit(&ledger);
        }
        true
    };
    ledger.load_ids(&commit_one).unwrap();
    assert_eq!(ledger.head().height, HEIGHT);
    assert!(knows_all(&ledger));
    chain.check_found(&ledger);
}

#[test]
fn who_began_before_a_record_was_written_finds_it_or_is_told_to_begin_again() {
    const BASE: u64 = 30;
    let chain = Chain::new();
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(folder.path());
    let commit = |heights: RangeInclusive<usize>| {
        let executed = chain.blocks[heights].iter().map(|block| ledger.replay(block).unwrap());
        ledger.commit(&executed.collect::<Vec<Arc<_>>>()).unwrap();
    };
    commit(1..=BASE as usize);
    let parent = ParentView::new(ledger.reader(), Some(BASE), Vec::new());
    let past = parent.open().unwrap();
    let mut told = 0;
    for height in BASE as usize + 1..=HEIGHT as usize {
        commit(height..=height);
        for (place, transaction) in chain.transactions(0..=height as u64) {
            for found in
                [past.has_transaction(&transaction.id), past.has_content(&transaction.content_hash())]
            {
                match found {
                    Ok(is_there) => assert_eq!(is_there, place.height() <= BASE, "at height {height}"),
                    Err(StoreError::NoState { .. }) => told += 1,
                    Err(error) => panic!("{error}"),
                }
            }
        }
        assert!(told == 0 || height as u64 > BASE + SLICES, "a view is good for {SLICES} blocks at least");
    }
    assert!(told > 0, "what is gone is never missed in silence");
}

#[test]
fn a_transaction_that_a_chain_has_twice_is_found_before_its_turn() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(folder.path());
    let is_late = |batch: &Verified<Batch>| {
        let transaction = &batch.transactions[0];
        let content = transaction.content_hash();
        [batch.id.slice(), transaction.id.slice(), content.slice()].iter().all(|slice| *slice > 2)
    };
    let batch = (1..).map(|number| put(number, b"twice")).find(is_late).unwrap();
    commit(&ledger, std::slice::from_ref(&batch));
    // A fault that let it pass once more.
    *ledger.reader().committed().recent.0.write() = Places::default();
    let again = commit(&ledger, &[batch]);
    assert_eq!(again.block().batches().count(), 1);
    drop(ledger);
    let OpenOptions { genesis, registry, .. } = options(folder.path());
    let directory = folder.path().to_owned();
    let options =
        VerifyOptions { directory, genesis: Some(&genesis), certificates: None, registry: Some(registry) };
    let error = verify(&options, &mut |_, _, _| {}).unwrap_err().to_string();
    assert!(error.starts_with("block-01.lmdb: record block 2 is damaged: executed again"), "{error}");
}
