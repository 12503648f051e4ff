use std::sync::Arc;

use ledger_types::family::{ApplyError, Context, FamilyDescription, FamilyRegistry, TransactionFamily};
use ledger_types::{AddressPrefix, BlockId, Transaction};

use super::sample::{FINALIZED, Sample, finalization};
use crate::backup::verify::files::Files;
use crate::backup::verify::replay;
use crate::chain::{Ledger, LedgerError};
use crate::reader::StateQuery;
use crate::state::presence;
use crate::store::{ConsensusFile, FileKind, FileLock, StoreError, schema};
use crate::testing::{NETWORK, address, history, options, put, several};

/// The error must name the file, except that of a head: whose fault a height is, nobody can tell.
fn assert_named(sample: &Sample, kind: FileKind, key: &[u8], what: &str) {
    let error = sample.verify().expect_err(what);
    let is_named = error.to_string().starts_with(kind.file_name());
    assert!(is_named || key == schema::HEAD, "{what} of {key:02x?} in {kind:?}: {error}");
    assert!(is_named || matches!(error, LedgerError::Ahead { .. }), "{what}: {error}");
}

/// What tells tables apart: the tag, and in the state file the kind of a height's record.
fn table(kind: FileKind, key: &[u8]) -> (u8, Option<u8>) {
    let is_of_height = kind == FileKind::Merkle && key[0] == schema::STATE_VERSION;
    (key[0], key.get(9).copied().filter(|_| is_of_height))
}

#[test]
fn every_record_is_missed_and_every_byte_counts() {
    let sample = Sample::indexed();
    let mut step = 0usize;
    for kind in FileKind::ALL {
        for (key, value) in sample.records(kind) {
            // What a node did not vote for or lost, its consensus file does not tell.
            if kind != FileKind::Consensus || key == schema::META {
                sample.write(kind, &key, None);
                assert_named(&sample, kind, &key, "a deleted record");
            }
            if !value.is_empty() {
                // Another place in each record, so that all fields of a table have their turn.
                step += 7;
                let mut changed = value.clone();
                changed[step % value.len()] ^= 1 << (step % 8);
                sample.write(kind, &key, Some(&changed));
                assert_named(&sample, kind, &key, "a changed byte");
            }
            sample.write(kind, &key, Some(&value));
        }
    }
    sample.verify().unwrap();
}

#[test]
fn every_byte_of_every_kind_of_record_counts() {
    let sample = Sample::indexed();
    for kind in FileKind::ALL {
        let mut records = sample.records(kind);
        records.reverse();
        records.dedup_by_key(|(key, _)| table(kind, key));
        for (key, value) in records {
            for at in (0..value.len()).step_by(1 + value.len() / 40) {
                let mut changed = value.clone();
                changed[at] ^= 1;
                sample.write(kind, &key, Some(&changed));
                assert_named(&sample, kind, &key, "a changed byte");
            }
            sample.write(kind, &key, Some(&value));
        }
    }
    sample.verify().unwrap();
}

#[test]
fn a_record_that_nothing_makes_is_left_over() {
    let sample = Sample::indexed();
    for kind in FileKind::ALL {
        let mut records = sample.records(kind);
        records.dedup_by_key(|(key, _)| table(kind, key));
        for (key, value) in records {
            // What `mdb_load` into a file that is not empty leaves: a record of the right form, of another past.
            let mut stray = key.clone();
            stray.push(0);
            sample.write(kind, &stray, Some(&value));
            assert_named(&sample, kind, &stray, "a stray record");
            sample.write(kind, &stray, None);
        }
        sample.write(kind, &[0xf0], Some(b"of no table"));
        assert_named(&sample, kind, &[0xf0], "a record of no table");
        sample.write(kind, &[0xf0], None);
    }
    sample.verify().unwrap();
}

#[test]
fn a_place_is_not_written_before_its_turn() {
    let (sample, indexed) = (Sample::new(), Sample::indexed());
    let places = |sample: &Sample| {
        let mut records = sample.records(FileKind::Block);
        records.retain(|(key, _)| (0x04..=0x06).contains(&key[0]));
        records
    };
    let written = places(&sample);
    let early: Vec<_> = places(&indexed).into_iter().filter(|record| !written.contains(record)).collect();
    assert!((0x04..=0x06).all(|tag| early.iter().any(|(key, _)| key[0] == tag)));
    for (key, value) in early {
        sample.write(FileKind::Block, &key, Some(&value));
        assert_named(&sample, FileKind::Block, &key, "an early record");
        sample.write(FileKind::Block, &key, None);
    }
    sample.verify().unwrap();
}

#[test]
fn a_whole_block_of_another_chain_does_not_fit() {
    let (sample, mut history) = (Sample::new(), history());
    // Only the ids differ from block 1 on: the same state, receipts and places.
    history[0][1] = put(8, b"refuse");
    let (key, other) = (schema::block_by_height(3), Sample::of(&history));
    let block_3 = |sample: &Sample| {
        let record =
            sample.records(FileKind::Block).into_iter().find(|(found, _)| **found == *key).unwrap().1;
        (BlockId(*record.first_chunk().unwrap()), record)
    };
    let ((ours, _), (theirs, record)) = (block_3(&sample), block_3(&other));
    sample.write(FileKind::Block, &schema::height_by_block(&ours), None);
    sample.write(FileKind::Block, &schema::height_by_block(&theirs), Some(&3u64.to_be_bytes()));
    sample.write(FileKind::Block, &key, Some(&record));
    let message = sample.verify().unwrap_err().to_string();
    assert_eq!(message, "block-01.lmdb: record block 3 is damaged: the parent is not the block below");
}

#[test]
fn a_whole_tree_of_another_state_does_not_fit() {
    let (sample, mut history) = (Sample::new(), history());
    history[0][0] = several(&[(1, b"x"), (2, b"b")]);
    for (key, value) in Sample::of(&history).records(FileKind::Merkle) {
        if key[0] == schema::STATE_VERSION && key[9] == schema::VERSION_NODE {
            sample.write(FileKind::Merkle, &key, Some(&value));
        }
    }
    let message = sample.verify().unwrap_err().to_string();
    assert_eq!(
        message,
        "merkle-01.lmdb: record state node 1/ is damaged: not the root in the block's header"
    );
}

#[test]
fn values_above_the_receipts_are_measured_by_the_tree() {
    let (sample, short) = (Sample::new(), Sample::of_heights(3));
    std::fs::copy(short.path(FileKind::Receipts), sample.path(FileKind::Receipts)).unwrap();
    // Set in block 4, and never again.
    let key = schema::state_value(4, &address(17));
    for value in [Some(&b"E"[..]), Some(b""), None] {
        sample.write(FileKind::Merkle, &key, value);
        let message = sample.verify().unwrap_err().to_string();
        let expected =
            "merkle-01.lmdb: record values of height 4 is damaged: not those that the state tree got";
        assert_eq!(message, expected);
    }
}

#[test]
fn a_finalization_must_be_of_the_block_of_its_height() {
    let sample = Sample::new();
    let head = sample.verify().unwrap().head;
    let write = |change: (Vec<u8>, Option<Vec<u8>>)| {
        let (consensus, _) = ConsensusFile::new(sample.open(FileKind::Consensus), NETWORK).unwrap();
        consensus.write(&[change]).unwrap();
    };
    let forged = (finalization(4, 4, BlockId::ZERO).0, Some(vec![0; 9]));
    for (change, reason) in [
        (finalization(4, 4, BlockId([1; 64])), "block 4 is not the one it finalizes"),
        (finalization(4, 3, head.id), "it finalizes height 3 only"),
        (finalization(4, 5, BlockId([1; 64])), "block 5 is not the one it finalizes"),
        (forged, "a forged certificate"),
    ] {
        write(change);
        let message = sample.verify().unwrap_err().to_string();
        assert!(message.contains(&format!("record {FINALIZED:02x}0000000000000004")), "{message}");
        assert!(message.contains(reason), "{message}");
    }
    write(finalization(4, 5, head.id));
    write(finalization(0, 5, head.id));
    assert!(sample.verify().unwrap_err().to_string().contains("block 0 is not voted on"));
}

/// A family that does nothing.
struct Idle;

impl TransactionFamily for Idle {
    fn describe(&self) -> FamilyDescription {
        FamilyDescription { names: &["put"], version: "1", namespaces: &[], commands: &[] }
    }

    fn apply(&self, _: &Transaction, _: &mut dyn Context) -> Result<(), ApplyError> {
        Ok(())
    }
}

impl FamilyRegistry for Idle {
    fn find(&self, _: &str, _: &str) -> Option<&dyn TransactionFamily> {
        Some(self)
    }

    fn describe_all(&self) -> Vec<FamilyDescription> {
        vec![self.describe()]
    }
}

#[test]
fn families_that_give_something_else_are_found_by_execution() {
    let sample = Sample::new();
    let error = sample.verify_with(Some(Arc::new(Idle))).unwrap_err();
    let message = error.to_string();
    assert!(message.starts_with("block-01.lmdb: record block 0 is damaged: executed again"), "{message}");
}

#[test]
fn a_record_that_execution_does_not_give_is_named() {
    let sample = Sample::new();
    let of_put = |key: &[u8]| key.starts_with(&schema::state_values(5));
    for (kind, is_wanted) in
        [(FileKind::Receipts, (|key: &[u8]| key[0] == 2) as fn(&[u8]) -> bool), (FileKind::Merkle, of_put)]
    {
        let (key, value) = sample.records(kind).into_iter().find(|(key, _)| is_wanted(key)).unwrap();
        let changed = [&value[..], &[0]].concat();
        for change in [Some(&changed[..]), None] {
            sample.write(kind, &key, change);
            let lock = FileLock::take(&sample.directory().join("node.lock")).unwrap();
            let files = Files::open(lock, &sample.directory(), None).unwrap();
            let registry = options(&sample.directory()).registry;
            let error = replay::check(&files, registry, &mut |_, _, _| {});
            drop(files);
            let Err(StoreError::Damaged { file, record, .. }) = error else { panic!("{error:?}") };
            assert_eq!((&*file, record), (kind.file_name(), data_encoding::HEXLOWER.encode(&key)));
            sample.write(kind, &key, Some(&value));
        }
    }
}

#[test]
fn a_value_that_is_not_in_the_tree_is_not_served() {
    let (sample, set) = (Sample::new(), schema::state_value(4, &address(1)));
    let read = |number, height| {
        let ledger = Ledger::open(&options(&sample.directory())).unwrap();
        ledger.reader().proven_state(&address(number), height).map_err(|error| error.to_string())
    };
    let (old, new) = (Ok(Some(b"a"[..].into())), Ok(Some(b"a2"[..].into())));
    assert_eq!((read(1, 3), read(1, 4), read(1, 5)), (old.clone(), new.clone(), new));
    assert_eq!((read(2, 4), read(77, 5), read(1, 0)), (Ok(None), Ok(None), Ok(None)));
    for (value, reason) in [
        (Some(&b"a"[..]), "not the value in the state tree"),
        (Some(b""), "not the value in"),
        (None, "missing"),
    ] {
        sample.write(FileKind::Merkle, &set, value);
        for height in [4, 5] {
            let error = read(1, height).unwrap_err();
            assert!(error.starts_with("merkle-01.lmdb: record value at "), "{error}");
            assert!(error.contains(reason), "{error}");
        }
        assert_eq!(read(1, 3), old);
    }
    // What is in no tree is not there, whatever the file has under its key.
    sample.write(FileKind::Merkle, &schema::state_value(5, &address(77)), Some(b"made up"));
    assert_eq!(read(77, 5), Ok(None));
}

#[test]
fn an_address_that_is_not_in_the_tree_is_not_listed() {
    let sample = Sample::new();
    let list = || {
        let ledger = Ledger::open(&options(&sample.directory())).unwrap();
        let prefix = AddressPrefix::ALL;
        let query = StateQuery { prefix, height: 5, start: None, reverse: false, limit: 9 };
        ledger.reader().state_range(&query).map(|values| values.len())
    };
    assert_eq!(list().unwrap(), 5);
    let key = schema::state_presence(&presence::key(&address(77), 5));
    sample.write(FileKind::Merkle, &key, Some(&presence::encode(true)));
    let error = list().unwrap_err().to_string();
    assert!(error.contains("the state tree of height 5 has no value for it"), "{error}");
}
