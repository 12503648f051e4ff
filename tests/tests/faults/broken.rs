//! A disk that reports failures. After a sync that failed nobody knows what it holds, so the process ends; what a restart
//! finds is sound, since nothing was said that depended on it.

use tests::faults::{Action, Operation, Rule};
use tests::lmdb::{BLOCK, CONSENSUS, FILES, MERKLE, RECEIPTS};
use tests::node::Start;

use crate::{Rig, batch};

#[test]
fn a_failed_write_or_sync_ends_the_process_which_names_the_file() {
    let mut rig = Rig::new();
    let cases = [
        // One failure is enough: a second try may succeed and mean nothing.
        Rule::new(CONSENSUS, Operation::Sync, Action::Broken).once(),
        Rule::new(CONSENSUS, Operation::Through, Action::Broken).once(),
        Rule::new(CONSENSUS, Operation::Sync, Action::Broken).after(1),
        Rule::new(CONSENSUS, Operation::Sync, Action::Broken).after(2),
        Rule::new(CONSENSUS, Operation::Write, Action::Broken),
        Rule::new(CONSENSUS, Operation::Write, Action::Short).once(),
        Rule::new(BLOCK, Operation::Sync, Action::Broken).once(),
        Rule::new(BLOCK, Operation::Through, Action::Broken),
        Rule::new(RECEIPTS, Operation::Sync, Action::Broken).once(),
        Rule::new(MERKLE, Operation::Sync, Action::Broken).once(),
        // The second sync of these two is that of the quiet time.
        Rule::new(MERKLE, Operation::Sync, Action::Broken).after(1).once(),
    ];
    for (number, rule) in cases.into_iter().enumerate() {
        let node = rig.start();
        rig.commit(&node, &format!("before {number}"));
        let undecided = rig.break_under_batch(&node, &[rule], &format!("amid {number}"));
        let words = node.await_end().failed(1);
        let named = words.contains(rule.file()) && words.contains("Input/output error");
        assert!(named, "{rule}: {words}");
        rig.check_recovered(&undecided, &format!("after {number}"));
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named_at_the_start() {
    let mut rig = Rig::new();
    let node = rig.start();
    rig.commit(&node, "before");
    node.stop();
    for file in FILES {
        for operation in [Operation::Open, Operation::Read, Operation::Map] {
            rig.faults.set(&[Rule::new(file, operation, Action::Broken)]);
            let refusal = Start::under(&rig.home, &rig.faults.wrapper()).refusal();
            assert!(
                refusal.contains(file) && refusal.contains("Input/output error"),
                "{operation:?}: {refusal}"
            );
        }
    }
    rig.check_recovered(&batch("amid"), "after");
}

/// A page of a map that the disk cannot read ends a process by SIGBUS: nothing of it is ever served as truth.
#[test]
fn a_page_that_cannot_be_read_ends_the_process_and_harms_nothing() {
    let mut rig = Rig::new();
    let node = rig.start();
    rig.commit(&node, "before");
    node.stop();
    // The first two pages say where the others are.
    for file in FILES {
        rig.faults.set(&[Rule::new(file, Operation::Map, Action::Unreadable).after(2)]);
        let ended = Start::under(&rig.home, &rig.faults.wrapper()).spawn().serving();
        let ended = ended.err().unwrap_or_else(|| panic!("{file}: the node serves"));
        assert_eq!(ended.code, None, "{file}: {ended:?}");
    }
    rig.check_recovered(&batch("amid"), "after");
}
