//! A node below the block that its network went back to (SPEC 3.15).

mod common;

use std::sync::Arc;

use bytes::Bytes;
use common::{BODY, Subject, candidate};
use consensus::guard::Standing;
use consensus::message::Run;
use consensus::{Committee, Duty, Ed25519Verifier, Effect, Input, Message, Record, RecordKey};
use ledger_types::certificate::{Certified, VoteKind};
use ledger_types::{BlockHeader, Lineage, Rollback, ValidatorId};

/// The network before and after a rollback.
struct Relaunch {
    /// A node of the new network with an empty chain. It leads none of the first views.
    node: Subject,
    /// The blocks before the rollback.
    chain: Vec<BlockHeader>,
    /// The run of the first two, with the finalization of the second under the old id.
    proven: Run,
}

/// A network that went back to the third of five blocks.
fn relaunch() -> Relaunch {
    let mut node = Subject::new(&[7], |committee, place| (1..=4).all(|view| committee.leader(view) != place));
    let chain = node.chain(&node.tip, 1, 5);
    let Message::Run(proven) = node.run(&chain[..2]) else { unreachable!("a run") };
    let rollback = Rollback { height: 3, block: chain[2].id() };
    let lineage = Lineage::from(node.committee.network_id()).then(rollback);
    let topology = node.committee.topology().clone();
    node.committee = Arc::new(Committee::new(lineage, 0, topology, &node.tip.id()));
    node.restart(Standing::Trusted);
    Relaunch { node, chain, proven: *proven }
}

fn agreed(chain: &[BlockHeader]) -> Run {
    Run { headers: chain.to_vec(), bodies: vec![Bytes::from_static(BODY); chain.len()], certificate: None }
}

/// Executes all blocks that are handed out; the heights that are committed, each with whether a certificate proves it.
fn execute(node: &mut Subject) -> Vec<(u64, bool)> {
    let mut committed = Vec::new();
    loop {
        let effects = node.take_effects();
        let mut blocks = Vec::new();
        for effect in effects {
            match effect {
                Effect::CheckStored { header, .. } => blocks.push(header.id()),
                Effect::Commit { header, certificate, .. } => {
                    committed.push((header.height, certificate.is_some()));
                }
                _ => {}
            }
        }
        if blocks.is_empty() {
            return committed;
        }
        for block in blocks {
            node.feed(Input::ProposalChecked { block, valid: true });
        }
    }
}

#[test]
fn it_signs_nothing_and_asks_everybody_until_it_has_the_block() {
    let Relaunch { mut node, chain, proven } = relaunch();
    assert_eq!(node.replica.status().duty, Duty::Follows);
    node.feed(Input::Pending { since_ms: Some(0) });
    assert_eq!(node.wait(10_000), [], "not even the view is given up");
    node.take_effects();
    let mut peers: Vec<ValidatorId> = (0..6).map(|_| node.asked_for_run().0).collect();
    peers.sort_unstable();
    assert_eq!(peers, node.others());

    let (peer, from_height) = node.asked_for_run();
    assert_eq!(from_height, 1);
    node.hear_from(peer, Message::Run(Box::new(proven)));
    assert_eq!(execute(&mut node), [(1, true), (2, true)]);
    assert_eq!(node.replica.status().duty, Duty::Follows);
    let archived = node.stored(&RecordKey::FinalizedAt { height: 2 });
    assert!(matches!(archived, Some(Record::FinalizedAt { .. })), "{archived:?}");

    // A start in between goes on, and forgot nothing: its floor is that of its blocks.
    node.tip = chain[1].clone();
    node.restart(Standing::Trusted);
    assert_eq!(node.replica.status().duty, Duty::Follows);
    let (peer, from_height) = node.asked_for_run();
    assert_eq!(from_height, 3);
    node.hear_from(peer, Message::Run(Box::new(agreed(&chain[2..3]))));
    assert_eq!(execute(&mut node), [(3, false)]);
    let status = node.replica.status();
    assert_eq!((status.duty, status.view, status.final_view), (Duty::Votes, 4, 3));
    assert_eq!(node.stored(&RecordKey::Floor), Some(Record::Floor { epoch: 0, view: 3 }));

    // From here on it votes: on a child of the block, under the new id.
    let network_id = node.committee.network_id();
    let next = BlockHeader { network_id, ..node.child(&chain[2], 4) };
    assert_eq!(node.hear_block(&next), [(VoteKind::Notarize, 4)]);
}

#[test]
fn what_the_old_network_said_is_no_statement_of_the_new_one() {
    let Relaunch { node, chain, proven } = relaunch();
    let verdict = |message: Message| {
        message.verify(&node.committee, &Ed25519Verifier).map(drop).map_err(|it| it.to_string())
    };
    let run = |run: Run| verdict(Message::Run(Box::new(run)));
    assert_eq!(run(proven.clone()), Ok(()));
    assert_eq!(run(agreed(&chain[..3])), Ok(()));
    let certificate = proven.certificate.unwrap();
    assert!(verdict(Message::Certificate(certificate.clone())).is_err(), "it proves blocks and nothing else");
    assert!(run(agreed(&chain[..2])).is_err(), "it is not the block that was agreed on");
    assert!(run(agreed(&chain[..4])).is_err(), "the fourth block was undone");
    // A fork of the old network does not pass the block that was agreed on.
    let fork = node.child(&chain[1], 5);
    let on_fork =
        Run { certificate: Some(certificate), ..agreed(&[chain[0].clone(), chain[1].clone(), fork]) };
    assert!(run(on_fork).is_err());
    // A block up to the origin is never proposed again, under neither id.
    for network_id in [node.committee.lineage().first(), node.committee.network_id()] {
        let again = BlockHeader { network_id, ..chain[2].clone() };
        assert!(verdict(node.propose(&again)).is_err());
    }
    let undone = node.certificate(Certified::Finalization(candidate(&chain[4])));
    let old = Run { certificate: Some(undone), ..agreed(&chain[..5]) };
    assert!(run(old).is_err(), "blocks above the origin carry the new id");
}
