//! What a replica reacts to.

use bytes::Bytes;
use ledger_types::{BlockHeader, BlockId, ValidatorId};

use crate::journal::PersistId;
use crate::message::VerifiedMessage;

/// The shell's clocks at the moment of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds of a clock that never goes back; drives timers.
    pub monotonic_ms: u64,
    /// Milliseconds since 1970 by this node's clock; only compared with proposals' times.
    pub wall_ms: u64,
}

/// One event. The answer to it is complete: whatever it makes possible is in the effects of the same call.
#[allow(clippy::large_enum_variant, reason = "an input is moved once, never kept")]
#[derive(Clone, Debug)]
pub enum Input {
    /// The pool changed: since when its oldest batch waits that is valid on the committed head and not final;
    /// `None` if there is none. Repeat it whenever a batch arrives that the last proposal did not take.
    Pending {
        /// Monotonic milliseconds.
        since_ms: Option<u64>,
    },
    /// The answer to `BuildProposal`: the block is built and executed here.
    ProposalBuilt {
        /// The view that was asked for.
        view: u64,
        /// The block's header; its view, parent, height and time as asked for.
        header: BlockHeader,
        /// What peers need to assemble the block from their pools; opaque here.
        refs: Bytes,
        /// The encoded block; opaque here.
        body: Bytes,
    },
    /// The other answer to `BuildProposal`: no pending batch is left on that parent. The leader holds until the
    /// next `Pending` with a batch, or until its tip has waited too long to become final.
    NothingToPropose {
        /// The view that was asked for.
        view: u64,
    },
    /// Of the two answers to `CheckProposal`, the first: every entry of the block is here and its entries root is
    /// the header's.
    ProposalAssembled {
        /// The block.
        block: BlockId,
        /// The encoded block; opaque here.
        body: Bytes,
    },
    /// Instead of it: entries are not here, or what was given makes no block with this header. The block may still
    /// be good, with entries from somebody else.
    ProposalMissing {
        /// The block.
        block: BlockId,
        /// The places of the entries that are missing, ascending; empty if the refs, or the body, are those of no block
        /// with this header.
        missing: Vec<u32>,
    },
    /// The second answer to `CheckProposal`, and the answer to `CheckStored`: the block was executed on its parent.
    ProposalChecked {
        /// The block.
        block: BlockId,
        /// Whether every root came out as in the header and the entries are as they must be.
        valid: bool,
    },
    /// A message of a peer, its signatures verified.
    Message {
        /// Who handed it over, as the link's own authentication tells; it may have been signed by others.
        from: ValidatorId,
        /// The message.
        message: VerifiedMessage,
    },
    /// All records up to and including those of this `Persist` survive a crash. Must come in order.
    Persisted(PersistId),
    /// The block file that holds the committed block of this height, and all below, is synced: the bodies here
    /// may go.
    BlockDurable {
        /// The height.
        height: u64,
    },
    /// Time has passed: to be fed when `next_deadline` is reached.
    Tick,
}
