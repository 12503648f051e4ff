//! Missing entries and proposals: of whom they are asked, and what a wrong answer does (SPEC 3.5).

mod common;

use std::collections::BTreeSet;

use bytes::Bytes;
use common::{BODY, Subject, candidate};
use consensus::message::Entries;
use consensus::{Effect, Input, Message, Recipients, RecordKey, Wanted};
use ledger_types::certificate::{Certified, Statement, VoteKind};
use ledger_types::{BlockHeader, ValidatorId};

const MISSING: [u32; 2] = [0, 2];

/// A node of seven that leads no early view, and a block of view 1 that lacks entries.
fn waiting() -> (Subject, BlockHeader) {
    let mut node = Subject::new(&[7], |committee, place| (1..=3).all(|view| committee.leader(view) != place));
    let header = node.child_of_genesis(1);
    node.hear(node.propose(&header));
    assert_eq!(checks(&mut node, &header), [Bytes::new()]);
    miss(&mut node, &header);
    (node, header)
}

fn miss(node: &mut Subject, header: &BlockHeader) {
    node.feed(Input::ProposalMissing { block: header.id(), missing: MISSING.into() });
}

/// The entries with which a block is handed out.
fn checks(node: &mut Subject, header: &BlockHeader) -> Vec<Bytes> {
    let entries = |effect| match effect {
        Effect::CheckProposal { header: of, entries, .. } if of == *header => Some(entries),
        _ => None,
    };
    node.take_effects().into_iter().filter_map(entries).collect()
}

/// Who is asked for the entries of a block.
fn asked(node: &mut Subject, header: &BlockHeader) -> Vec<ValidatorId> {
    let wanted = Wanted::Entries { block: header.id(), indices: MISSING.into() };
    let whom = |(to, asked)| match to {
        Recipients::One(peer) if asked == wanted => Some(peer),
        _ => None,
    };
    node.take_questions().into_iter().filter_map(whom).collect()
}

fn entries(header: &BlockHeader, entries: &'static [u8]) -> Message {
    Message::Entries(Entries { block: header.id(), entries: Bytes::from_static(entries) })
}

/// Others that vote for the block.
fn support(node: &mut Subject, header: &BlockHeader, count: usize) -> Vec<ValidatorId> {
    let mut supporters = node.others();
    supporters.retain(|place| *place != header.proposer);
    supporters.truncate(count);
    for supporter in &supporters {
        let vote = node.vote(*supporter, Statement::Notarize(candidate(header)));
        node.hear(vote);
    }
    supporters
}

#[test]
fn the_proposer_is_asked_first_then_those_who_voted_for_the_block() {
    let (mut node, header) = waiting();
    let supporters = support(&mut node, &header, 2);
    let mut order = Vec::new();
    for _ in 0..4 {
        order.extend(asked(&mut node, &header));
        node.wait(100);
    }
    let (one, other) = (supporters[0], supporters[1]);
    assert_eq!(order, [header.proposer, one, other, header.proposer]);
}

#[test]
fn one_is_asked_every_two_delta() {
    let (mut node, header) = waiting();
    support(&mut node, &header, 2);
    assert_eq!(asked(&mut node, &header).len(), 1);
    node.wait(99);
    // Whatever happens in between: votes, and the news again.
    let supporter = node.others()[5];
    let vote = node.vote(supporter, Statement::Notarize(candidate(&header)));
    node.hear(vote);
    miss(&mut node, &header);
    assert_eq!(asked(&mut node, &header), []);
    node.wait(1);
    assert_eq!(asked(&mut node, &header).len(), 1);
}

#[test]
fn entries_make_the_block_whole() {
    let (mut node, header) = waiting();
    assert_eq!(asked(&mut node, &header), [header.proposer]);
    node.hear_from(header.proposer, entries(&header, b"entries"));
    assert_eq!(checks(&mut node, &header), [Bytes::from_static(b"entries")]);
    assert_eq!(node.assemble(&header), [(VoteKind::Notarize, 1)]);
    node.wait(1_000);
    assert_eq!(asked(&mut node, &header), []);
}

#[test]
fn entries_from_one_who_was_not_asked_are_ignored() {
    let (mut node, header) = waiting();
    let asked = asked(&mut node, &header);
    for peer in node.others().into_iter().filter(|peer| !asked.contains(peer)) {
        node.hear_from(peer, entries(&header, b"entries"));
    }
    assert_eq!(checks(&mut node, &header), Vec::<Bytes>::new());
    for _ in 0..3 {
        node.hear_from(asked[0], entries(&header, b"entries"));
    }
    assert_eq!(checks(&mut node, &header).len(), 1, "one answer to one question");
}

#[test]
fn garbage_entries_lead_to_the_next_peer() {
    let (mut node, header) = waiting();
    let supporters = support(&mut node, &header, 1);
    assert_eq!(asked(&mut node, &header), [header.proposer]);
    node.hear_from(header.proposer, entries(&header, b"garbage"));
    assert_eq!(checks(&mut node, &header).len(), 1);
    miss(&mut node, &header);
    node.wait(100);
    assert_eq!(asked(&mut node, &header), supporters);
    node.hear_from(supporters[0], entries(&header, b"entries"));
    assert_eq!(node.assemble(&header), [(VoteKind::Notarize, 1)]);
}

#[test]
fn indices_beyond_the_block_are_no_question() {
    let (mut node, header) = waiting();
    node.take_effects();
    let block = header.id();
    let votes = node.feed(Input::ProposalMissing { block, missing: vec![header.entry_count] });
    assert_eq!(votes, [(VoteKind::Nullify, 1)], "the refs are of no such block");
    assert_eq!(asked(&mut node, &header), []);
}

#[test]
fn bad_refs_are_not_asked_of_the_same_peer_for_ever() {
    let (mut node, header) = waiting();
    let block = header.id();
    node.feed(Input::ProposalMissing { block, missing: Vec::new() });
    node.take_effects();
    node.hear(node.certificate(Certified::Notarization(candidate(&header))));
    let mut peers = Vec::new();
    for _ in 0..40 {
        for (to, wanted) in node.take_questions() {
            let Recipients::One(peer) = to else { continue };
            assert_eq!(wanted, Wanted::Proposal { block });
            peers.push(peer);
            // Whoever it is has the bad refs of the proposer, which signed them.
            node.hear_from(peer, node.propose_with(&header, Bytes::from_static(b"bad"), None));
            node.feed(Input::ProposalMissing { block, missing: Vec::new() });
        }
        node.wait(50);
    }
    let distinct: BTreeSet<ValidatorId> = peers.iter().copied().collect();
    assert_eq!(distinct.into_iter().collect::<Vec<_>>(), node.others(), "all signers in turn");
    // Its proposer could show it bad refs for ever, so from now on only answers are heard.
    node.wait(1_000);
    let questions = node.take_questions();
    let Some((Recipients::One(peer), _)) = questions.last() else { panic!("nobody is asked") };
    let others: Vec<ValidatorId> = node.others().into_iter().filter(|other| other != peer).collect();
    let bad = node.propose_with(&header, Bytes::from_static(b"worse"), None);
    node.hear_from(others[0], bad);
    assert_eq!(node.feed(Input::ProposalMissing { block, missing: Vec::new() }), [], "it was not looked at");
    node.hear_from(*peer, node.propose(&header));
    let votes = node.assemble(&header);
    assert_eq!(votes, [], "it has given view 1 up");
    assert_eq!(node.replica.status().view, 2, "but the block is good, so it goes on");
}

#[test]
fn entries_of_a_final_block_are_asked_of_its_finalizers() {
    let (mut node, header) = waiting();
    let next = node.child(&header, 2);
    node.hear(node.propose(&next));
    for final_block in [&header, &next] {
        node.hear(node.certificate(Certified::Finalization(candidate(final_block))));
    }
    let mut peers = BTreeSet::new();
    for _ in 0..20 {
        for (to, wanted) in node.take_questions() {
            let Recipients::One(peer) = to else { continue };
            if matches!(wanted, Wanted::Entries { .. } | Wanted::Blocks { .. }) {
                peers.insert(peer);
            }
        }
        node.wait(100);
    }
    peers.remove(&header.proposer);
    assert!(!peers.is_empty(), "the proposer may be gone");
}

#[test]
fn refs_that_name_nothing_are_asked_for_again() {
    let (mut node, header) = waiting();
    let block = header.id();
    node.hear(node.certificate(Certified::Notarization(candidate(&header))));
    // The entries that come are those of the block, not what the refs name: they stay missing.
    let mut asked_for_proposal = BTreeSet::new();
    for _ in 0..100 {
        for (to, wanted) in node.take_questions() {
            let Recipients::One(peer) = to else { continue };
            match wanted {
                Wanted::Entries { .. } => {
                    node.hear_from(peer, entries(&header, b"entries"));
                    miss(&mut node, &header);
                }
                Wanted::Proposal { .. } => {
                    asked_for_proposal.insert(peer);
                    node.hear_from(peer, node.propose(&header));
                    miss(&mut node, &header);
                }
                other => unreachable!("{other:?} of {block}"),
            }
        }
        node.wait(100);
    }
    assert!(asked_for_proposal.len() > 1, "another signer may have better refs: {asked_for_proposal:?}");
}

#[test]
fn garbage_that_comes_second_changes_nothing() {
    let (mut node, header) = waiting();
    let supporters = support(&mut node, &header, 1);
    node.wait(100);
    node.hear_from(header.proposer, entries(&header, b"entries"));
    node.hear_from(supporters[0], entries(&header, b"garbage"));
    assert_eq!(checks(&mut node, &header).len(), 2);
    let block = header.id();
    let assembled = Input::ProposalAssembled { block, body: Bytes::from_static(BODY) };
    assert_eq!(node.feed(assembled), [(VoteKind::Notarize, 1)]);
    miss(&mut node, &header);
    node.feed(Input::ProposalChecked { block, valid: true });
    assert_eq!(
        node.hear(node.certificate(Certified::Notarization(candidate(&header)))),
        [(VoteKind::Finalize, 1)]
    );
    assert!(node.stored(&RecordKey::Body { block }).is_some());
}
