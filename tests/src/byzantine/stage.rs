//! What every character needs: whom to send to, and signatures over all that a vote key signs.

use bytes::Bytes;
use consensus::message::{GuardAnswer, GuardRequest, Heartbeat};
use consensus::{Message, Propose, Recipients, Request, Vote, Wanted};
use ledger_types::certificate::Statement;
use ledger_types::codec::Writer;
use ledger_types::hash::sha512_256;
use ledger_types::{Hash, Signature, ValidatorId};

use super::Stage;

/// Where the kind byte stands in signed bytes: after `FBFT1`.
const KIND_AT: usize = 5;
/// The kinds of SPEC 3.4 that are not votes.
const PROPOSE_KIND: u8 = 4;
const REQUEST_KIND: u8 = 5;
const HEARTBEAT_KIND: u8 = 6;
const GUARD_REQUEST_KIND: u8 = 7;
const GUARD_ANSWER_KIND: u8 = 8;
/// The bytes of an encoded message before its fields: version and tag.
const FRAME: usize = 2;
/// The bytes of a validator's place.
const PLACE: usize = 4;
/// The signed fields of a guard answer: two places, question, standing, mark.
const ANSWER_FIELDS: usize = 2 * PLACE + 32 + 1 + 8;

impl Stage<'_> {
    /// Whether a validator lies, too.
    pub(super) fn is_liar(&self, id: ValidatorId) -> bool {
        self.liars.contains(&id)
    }

    /// The validators that do not lie, in order.
    pub(super) fn honest(&self) -> Vec<ValidatorId> {
        self.committee.topology().validators().map(|(id, _)| id).filter(|id| !self.is_liar(*id)).collect()
    }

    /// The other liars, in order.
    pub(super) fn accomplices(&self) -> Vec<ValidatorId> {
        self.liars.iter().copied().filter(|id| *id != self.own).collect()
    }

    /// Who would get a message of this validator, were it honest.
    pub(super) fn audience(&self, to: Recipients) -> Vec<ValidatorId> {
        let others = || self.committee.topology().validators().map(|(id, _)| id).filter(|id| *id != self.own);
        match to {
            Recipients::Others => others().collect(),
            Recipients::One(id) => vec![id],
        }
    }

    /// One of these, at random.
    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        let count = u64::try_from(from.len()).ok().filter(|count| *count > 0)?;
        usize::try_from(self.random.below(0..count)).ok().and_then(|index| from.get(index).copied())
    }

    /// Sends bytes to some validators.
    pub(super) fn send_bytes(&mut self, to: &[ValidatorId], bytes: &Bytes) {
        let own = self.own;
        self.outbox.extend(to.iter().filter(|id| **id != own).map(|id| (*id, bytes.clone())));
    }

    /// Sends a message to some validators.
    pub(super) fn send(&mut self, to: &[ValidatorId], message: &Message) {
        self.send_bytes(to, &Bytes::from(message.encode()));
    }

    /// Counts an act.
    pub(super) fn act(&mut self, name: &'static str) {
        self.acts.push(name);
    }

    /// Signs with a liar's key; zeros in the name of an honest validator.
    pub(super) fn sign(&self, signer: ValidatorId, bytes: &[u8]) -> Signature {
        (self.signer)(signer).map_or(Signature::ZERO, |signer| signer.sign(bytes))
    }

    /// A liar's vote.
    pub(super) fn vote(&self, signer: ValidatorId, statement: Statement) -> Vote {
        let signature = self.sign(signer, &self.committee.statement_bytes(&statement));
        Vote { signer, statement, signature }
    }

    /// The same proposal after its header or refs were changed, signed by its proposer.
    pub(super) fn propose(&self, mut propose: Propose) -> Propose {
        let mut bytes = self.signed_bytes(PROPOSE_KIND);
        let mut fields = Writer::new();
        fields.u64(propose.header.view).raw(&propose.header.id().0).raw(&sha512_256(&[&propose.refs]).0);
        bytes.extend(fields.finish());
        propose.signature = self.sign(propose.header.proposer, &bytes);
        propose
    }

    /// A question of this validator.
    pub(super) fn request(&self, wanted: Wanted) -> Message {
        let mut request = Request { signer: self.own, wanted, signature: Signature::ZERO };
        let fields = unsigned(&Message::Request(request.clone()));
        request.signature = self.sign_fields(REQUEST_KIND, self.own, &fields[FRAME + PLACE..]);
        Message::Request(request)
    }

    /// A heartbeat of its signer, signed.
    pub(super) fn heartbeat(&self, mut heartbeat: Heartbeat) -> Message {
        let fields = unsigned(&Message::Heartbeat(heartbeat));
        heartbeat.signature = self.sign_fields(HEARTBEAT_KIND, heartbeat.signer, &fields[FRAME + PLACE..]);
        Message::Heartbeat(heartbeat)
    }

    /// A guard request of its signer, signed.
    pub(super) fn guard_request(&self, mut request: GuardRequest) -> GuardRequest {
        let fields = unsigned(&Message::GuardRequest(request));
        request.signature = self.sign_fields(GUARD_REQUEST_KIND, request.signer, &fields[FRAME..]);
        request
    }

    /// The name of a question: the hash of what its asker signed.
    pub(super) fn question(&self, request: &GuardRequest) -> Hash {
        let mut bytes = self.signed_bytes(GUARD_REQUEST_KIND);
        bytes.extend(&unsigned(&Message::GuardRequest(*request))[FRAME..]);
        sha512_256(&[&bytes])
    }

    /// A guard answer of its signer, signed.
    pub(super) fn guard_answer(&self, mut answer: GuardAnswer) -> Message {
        let fields = Message::GuardAnswer(Box::new(answer.clone())).encode();
        let fields = &fields[FRAME..FRAME + ANSWER_FIELDS];
        answer.signature = self.sign_fields(GUARD_ANSWER_KIND, answer.signer, fields);
        Message::GuardAnswer(Box::new(answer))
    }

    fn sign_fields(&self, kind: u8, signer: ValidatorId, fields: &[u8]) -> Signature {
        let mut bytes = self.signed_bytes(kind);
        bytes.extend(fields);
        self.sign(signer, &bytes)
    }

    /// The beginning of signed bytes. It is cut from those of a vote, so that it is also right for a core that was
    /// broken on purpose and binds signatures to less.
    fn signed_bytes(&self, kind: u8) -> Vec<u8> {
        let statement = Statement::Nullify { from_view: 0, view: 0 };
        let mut fields = Writer::new();
        statement.encode_fields(&mut fields);
        let mut bytes = self.committee.statement_bytes(&statement);
        bytes.truncate(bytes.len().saturating_sub(fields.finish().len()));
        if let Some(byte) = bytes.get_mut(KIND_AT) {
            *byte = kind;
        }
        bytes
    }
}

/// The bytes of a message without the signature that ends it.
fn unsigned(message: &Message) -> Vec<u8> {
    let mut bytes = message.encode();
    bytes.truncate(bytes.len().saturating_sub(Signature::ZERO.0.len()));
    bytes
}
