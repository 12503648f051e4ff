//! What a replica is never shown: messages whose signatures do not carry what they say.

mod common;

use std::sync::Arc;

use common::World;
use consensus::{CertificateError, Committee, Ed25519Verifier, Message, VerifyError};
use ledger_types::certificate::{Certificate, Certified, Statement};
use ledger_types::{BlockId, NetworkId, ValidatorId};

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
            Message::Certificate(_) | Message::Request(_) => {}
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
