use ledger_types::BlockId;

use super::sample::{Sample, finalization};
use crate::backup::verify::{Step, VerifyOptions, verify};
use crate::chain::LedgerError;
use crate::store::{ConsensusFile, FileKind, FileLock};
use crate::testing::{NETWORK, options};

#[test]
fn a_clean_ledger_is_counted_and_left_as_it_is() {
    let sample = Sample::new();
    let bytes = |kind| std::fs::read(sample.path(kind)).unwrap();
    let before = FileKind::ALL.map(bytes);
    for registry in [None, Some(options(&sample.directory()).registry)] {
        let executed_height = registry.is_some().then_some(5);
        let summary = sample.verify_with(registry).unwrap();
        assert_eq!(summary.head.height, 5);
        assert_eq!((summary.batches, summary.transactions, summary.rejections), (6, 9, 4));
        assert_eq!(summary.state_values, 5, "addresses 0, 1, 2, 3 and 17");
        assert_eq!((summary.finalizations, summary.finalized_ahead), (Some(5), 0));
        assert_eq!((summary.receipts_height, summary.state_height), (Some(5), Some(5)));
        assert_eq!(summary.executed_height, executed_height);
    }
    assert_eq!(FileKind::ALL.map(bytes), before, "a check writes nothing");
    assert_eq!(std::fs::read_dir(sample.directory()).unwrap().count(), 4, "no lock files are left");
}

#[test]
fn without_a_network_file_the_first_block_tells_the_network() {
    let sample = Sample::new();
    let mut told = Vec::new();
    let summary = verify(&sample.options(), &mut |step, done, all| told.push((step, done, all))).unwrap();
    assert_eq!(summary.finalizations, None);
    let (pages, records): (Vec<_>, Vec<_>) = told.into_iter().partition(|(step, ..)| *step == Step::Pages);
    let bytes: u64 =
        FileKind::ALL.map(|kind| std::fs::metadata(sample.path(kind)).unwrap().len()).into_iter().sum();
    assert_eq!(pages.last(), Some(&(Step::Pages, bytes, bytes)));
    assert!(pages.is_sorted_by_key(|(_, done, _)| *done));
    assert_eq!(records, (1..=6).map(|done| (Step::Records, done, 6)).collect::<Vec<_>>());
}

#[test]
fn another_network_is_refused_by_its_genesis() {
    let sample = Sample::new();
    let mut other = options(&sample.directory()).genesis;
    other.time_ms += 1;
    let options = VerifyOptions { genesis: Some(&other), ..sample.options() };
    let message = verify(&options, &mut |_, _, _| {}).unwrap_err().to_string();
    assert!(message.contains("block-01.lmdb: record block 0"), "{message}");
}

#[test]
fn a_running_node_is_named() {
    let sample = Sample::new();
    let _lock = FileLock::take(&sample.directory().join("node.lock")).unwrap();
    let error = sample.verify().unwrap_err();
    assert!(matches!(error, LedgerError::Lock(_)), "{error}");
    assert!(error.to_string().contains(&std::process::id().to_string()), "{error}");
}

#[test]
fn files_that_a_crash_left_behind_are_no_damage() {
    let (whole, short) = (Sample::new(), Sample::of_heights(3));
    for kinds in [&[FileKind::Merkle][..], &[FileKind::Merkle, FileKind::Receipts]] {
        for kind in kinds {
            std::fs::copy(short.path(*kind), whole.path(*kind)).unwrap();
        }
        let summary = whole.verify_with(Some(options(&whole.directory()).registry)).unwrap();
        assert_eq!((summary.state_height, summary.executed_height), (Some(2), Some(5)));
        assert_eq!(summary.receipts_height, Some(if kinds.len() == 2 { 2 } else { 5 }));
    }
}

#[test]
fn receipts_behind_the_state_leave_its_values_to_the_tree() {
    let (whole, short) = (Sample::new(), Sample::of_heights(3));
    std::fs::copy(short.path(FileKind::Receipts), whole.path(FileKind::Receipts)).unwrap();
    let summary = whole.verify().unwrap();
    assert_eq!((summary.receipts_height, summary.state_height), (Some(2), Some(5)));
}

#[test]
fn an_older_block_file_is_refused() {
    let (whole, short) = (Sample::new(), Sample::of_heights(3));
    std::fs::copy(short.path(FileKind::Block), whole.path(FileKind::Block)).unwrap();
    assert!(matches!(whole.verify().unwrap_err(), LedgerError::Ahead { height: 5, blocks: 2, .. }));
}

#[test]
fn finalizations_may_be_lost_or_ahead_or_of_a_descendant() {
    let sample = Sample::new();
    let head = sample.verify().unwrap().head;
    let file = sample.open(FileKind::Consensus);
    let (consensus, _) = ConsensusFile::new(file, NETWORK).unwrap();
    let lost = (finalization(3, 3, BlockId::ZERO).0, None);
    let changes = [lost, finalization(4, 5, head.id), finalization(6, 7, BlockId([1; 64]))];
    consensus.write(&changes).unwrap();
    drop(consensus);
    let summary = sample.verify().unwrap();
    assert_eq!((summary.finalizations, summary.finalized_ahead), (Some(4), 1));
}
