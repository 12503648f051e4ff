//! Catching up: final blocks in runs, whoever sends them (SPEC 3.11).

mod common;

use bytes::Bytes;
use common::{BODY, Subject, World, candidate};
use consensus::guard::Standing;
use consensus::message::Run;
use consensus::{Effect, Input, Message, Recipients, Wanted};
use ledger_types::certificate::Certified;
use ledger_types::hash::sha256;
use ledger_types::{BlockHeader, BlockId, ValidatorId};

#[test]
fn a_node_that_was_away_for_200_blocks_catches_up() {
    for seed in 0..2 {
        let mut world = World::new(&[4], seed);
        world.is_durable_at_once = true;
        world.kill(3);
        (0..404).for_each(|batch| world.submit(batch));
        world.run_to_height(200, 2_000_000);
        world.start(3);
        world.run_to_height(202, 2_000_000);
        let runs = world.sent.iter().filter(|(_, message)| matches!(message, Message::Run(_))).count();
        assert!(runs > 0, "nothing but runs brings old blocks");
        world.assert_safe();
    }
}

/// A node that leads no early view.
fn node() -> Subject {
    Subject::new(&[4], |committee, place| (1..=3).all(|view| committee.leader(view) != place))
}

/// The blocks that are handed out with their bodies.
fn handed_out(effects: &[Effect]) -> Vec<(BlockId, Bytes)> {
    let stored = |effect: &Effect| match effect {
        Effect::CheckStored { header, body } => Some((header.id(), body.clone())),
        _ => None,
    };
    effects.iter().filter_map(stored).collect()
}

/// The heights that are committed.
fn committed(effects: &[Effect]) -> Vec<u64> {
    let height = |effect: &Effect| match effect {
        Effect::Commit { header, .. } => Some(header.height),
        _ => None,
    };
    effects.iter().filter_map(height).collect()
}

/// Answers that every block handed out is good, until none is; the heights committed.
fn execute_all(node: &mut Subject) -> Vec<u64> {
    let mut heights = Vec::new();
    loop {
        let effects: Vec<Effect> = node.effects.clone();
        node.effects.retain(|effect| matches!(effect, Effect::Send { .. }));
        heights.extend(committed(&effects));
        let blocks = handed_out(&effects);
        if blocks.is_empty() {
            return heights;
        }
        for (block, body) in blocks {
            let answer = match body == BODY {
                true => Input::ProposalChecked { block, valid: true },
                false => Input::ProposalMissing { block, missing: Vec::new() },
            };
            node.feed(answer);
        }
    }
}

/// A node that knows of the finalization of the last of five blocks, and these.
fn behind() -> (Subject, Vec<BlockHeader>) {
    let mut node = node();
    let chain = node.chain(&node.tip, 1, 5);
    node.hear(node.certificate(Certified::Finalization(candidate(&chain[4]))));
    (node, chain)
}

/// A run whose bodies come from the test.
fn with_bodies(run: Message, bodies: Vec<Bytes>) -> Message {
    match run {
        Message::Run(run) => Message::Run(Box::new(Run { bodies, ..*run })),
        other => unreachable!("{other:?}"),
    }
}

#[test]
fn a_run_is_asked_for_and_committed_in_order() {
    let (mut node, chain) = behind();
    let (peer, from_height) = node.asked_for_run();
    assert_eq!(from_height, 1);
    node.hear_from(peer, node.run(&chain));
    assert_eq!(execute_all(&mut node), [1, 2, 3, 4, 5]);
    node.wait(5_000);
    assert_eq!(node.take_questions(), [], "nothing is missing now");
}

#[test]
fn a_silent_source_is_followed_by_the_others() {
    let (mut node, _) = behind();
    let mut peers: Vec<ValidatorId> = (0..3).map(|_| node.asked_for_run().0).collect();
    peers.sort_unstable();
    assert_eq!(peers, node.others());
}

#[test]
fn a_wrong_body_is_dropped_and_the_next_source_is_asked_at_once() {
    let (mut node, chain) = behind();
    let (liar, _) = node.asked_for_run();
    let bodies = vec![Bytes::from_static(BODY), Bytes::from_static(b"lie"), Bytes::from_static(BODY)];
    node.hear_from(liar, with_bodies(node.run(&chain), bodies));
    assert_eq!(execute_all(&mut node), [1], "what was good is kept");
    let questions = node.take_questions();
    let [(Recipients::One(next), Wanted::Blocks { from_height: 2 })] = questions[..] else {
        unreachable!("one question at once: {questions:?}")
    };
    assert_ne!(next, liar);
    node.hear_from(next, node.run(&chain[1..]));
    assert_eq!(execute_all(&mut node), [2, 3, 4, 5]);
}

#[test]
fn a_run_with_few_bodies_is_a_beginning() {
    let (mut node, chain) = behind();
    let (peer, _) = node.asked_for_run();
    node.hear_from(peer, with_bodies(node.run(&chain), vec![Bytes::from_static(BODY); 2]));
    assert_eq!(execute_all(&mut node), [1, 2]);
    assert_eq!(node.asked_for_run().1, 3);
}

#[test]
fn a_run_to_an_earlier_finalization_is_a_beginning() {
    let (mut node, chain) = behind();
    let (peer, _) = node.asked_for_run();
    node.hear_from(peer, node.run(&chain[..2]));
    assert_eq!(execute_all(&mut node), [1, 2]);
    let (peer, from_height) = node.asked_for_run();
    assert_eq!(from_height, 3);
    node.hear_from(peer, node.run(&chain[2..]));
    assert_eq!(execute_all(&mut node), [3, 4, 5]);
}

#[test]
fn a_run_from_another_height_is_ignored() {
    let (mut node, chain) = behind();
    let (liar, _) = node.asked_for_run();
    node.hear_from(liar, node.run(&chain[1..]));
    assert_eq!(execute_all(&mut node), []);
    let (next, from_height) = node.asked_for_run();
    assert_eq!((next == liar, from_height), (false, 1));
}

#[test]
fn a_run_that_was_not_asked_for_is_ignored() {
    let (mut node, chain) = behind();
    let (peer, _) = node.asked_for_run();
    for other in node.others().into_iter().filter(|other| *other != peer) {
        node.hear_from(other, node.run(&chain));
    }
    assert_eq!(execute_all(&mut node), []);
    node.hear_from(peer, node.run(&chain));
    assert_eq!(execute_all(&mut node), [1, 2, 3, 4, 5]);
    node.hear_from(peer, node.run(&chain));
    assert_eq!(execute_all(&mut node), []);
}

#[test]
fn nothing_is_committed_without_a_finalization() {
    let mut node = node();
    let chain = node.chain(&node.tip, 1, 3);
    for header in &chain {
        node.hear_block(header);
        node.hear(node.certificate(Certified::Notarization(candidate(header))));
    }
    assert_eq!(committed(&node.take_effects()), []);
    node.hear(node.certificate(Certified::Finalization(candidate(&chain[1]))));
    assert_eq!(committed(&node.take_effects()), [1, 2], "not what is above");
}

#[test]
fn a_run_beside_the_committed_chain_halts() {
    let mut node = node();
    let header = node.child_of_genesis(1);
    node.hear_block(&header);
    node.hear(node.certificate(Certified::Finalization(candidate(&header))));
    assert_eq!(committed(&node.take_effects()), [1]);
    let beside = BlockHeader { entries_root: sha256(&[b"other"]), ..header };
    let fork = node.chain(&beside, 2, 2);
    node.hear(node.certificate(Certified::Finalization(candidate(&fork[1]))));
    let (peer, from_height) = node.asked_for_run();
    assert_eq!(from_height, 2);
    node.hear_from(peer, node.run(&fork));
    let effects = node.take_effects();
    let [Effect::Halt { certificates, .. }] = &effects[..] else { unreachable!("it halts: {effects:?}") };
    let proves = |header| certificates.iter().any(|it| it.certified().candidate() == Some(candidate(header)));
    assert!(proves(&fork[1]), "the proof is shown");
}

#[test]
fn a_finalization_below_the_head_halts() {
    let mut node = node();
    let chain = node.chain(&node.tip, 1, 3);
    for header in &chain {
        node.hear_block(header);
        node.hear(node.certificate(Certified::Notarization(candidate(header))));
    }
    node.hear(node.certificate(Certified::Finalization(candidate(&chain[2]))));
    assert_eq!(committed(&node.take_effects()), [1, 2, 3]);
    let beside = node.child(&chain[0], 7);
    node.hear(node.certificate(Certified::Finalization(candidate(&beside))));
    assert!(
        matches!(&node.take_effects()[..], [Effect::Halt { certificates, .. }] if !certificates.is_empty())
    );
}

#[test]
fn a_run_brings_the_body_of_a_block_whose_entries_are_missing() {
    let (mut node, chain) = behind();
    node.hear(node.propose(&chain[0]));
    // Its parent is executed; but the finalization is of a later view, and the way there is not known.
    let (peer, _) = node.asked_for_run();
    node.hear_from(peer, node.run(&chain));
    assert_eq!(execute_all(&mut node), [1, 2, 3, 4, 5]);

    let mut node = self::node();
    let chain = node.chain(&node.tip, 1, 5);
    node.hear(node.propose(&chain[0]));
    node.feed(Input::ProposalMissing { block: chain[0].id(), missing: vec![0, 2] });
    node.hear(node.certificate(Certified::Finalization(candidate(&chain[4]))));
    let (peer, _) = node.asked_for_run();
    node.hear_from(peer, node.run(&chain));
    assert_eq!(execute_all(&mut node), [1, 2, 3, 4, 5]);
}

#[test]
fn what_a_lagging_node_keeps_does_not_grow_with_its_lag() {
    let mut node = node();
    let chain = node.chain(&node.tip, 1, 500);
    // The first proposal is lost; the others come, each with its finalization.
    for header in &chain[1..] {
        node.hear(node.propose(header));
        node.hear(node.certificate(Certified::Finalization(candidate(header))));
        assert!(node.replica.status().undecided <= 66, "{:?}", node.replica.status());
    }
    assert_eq!(node.replica.status().final_height, 500);
    // Before it asks, or when: runs bring all of it.
    while node.replica.status().decided_height < 500 {
        let (peer, from) = node.asked_for_run();
        node.hear_from(peer, node.run(&chain[usize::try_from(from).unwrap() - 1..]));
        execute_all(&mut node);
    }
    assert_eq!(node.replica.status().undecided, 0);
}

/// A process that was killed waits for what its own files decide before it links to anybody who has the rest.
#[test]
fn what_the_own_files_decide_does_not_wait_for_higher_blocks() {
    let mut node = node();
    let chain = node.chain(&node.tip, 1, 2);
    node.hear_block(&chain[0]);
    node.hear(node.certificate(Certified::Finalization(candidate(&chain[0]))));
    node.hear(node.certificate(Certified::Finalization(candidate(&chain[1]))));
    node.restart(Standing::Current);
    assert_eq!(execute_all(&mut node), [1]);
}

#[test]
fn a_lying_run_does_not_replace_a_recorded_body() {
    let mut node = node();
    let chain = node.chain(&node.tip, 1, 4);
    for header in &chain[..2] {
        node.hear_block(header);
        node.hear(node.certificate(Certified::Notarization(candidate(header))));
    }
    node.restart(Standing::Trusted);
    node.hear(node.certificate(Certified::Finalization(candidate(&chain[3]))));
    // The first block is being executed; the second waits for it, with its recorded body.
    assert_eq!(handed_out(&node.effects).len(), 1);
    let checks = node.effects.clone();
    let (liar, _) = node.asked_for_run();
    node.effects = checks;
    node.effects.retain(|effect| matches!(effect, Effect::CheckStored { .. }));
    node.hear_from(liar, with_bodies(node.run(&chain), vec![Bytes::from_static(b"lie"); 2]));
    assert_eq!(execute_all(&mut node), [1, 2]);
    let (peer, from_height) = node.asked_for_run();
    assert_eq!(from_height, 3);
    node.hear_from(peer, node.run(&chain[2..]));
    assert_eq!(execute_all(&mut node), [3, 4]);
}
