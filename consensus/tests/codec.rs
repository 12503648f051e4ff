//! Messages and records: one encoding each, and no bytes that do harm.

use bytes::Bytes;
use consensus::evidence::{Evidence, SignedProposal};
use consensus::guard::Incarnation;
use consensus::message::{AnswerStanding, Entries, GuardAnswer, GuardRequest, Heartbeat, Run};
use consensus::{Change, Message, Propose, Record, Request, Vote, Wanted};
use ledger_types::certificate::{Candidate, Certificate, CertificateVote, Certified, Statement};
use ledger_types::{BlockHeader, BlockId, ConfigHash, Hash, NetworkId, Signature, ValidatorId};
use proptest::prelude::*;

fn validators() -> impl Strategy<Value = ValidatorId> {
    (0..64u16, 0..64u16).prop_map(|(cluster, node)| ValidatorId { cluster, node })
}

fn candidates() -> impl Strategy<Value = Candidate> {
    (any::<u64>(), any::<u64>(), any::<[u8; 2]>()).prop_map(|(view, height, byte)| {
        let mut block = [byte[0]; 64];
        block[63] = byte[1];
        Candidate { view, height, block: BlockId(block) }
    })
}

fn signatures() -> impl Strategy<Value = Signature> {
    any::<u8>().prop_map(|byte| Signature([byte; 64]))
}

fn statements() -> impl Strategy<Value = Statement> {
    prop_oneof![
        candidates().prop_map(Statement::Notarize),
        candidates().prop_map(Statement::Finalize),
        (any::<u64>(), any::<u64>())
            .prop_map(|(one, other)| Statement::Nullify { from_view: one.min(other), view: one.max(other) }),
    ]
}

fn certificates() -> impl Strategy<Value = Certificate> {
    let certified = prop_oneof![
        candidates().prop_map(Certified::Notarization),
        candidates().prop_map(Certified::Finalization),
        any::<u64>().prop_map(|view| Certified::Nullification { view }),
    ];
    let votes = prop::collection::btree_map(validators(), (any::<u64>(), signatures()), 0..6);
    (any::<u64>(), certified, votes).prop_map(|(epoch, certified, votes)| {
        let view = certified.view();
        let from_view = |from: u64| if certified.statement(from).is_some() { from } else { view };
        let vote = |(from, signature)| CertificateVote { from_view: from_view(from), signature };
        let votes = votes.into_iter().map(|(signer, part)| (signer, vote(part)));
        Certificate::new(epoch, certified, votes).expect("within the limits")
    })
}

fn headers() -> impl Strategy<Value = BlockHeader> {
    (candidates(), validators(), any::<[u8; 4]>(), any::<u64>(), any::<bool>()).prop_map(
        |(candidate, proposer, bytes, time_ms, is_boundary)| BlockHeader {
            network_id: NetworkId([bytes[0]; 32]),
            epoch: 0,
            view: candidate.view,
            height: candidate.height,
            parent: candidate.block,
            proposer,
            time_ms,
            entry_count: 3,
            receipt_count: 2,
            entries_root: Hash([bytes[1]; 32]),
            state_root: Hash([bytes[2]; 32]),
            receipts_root: Hash([bytes[3]; 32]),
            cfg_hash: ConfigHash([7; 32]),
            next_cfg_hash: is_boundary.then_some(ConfigHash([8; 32])),
        },
    )
}

fn proposals() -> impl Strategy<Value = Propose> {
    let refs = prop::collection::vec(any::<u8>(), 0..40);
    let skips = prop::collection::vec(certificates(), 0..=8);
    (headers(), refs, prop::option::of(certificates()), skips, signatures()).prop_map(
        |(header, refs, parent, nullifications, signature)| Propose {
            header,
            refs: refs.into(),
            parent,
            nullifications,
            signature,
        },
    )
}

fn votes() -> impl Strategy<Value = Vote> {
    (validators(), statements(), signatures()).prop_map(|(signer, statement, signature)| Vote {
        signer,
        statement,
        signature,
    })
}

fn requests() -> impl Strategy<Value = Request> {
    let wanted = prop_oneof![
        candidates().prop_map(|it| Wanted::Proposal { block: it.block }),
        (any::<u64>(), any::<u64>())
            .prop_map(|(one, other)| Wanted::Range { from_view: one.min(other), to_view: one.max(other) }),
        (candidates(), prop::collection::btree_set(any::<u32>(), 1..9)).prop_map(|(it, indices)| {
            Wanted::Entries { block: it.block, indices: indices.into_iter().collect() }
        }),
        any::<u64>().prop_map(|from_height| Wanted::Blocks { from_height }),
    ];
    (validators(), wanted, signatures()).prop_map(|(signer, wanted, signature)| Request {
        signer,
        wanted,
        signature,
    })
}

fn payloads() -> impl Strategy<Value = Bytes> {
    prop::collection::vec(any::<u8>(), 0..40).prop_map(Bytes::from)
}

fn entries() -> impl Strategy<Value = Entries> {
    (candidates(), payloads()).prop_map(|(it, entries)| Entries { block: it.block, entries })
}

fn runs() -> impl Strategy<Value = Run> {
    let headers = prop::collection::vec(headers(), 1..5);
    let bodies = prop::collection::vec(payloads(), 1..5);
    (headers, bodies, prop::option::of(certificates())).prop_map(|(headers, mut bodies, certificate)| {
        bodies.truncate(headers.len());
        Run { headers, bodies, certificate }
    })
}

fn heartbeats() -> impl Strategy<Value = Heartbeat> {
    (validators(), any::<[u64; 4]>(), signatures()).prop_map(
        |(signer, [view, final_view, final_height, wall_ms], signature)| Heartbeat {
            signer,
            view,
            final_view,
            final_height,
            wall_ms,
            signature,
        },
    )
}

fn incarnations() -> impl Strategy<Value = Incarnation> {
    (any::<u64>(), any::<[u8; 16]>()).prop_map(|(counter, nonce)| Incarnation { counter, nonce })
}

fn guard_requests() -> impl Strategy<Value = GuardRequest> {
    (validators(), prop::option::of(incarnations()), incarnations(), any::<u64>(), signatures()).prop_map(
        |(signer, previous, current, asked_ms, signature)| GuardRequest {
            signer,
            previous,
            current,
            asked_ms,
            signature,
        },
    )
}

fn guard_answers() -> impl Strategy<Value = GuardAnswer> {
    let standings = vec![AnswerStanding::Asking, AnswerStanding::Guarded, AnswerStanding::Voting];
    let said = (any::<[u8; 32]>(), prop::sample::select(standings), any::<u64>());
    let shown =
        (prop::option::of(certificates()), prop::option::of(guard_requests()), prop::option::of(votes()));
    (validators(), validators(), said, shown, signatures()).prop_map(
        |(signer, asker, (question, standing, mark), (proof, seen_request, seen_vote), signature)| {
            GuardAnswer {
                signer,
                asker,
                question: Hash(question),
                standing,
                mark,
                proof,
                seen_request,
                seen_vote,
                signature,
            }
        },
    )
}

fn signed_proposals() -> impl Strategy<Value = SignedProposal> {
    (candidates(), any::<[u8; 32]>(), signatures()).prop_map(|(it, refs, signature)| SignedProposal {
        block: it.block,
        refs: Hash(refs),
        signature,
    })
}

/// Proof of each kind: two votes of one signer that exclude each other, or two proposals.
fn evidence() -> impl Strategy<Value = Evidence> {
    let of_votes = (validators(), candidates(), any::<u64>(), 0..3u8, [signatures(), signatures()]);
    let of_votes = of_votes.prop_map(|(signer, block, until, kind, signatures)| {
        let other = Candidate { height: block.height ^ 1, ..block };
        let statements = match kind {
            0 => [Statement::Notarize(block), Statement::Notarize(other)],
            1 => [Statement::Finalize(block), Statement::Finalize(other)],
            _ => {
                let nullify = Statement::Nullify { from_view: block.view, view: until.max(block.view) };
                [nullify, Statement::Finalize(block)]
            }
        };
        let [first, second] =
            [0, 1].map(|index| Vote { signer, statement: statements[index], signature: signatures[index] });
        Evidence::votes(first, second).expect("they exclude each other")
    });
    let of_proposals = (validators(), any::<u64>(), signed_proposals(), signed_proposals());
    let of_proposals = of_proposals.prop_filter_map("the same twice", |(proposer, view, first, second)| {
        let differ = (first.block, first.refs) != (second.block, second.refs);
        differ.then_some(Evidence::Proposals { proposer, view, signed: [first, second] })
    });
    prop_oneof![of_votes, of_proposals]
}

fn messages() -> impl Strategy<Value = Message> {
    prop_oneof![
        proposals().prop_map(|propose| Message::Propose(Box::new(propose))),
        votes().prop_map(Message::Vote),
        certificates().prop_map(Message::Certificate),
        requests().prop_map(Message::Request),
        entries().prop_map(Message::Entries),
        runs().prop_map(|run| Message::Run(Box::new(run))),
        heartbeats().prop_map(Message::Heartbeat),
        guard_requests().prop_map(Message::GuardRequest),
        guard_answers().prop_map(|answer| Message::GuardAnswer(Box::new(answer))),
    ]
}

fn records() -> impl Strategy<Value = Record> {
    let body = prop::collection::vec(any::<u8>(), 0..60);
    prop_oneof![
        candidates().prop_map(|it| Record::Proposed { epoch: it.height, view: it.view, block: it.block }),
        (any::<u64>(), votes()).prop_map(|(epoch, vote)| Record::Voted { epoch, vote }),
        (proposals(), body)
            .prop_map(|(propose, body)| Record::Body { propose: Box::new(propose), body: body.into() }),
        (any::<u64>(), any::<u64>()).prop_map(|(epoch, view)| Record::Floor { epoch, view }),
        certificates().prop_map(Record::Certificate),
        incarnations().prop_map(Record::Incarnation),
        (any::<u64>(), prop::option::of(any::<u64>()))
            .prop_map(|(epoch, bound)| Record::Guard { epoch, bound }),
        (any::<u64>(), evidence()).prop_map(|(epoch, evidence)| Record::Evidence { epoch, evidence }),
        (any::<u64>(), certificates())
            .prop_map(|(height, certificate)| Record::FinalizedAt { height, certificate }),
    ]
}

proptest! {
    #[test]
    fn a_message_has_one_encoding(message in messages(), at in any::<prop::sample::Index>(), bit in 0..8u8) {
        let bytes = message.encode();
        prop_assert_eq!(&Message::decode(bytes.clone().into()).unwrap(), &message);
        let mut changed = bytes.clone();
        changed[at.index(bytes.len())] ^= 1 << bit;
        if let Ok(other) = Message::decode(changed.clone().into()) {
            prop_assert_ne!(&other, &message);
            prop_assert_eq!(other.encode(), changed);
        }
        prop_assert!(Message::decode(Bytes::copy_from_slice(&bytes[..at.index(bytes.len())])).is_err());
    }

    #[test]
    fn random_bytes_are_no_second_encoding(mut bytes in prop::collection::vec(any::<u8>(), 2..600), tag in 0..11u8) {
        (bytes[0], bytes[1]) = (1, tag);
        if let Ok(message) = Message::decode(bytes.clone().into()) {
            prop_assert_eq!(message.encode(), bytes);
        }
    }

    #[test]
    fn a_record_reads_back_from_its_own_key_only(
        record in records(),
        other in records(),
        at in any::<prop::sample::Index>(),
        bit in 0..8u8,
    ) {
        let change = Change::Put(record.clone());
        let (key, value) = (change.key(), Bytes::from(change.value().unwrap()));
        prop_assert!(key.len() <= 511 && key[0] != 0);
        prop_assert_eq!(&Record::decode(&key, value.clone()).unwrap(), &record);
        if other.key() != record.key() {
            let misplaced = Record::decode(&other.key().encode(), value.clone());
            prop_assert!(misplaced.as_ref().map_or(true, |it| *it != record));
        }
        let mut changed = value.to_vec();
        changed[at.index(value.len())] ^= 1 << bit;
        if let Ok(other) = Record::decode(&key, changed.clone().into()) {
            prop_assert_eq!(other.value(), changed);
        }
    }

    #[test]
    fn random_records_do_no_harm(mut key in prop::collection::vec(any::<u8>(), 0..80), value in prop::collection::vec(any::<u8>(), 0..400), tag in 0..0x24u8) {
        if let Some(first) = key.first_mut() {
            *first = tag;
        }
        if let Ok(record) = Record::decode(&key, value.clone().into()) {
            prop_assert_eq!((record.key().encode(), record.value()), (key, value));
        }
    }
}
