//! What validators send each other and write down, signed over the bytes that consensus/SPEC.md writes down.

use bytes::Bytes;
use consensus::evidence::Evidence;
use consensus::guard::Incarnation;
use consensus::message::{AnswerStanding, Entries, GuardAnswer, GuardRequest, Heartbeat, Run};
use consensus::{Message, Propose, Record, Request, Vote, Wanted};
use ledger_types::certificate::{Candidate, Certificate, CertificateVote, Certified, Statement};
use ledger_types::hash::sha512_256;
use ledger_types::{BlockHeader, BlockId, Signature, ValidatorId};

use super::{EPOCH, VIEW, committee, header, vote_key, written};

/// Who signs what has one signer.
const SIGNER: ValidatorId = ValidatorId { cluster: 0, node: 1 };
/// Who asks what its peers know of it.
const ASKER: ValidatorId = ValidatorId { cluster: 0, node: 2 };

fn sign(signer: ValidatorId, kind: u8, fields: &[&[u8]]) -> Signature {
    let (network_id, cfg_hash) = (committee().network_id(), committee().cfg_hash());
    let head = [&b"FBFT1"[..], &[kind], &network_id.0, &EPOCH.to_be_bytes(), &cfg_hash.0];
    vote_key(signer.node).sign(&[head.concat(), fields.concat()].concat())
}

fn candidate() -> Candidate {
    Candidate { view: VIEW - 1, height: 3, block: BlockId([4; 64]) }
}

fn statements() -> Vec<Statement> {
    let nullify = Statement::Nullify { from_view: 2, view: VIEW - 1 };
    vec![Statement::Notarize(candidate()), Statement::Finalize(candidate()), nullify]
}

/// What a vote of each kind says.
pub(in super::super) fn statement() -> Vec<Vec<u8>> {
    statements().iter().map(|statement| written(|writer| statement.encode(writer))).collect()
}

fn vote(signer: ValidatorId, statement: Statement) -> Vote {
    let signature = vote_key(signer.node).sign(&committee().statement_bytes(&statement));
    Vote { signer, statement, signature }
}

/// A certificate by three of four.
fn certified(statement: Statement) -> Certificate {
    let votes = [0, 1, 3].map(|node| {
        let Vote { signer, signature, .. } = vote(ValidatorId { cluster: 0, node }, statement);
        (signer, CertificateVote { from_view: statement.from_view(), signature })
    });
    Certificate::new(EPOCH, statement.certified(), votes).expect("well-formed")
}

/// Certificates of each kind.
fn certificates() -> Vec<Certificate> {
    statements().into_iter().map(certified).collect()
}

/// Certificates of each kind, and one that nobody signed.
pub(in super::super) fn certificate() -> Vec<Vec<u8>> {
    let unsigned = Certificate::new(1, Certified::Nullification { view: 9 }, []).expect("well-formed");
    certificates().iter().chain([&unsigned]).map(Certificate::to_bytes).collect()
}

fn propose(refs: &'static [u8]) -> Propose {
    let [notarization, _, nullification] =
        <[Certificate; 3]>::try_from(certificates()).expect("one of each kind");
    let header = header(1, None);
    let fields = [&header.view.to_be_bytes()[..], &header.id().0, &sha512_256(&[refs]).0];
    Propose {
        signature: sign(header.proposer, 4, &fields),
        header,
        refs: Bytes::from_static(refs),
        parent: Some(notarization),
        nullifications: vec![nullification.clone(), nullification],
    }
}

/// Each question, with its fields as they are signed.
fn requests() -> Vec<Request> {
    let block = candidate().block;
    let wanted = [
        (Wanted::Proposal { block }, [&[1][..], &block.0].concat()),
        (Wanted::Range { from_view: 1, to_view: VIEW }, written(|writer| _ = writer.u8(2).u64(1).u64(VIEW))),
        (
            Wanted::Entries { block, indices: vec![0, 2, 9] },
            written(|writer| _ = writer.u8(3).raw(&block.0).u32(3).u32(0).u32(2).u32(9)),
        ),
        (Wanted::Blocks { from_height: 3 }, written(|writer| _ = writer.u8(4).u64(3))),
    ];
    let request = |(wanted, fields): (Wanted, Vec<u8>)| Request {
        signer: SIGNER,
        wanted,
        signature: sign(SIGNER, 5, &[&fields]),
    };
    wanted.map(request).into()
}

/// Two blocks, the first with its body, and the finalization of the second.
fn run() -> Run {
    let second = header(1, None);
    let view = second.view - 1;
    let first = BlockHeader { view, height: 3, proposer: committee().leader(view), ..header(0, None) };
    let second = BlockHeader { parent: first.id(), ..second };
    let last = Candidate { view: second.view, height: second.height, block: second.id() };
    let certificate = Some(certified(Statement::Finalize(last)));
    Run { headers: vec![first, second], bodies: vec![Bytes::from_static(b"body")], certificate }
}

fn heartbeat() -> Heartbeat {
    let (view, final_view, final_height, wall_ms) = (VIEW, VIEW - 1, 3, 1_700_000_000_000);
    let fields = [view, final_view, final_height, wall_ms].map(u64::to_be_bytes).concat();
    Heartbeat {
        signer: SIGNER,
        view,
        final_view,
        final_height,
        wall_ms,
        signature: sign(SIGNER, 6, &[&fields]),
    }
}

fn life(counter: u64) -> Incarnation {
    Incarnation { counter, nonce: [9; 16] }
}

/// A question, and the bytes that its signature is over behind the head.
fn guard_request(previous: Option<Incarnation>) -> (GuardRequest, Vec<u8>) {
    let (current, asked_ms) = (life(7), 1_700_000_000_000);
    let fields = written(|writer| {
        writer.u16(ASKER.cluster).u16(ASKER.node).u8(u8::from(previous.is_some()));
        if let Some(previous) = previous {
            writer.raw(&previous.to_bytes());
        }
        writer.raw(&current.to_bytes()).u64(asked_ms);
    });
    let signature = sign(ASKER, 7, &[&fields]);
    (GuardRequest { signer: ASKER, previous, current, asked_ms, signature }, fields)
}

/// An answer that shows all it can, or nothing.
fn guard_answer(standing: AnswerStanding, is_full: bool) -> GuardAnswer {
    let (request, fields) = guard_request(Some(life(6)));
    let (question, mark) = (sha512_256(&[&fields]), if is_full { VIEW } else { 0 });
    let signed = written(|writer| {
        writer.u16(SIGNER.cluster).u16(SIGNER.node).u16(ASKER.cluster).u16(ASKER.node);
        writer.raw(&question.0).u8(standing as u8).u64(mark);
    });
    GuardAnswer {
        signer: SIGNER,
        asker: ASKER,
        question,
        standing,
        mark,
        proof: is_full.then(|| certificates().swap_remove(0)),
        seen_request: is_full.then_some(request),
        seen_vote: is_full.then(|| vote(ASKER, statements()[0])),
        signature: sign(SIGNER, 8, &[&signed]),
    }
}

fn messages() -> Vec<Message> {
    let entries = Entries { block: candidate().block, entries: Bytes::from_static(b"entries") };
    let answers =
        [(AnswerStanding::Asking, false), (AnswerStanding::Guarded, false), (AnswerStanding::Voting, true)];
    let mut messages = vec![
        Message::Propose(Box::new(propose(b"refs"))),
        Message::Entries(entries),
        Message::Run(Box::new(run())),
        Message::Heartbeat(heartbeat()),
        Message::GuardRequest(guard_request(None).0),
        Message::GuardRequest(guard_request(Some(life(6))).0),
    ];
    messages.extend(requests().into_iter().map(Message::Request));
    messages.extend(statements().into_iter().map(|statement| Message::Vote(vote(ASKER, statement))));
    messages.extend(certificates().into_iter().map(Message::Certificate));
    let answer = |(standing, is_full)| Message::GuardAnswer(Box::new(guard_answer(standing, is_full)));
    messages.extend(answers.map(answer));
    messages
}

/// Messages of each kind.
pub(in super::super) fn consensus_message() -> Vec<Vec<u8>> {
    messages().iter().map(Message::encode).collect()
}

/// Proof of each kind.
fn evidence() -> [Evidence; 3] {
    let other = Candidate { block: BlockId([5; 64]), ..candidate() };
    let votes = |first, second| {
        Evidence::votes(vote(SIGNER, first), vote(SIGNER, second)).expect("they exclude each other")
    };
    [
        votes(Statement::Notarize(candidate()), Statement::Notarize(other)),
        votes(Statement::Finalize(candidate()), Statement::Nullify { from_view: 1, view: VIEW }),
        Evidence::proposals(&propose(b"refs"), &propose(b"more")).expect("two of one view"),
    ]
}

fn records() -> Vec<Record> {
    let mut records = vec![
        Record::Proposed { epoch: EPOCH, view: VIEW, block: BlockId([4; 64]) },
        Record::Body { propose: Box::new(propose(b"refs")), body: Bytes::from_static(b"body") },
        Record::Floor { epoch: EPOCH, view: VIEW },
        Record::Incarnation(life(7)),
        Record::Guard { epoch: EPOCH, bound: None },
        Record::Guard { epoch: EPOCH, bound: Some(VIEW) },
        Record::FinalizedAt { height: 3, certificate: certificates().swap_remove(1) },
    ];
    let voted = |statement| Record::Voted { epoch: EPOCH, vote: vote(ASKER, statement) };
    records.extend(statements().into_iter().map(voted));
    records.extend(certificates().into_iter().map(Record::Certificate));
    records.extend(evidence().map(|evidence| Record::Evidence { epoch: EPOCH, evidence }));
    records
}

/// Records of each kind.
pub(in super::super) fn consensus_record() -> Vec<Vec<u8>> {
    let bytes = |record: &Record| {
        let key = record.key().encode();
        let len = u8::try_from(key.len()).expect("keys are short");
        [&[len], &key[..], &record.value()].concat()
    };
    records().iter().map(bytes).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use consensus::Ed25519Verifier;

    use super::*;

    /// Whoever adds a kind of message must add a number here, and then an input.
    fn number(message: &Message) -> u8 {
        match message {
            Message::Propose(_) => 1,
            Message::Vote(_) => 2,
            Message::Certificate(_) => 3,
            Message::Request(_) => 4,
            Message::Entries(_) => 5,
            Message::Run(_) => 6,
            Message::Heartbeat(_) => 7,
            Message::GuardRequest(_) => 8,
            Message::GuardAnswer(_) => 9,
        }
    }

    /// The same for records: the tag of its key, but that votes and certificates have three each.
    fn tag(record: &Record) -> u8 {
        match record {
            Record::Proposed { .. } => 0x01,
            Record::Voted { vote, .. } => 0x01 + vote.statement.kind() as u8,
            Record::Body { .. } => 0x05,
            Record::Floor { .. } => 0x06,
            Record::Incarnation(_) => 0x07,
            Record::Guard { .. } => 0x08,
            Record::Evidence { .. } => 0x09,
            Record::Certificate(certificate) => 0x10 + certificate.certified().kind() as u8,
            Record::FinalizedAt { .. } => 0x20,
        }
    }

    #[test]
    fn there_is_an_input_for_each_kind_of_message_and_it_is_well_signed() {
        for message in messages() {
            assert_eq!(message.encode()[1], number(&message));
            let verdict = message.clone().verify(committee(), &Ed25519Verifier).map(|_| ());
            assert_eq!(verdict, Ok(()), "{message:?}");
        }
        let numbers: BTreeSet<u8> = messages().iter().map(number).collect();
        assert_eq!(numbers, (1..=9).collect());
    }

    #[test]
    fn there_is_an_input_for_each_kind_of_record() {
        let tags: BTreeSet<u8> = records().iter().map(tag).collect();
        assert_eq!(tags, (0x01..=0x09).chain(0x11..=0x13).chain([0x20]).collect());
        assert!(records().iter().all(|record| record.key().encode()[0] == tag(record)));
        assert!(evidence().iter().all(|it| it.is_true(committee(), &Ed25519Verifier)));
    }
}
