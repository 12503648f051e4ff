//! Proof that a validator lied: two signed statements that no honest node signs both. The signatures are all that it
//! holds, so that every node judges it alike.

use ledger_types::certificate::Statement;
use ledger_types::codec::{CodecError, Reader, Writer};
use ledger_types::{BlockId, Hash, Signature, ValidatorId};

use crate::committee::Committee;
use crate::crypto::Verifier;
use crate::message::{Propose, Vote, signed_proposal_bytes};

/// Two signed statements of one validator that exclude each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// Two votes.
    Votes([Vote; 2]),
    /// Two proposals in one view.
    Proposals {
        /// Who proposed.
        proposer: ValidatorId,
        /// The view.
        view: u64,
        /// What was signed, twice.
        signed: [SignedProposal; 2],
    },
}

/// What a leader's signature is over, with the signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SignedProposal {
    /// The block.
    pub block: BlockId,
    /// The hash of the refs.
    pub refs: Hash,
    /// The signature.
    pub signature: Signature,
}

impl Evidence {
    /// Evidence, if two votes are by one signer and exclude each other.
    pub fn votes(first: Vote, second: Vote) -> Option<Self> {
        let excludes = first.signer == second.signer
            && (are_exclusive(&first.statement, &second.statement)
                || are_exclusive(&second.statement, &first.statement));
        excludes.then_some(Self::Votes([first, second]))
    }

    /// Evidence, if two proposals are of one view and not the same.
    pub fn proposals(first: &Propose, second: &Propose) -> Option<Self> {
        let (proposer, view) = (first.header.proposer, first.header.view);
        let signed = [first.signed(), second.signed()];
        let is_evidence = (second.header.proposer, second.header.view) == (proposer, view) && differ(&signed);
        is_evidence.then_some(Self::Proposals { proposer, view, signed })
    }

    /// Who lied.
    pub fn offender(&self) -> ValidatorId {
        match self {
            Self::Votes([first, _]) => first.signer,
            Self::Proposals { proposer, .. } => *proposer,
        }
    }

    /// The view of the first statement.
    pub fn view(&self) -> u64 {
        match self {
            Self::Votes([first, _]) => first.statement.view(),
            Self::Proposals { view, .. } => *view,
        }
    }

    /// Whether the offender really signed both.
    pub fn is_true(&self, committee: &Committee, verifier: &dyn Verifier) -> bool {
        let Some(key) = committee.vote_key(self.offender()) else { return false };
        match self {
            Self::Votes(votes) => votes.iter().all(|vote| {
                verifier.verify(key, &committee.statement_bytes(&vote.statement), &vote.signature)
            }),
            Self::Proposals { view, signed, .. } => signed.iter().all(|it| {
                let bytes = signed_proposal_bytes(committee, *view, it.block, it.refs);
                verifier.verify(key, &bytes, &it.signature)
            }),
        }
    }

    /// Appends the bytes: kind u8, then two votes, or cluster u16, node u16, view u64 and twice block(64), hash of
    /// refs(32), signature(64).
    pub(crate) fn encode(&self, writer: &mut Writer) {
        match self {
            Self::Votes(votes) => {
                writer.u8(1);
                votes.iter().for_each(|vote| vote.encode(writer));
            }
            Self::Proposals { proposer, view, signed } => {
                writer.u8(2).u16(proposer.cluster).u16(proposer.node).u64(*view);
                for it in signed {
                    writer.raw(&it.block.0).raw(&it.refs.0).raw(&it.signature.0);
                }
            }
        }
    }

    /// Reads what `encode` writes.
    pub(crate) fn decode(reader: &mut Reader) -> Result<Self, CodecError> {
        let evidence = match reader.u8("evidence kind")? {
            1 => Self::votes(Vote::decode(reader)?, Vote::decode(reader)?),
            2 => {
                let proposer = ValidatorId { cluster: reader.u16("cluster")?, node: reader.u16("node")? };
                let view = reader.u64("view")?;
                let signed = [SignedProposal::decode(reader)?, SignedProposal::decode(reader)?];
                differ(&signed).then_some(Self::Proposals { proposer, view, signed })
            }
            _ => None,
        };
        match evidence {
            Some(evidence) => Ok(evidence),
            None => reader.bad("evidence"),
        }
    }
}

impl SignedProposal {
    fn decode(reader: &mut Reader) -> Result<Self, CodecError> {
        Ok(Self {
            block: BlockId(reader.array("block")?),
            refs: Hash(reader.array("refs")?),
            signature: Signature(reader.array("signature")?),
        })
    }
}

fn differ([first, second]: &[SignedProposal; 2]) -> bool {
    (first.block, first.refs) != (second.block, second.refs)
}

fn are_exclusive(first: &Statement, second: &Statement) -> bool {
    match (first, second) {
        // SPEC 3.5 V1, and what follows from V3: at most one block per view.
        (Statement::Notarize(one), Statement::Notarize(other))
        | (Statement::Finalize(one), Statement::Finalize(other)) => one.view == other.view && one != other,
        // SPEC 3.5 V3 and V4.
        (Statement::Finalize(one), Statement::Nullify { from_view, view }) => {
            (*from_view..=*view).contains(&one.view)
        }
        _ => false,
    }
}
