//! Reads of committed data, for everybody. Every answer is pinned by a height, so a view never changes under its
//! reader: what is above that height is as if it were not there.

use bytes::Bytes;
use ledger_types::receipt::Receipt;
use ledger_types::{Address, AddressPrefix, Batch, BatchId, Block, BlockId, Hash, Rejection, Transaction, TransactionId};
use thiserror::Error;

/// The newest committed block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its height.
    pub height: u64,
    /// Its id.
    pub id: BlockId,
    /// The root of the state after it.
    pub state_root: Hash,
}

/// Where a committed batch stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchPlace {
    /// The block's height.
    pub height: u64,
    /// The entry's index in the block.
    pub entry: u32,
}

/// Where a committed transaction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransactionPlace {
    /// The batch's place.
    pub batch: BatchPlace,
    /// The transaction's index in the batch.
    pub index: u32,
}

/// A range of state at a height.
#[derive(Clone, Debug)]
pub struct StateQuery {
    /// Only addresses that begin so.
    pub prefix: AddressPrefix,
    /// State after the block of this height.
    pub height: u64,
    /// The first address, inclusive, in the direction of reading.
    pub start: Option<Address>,
    /// From the highest address down.
    pub reverse: bool,
    /// At most so many.
    pub limit: usize,
}

/// A fault of this node's storage: never the client's doing.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct ReadError(pub String);

/// Reads committed data; cheap to clone.
#[derive(Clone)]
pub struct Reader {}

#[allow(unused_variables, clippy::todo, clippy::needless_pass_by_value, missing_docs)]
impl Reader {
    /// The newest committed block. Blocks, receipts and state up to its height are readable.
    pub fn head(&self) -> Head { todo!() }
    /// The id of the block at a height; `None` above the head.
    pub fn block_id(&self, height: u64) -> Result<Option<BlockId>, ReadError> { todo!() }
    /// The height of a committed block.
    pub fn height_of(&self, id: &BlockId) -> Result<Option<u64>, ReadError> { todo!() }
    /// The block at a height; `None` above the head.
    pub fn block(&self, height: u64) -> Result<Option<Block>, ReadError> { todo!() }
    /// Where a committed batch stands.
    pub fn batch_place(&self, id: &BatchId) -> Result<Option<BatchPlace>, ReadError> { todo!() }
    /// Where a committed transaction stands.
    pub fn transaction_place(&self, id: &TransactionId) -> Result<Option<TransactionPlace>, ReadError> { todo!() }
    /// A committed batch.
    pub fn batch(&self, id: &BatchId) -> Result<Option<Batch>, ReadError> { todo!() }
    /// A committed transaction.
    pub fn transaction(&self, id: &TransactionId) -> Result<Option<Transaction>, ReadError> { todo!() }
    /// The receipt of a committed transaction.
    pub fn receipt(&self, id: &TransactionId) -> Result<Option<Receipt>, ReadError> { todo!() }
    /// The newest rejection of a batch.
    pub fn rejection(&self, id: &BatchId) -> Result<Option<Rejection>, ReadError> { todo!() }
    /// The value at an address after the block of a height.
    pub fn state(&self, address: &Address, height: u64) -> Result<Option<Bytes>, ReadError> { todo!() }
    /// A range of state in address order (or the reverse).
    pub fn state_range(&self, query: &StateQuery) -> Result<Vec<(Address, Bytes)>, ReadError> { todo!() }
}
