//! What a replica wants done.

use bytes::Bytes;
use ledger_types::certificate::Certificate;
use ledger_types::{BlockHeader, BlockId, ValidatorId};

use crate::journal::PersistId;
use crate::message::Message;
use crate::record::Change;

/// Who gets a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recipients {
    /// Every validator but this one.
    Others,
    /// One validator, never this one.
    One(ValidatorId),
}

/// One thing to do. Effects are performed in the order given; none waits for another unless its text says so.
#[derive(Clone, Debug)]
pub enum Effect {
    /// This node leads the view: build a block on the parent, execute it, answer with `ProposalBuilt` or
    /// `NothingToPropose`. A new `BuildProposal` makes an unanswered older one void.
    BuildProposal {
        /// The view to write into the header.
        view: u64,
        /// The parent: the committed head, or a block that was checked or built here on top of it.
        parent: BlockId,
        /// The new block's height.
        height: u64,
        /// The new block's time, milliseconds since 1970.
        time_ms: u64,
        /// Whether a block without entries is wanted if nothing is pending. It serves to make the parent final.
        allow_empty: bool,
    },
    /// Assemble a peer's block from the pool, answer `ProposalAssembled` (or `ProposalMissing`); execute it on its
    /// parent, which was checked before, answer `ProposalChecked`.
    CheckProposal {
        /// The block's header.
        header: BlockHeader,
        /// What its proposer says about its entries.
        refs: Bytes,
        /// Entries that a peer sent because the pool lacked them; opaque here, unchecked, empty at first.
        entries: Bytes,
    },
    /// Execute a block whose whole body is here, from before a restart or from a peer; answer `ProposalChecked`, or
    /// `ProposalMissing` if the body is not this header's.
    CheckStored {
        /// The block's header.
        header: BlockHeader,
        /// The encoded block.
        body: Bytes,
    },
    /// Answer a peer's question with an ENTRIES message, if the block's entries are here: executed, or committed.
    SendEntries {
        /// To whom.
        to: ValidatorId,
        /// The block.
        block: BlockId,
        /// The places of the entries, ascending; they may exceed the block.
        indices: Vec<u32>,
    },
    /// Answer a peer's question with a RUN message from the block file: the committed blocks from a height on, up to
    /// one that has a finalization of its own, with bodies as far as they go.
    SendRun {
        /// To whom.
        to: ValidatorId,
        /// The first height; it may exceed the chain.
        from_height: u64,
    },
    /// Write these changes in one transaction and sync it, then answer `Persisted`. Several may be outstanding,
    /// and one sync may serve all of them; they are written and answered in order. If it fails, stop the process:
    /// nothing that depends on it has left yet.
    Persist {
        /// The number to answer with: 1, 2, ... from each start.
        id: PersistId,
        /// What to write, at least one change.
        changes: Vec<Change>,
    },
    /// Send a message. Whatever must be durable before it is durable already.
    Send {
        /// To whom.
        to: Recipients,
        /// The message.
        message: Message,
    },
    /// The block is final, its finalization durable, and it was built or checked here: make it the committed head.
    /// Comes in height order without gaps. After a restart it comes again for blocks above the tip given then.
    Commit {
        /// The block.
        block: BlockId,
        /// Its header.
        header: BlockHeader,
        /// The finalization of the block, or of the nearest descendant that has one; none where only agreement on a
        /// rollback says that it is final.
        certificate: Option<Certificate>,
    },
    /// The block can never become final: forget what was executed for it.
    Abandon {
        /// The block.
        block: BlockId,
    },
    /// A view was entered. `Replica::status` has the rest.
    EnterView {
        /// The view.
        view: u64,
        /// Its leader.
        leader: ValidatorId,
    },
    /// This node must stop and be looked at: what it knows contradicts a certificate. Nothing follows.
    Halt {
        /// What contradicts, for the operator.
        reason: String,
        /// The certificates that prove it.
        certificates: Vec<Certificate>,
    },
}
