//! What a replica is never shown: messages whose signatures do not carry what they say.

mod common;

use std::sync::Arc;

use common::{Answer, Subject, World, candidate};
use consensus::guard::Incarnation;
use consensus::message::{AnswerStanding, Entries, GuardAnswer, GuardRequest, Heartbeat, Run};
use consensus::{CertificateError, Committee, Ed25519Verifier, Message, VerifyError, Wanted};
use ledger_types::certificate::{Certificate, Certified, Statement};
use ledger_types::{BlockHeader, BlockId, Hash, NetworkId, ValidatorId};

fn said(shape: &[usize]) -> (Arc<Committee>, Vec<Message>) {
    let mut world = World::new(shape, 11);
    world.submit(1);
    world.run_to_height(1, 10_000);
    world.submit(2);
    world.run_to_height(2, 10_000);
    (world.committee.clone(), world.sent.into_iter().map(|(_, message)| message).collect())
}

fn verdict(message: &Message, committee: &Committee) -> Result<(), VerifyError> {
    message.clone().verify(committee, &Ed25519Verifier).map(|_| ())
}

#[test]
fn what_one_network_or_epoch_says_means_nothing_in_another() {
    let (committee, messages) = said(&[2, 2]);
    let topology = || committee.topology().clone();
    let first_block = BlockId::ZERO;
    let elsewhere = Committee::new(NetworkId([9; 32]), 0, topology(), &first_block);
    let later = Committee::new(committee.network_id(), 1, topology(), &first_block);
    for message in &messages {
        assert_eq!(verdict(message, &committee), Ok(()));
        assert!(verdict(message, &elsewhere).is_err(), "{message:?}");
        assert!(verdict(message, &later).is_err(), "{message:?}");
    }
}

#[test]
fn a_signer_is_who_signed_and_said_exactly_that() {
    let (committee, messages) = said(&[4]);
    let other = |id: ValidatorId| ValidatorId { node: (id.node + 1) % 4, ..id };
    for message in messages {
        match message {
            Message::Vote(vote) => {
                let claimed = Message::Vote(consensus::Vote { signer: other(vote.signer), ..vote });
                assert!(matches!(verdict(&claimed, &committee), Err(VerifyError::BadSignature(_))));
                let stranger = ValidatorId { cluster: 1, node: 0 };
                let unknown = Message::Vote(consensus::Vote { signer: stranger, ..vote });
                assert_eq!(verdict(&unknown, &committee), Err(VerifyError::UnknownSigner(stranger)));
                if let Statement::Notarize(candidate) = vote.statement {
                    let raised = consensus::Vote { statement: Statement::Finalize(candidate), ..vote };
                    assert!(verdict(&Message::Vote(raised), &committee).is_err());
                }
            }
            Message::Propose(propose) => {
                let mut refs = propose.clone();
                refs.refs = vec![1, 2, 3].into();
                assert!(matches!(
                    verdict(&Message::Propose(refs), &committee),
                    Err(VerifyError::BadSignature(_))
                ));
                let mut usurped = propose.clone();
                usurped.header.proposer = other(propose.header.proposer);
                assert!(matches!(
                    verdict(&Message::Propose(usurped), &committee),
                    Err(VerifyError::NotLeader { .. })
                ));
                let mut moved = propose.clone();
                moved.header.parent = BlockId([5; 64]);
                assert!(verdict(&Message::Propose(moved), &committee).is_err());
            }
            _ => {}
        }
    }
}

#[test]
fn a_certificate_needs_its_quorum_in_every_sense_and_every_signature() {
    let (committee, messages) = said(&[4, 4]);
    let held = messages.iter().filter_map(|message| match message {
        Message::Certificate(certificate) => Some(certificate),
        _ => None,
    });
    let mut checked = 0;
    for certificate in held {
        checked += 1;
        let rebuilt = |certified: Certified, keep: usize| {
            let votes = certificate.votes().take(keep);
            Certificate::new(certificate.epoch(), certified, votes).expect("parts of a good one")
        };
        // Sorted by cluster: cutting the end starves the second cluster of its node-quorum.
        let short = rebuilt(certificate.certified(), 5);
        let refused = Err(VerifyError::Certificate(CertificateError::NoQuorum));
        assert_eq!(verdict(&Message::Certificate(short), &committee), refused);
        if let Certified::Notarization(candidate) = certificate.certified() {
            let raised = rebuilt(Certified::Finalization(candidate), 8);
            let verdict = verdict(&Message::Certificate(raised), &committee);
            assert!(matches!(verdict, Err(VerifyError::Certificate(CertificateError::BadSignature(_)))));
        }
    }
    assert!(checked > 0);
}

/// One well signed message of each kind that has a signer, all of one signer, to a node that asks.
fn signed(node: &Subject) -> Vec<Message> {
    let signer = node.others()[0];
    let life = Incarnation { counter: 3, nonce: [4; 16] };
    let seen = Answer {
        mark: 4,
        proof: Some(node.certificate(Certified::Nullification { view: 3 })),
        seen_request: Some(node.guard_request(node.own, None, life)),
        seen_vote: Some(node.vote(node.own, Statement::Nullify { from_view: 1, view: 1 })),
        ..Answer::NEW
    };
    let wanted = [
        Wanted::Proposal { block: BlockId([3; 64]) },
        Wanted::Range { from_view: 2, to_view: 5 },
        Wanted::Entries { block: BlockId([3; 64]), indices: vec![0, 7] },
        Wanted::Blocks { from_height: 9 },
    ];
    let question = node.guard_request(node.own, Some(life), life);
    let mut messages: Vec<Message> = wanted.map(|wanted| node.request(signer, wanted)).into();
    messages.extend([
        node.heartbeat(signer, 7, 5, 3),
        Message::GuardRequest(node.guard_request(signer, None, life)),
        Message::GuardRequest(node.guard_request(signer, Some(life), life)),
        node.guard_answer_to(&question, signer, Answer::NEW),
        node.guard_answer_to(&question, signer, seen),
    ]);
    messages
}

fn subject() -> Subject {
    Subject::new(&[4], |_, _| true)
}

#[test]
fn what_is_signed_is_what_the_spec_writes_down_and_means_nothing_elsewhere() {
    let node = subject();
    let topology = || node.committee.topology().clone();
    let elsewhere = Committee::new(NetworkId([9; 32]), 0, topology(), &BlockId::ZERO);
    let later = Committee::new(node.committee.network_id(), 1, topology(), &BlockId::ZERO);
    for message in signed(&node) {
        assert_eq!(verdict(&message, &node.committee), Ok(()), "{message:?}");
        for committee in [&elsewhere, &later] {
            let verdict = verdict(&message, committee);
            assert!(matches!(verdict, Err(VerifyError::BadSignature(_))), "{message:?}");
        }
    }
}

/// The same message under another name.
fn under(message: Message, signer: ValidatorId) -> Message {
    match message {
        Message::Request(it) => Message::Request(consensus::Request { signer, ..it }),
        Message::Heartbeat(it) => Message::Heartbeat(Heartbeat { signer, ..it }),
        Message::GuardRequest(it) => Message::GuardRequest(GuardRequest { signer, ..it }),
        Message::GuardAnswer(it) => Message::GuardAnswer(Box::new(GuardAnswer { signer, ..*it })),
        other => other,
    }
}

#[test]
fn nobody_speaks_under_another_name() {
    let node = subject();
    let stranger = ValidatorId { cluster: 3, node: 1 };
    for message in signed(&node) {
        let other = node.others()[1];
        let forged = verdict(&under(message.clone(), other), &node.committee);
        assert_eq!(forged, Err(VerifyError::BadSignature(other)), "{message:?}");
        let strange = verdict(&under(message, stranger), &node.committee);
        assert_eq!(strange, Err(VerifyError::UnknownSigner(stranger)));
    }
}

#[test]
fn every_field_of_a_heartbeat_and_of_a_question_is_signed() {
    let node = subject();
    for message in signed(&node) {
        let changed: Vec<Message> = match message {
            Message::Heartbeat(it) => {
                let fields: [fn(&mut Heartbeat); 4] = [
                    |it| it.view += 1,
                    |it| it.final_view += 1,
                    |it| it.final_height += 1,
                    |it| it.wall_ms += 1,
                ];
                let change = |field: fn(&mut Heartbeat)| {
                    let mut changed = it;
                    field(&mut changed);
                    Message::Heartbeat(changed)
                };
                fields.map(change).into()
            }
            Message::GuardRequest(it) => {
                let life = Incarnation { counter: 8, nonce: [8; 16] };
                let other = |it| Message::GuardRequest(it);
                vec![
                    other(GuardRequest { previous: Some(life), ..it }),
                    other(GuardRequest { current: life, ..it }),
                    other(GuardRequest { asked_ms: it.asked_ms + 1, ..it }),
                ]
            }
            Message::GuardAnswer(it) => {
                let other = |it| Message::GuardAnswer(Box::new(it));
                let guarded = AnswerStanding::Guarded;
                vec![
                    other(GuardAnswer { mark: it.mark + 1, ..*it.clone() }),
                    other(GuardAnswer { standing: guarded, ..*it.clone() }),
                    other(GuardAnswer { question: Hash([7; 32]), ..*it }),
                ]
            }
            _ => Vec::new(),
        };
        for message in changed {
            let verdict = verdict(&message, &node.committee);
            assert!(matches!(verdict, Err(VerifyError::BadSignature(_))), "{message:?}");
        }
    }
}

#[test]
fn an_answer_shows_only_what_the_asker_signed() {
    let node = subject();
    let (signer, third) = (node.others()[0], node.others()[1]);
    let life = Incarnation { counter: 3, nonce: [4; 16] };
    let question = node.guard_request(node.own, None, life);
    let said = Statement::Nullify { from_view: 1, view: 1 };
    let of_third = [
        Answer { seen_vote: Some(node.vote(third, said)), ..Answer::NEW },
        Answer { seen_request: Some(node.guard_request(third, None, life)), ..Answer::NEW },
    ];
    for answer in of_third {
        let message = node.guard_answer_to(&question, signer, answer);
        assert!(verdict(&message, &node.committee).is_err());
    }
    // Signed by the asker, named as another's.
    let renamed = consensus::Vote { signer: third, ..node.vote(node.own, said) };
    let message = node.guard_answer_to(&question, signer, Answer { seen_vote: Some(renamed), ..Answer::NEW });
    assert_eq!(verdict(&message, &node.committee), Err(VerifyError::MisplacedAnswer));
    let two = &node.others()[..2];
    let few = node.certificate_by(Certified::Nullification { view: 9 }, 9, two);
    let message = node.guard_answer_to(&question, signer, Answer { proof: Some(few), ..Answer::NEW });
    let refused = Err(VerifyError::Certificate(CertificateError::NoQuorum));
    assert_eq!(verdict(&message, &node.committee), refused);
}

#[test]
fn a_run_is_a_chain_up_to_a_final_block() {
    let node = subject();
    let chain = node.chain(&node.tip, 1, 4);
    let Message::Run(good) = node.run(&chain) else { unreachable!("a run") };
    let said = |run: Run| verdict(&Message::Run(Box::new(run)), &node.committee);
    assert_eq!(said(*good.clone()), Ok(()));

    let with = |headers: &[BlockHeader]| Run { headers: headers.to_vec(), ..*good.clone() };
    let gap = [chain[0].clone(), chain[2].clone(), chain[3].clone()];
    let backwards = [chain[1].clone(), chain[0].clone(), chain[3].clone()];
    let broken: [&[_]; 4] = [&gap, &backwards, &chain[..3], &[]];
    for headers in broken {
        assert_eq!(said(with(headers)), Err(VerifyError::BrokenRun), "{} headers", headers.len());
    }
    for kind in [Certified::Notarization(candidate(&chain[3])), Certified::Nullification { view: 4 }] {
        let run = Run { certificate: Some(node.certificate(kind)), ..*good.clone() };
        assert_eq!(said(run), Err(VerifyError::BrokenRun), "{kind:?}");
    }
    let last = candidate(&chain[3]);
    let few = node.certificate_by(Certified::Finalization(last), 4, &node.others()[..2]);
    let refused = Err(VerifyError::Certificate(CertificateError::NoQuorum));
    assert_eq!(said(Run { certificate: Some(few), ..*good.clone() }), refused);

    // A header of another committee, one that nobody leads, and one whose view does not grow.
    let foreign = BlockHeader { epoch: 1, ..chain[0].clone() };
    assert_eq!(said(with(&[&[foreign], &chain[1..]].concat())), Err(VerifyError::ForeignHeader));
    let proposer = node.committee.leader(2);
    let usurped = BlockHeader { proposer, ..chain[0].clone() };
    let refused = Err(VerifyError::NotLeader { proposer, view: 1 });
    assert_eq!(said(with(&[&[usurped], &chain[1..]].concat())), refused);
    let again = node.child(&chain[0], 1);
    let certificate = Some(node.certificate(Certified::Finalization(candidate(&again))));
    let run = Run { headers: vec![chain[0].clone(), again], certificate, ..*good };
    assert_eq!(said(run), Err(VerifyError::BrokenRun));
}

#[test]
fn entries_need_no_proof() {
    let node = subject();
    let entries = Entries { block: BlockId([1; 64]), entries: vec![1, 2].into() };
    assert_eq!(verdict(&Message::Entries(entries), &node.committee), Ok(()));
}
