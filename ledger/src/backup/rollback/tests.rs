use std::path::Path;

use bytes::Bytes;
use ledger_types::{BlockHeader, BlockId, Lineage, Rollback};
use tempfile::TempDir;

use super::{Rollbacks, Votes, blocks, receipts, state, votes};
use crate::backup::verify::{VerifyOptions, verify};
use crate::chain::LedgerError;
use crate::reader::{Head, read_block};
use crate::store::{Durability, File, FileKind, FileOptions, StoreError, schema};
use crate::testing::{NETWORK, commit, history, options, put, several};
use crate::{GenesisBlock, Ledger};

const MAP_BYTES: usize = 1 << 26;
/// The tags of the test's consensus file: what proves a height, and a vote.
const PROOF: u8 = 0x20;
const VOTE: u8 = 0x02;

type Records = Vec<(Vec<u8>, Vec<u8>)>;

/// The files of a stopped node with so many blocks above genesis, a proof of each and two votes; and the blocks' ids.
fn stopped(height: usize) -> (TempDir, Vec<BlockId>) {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(&options(folder.path())).unwrap();
    let mut ids = vec![ledger.head().id];
    for (height, batches) in (1u64..).zip(&history()[..height]) {
        ids.push(commit(&ledger, batches).id());
        let proof = [&[PROOF][..], &height.to_be_bytes()].concat();
        ledger.consensus().write(&[(proof, Some(height.to_be_bytes().to_vec()))]).unwrap();
    }
    ledger.consensus().write(&[(vec![VOTE, 1], Some(vec![1])), (vec![VOTE, 2], Some(vec![]))]).unwrap();
    (folder, ids)
}

struct TestVotes;

impl Votes for TestVotes {
    fn outlives(&self, key: &[u8], record: Bytes, height: u64) -> bool {
        key[0] == PROOF && u64::from_be_bytes(record[..].try_into().unwrap()) <= height
    }

    fn fresh(&self, last: &BlockHeader) -> Vec<(Vec<u8>, Vec<u8>)> {
        vec![(vec![0x06], last.view.to_be_bytes().to_vec())]
    }
}

fn file(folder: &Path, kind: FileKind) -> File {
    let options = FileOptions { durability: Durability::EveryCommit, map_bytes: MAP_BYTES, must_exist: true };
    File::open(&folder.join(kind.file_name()), options).unwrap()
}

fn records(folder: &Path, kind: FileKind) -> Records {
    let mut records = Vec::new();
    let visit = |key: &[u8], value: &[u8]| {
        records.push((key.to_vec(), value.to_vec()));
        Ok::<_, StoreError>(())
    };
    file(folder, kind).read().unwrap().for_each(&[], visit).unwrap();
    records
}

/// The same but for the network's id, the rollbacks and the votes.
fn chain(folder: &Path) -> Vec<Records> {
    let of = |kind| {
        let records = records(folder, kind).into_iter();
        let is_chain =
            |key: &[u8]| key != schema::META && (kind != FileKind::Block || key[0] != schema::ROLLBACK);
        records.filter(|(key, _)| is_chain(key)).collect()
    };
    [FileKind::Block, FileKind::Merkle, FileKind::Receipts].map(of).to_vec()
}

fn genesis(folder: &Path, lineage: &Lineage) -> GenesisBlock {
    GenesisBlock { lineage: lineage.clone(), ..options(folder).genesis }
}

fn start(folder: &Path, lineage: &Lineage) -> Result<Head, LedgerError> {
    let options = crate::OpenOptions { genesis: genesis(folder, lineage), ..options(folder) };
    Ledger::open(&options).map(|ledger| ledger.head())
}

fn roll_back(folder: &Path, told: &Lineage, to: &Rollback) -> Result<(), LedgerError> {
    Rollbacks::open(folder, MAP_BYTES, told)?.run(to, &TestVotes)
}

fn check_clean(folder: &Path, lineage: &Lineage, height: u64) {
    let genesis = genesis(folder, lineage);
    for genesis in [Some(&genesis), None] {
        let options =
            VerifyOptions { directory: folder.to_owned(), genesis, certificates: None, registry: None };
        assert_eq!(verify(&options, &mut |_, _, _| {}).unwrap().head.height, height);
    }
}

#[test]
fn what_is_left_is_what_a_node_has_that_never_went_further() {
    for height in 0..=5 {
        let ((folder, ids), (shorter, _)) = (stopped(5), stopped(height));
        let to = Rollback { height: height as u64, block: ids[height] };
        let after = Lineage::from(NETWORK).then(to);
        roll_back(folder.path(), &NETWORK.into(), &to).unwrap();
        assert!(chain(folder.path()) == chain(shorter.path()), "back to height {height}");
        check_clean(folder.path(), &after, to.height);
        let of_votes: Vec<u8> =
            records(folder.path(), FileKind::Consensus).iter().map(|(key, _)| key[0]).collect();
        assert_eq!(of_votes, [&[0, 0x06][..], &vec![PROOF; height]].concat(), "votes are gone, proofs stay");
        assert_eq!(start(folder.path(), &after).unwrap().id, ids[height]);
        let refusal = start(folder.path(), &NETWORK.into()).unwrap_err();
        assert!(matches!(refusal, LedgerError::RolledBack { .. }), "{refusal}");
    }
}

/// The index of blocks that stay is written with blocks up to 63 above them, which go.
#[test]
fn what_was_written_late_goes_with_the_blocks_it_was_written_with() {
    let of_height = |height: u32| {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(&options(folder.path())).unwrap();
        let batches = |number| [several(&[(number, b"a"), (number + 1, b"b")]), put(number, b"c")];
        let ids: Vec<BlockId> = (1..=height).map(|number| commit(&ledger, &batches(number)).id()).collect();
        (folder, ids)
    };
    for (from, to) in [(150, 90), (100, 99), (100, 30), (70, 0)] {
        let ((folder, ids), (shorter, _)) = (of_height(from), of_height(to));
        let block = (to as usize).checked_sub(1).map(|index| ids[index]);
        let block = block.unwrap_or_else(|| start(shorter.path(), &NETWORK.into()).unwrap().id);
        let to = Rollback { height: u64::from(to), block };
        roll_back(folder.path(), &NETWORK.into(), &to).unwrap();
        assert!(chain(folder.path()) == chain(shorter.path()), "from {from} back to {}", to.height);
        check_clean(folder.path(), &Lineage::from(NETWORK).then(to), to.height);
    }
}

/// One file after the other, as far as a process came that died.
fn first_steps(folder: &Path, count: usize, to: &Rollback) {
    let after = Lineage::from(NETWORK).then(*to);
    let files = Rollbacks::open(folder, MAP_BYTES, &NETWORK.into()).unwrap();
    let header = read_block(&files.block, to.height).unwrap().header;
    let head = Head { height: to.height, id: to.block, state_root: header.state_root };
    let steps: [&dyn Fn(); 4] = [
        &|| {
            let changes = votes::changes(&files.consensus, &header, &TestVotes).unwrap();
            files.consensus.begin_anew(after.current(), &changes).unwrap();
        },
        &|| state::truncate(&files.merkle, &head, after.current()).unwrap(),
        &|| receipts::truncate(&files.receipts, &files.block, (&head, 5), after.current()).unwrap(),
        &|| blocks::truncate(&files.block, (&head, 5), &after).unwrap(),
    ];
    steps.iter().take(count).for_each(|step| step());
}

#[test]
fn half_of_it_never_starts_and_is_finished_by_the_same_call() {
    for count in 0..4 {
        let ((folder, ids), (shorter, _)) = (stopped(5), stopped(2));
        let to = Rollback { height: 2, block: ids[2] };
        let after = Lineage::from(NETWORK).then(to);
        first_steps(folder.path(), count, &to);
        // The network file tells of it before the first step.
        let refusal = start(folder.path(), &after).unwrap_err();
        assert!(matches!(refusal, LedgerError::NotRolledBack { .. }), "{refusal}");
        assert!(refusal.to_string().contains("dgt rollback --to-height 2"), "{refusal}");
        if count > 0 {
            let refusal = start(folder.path(), &NETWORK.into()).unwrap_err();
            assert!(matches!(refusal, LedgerError::Store(StoreError::OtherNetwork { .. })), "{refusal}");
        }
        roll_back(folder.path(), &after, &to).unwrap();
        assert!(chain(folder.path()) == chain(shorter.path()), "after {count} steps");
        check_clean(folder.path(), &after, 2);
        assert_eq!(start(folder.path(), &after).unwrap().id, ids[2]);
    }
}

#[test]
fn a_second_rollback_follows_the_first() {
    let (folder, ids) = stopped(5);
    let [first, second] = [4, 2].map(|height| Rollback { height: height as u64, block: ids[height] });
    let once = Lineage::from(NETWORK).then(first);
    let twice = once.clone().then(second);
    roll_back(folder.path(), &NETWORK.into(), &first).unwrap();
    roll_back(folder.path(), &once, &second).unwrap();
    check_clean(folder.path(), &twice, 2);
    assert_eq!(start(folder.path(), &twice).unwrap().id, ids[2]);
    for wrong in [NETWORK.into(), once, Lineage::from(NETWORK).then(second)] {
        start(folder.path(), &wrong).unwrap_err();
    }
}

#[test]
fn files_behind_the_blocks_stay_so_and_are_made_again() {
    let (folder, ids) = stopped(5);
    let behind = stopped(3);
    for kind in [FileKind::Merkle, FileKind::Receipts] {
        std::fs::copy(behind.0.path().join(kind.file_name()), folder.path().join(kind.file_name())).unwrap();
    }
    let (shorter, _) = stopped(4);
    let to = Rollback { height: 4, block: ids[4] };
    let after = Lineage::from(NETWORK).then(to);
    roll_back(folder.path(), &NETWORK.into(), &to).unwrap();
    assert_eq!(start(folder.path(), &after).unwrap().id, ids[4]);
    assert!(chain(folder.path()) == chain(shorter.path()));
    check_clean(folder.path(), &after, 4);
}

#[test]
fn what_is_not_agreed_on_is_refused_and_nothing_changes() {
    let (folder, ids) = stopped(3);
    let before = FileKind::ALL.map(|kind| records(folder.path(), kind));
    let refused = |to: Rollback, words: &str| {
        let refusal = roll_back(folder.path(), &NETWORK.into(), &to).unwrap_err().to_string();
        assert!(refusal.contains(words), "{refusal}");
    };
    refused(Rollback { height: 4, block: ids[3] }, "newest block is 3, below height 4");
    refused(Rollback { height: 2, block: ids[3] }, &format!("is {}, not {}", ids[2], ids[3]));
    let other = Rollbacks::open(folder.path(), MAP_BYTES, &ledger_types::NetworkId([8; 32]).into());
    assert!(other.is_err_and(|error| error.to_string().contains("belongs to network")));
    let held = crate::store::FileLock::take(&folder.path().join("node.lock")).unwrap();
    refused(Rollback { height: 2, block: ids[2] }, "is held by process");
    drop(held);
    {
        let merkle = file(folder.path(), FileKind::Merkle);
        let mut writer = merkle.write().unwrap();
        writer.put(&schema::state_root(2), &[0; 32]).unwrap();
        writer.commit().unwrap();
    }
    refused(Rollback { height: 2, block: ids[2] }, "state root of height 2");
    assert!(FileKind::ALL.map(|kind| records(folder.path(), kind))[..1] == before[..1]);
}

#[test]
fn an_emptied_node_takes_the_ids_that_it_is_given() {
    let folder = tempfile::tempdir().unwrap();
    let lineage = Lineage::from(NETWORK).then(Rollback { height: 2, block: BlockId([1; 64]) });
    assert_eq!(start(folder.path(), &lineage).unwrap().height, 0);
    assert_eq!(start(folder.path(), &lineage).unwrap().height, 0);
    check_clean(folder.path(), &lineage, 0);
    assert!(matches!(start(folder.path(), &NETWORK.into()), Err(LedgerError::RolledBack { .. })));
}
