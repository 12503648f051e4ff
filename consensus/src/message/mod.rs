//! What validators tell each other. Layouts: SPEC.md, "Encodings".
//!
//! Bytes become a [`Message`] by [`Message::decode`], and a [`VerifiedMessage`] by [`Message::verify`]: the only
//! kind that a replica takes, so a signer is always the owner of a key that signed (never a claim).

mod codec;
mod verify;

use bytes::Bytes;
use ledger_types::certificate::{Candidate, Certificate, Statement};
use ledger_types::{BlockHeader, BlockId, Hash, Signature, ValidatorId};

pub use codec::MESSAGE_BYTES;
pub use verify::{VerifiedMessage, VerifyError};
pub(crate) use verify::{
    answer_bytes, heartbeat_bytes, propose_bytes, question_bytes, request_bytes, signed_proposal_bytes,
};

use ledger_types::hash::sha512_256;

use crate::evidence::SignedProposal;
use crate::guard::Incarnation;

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A leader's block.
    Propose(Box<Propose>),
    /// A vote.
    Vote(Vote),
    /// Proof of a decision. Who sends it does not matter.
    Certificate(Certificate),
    /// A question.
    Request(Request),
    /// The answer to [`Wanted::Entries`]. Who sends it does not matter: the header tells whether it is right.
    Entries(Entries),
    /// The answer to [`Wanted::Blocks`]. Who sends it does not matter.
    Run(Box<Run>),
    /// A sign of life.
    Heartbeat(Heartbeat),
    /// A starting node asks what its peers know of it.
    GuardRequest(GuardRequest),
    /// The answer to it.
    GuardAnswer(Box<GuardAnswer>),
}

/// A leader's proposal, without the block's entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Propose {
    /// The block's header; its proposer is the signer.
    pub header: BlockHeader,
    /// What peers need to assemble the entries; opaque here, at most [`ledger_types::limits::BLOCK_BYTES`].
    pub refs: Bytes,
    /// The notarization or finalization of the parent; `None` if the parent begins the epoch.
    pub parent: Option<Certificate>,
    /// Nullifications of every view between the parent's and this one.
    pub nullifications: Vec<Certificate>,
    /// The leader's signature over view, block id and the hash of `refs`. The certificates prove themselves.
    pub signature: Signature,
}

impl Propose {
    /// The block in its view.
    pub fn candidate(&self) -> Candidate {
        Candidate { view: self.header.view, height: self.header.height, block: self.header.id() }
    }

    /// What the signature is over, with it.
    pub fn signed(&self) -> SignedProposal {
        let (block, refs) = (self.header.id(), sha512_256(&[&self.refs]));
        SignedProposal { block, refs, signature: self.signature }
    }
}

/// A signed statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vote {
    /// Who voted.
    pub signer: ValidatorId,
    /// What was said.
    pub statement: Statement,
    /// The signature over the statement.
    pub signature: Signature,
}

/// A signed question. Answers are messages of the other kinds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Who asks.
    pub signer: ValidatorId,
    /// For what.
    pub wanted: Wanted,
    /// The signature over the question.
    pub signature: Signature,
}

/// What can be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The PROPOSE of a block that a certificate named.
    Proposal {
        /// The block.
        block: BlockId,
    },
    /// For these views, both included: certificates, or failing those a NULLIFY if the answerer may sign one.
    Range {
        /// The first view.
        from_view: u64,
        /// The last view; not before the first.
        to_view: u64,
    },
    /// Entries of a proposed block.
    Entries {
        /// The block.
        block: BlockId,
        /// Their places in the block, ascending; at least one.
        indices: Vec<u32>,
    },
    /// Final blocks from a height on.
    Blocks {
        /// The first height.
        from_height: u64,
    },
}

/// Entries of a proposed block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entries {
    /// The block.
    pub block: BlockId,
    /// The entries; opaque here, at most [`ledger_types::limits::BLOCK_BYTES`].
    pub entries: Bytes,
}

/// Final blocks, each the parent of the next: the finalization of the last proves them all, or that the last is the block
/// which the network went back to by agreement (SPEC 3.15).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The headers, in height order; 1 to [`RUN_HEADERS`].
    pub headers: Vec<BlockHeader>,
    /// The encoded blocks of the first of them; 1 to [`RUN_BODIES`]. Opaque here.
    pub bodies: Vec<Bytes>,
    /// The finalization of the last header's block; none when the last is the block that the network went back to.
    pub certificate: Option<Certificate>,
}

/// Headers in one [`Run`] at most.
pub const RUN_HEADERS: usize = 1_024;
/// Bodies in one [`Run`] at most; a sender ends earlier when they become large, but never before the first.
pub const RUN_BODIES: usize = 64;

/// What a validator says every second, for the silence rule and for those who watch. It decides nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// Whose.
    pub signer: ValidatorId,
    /// Its current view.
    pub view: u64,
    /// The highest view whose finalization it holds.
    pub final_view: u64,
    /// The height of its newest decided block.
    pub final_height: u64,
    /// Its clock, milliseconds since 1970.
    pub wall_ms: u64,
    /// The signature over all of it.
    pub signature: Signature,
}

/// What a node asks before it votes (SPEC 3.10): whether anybody saw it say what its store does not hold, and how far
/// its peers have signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuardRequest {
    /// Who asks.
    pub signer: ValidatorId,
    /// The incarnation that its store held at the start.
    pub previous: Option<Incarnation>,
    /// The one it runs under.
    pub current: Incarnation,
    /// Its clock when it began to ask, milliseconds since 1970: with the incarnation, what keeps old answers out.
    pub asked_ms: u64,
    /// The signature over all of it.
    pub signature: Signature,
}

/// What a peer knows about a node that asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardAnswer {
    /// Who answers.
    pub signer: ValidatorId,
    /// Who asked.
    pub asker: ValidatorId,
    /// The hash of the question.
    pub question: Hash,
    /// Whether the answerer votes itself.
    pub standing: AnswerStanding,
    /// The highest view that the answerer has signed in, or is forbidden to sign in, or holds a finalization of.
    pub mark: u64,
    /// A certificate of a view from `mark - 2` on; needless up to mark 2.
    pub proof: Option<Certificate>,
    /// The asker's request of its highest incarnation that the answerer saw.
    pub seen_request: Option<GuardRequest>,
    /// The asker's vote of the highest view that the answerer saw.
    pub seen_vote: Option<Vote>,
    /// The signature over asker, question, standing and mark; the rest proves itself.
    pub signature: Signature,
}

/// Whether a node that answers votes itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum AnswerStanding {
    /// It has not heard enough yet after its own start.
    Asking = 1,
    /// It knows, or must assume, that it forgot votes.
    Guarded = 2,
    /// It votes.
    Voting = 3,
}
