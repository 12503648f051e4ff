//! Loads of which more than a third cannot be parted, executed both ways.

use std::sync::Arc;

use ledger_types::proto::families::Setting;
use ledger_types::proto::families::setting::Entry as SettingEntry;
use ledger_types::{Batch, BlockHeader, setting};
use prost::Message as _;
use tempfile::TempDir;

use super::load::{self, Families, Load};
use super::plan::by_definition;
use crate::Ledger;
use crate::execute::ahead::{Ahead, Pause, helpers};
use crate::execute::plan::{Declared, Group};
use crate::execute::{
    Built, Candidate, CheckError, Executed, Executor, ParentView, ProposedEntry, Slot, list_of,
};
use crate::roots;
use crate::testing::{options, slot};

/// Chains, and blocks of each.
const CHAINS: u64 = 8;
const BLOCKS: u64 = 200;

type Plan = fn(&[&Batch]) -> Vec<Group>;

/// The planner, whatever it would cost.
fn planned(batches: &[&Batch]) -> Vec<Group> {
    Declared::of(batches).groups(batches.len())
}

fn executor(threads: usize, plan: Plan) -> Executor {
    let (helpers, pause) = (helpers(threads), Pause::of_at_most(0));
    let ahead = Ahead { helpers, least_transactions: 0, plan, pause };
    Executor { registry: Arc::new(Families), ahead }
}

/// A block to build.
struct Case {
    name: String,
    parent: ParentView,
    slot: Slot,
    candidates: Vec<Candidate>,
    max_transactions: usize,
    /// What executing in turn gives.
    in_turn: Built,
}

impl Case {
    fn build(&self, executor: &Executor) -> Built {
        executor.build(&self.parent, &self.slot, &self.candidates, self.max_transactions).unwrap()
    }

    fn batches(&self) -> Vec<&Batch> {
        self.candidates.iter().map(|candidate| &**candidate.batch).collect()
    }
}

/// Builds the blocks of a chain in turn and shows each, as long as more are wanted. Some are executed on blocks that are not committed.
fn for_each_case(seed: u64, blocks: u64, mut show: impl FnMut(&Case) -> bool) {
    let folder = TempDir::new().unwrap();
    let mut options = options(folder.path());
    options.registry = Arc::new(Families);
    options.genesis.batches = limits(seed);
    let ledger = Ledger::open(&options).unwrap();
    let (mut load, in_turn) = (Load::new(seed), executor(1, planned));
    let mut layers: Vec<Arc<Executed>> = Vec::new();
    for height in 1..=blocks {
        let since_height = ledger.head().height;
        let candidates = load.candidates(since_height);
        let parent = ParentView::new(ledger.reader(), Some(since_height), layers.clone());
        let max_transactions = if load.random.once_in(4) { 1 + load.random.below(8) } else { usize::MAX };
        let in_turn = in_turn.build(&parent, &slot(height), &candidates, max_transactions).unwrap();
        let name = format!("seed {seed}, height {height}");
        let case = Case { name, parent, slot: slot(height), candidates, max_transactions, in_turn };
        if !show(&case) {
            return;
        }
        layers.insert(0, Arc::new(case.in_turn.executed));
        if layers.len() == 3 {
            layers.reverse();
            ledger.commit(&layers).unwrap();
            layers.clear();
        }
    }
}

/// The limits on the blocks of a chain.
fn limits(seed: u64) -> Vec<ledger_types::Verified<Batch>> {
    let (key, value) = match seed % 4 {
        0 => (setting::MAX_BATCHES_PER_BLOCK, "4"),
        1 => (setting::BLOCK_MAX_BYTES, "1200"),
        2 => (setting::BLOCK_MAX_BYTES, "6000"),
        _ => return Vec::new(),
    };
    let entry = SettingEntry { key: key.to_owned(), value: value.to_owned() };
    vec![load::setting(&setting::address(key), &Setting { entries: vec![entry] }.encode_to_vec())]
}

fn is_same(a: &Executed, b: &Executed) -> bool {
    a.id == b.id
        && a.body == b.body
        && a.effects.changes == b.effects.changes
        && a.effects.transactions == b.effects.transactions
        && a.effects.contents == b.effects.contents
        && a.block.encode() == a.body
        && a.block.entries.iter().all(|entry| entry.encode().len() == entry.encoded_len())
        && (&a.receipts, &a.batches, &a.decided) == (&b.receipts, &b.batches, &b.decided)
        && (&a.tree, a.keep_versions) == (&b.tree, b.keep_versions)
}

fn is_same_build(a: &Built, b: &Built) -> bool {
    is_same(&a.executed, &b.executed) && a.deferred == b.deferred
}

/// The entries of a built block, as a leader proposes them.
fn proposal(case: &Case) -> Vec<ProposedEntry> {
    let batch_of = |id| case.candidates.iter().find(|it| it.batch.id == id).unwrap().batch.clone();
    let block = case.in_turn.executed.block();
    let entries = block.entries.iter().map(|entry| match entry {
        ledger_types::Entry::Batch(batch) => ProposedEntry { batch: batch_of(batch.id), rejection: None },
        ledger_types::Entry::Rejection(rejection) => {
            ProposedEntry { batch: batch_of(rejection.batch), rejection: Some(rejection.clone()) }
        }
    });
    entries.collect()
}

/// Proposals that do not hold: with a candidate more, an entry twice, in another order, with another outcome.
fn lies(case: &Case) -> Vec<Vec<ProposedEntry>> {
    let honest = proposal(case);
    let mut lies = vec![honest.clone(), honest.clone(), honest.clone(), honest.clone()];
    let more = case.candidates.last().unwrap().batch.clone();
    lies[0].push(ProposedEntry { batch: more, rejection: None });
    lies[1].extend(honest.first().cloned());
    lies[2].reverse();
    if let Some(last) = lies[3].last_mut() {
        last.rejection = None;
    }
    if let Some(first) = lies[3].first_mut() {
        first.rejection = None;
    }
    lies
}

/// A header that has these entries, so that they are executed before they are found out.
fn header_of(honest: &BlockHeader, entries: &[ProposedEntry]) -> BlockHeader {
    let entries: Vec<_> = entries.iter().map(ProposedEntry::as_proposed).collect();
    BlockHeader { entries_root: roots::of_entries(&entries), ..honest.clone() }
}

fn check(
    executor: &Executor,
    parent: &ParentView,
    header: &BlockHeader,
    entries: &[ProposedEntry],
) -> Result<Executed, CheckError> {
    executor.check(parent, header, entries, &list_of(header, entries)?)
}

#[test]
fn all_at_once_gives_what_one_after_the_other_gives() {
    let (mut batches, mut conflicting, mut parted) = (0, 0, 0u64);
    let mut lies_told = 0;
    let (mut valid, mut rejected, mut deferred, mut left) = (0, 0, 0, 0);
    let (in_turn, at_once) = (executor(1, planned), executor(3, planned));
    for seed in 0..CHAINS {
        for_each_case(seed, BLOCKS, |case| {
            let Case { name, parent, in_turn: expected, .. } = case;
            assert!(is_same_build(&case.build(&at_once), expected), "{name}: build");
            let (block, header) = (expected.executed.block(), expected.executed.header());
            let replayed = at_once.replay(parent, block).unwrap();
            assert!(is_same(&replayed, &expected.executed), "{name}: replay");
            let checked = check(&at_once, parent, header, &proposal(case)).unwrap();
            assert!(is_same(&checked, &expected.executed), "{name}: check");
            let is_fifth = header.height.is_multiple_of(5);
            for lie in is_fifth.then(|| lies(case)).into_iter().flatten() {
                let found_out = check(&at_once, parent, header, &lie);
                let header = header_of(header, &lie);
                let is_other_list = header.entries_root != expected.executed.header().entries_root;
                assert_eq!(
                    matches!(found_out, Err(CheckError::OtherEntries)),
                    is_other_list,
                    "{name}: a list"
                );
                let said = [&in_turn, &at_once].map(|executor| check(executor, parent, &header, &lie));
                let [a, b] = said.map(|said| said.map(|it| it.id).map_err(|error| error.to_string()));
                assert_eq!(a, b, "{name}: a lie");
                lies_told += usize::from(a.is_err());
            }
            let all = case.batches();
            let groups = by_definition(&all).into_iter().map(|group| group.len());
            conflicting += groups.filter(|size| *size > 1).sum::<usize>();
            parted += u64::from(planned(&all).len() > 1);
            batches += all.len();
            valid += block.batches().count();
            rejected += block.rejections().count();
            deferred += expected.deferred.len();
            left += all.len() - block.entries.len() - expected.deferred.len();
            true
        });
    }
    println!(
        "{batches} batches: {conflicting} conflict, {valid} valid, {rejected} rejected, {deferred} deferred, {left} left"
    );
    assert!(conflicting * 10 >= batches * 3, "{conflicting} of {batches} batches conflict");
    assert!(parted * 2 > CHAINS * BLOCKS, "{parted} blocks had more than one group");
    assert!(lies_told > batches / 20, "{lies_told} lies were told");
    let least = batches / 50;
    assert!([valid, rejected, deferred, left].iter().all(|count| *count > least), "every kind of end");
}

/// Outputs may meet outputs: nobody sees them, and the block takes the changes in the order of its batches.
#[test]
fn the_definition_is_enough() {
    let executor = executor(3, by_definition);
    for_each_case(CHAINS, 2 * BLOCKS, |case| {
        let built = case.build(&executor);
        assert!(is_same_build(&built, &case.in_turn), "{}", case.name);
        true
    });
}

/// Whether any of many blocks comes out differently with a planner.
fn is_found_out(plan: Plan) -> bool {
    let executor = executor(3, plan);
    (0..CHAINS).any(|seed| {
        let mut found = false;
        for_each_case(seed, BLOCKS, |case| {
            found = !is_same_build(&case.build(&executor), &case.in_turn);
            !found
        });
        found
    })
}

/// Plans with a part of what is declared.
fn plan_of(batches: &[&Batch], forget: impl Fn(&mut Declared)) -> Vec<Group> {
    let mut declared = Declared::of(batches);
    forget(&mut declared);
    declared.groups(batches.len())
}

#[test]
fn a_planner_that_is_blind_is_found_out() {
    let mutants: [(&str, Plan); 6] = [
        ("inputs", |all| plan_of(all, |it| it.accesses.retain(|access| access.is_output))),
        ("outputs", |all| plan_of(all, |it| it.accesses.retain(|access| !access.is_output))),
        ("dependencies", |all| plan_of(all, |it| it.dependencies.clear())),
        ("ids", |all| plan_of(all, |it| it.ids.clear())),
        ("contents", |all| plan_of(all, |it| it.contents.clear())),
        ("wide prefixes", |all| plan_of(all, |it| it.accesses.retain(|it| it.prefix.as_bytes().len() > 34))),
    ];
    for (what, mutant) in mutants {
        assert!(is_found_out(mutant), "a planner without {what}");
    }
}
