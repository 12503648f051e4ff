//! What validators tell each other. Layouts: SPEC.md, "Encodings".
//!
//! Bytes become a [`Message`] by [`Message::decode`], and a [`VerifiedMessage`] by [`Message::verify`]: the only
//! kind that a replica takes, so a signer is always the owner of a key that signed (never a claim).

mod codec;
mod verify;

use bytes::Bytes;
use ledger_types::certificate::{Candidate, Certificate, Statement};
use ledger_types::{BlockHeader, BlockId, Signature, ValidatorId};

pub use codec::MESSAGE_BYTES;
pub use verify::{VerifiedMessage, VerifyError};
pub(crate) use verify::{propose_bytes, request_bytes};

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Who asks.
    pub signer: ValidatorId,
    /// For what.
    pub wanted: Wanted,
    /// The signature over the question.
    pub signature: Signature,
}

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
}
