//! The ledger of the simulated world: a batch is a number, an entry is that number and its seal, a block's body is its
//! entries one after the other, and state roots are a chain of hashes over bodies. Pure functions, for honest shells,
//! liars and the oracle alike.

use bytes::Bytes;
use ledger_types::{BlockHeader, BlockId, Hash, ValidatorId};

use super::mixing;

/// Bytes of an entry: the batch's number and its seal.
pub const ENTRY_BYTES: usize = 16;
/// Batches in one block at most; more make it invalid.
pub const BLOCK_BATCHES: usize = 4;

/// The entry of a batch.
pub fn entry(batch: u64) -> [u8; ENTRY_BYTES] {
    let mut entry = [0; ENTRY_BYTES];
    entry[..8].copy_from_slice(&batch.to_be_bytes());
    entry[8..].copy_from_slice(&mixing::mix(batch, 0x5ea1).to_be_bytes());
    entry
}

/// The body of a block with these batches.
pub fn body(batches: &[u64]) -> Bytes {
    batches.iter().flat_map(|batch| entry(*batch)).collect::<Vec<u8>>().into()
}

/// The batches of a body or of the entries in an ENTRIES message; `None` if it is not made of sealed entries.
pub fn batches(body: &[u8]) -> Option<Vec<u64>> {
    let entries = body.chunks(ENTRY_BYTES);
    let batch = |bytes: &[u8]| {
        let number = u64::from_be_bytes(bytes.get(..8)?.try_into().ok()?);
        (bytes == entry(number)).then_some(number)
    };
    entries.map(batch).collect()
}

/// What a proposal says of its batches: their numbers.
pub fn refs(batches: &[u64]) -> Bytes {
    batches.iter().flat_map(|batch| batch.to_be_bytes()).collect::<Vec<u8>>().into()
}

/// Reads them; `None` if the bytes are not numbers, or too many.
pub fn read_refs(refs: &[u8]) -> Option<Vec<u64>> {
    let number = |bytes: &[u8]| Some(u64::from_be_bytes(bytes.try_into().ok()?));
    let batches: Vec<u64> = refs.chunks(8).map(number).collect::<Option<_>>()?;
    (batches.len() <= BLOCK_BATCHES).then_some(batches)
}

/// The root over a block's entries.
pub fn entries_root(body: &[u8]) -> Hash {
    Hash(mixing::digest(1, body))
}

/// The state after a block's entries on top of a parent's state.
pub fn state_root(parent: &Hash, body: &[u8]) -> Hash {
    Hash(mixing::digest(mixing::hash(2, &parent.0), body))
}

/// What a leader is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    /// The view.
    pub view: u64,
    /// The leader.
    pub proposer: ValidatorId,
    /// The parent.
    pub parent: BlockId,
    /// The block's time.
    pub time_ms: u64,
}

/// Builds a block on a parent's header: its header and its body.
pub fn build(order: Order, parent: &BlockHeader, batches: &[u64]) -> (BlockHeader, Bytes) {
    let body = body(batches);
    let header = BlockHeader {
        view: order.view,
        height: parent.height + 1,
        parent: order.parent,
        proposer: order.proposer,
        time_ms: order.time_ms,
        entry_count: u32::try_from(batches.len()).unwrap_or(u32::MAX),
        entries_root: entries_root(&body),
        state_root: state_root(&parent.state_root, &body),
        ..parent.clone()
    };
    (header, body)
}

/// Whether a body is the one that a header names.
pub fn is_body_of(header: &BlockHeader, body: &[u8]) -> bool {
    let count = usize::try_from(header.entry_count).unwrap_or(usize::MAX);
    header.entries_root == entries_root(body)
        && batches(body).is_some_and(|batches| batches.len() == count && count <= BLOCK_BATCHES)
}

/// Whether a header's other roots come out of its body on top of the parent's state.
pub fn is_executed_right(header: &BlockHeader, parent: &BlockHeader, body: &[u8]) -> bool {
    let roots = (header.state_root, header.receipts_root, header.receipt_count);
    roots == (state_root(&parent.state_root, body), Hash::ZERO, 0)
}
