//! What a status calls passed has no effect on the replica that it is of, in whatever state that is.

mod common;

use std::collections::BTreeMap;

use common::{Subject, candidate};
use consensus::Message;
use ledger_types::BlockHeader;
use ledger_types::certificate::{Certified, Statement};

/// A node that has decided so many blocks of a chain in the even views; it leads odd ones only.
fn node(decided: usize) -> (Subject, Vec<BlockHeader>) {
    let mut node = Subject::new(&[4], |committee, place| committee.leader(1) == place);
    let mut chain: Vec<BlockHeader> = Vec::new();
    for view in (1..=8).map(|number| 2 * number) {
        chain.push(node.child(chain.last().unwrap_or(&node.tip.clone()), view));
    }
    for header in chain.iter().take(decided) {
        let skipped = node.certificate(Certified::Nullification { view: header.view - 1 });
        node.hear(skipped);
        node.hear_block(header);
        let certified =
            [Certified::Notarization(candidate(header)), Certified::Finalization(candidate(header))];
        for certified in certified {
            let certificate = node.certificate(certified);
            node.hear(certificate);
        }
    }
    assert_eq!(node.replica.status().decided_height, decided as u64);
    (node, chain)
}

/// Everything about the chain that peers may say, of a certificate's kind by name.
fn sayings(node: &Subject, chain: &[BlockHeader]) -> Vec<(&'static str, u64, Message)> {
    let mut sayings = Vec::new();
    for header in chain {
        let candidate = candidate(header);
        for (name, certified) in [
            ("notarization", Certified::Notarization(candidate)),
            ("finalization", Certified::Finalization(candidate)),
            ("nullification", Certified::Nullification { view: header.view }),
            ("nullification", Certified::Nullification { view: header.view - 1 }),
        ] {
            sayings.push((name, certified.view(), Message::Certificate(node.certificate(certified))));
        }
        sayings.push(("proposal", header.view, node.propose(header)));
    }
    for from in 0..chain.len() {
        sayings.push(("run", chain[from].view, node.run(&chain[from..])));
    }
    sayings
}

#[test]
fn what_has_passed_changes_nothing() {
    let mut passed = BTreeMap::new();
    for decided in 0..6 {
        let (mut node, chain) = node(decided);
        for (name, view, message) in sayings(&node, &chain) {
            let before = node.replica.status();
            if !before.has_passed(&message) {
                continue;
            }
            *passed.entry(name).or_insert(0) += 1;
            node.take_effects();
            let writes = node.store.clone();
            let votes = node.hear(message);
            assert!(votes.is_empty() && node.take_effects().is_empty(), "{name} of view {view}");
            assert!(node.store == writes, "{name} of view {view} is written down");
            assert_eq!(node.replica.status(), before, "{name} of view {view}");
        }
    }
    // 0 to 5 decided: of each block below the highest final one, and of runs one more.
    let expected =
        [("finalization", 10), ("notarization", 10), ("nullification", 25), ("proposal", 10), ("run", 15)];
    assert_eq!(passed, expected.into());
}

#[test]
fn what_may_be_news_has_not_passed() {
    let (mut node, chain) = node(3);
    let status = node.replica.status();
    let newest = candidate(&chain[2]);
    for message in [
        Message::Certificate(node.certificate(Certified::Finalization(newest))),
        Message::Certificate(node.certificate(Certified::Notarization(candidate(&chain[3])))),
        node.propose(&chain[3]),
        node.run(&chain[3..]),
        Message::Vote(node.vote(node.others()[0], Statement::Finalize(candidate(&chain[0])))),
    ] {
        assert!(!status.has_passed(&message), "{message:?}");
    }
    // A final block that is missing here: its proposal is below the floor and above the head.
    let finalization = node.certificate(Certified::Finalization(candidate(&chain[5])));
    node.hear(finalization);
    let status = node.replica.status();
    assert_eq!((status.decided_height, status.final_view), (3, chain[5].view));
    assert!(!status.has_passed(&node.propose(&chain[4])));
}
