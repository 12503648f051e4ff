//! A chain whose network keeps only so many versions of state.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use ledger_types::{Address, AddressPrefix, Batch, Block, Lineage, Rollback, Verified};
use tempfile::TempDir;

use crate::backup::{FileDigest, Rollbacks, Summary, VerifyOptions, Votes, digest, verify};
use crate::chain::LedgerError;
use crate::execute::ParentView;
use crate::reader::StateQuery;
use crate::state_file::update_tree;
use crate::store::{Durability, File, FileKind, FileOptions, StoreError};
use crate::testing::{NETWORK, address, batch_with_nonce, commit, keep_versions, options};
use crate::{GenesisBlock, Ledger, OpenOptions};

type Content = BTreeMap<Address, Vec<u8>>;

/// Changes of a height: some of a few addresses get values, equal ones too, or lose them; now and then none does.
fn changes(height: u64) -> Vec<(Address, Vec<u8>)> {
    let drawn = |number: u64| height.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(number as u32 * 7) >> 40;
    let count = if height.is_multiple_of(11) { 0 } else { 3 };
    let change = |number: u64| {
        let value = match drawn(number) % 3 {
            0 => Vec::new(),
            kind => vec![kind as u8; 3],
        };
        (address((drawn(number + 5) % 16) as u32), value)
    };
    (0..count).map(change).collect()
}

fn block(height: u64, keep: Option<u64>) -> Vec<Verified<Batch>> {
    let changes: BTreeMap<_, _> = changes(height).into_iter().collect();
    let puts: Vec<_> = changes.iter().map(|(address, value)| (*address, value.as_slice(), &[][..])).collect();
    let batches = if puts.is_empty() { None } else { Some(batch_with_nonce(&puts, &height.to_string())) };
    batches.into_iter().chain(keep.map(keep_versions)).collect()
}

/// A stopped chain, and what the state is at each height, without the settings.
struct Chain {
    folder: TempDir,
    blocks: Vec<Block>,
    contents: Vec<Content>,
}

impl Chain {
    /// A chain of so many blocks above genesis, of which one sets how many versions are kept.
    fn new(height: u64, setting: (u64, u64)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(&options(folder.path())).unwrap();
        let mut content = Content::from([(address(0), b"genesis".to_vec())]);
        let (mut blocks, mut contents) = (Vec::new(), vec![content.clone()]);
        for height in 1..=height {
            let keep = (height == setting.0).then_some(setting.1);
            blocks.push(commit(&ledger, &block(height, keep)).block().clone());
            for (address, value) in changes(height) {
                match value.is_empty() {
                    true => content.remove(&address),
                    false => content.insert(address, value),
                };
            }
            contents.push(content.clone());
        }
        Self { folder, blocks, contents }
    }

    fn open(&self) -> Ledger {
        Ledger::open(&options(self.folder.path())).unwrap()
    }

    fn digest(&self) -> FileDigest {
        digest(&self.folder.path().join(FileKind::Merkle.file_name())).unwrap()
    }

    /// Every read of every height: what is kept is whole, what is not is told so.
    fn check_reads(&self, oldest: u64) {
        let ledger = self.open();
        let reader = ledger.reader();
        assert_eq!(reader.oldest_state().unwrap(), oldest);
        for (height, content) in (0..).zip(&self.contents) {
            let prefix: AddressPrefix = "ab".parse().unwrap();
            let query = StateQuery { prefix, height, start: None, reverse: height % 2 == 1, limit: 99 };
            let range = reader.state_range(&query);
            if height < oldest {
                let errors = [
                    range.unwrap_err(),
                    reader.state(&address(1), height).unwrap_err(),
                    reader.proven_state(&address(1), height).unwrap_err(),
                    reader.state_proof(&address(1), height).unwrap_err(),
                ];
                for error in errors {
                    let StoreError::NoState { height: asked, oldest: told, .. } = error else {
                        panic!("{error}")
                    };
                    assert_eq!((asked, told), (height, oldest));
                }
                continue;
            }
            let found: Content = range.unwrap().into_iter().map(|(at, value)| (at, value.to_vec())).collect();
            assert_eq!(&found, content, "height {height}");
            for address in (0..17).map(address) {
                let value = reader.proven_state(&address, height).unwrap();
                assert_eq!(value.as_deref(), content.get(&address).map(Vec::as_slice));
                let proof = reader.state_proof(&address, height).unwrap();
                let root = reader.header(height).unwrap().unwrap().state_root;
                proof.verify(&root, &address, value.as_deref()).unwrap();
            }
        }
    }

    fn verify(&self) -> Result<Summary, LedgerError> {
        let options = options(self.folder.path());
        let checked = VerifyOptions {
            directory: self.folder.path().to_owned(),
            genesis: Some(&options.genesis),
            certificates: None,
            registry: Some(options.registry.clone()),
        };
        verify(&checked, &mut |_, _, _| {})
    }
}

#[test]
fn only_the_versions_that_are_kept_are_there_and_they_are_whole() {
    let chain = Chain::new(100, (1, 16));
    // The setting counts as 64, from the block after it on.
    chain.check_reads(37);
    let summary = chain.verify().unwrap();
    assert_eq!((summary.state_oldest, summary.executed_height), (37, Some(100)));
    assert_eq!(summary.state_values, chain.contents[100].len() as u64 + 1);
}

#[test]
fn a_setting_that_comes_late_takes_effect_two_versions_a_block() {
    let chain = Chain::new(90, (80, 64));
    chain.check_reads(20);
    assert_eq!(chain.verify().unwrap().state_oldest, 20);
    let ledger = chain.open();
    let oldest = |height| {
        commit(&ledger, &block(height, (height == 98).then_some(1_000)));
        ledger.reader().oldest_state().unwrap()
    };
    let found: Vec<u64> = (91..102).map(oldest).collect();
    // What is gone does not come back with a larger number.
    assert_eq!(found, [22, 24, 26, 28, 30, 32, 34, 35, 35, 35, 35]);
}

#[test]
fn the_same_chain_makes_the_same_file_in_whatever_way_it_came() {
    let chain = Chain::new(100, (1, 64));
    let expected = chain.digest();
    drop(Ledger::open(&OpenOptions { rebuild: true, ..options(chain.folder.path()) }).unwrap());
    assert_eq!(chain.digest(), expected, "made again");
    // Many blocks in one transaction: lists are read that the same transaction wrote.
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(&options(folder.path())).unwrap();
    for group in chain.blocks.chunks(80) {
        let executed: Vec<Arc<_>> = group.iter().map(|block| ledger.replay(block).unwrap()).collect();
        ledger.commit(&executed).unwrap();
    }
    drop(ledger);
    assert_eq!(digest(&folder.path().join(FileKind::Merkle.file_name())).unwrap(), expected, "in groups");
}

#[test]
fn receipts_that_are_behind_are_made_again_while_the_state_is_there() {
    for (receipts_at, is_kept) in [(20, false), (36, false), (37, true), (95, true)] {
        let (chain, short) = (Chain::new(100, (1, 64)), Chain::new(receipts_at, (1, 64)));
        let expected = chain.digest();
        let receipts = |folder: &TempDir| folder.path().join(FileKind::Receipts.file_name());
        std::fs::copy(receipts(&short.folder), receipts(&chain.folder)).unwrap();
        match Ledger::open(&options(chain.folder.path())) {
            Ok(_) => assert!(is_kept, "{receipts_at}"),
            Err(LedgerError::TooFarBehind { height, oldest: 37 }) => {
                assert!(!is_kept && height == receipts_at + 1);
                continue;
            }
            Err(error) => panic!("{error}"),
        }
        assert_eq!(chain.digest(), expected);
        chain.verify().unwrap();
    }
}

#[test]
fn a_state_that_is_ahead_is_not_pruned_twice_for_a_block() {
    // The setting comes late, so that at each height there is more to prune than one block may.
    let (chain, short) = (Chain::new(90, (80, 64)), Chain::new(85, (80, 64)));
    let expected = chain.digest();
    let receipts = |folder: &TempDir| folder.path().join(FileKind::Receipts.file_name());
    std::fs::copy(receipts(&short.folder), receipts(&chain.folder)).unwrap();
    drop(chain.open());
    assert_eq!(chain.digest(), expected);
    chain.verify().unwrap();
}

#[test]
fn a_block_is_executed_although_the_state_it_began_on_goes_meanwhile() {
    let chain = Chain::new(160, (1, 64));
    type Read = fn(&ParentView) -> Result<(), StoreError>;
    let reads: [Read; 2] = [
        |view| (0..17).try_for_each(|number| view.open()?.state(&address(number)).map(drop)),
        |view| update_tree(&view.open()?, 161, &BTreeMap::from([(address(3), None)])).map(drop),
    ];
    for read in reads {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(&options(folder.path())).unwrap();
        let executed: Vec<Arc<_>> = chain.blocks.iter().map(|block| ledger.replay(block).unwrap()).collect();
        let begun_on = std::cell::RefCell::new(Vec::new());
        let execute = |view: &ParentView| {
            begun_on.borrow_mut().push(view.base_height());
            // The committer catches up while this is executed.
            if ledger.head().height == 0 {
                ledger.commit(&executed)?;
            }
            Ok(read(view)?)
        };
        ledger.on_parent(&chain.blocks[159].id(), execute).unwrap();
        assert_eq!(*begun_on.borrow(), [Some(0), Some(160)]);
        let old = chain.blocks[9].id();
        let unknown = ledger.on_parent(&old, |view| Ok(read(view)?)).unwrap_err();
        assert!(matches!(unknown, LedgerError::UnknownParent { parent } if *parent == old));
    }
}

struct NoVotes;

impl Votes for NoVotes {
    fn outlives(&self, _: &[u8], _: bytes::Bytes, _: u64) -> bool {
        true
    }

    fn fresh(&self, _: &ledger_types::BlockHeader) -> Vec<(Vec<u8>, Vec<u8>)> {
        Vec::new()
    }
}

#[test]
fn a_rollback_below_the_oldest_version_has_the_state_made_again() {
    for (to, kept_from) in [(50, 37), (10, 0)] {
        let mut chain = Chain::new(100, (1, 64));
        let network = Lineage::from(NETWORK);
        let rollback = Rollback { height: to, block: chain.blocks[to as usize - 1].id() };
        let rollbacks = Rollbacks::open(chain.folder.path(), 1 << 26, &network).unwrap();
        rollbacks.run(&rollback, &NoVotes).unwrap();
        chain.contents.truncate(to as usize + 1);
        let mut options = options(chain.folder.path());
        options.genesis = GenesisBlock { lineage: network.then(rollback), ..options.genesis };
        let ledger = Ledger::open(&options).unwrap();
        assert_eq!(ledger.reader().oldest_state().unwrap(), kept_from);
        for height in kept_from..=to {
            for address in (0..17).map(address) {
                let value = ledger.reader().proven_state(&address, height).unwrap();
                let expected = chain.contents[height as usize].get(&address);
                assert_eq!(value.as_deref(), expected.map(Vec::as_slice));
            }
        }
        drop(ledger);
        let checked = VerifyOptions {
            directory: chain.folder.path().to_owned(),
            genesis: Some(&options.genesis),
            certificates: None,
            registry: Some(options.registry.clone()),
        };
        assert_eq!(verify(&checked, &mut |_, _, _| {}).unwrap().state_oldest, kept_from);
    }
}

fn records(path: &Path) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut records = Vec::new();
    let visit = |key: &[u8], value: &[u8]| {
        records.push((key.to_vec(), value.to_vec()));
        Ok::<_, StoreError>(())
    };
    File::open(path, FileOptions::EXISTING).unwrap().read().unwrap().for_each(&[], visit).unwrap();
    records
}

#[test]
fn no_record_of_a_pruned_file_is_missed_and_every_byte_counts() {
    let chain = Chain::new(80, (1, 64));
    let path = chain.folder.path().join(FileKind::Merkle.file_name());
    let quick = || {
        let directory = chain.folder.path().to_owned();
        let options = VerifyOptions { directory, genesis: None, certificates: None, registry: None };
        verify(&options, &mut |_, _, _| {})
    };
    let write = |key: &[u8], value: Option<&[u8]>| {
        let options = FileOptions { durability: Durability::UntilSync, map_bytes: 1 << 26, must_exist: true };
        let file = File::open(&path, options).unwrap();
        let mut writer = file.write().unwrap();
        match value {
            Some(value) => writer.put(key, value).unwrap(),
            None => _ = writer.delete(key).unwrap(),
        }
        writer.commit().unwrap();
    };
    assert_eq!(quick().unwrap().state_oldest, 17);
    let records = records(&path);
    let old = |key: &[u8]| key[0] <= 3 || key[8] <= 18;
    for (number, (key, value)) in records.iter().enumerate() {
        if !old(key) && number % 29 > 0 {
            continue;
        }
        let mut changed = value.clone();
        if let Some(byte) = changed.get_mut(number % value.len().max(1)) {
            *byte ^= 1 << (number % 8);
            write(key, Some(&changed));
            assert!(quick().is_err(), "a changed byte of {key:02x?}");
        }
        write(key, None);
        let error = quick().err();
        assert!(error.is_some(), "{key:02x?} is missing");
        write(key, Some(value));
    }
    // What was pruned, as if it had come back.
    let whole = Chain::new(60, (1, 64));
    let path = whole.folder.path().join(FileKind::Merkle.file_name());
    let gone =
        self::records(&path).into_iter().filter(|(key, _)| !records.iter().any(|(found, _)| found == key));
    for (key, value) in gone.step_by(9) {
        write(&key, Some(&value));
        assert!(quick().is_err(), "{key:02x?} is back");
        write(&key, None);
    }
    quick().unwrap();
}
