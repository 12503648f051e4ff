//! Messages of the others, signed over the bytes that SPEC 3.4 writes down.

use bytes::Bytes;
use consensus::guard::Incarnation;
use consensus::message::{AnswerStanding, GuardAnswer, GuardRequest, Heartbeat};
use consensus::{Message, Propose, Request, Vote, Wanted};
use ledger_types::certificate::{Certificate, CertificateVote, Certified};
use ledger_types::hash::sha512_256;
use ledger_types::{BlockHeader, Hash, PrivateKey, Signature, ValidatorId};

use super::members::key;
use super::subject::Subject;

/// What a peer answers to a guard, but for the names.
#[derive(Clone, Debug)]
pub struct Answer {
    pub standing: AnswerStanding,
    pub mark: u64,
    pub proof: Option<Certificate>,
    pub seen_request: Option<GuardRequest>,
    pub seen_vote: Option<Vote>,
}

impl Answer {
    /// Of a peer that votes, has signed nothing and has seen nothing.
    pub const NEW: Self =
        Self { standing: AnswerStanding::Voting, mark: 0, proof: None, seen_request: None, seen_vote: None };
}

impl Subject {
    /// A member's key.
    pub fn key_of(&self, place: ValidatorId) -> PrivateKey {
        key(self.members.iter().position(|member| *member == place).expect("a member"))
    }

    fn sign(&self, signer: ValidatorId, kind: u8, fields: &[&[u8]]) -> Signature {
        self.key_of(signer).sign(&self.signed_bytes(kind, fields))
    }

    fn signed_bytes(&self, kind: u8, fields: &[&[u8]]) -> Vec<u8> {
        let committee = &self.committee;
        let epoch = committee.epoch().to_be_bytes();
        let head = [&b"FBFT1"[..], &[kind], &committee.network_id().0, &epoch, &committee.cfg_hash().0];
        [head.concat(), fields.concat()].concat()
    }

    /// A certificate by these, from a view on.
    pub fn certificate_by(&self, certified: Certified, from_view: u64, by: &[ValidatorId]) -> Certificate {
        let statement = certified.statement(from_view).expect("a sound range");
        let part = |place: &ValidatorId| {
            let signature = self.vote(*place, statement).signature;
            (*place, CertificateVote { from_view, signature })
        };
        Certificate::new(0, certified, by.iter().map(part)).expect("members only")
    }

    /// A PROPOSE with nothing beside the header.
    pub fn propose(&self, header: &BlockHeader) -> Message {
        self.propose_with(header, Bytes::from_static(b"refs"), None)
    }

    /// A PROPOSE with these refs and the parent's certificate.
    pub fn propose_with(&self, header: &BlockHeader, refs: Bytes, parent: Option<Certificate>) -> Message {
        let fields = [&header.view.to_be_bytes()[..], &header.id().0, &sha512_256(&[&refs]).0];
        let signature = self.sign(header.proposer, 4, &fields);
        let header = header.clone();
        let nullifications = Vec::new();
        Message::Propose(Box::new(Propose { header, refs, parent, nullifications, signature }))
    }

    /// A question.
    pub fn request(&self, signer: ValidatorId, wanted: Wanted) -> Message {
        let fields = match &wanted {
            Wanted::Proposal { block } => [&[1][..], &block.0].concat(),
            Wanted::Range { from_view, to_view } => {
                [&[2][..], &from_view.to_be_bytes(), &to_view.to_be_bytes()].concat()
            }
            Wanted::Entries { block, indices } => {
                let count = u32::try_from(indices.len()).expect("few").to_be_bytes();
                let indices: Vec<u8> = indices.iter().flat_map(|index| index.to_be_bytes()).collect();
                [&[3][..], &block.0, &count, &indices].concat()
            }
            Wanted::Blocks { from_height } => [&[4][..], &from_height.to_be_bytes()].concat(),
        };
        let signature = self.sign(signer, 5, &[&fields]);
        Message::Request(Request { signer, wanted, signature })
    }

    /// A heartbeat of now.
    pub fn heartbeat(&self, signer: ValidatorId, view: u64, final_view: u64, final_height: u64) -> Message {
        let wall_ms = self.now.wall_ms;
        let fields = [view, final_view, final_height, wall_ms].map(u64::to_be_bytes);
        let signature = self.sign(signer, 6, &[&fields.concat()]);
        Message::Heartbeat(Heartbeat { signer, view, final_view, final_height, wall_ms, signature })
    }

    /// A guard's question of a life, asked at a time.
    pub fn guard_request(
        &self,
        signer: ValidatorId,
        previous: Option<Incarnation>,
        current: Incarnation,
    ) -> GuardRequest {
        let asked_ms = self.now.wall_ms;
        let unsigned = GuardRequest { signer, previous, current, asked_ms, signature: Signature::ZERO };
        let fields = guard_request_fields(&unsigned);
        GuardRequest { signature: self.sign(signer, 7, &[&fields]), ..unsigned }
    }

    /// The hash that names a question.
    pub fn hash_of(&self, question: &GuardRequest) -> Hash {
        sha512_256(&[&self.signed_bytes(7, &[&guard_request_fields(question)])])
    }

    /// What a peer answers to the subject's last question.
    pub fn guard_answer(&self, signer: ValidatorId, answer: Answer) -> Message {
        let question = self.question.expect("the subject has asked");
        self.guard_answer_to(&question, signer, answer)
    }

    /// What a peer answers to any question of the subject.
    pub fn guard_answer_to(&self, question: &GuardRequest, signer: ValidatorId, answer: Answer) -> Message {
        let Answer { standing, mark, proof, seen_request, seen_vote } = answer;
        let (asker, question) = (question.signer, self.hash_of(question));
        let fields = [&place(signer)[..], &place(asker), &question.0, &[standing as u8], &mark.to_be_bytes()];
        let signature = self.sign(signer, 8, &fields);
        Message::GuardAnswer(Box::new(GuardAnswer {
            signer,
            asker,
            question,
            standing,
            mark,
            proof,
            seen_request,
            seen_vote,
            signature,
        }))
    }
}

fn place(id: ValidatorId) -> [u8; 4] {
    let ([a, b], [c, d]) = (id.cluster.to_be_bytes(), id.node.to_be_bytes());
    [a, b, c, d]
}

fn incarnation(it: Incarnation) -> Vec<u8> {
    [&it.counter.to_be_bytes()[..], &it.nonce].concat()
}

fn guard_request_fields(request: &GuardRequest) -> Vec<u8> {
    let previous = match request.previous {
        Some(previous) => [&[1][..], &incarnation(previous)].concat(),
        None => vec![0],
    };
    let asked = request.asked_ms.to_be_bytes();
    [&place(request.signer)[..], &previous, &incarnation(request.current), &asked].concat()
}
