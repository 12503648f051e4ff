//! Reads of committed data, for everybody. What is above the head is as if it were not there, and state is read at a
//! height, so an answer pinned to a height never changes.

mod state;

use std::sync::Arc;

use bytes::Bytes;
use ledger_types::block::BlockError;
use ledger_types::codec;
use ledger_types::receipt::Receipt;
use ledger_types::{
    Address, AddressPrefix, Batch, BatchId, Block, BlockHeader, BlockId, Entry, Hash, Rejection, Transaction,
    TransactionId,
};
use parking_lot::RwLock;

use crate::recent::{Known, Place, Recent};
use crate::roots;
use crate::state::Top;
use crate::store::{File, FileLock, StoreError, View, schema};

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

impl BatchPlace {
    /// The batches that took effect in a block, in order, with their places.
    pub(crate) fn all(block: &Block) -> impl Iterator<Item = (Self, &Batch)> {
        let height = block.header.height;
        (0u32..).zip(&block.entries).filter_map(move |(entry, content)| match content {
            Entry::Batch(batch) => Some((Self { height, entry }, &**batch)),
            Entry::Rejection(_) => None,
        })
    }
}

impl TransactionPlace {
    /// The transactions that took effect in a block, in order, with their places.
    pub(crate) fn all(block: &Block) -> impl Iterator<Item = (Self, &Transaction)> {
        BatchPlace::all(block).flat_map(|(batch, content)| {
            (0u32..).zip(&content.transactions).map(move |(index, it)| (Self { batch, index }, it))
        })
    }
}

/// That an entry or a receipt is under a root in a block's header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inclusion {
    /// The transaction that was asked for.
    pub place: TransactionPlace,
    /// What is hashed into the leaf, by [`roots::leaf`]: the encoded entry or receipt.
    pub content: Bytes,
    /// The leaf's index among all of the block.
    pub index: usize,
    /// The number of leaves, as the header has it.
    pub count: usize,
    /// The hashes beside the leaf's way to the root, lowest level first.
    pub path: Vec<Hash>,
}

/// How large a file of the ledger is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileUse {
    /// Its name, without folders.
    pub name: String,
    /// Its size, bytes.
    pub bytes: u64,
    /// The size that it may grow to, bytes.
    pub map_bytes: u64,
}

impl FileUse {
    /// The use of an open file; 0 bytes when the file system does not tell.
    pub fn of(file: &File) -> Self {
        let bytes = std::fs::metadata(file.path()).map_or(0, |metadata| metadata.len());
        Self { name: file.name().to_owned(), bytes, map_bytes: file.map_bytes() as u64 }
    }
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
pub type ReadError = StoreError;

/// The three files that are equal on all nodes, and how far they are readable.
pub(crate) struct Committed {
    pub(crate) block: File,
    pub(crate) receipts: File,
    pub(crate) merkle: File,
    pub(crate) head: RwLock<Option<Head>>,
    /// Where what the newest blocks brought stands, as far as the block file does not tell yet.
    pub(crate) recent: Recent,
    /// The top of the state tree at the head.
    pub(crate) top: Top,
    // Last, so that the data directory is given up only after the files are closed.
    pub(crate) _lock: FileLock,
}

/// Reads committed data; cheap to clone.
#[derive(Clone)]
pub struct Reader(pub(crate) Arc<Committed>);

impl Reader {
    /// The newest committed block. Blocks, receipts and state up to its height are readable.
    pub fn head(&self) -> Head {
        self.try_head().expect("invariant: a ledger is handed out only with its genesis block")
    }

    pub(crate) fn try_head(&self) -> Option<Head> {
        *self.0.head.read()
    }

    pub(crate) fn committed(&self) -> &Committed {
        &self.0
    }

    fn is_committed(&self, height: u64) -> bool {
        self.try_head().is_some_and(|head| height <= head.height)
    }

    /// The id of the block at a height; `None` above the head.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn block_id(&self, height: u64) -> Result<Option<BlockId>, ReadError> {
        self.look_at_block(&self.0.block.read()?, height, |id, _| Ok(id))
    }

    /// The height of a committed block.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn height_of(&self, id: &BlockId) -> Result<Option<u64>, ReadError> {
        let view = self.0.block.read()?;
        let Some(value) = view.get(&schema::height_by_block(id))? else { return Ok(None) };
        let height = value.try_into().map(u64::from_be_bytes);
        let height = height.map_err(|_| self.damaged(id.to_string(), "not a height"))?;
        Ok(Some(height).filter(|height| self.is_committed(*height)))
    }

    /// The header of the block at a height; `None` above the head.
    ///
    /// # Errors
    /// When the file cannot be read or the record is damaged.
    pub fn header(&self, height: u64) -> Result<Option<BlockHeader>, ReadError> {
        self.header_in(&self.0.block.read()?, height)
    }

    /// As [`Reader::header`], in a view of the block file that is open.
    pub(crate) fn header_in(&self, view: &View<'_>, height: u64) -> Result<Option<BlockHeader>, ReadError> {
        self.look_at_block(view, height, |_, body| {
            let header = header_of(body).map(Bytes::copy_from_slice).map(BlockHeader::decode);
            let damaged = |reason: &dyn std::fmt::Display| self.damaged(format!("block {height}"), reason);
            let header = header.ok_or_else(|| damaged(&"shorter than its header"))?;
            header.map_err(|error| damaged(&error))
        })
    }

    /// The block at a height; `None` above the head.
    ///
    /// # Errors
    /// When the file cannot be read or the record is damaged.
    pub fn block(&self, height: u64) -> Result<Option<Block>, ReadError> {
        let Some((_, body)) = self.block_record(height)? else { return Ok(None) };
        Block::decode(body).map(Some).map_err(|error| self.damaged(format!("block {height}"), error))
    }

    /// The block at a height as it is stored; `None` above the head.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn block_record(&self, height: u64) -> Result<Option<(BlockId, Bytes)>, ReadError> {
        if !self.is_committed(height) {
            return Ok(None);
        }
        self.stored_block(height)
    }

    /// Reads a part of the block at a height without copying the whole; `None` above the head.
    fn look_at_block<T>(
        &self,
        view: &View<'_>,
        height: u64,
        read: impl FnOnce(BlockId, &[u8]) -> Result<T, ReadError>,
    ) -> Result<Option<T>, ReadError> {
        if !self.is_committed(height) {
            return Ok(None);
        }
        let Some(record) = view.get(&schema::block_by_height(height))? else { return Ok(None) };
        let Some((id, body)) = record.split_first_chunk::<64>() else {
            return Err(self.damaged(format!("block {height}"), "shorter than an id"));
        };
        read(BlockId(*id), body).map(Some)
    }

    /// As [`Reader::block_record`], also above the published head: recovery reads what is there.
    pub(crate) fn stored_block(&self, height: u64) -> Result<Option<(BlockId, Bytes)>, ReadError> {
        let Some(record) = self.0.block.read()?.get_copy(&schema::block_by_height(height))? else {
            return Ok(None);
        };
        let Some((id, _)) = record.split_first_chunk::<64>() else {
            return Err(self.damaged(format!("block {height}"), "shorter than an id"));
        };
        Ok(Some((BlockId(*id), record.slice(64..))))
    }

    /// Where a committed batch stands.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn batch_place(&self, id: &BatchId) -> Result<Option<BatchPlace>, ReadError> {
        let known = self.0.recent.read().batch(id);
        self.committed_place(known, &schema::batch_place(id), id)
    }

    /// Where a committed transaction stands.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn transaction_place(&self, id: &TransactionId) -> Result<Option<TransactionPlace>, ReadError> {
        let known = self.0.recent.read().transaction(id);
        self.committed_place(known, &schema::transaction_place(id), id)
    }

    /// A place that was looked for among the recent ones, and is looked for in the file when it may be there.
    fn committed_place<P: Place>(
        &self,
        known: Known<P>,
        key: &[u8],
        id: &impl ToString,
    ) -> Result<Option<P>, ReadError> {
        let place = match known {
            Known::At(place) => Some(place),
            Known::Nowhere => None,
            Known::Unknown => stored_place(&self.0.block.read()?, key, id)?,
        };
        Ok(place.filter(|place| self.is_committed(place.height())))
    }

    /// A committed batch.
    ///
    /// # Errors
    /// When the file cannot be read or the record is damaged.
    pub fn batch(&self, id: &BatchId) -> Result<Option<Batch>, ReadError> {
        self.batch_place(id)?.map(|place| self.batch_at(place)).transpose()
    }

    /// A committed transaction.
    ///
    /// # Errors
    /// When the file cannot be read or the record is damaged.
    pub fn transaction(&self, id: &TransactionId) -> Result<Option<Transaction>, ReadError> {
        let Some(place) = self.transaction_place(id)? else { return Ok(None) };
        let mut batch = self.batch_at(place.batch)?;
        let index = place.index as usize;
        if index >= batch.transactions.len() {
            return Err(self.damaged(id.to_string(), "its place is beyond its batch"));
        }
        Ok(Some(batch.transactions.swap_remove(index)))
    }

    fn batch_at(&self, place: BatchPlace) -> Result<Batch, ReadError> {
        let damaged = |reason: &str| self.damaged(format!("block {}", place.height), reason);
        let (_, body) = self.stored_block(place.height)?.ok_or_else(|| damaged("missing"))?;
        match entry_of(body, place.entry) {
            Ok(Entry::Batch(batch)) => Ok(Arc::unwrap_or_clone(batch)),
            Ok(Entry::Rejection(_)) => Err(damaged("an indexed entry is a rejection")),
            Err(error) => Err(damaged(&error.to_string())),
        }
    }

    /// The receipt of a committed transaction.
    ///
    /// # Errors
    /// When the file cannot be read or the record is damaged.
    pub fn receipt(&self, id: &TransactionId) -> Result<Option<Receipt>, ReadError> {
        let Some(place) = self.transaction_place(id)? else { return Ok(None) };
        let damaged = |reason: &dyn std::fmt::Display| {
            StoreError::damaged(self.0.receipts.name(), format!("receipt of transaction {id}"), reason)
        };
        let receipt = self.encoded_receipt(place)?.ok_or_else(|| damaged(&"missing"))?;
        let receipt = Receipt::decode(receipt).map_err(|error| damaged(&error))?;
        match receipt.transaction == *id {
            true => Ok(Some(receipt)),
            false => Err(damaged(&"it is another transaction's")),
        }
    }

    fn encoded_receipt(&self, place: TransactionPlace) -> Result<Option<Bytes>, ReadError> {
        self.0.receipts.read()?.get_copy(&schema::receipt(place))
    }

    /// The newest rejection of a batch.
    ///
    /// # Errors
    /// When the file cannot be read or the record is damaged.
    pub fn rejection(&self, id: &BatchId) -> Result<Option<Rejection>, ReadError> {
        let Some((_, value)) = self.newest_rejection(id)? else { return Ok(None) };
        let mut reader = codec::Reader::new(value);
        let rejection = Rejection::decode(&mut reader).and_then(|found| reader.finish().map(|()| found));
        rejection
            .map(Some)
            .map_err(|error| StoreError::damaged(self.0.receipts.name(), id.to_string(), error))
    }

    /// The height of the newest rejection of a batch.
    pub fn rejection_height(&self, id: &BatchId) -> Result<Option<u64>, ReadError> {
        Ok(self.newest_rejection(id)?.map(|(height, _)| height))
    }

    /// The height of the newest rejection of a batch, and the rejection encoded; `None` above the head.
    fn newest_rejection(&self, id: &BatchId) -> Result<Option<(u64, Bytes)>, ReadError> {
        let view = self.0.receipts.read()?;
        let Some(value) = view.get_copy(&schema::rejection(id))? else { return Ok(None) };
        let Some((height, _)) = value.split_first_chunk::<8>() else {
            let record = format!("rejection of batch {id}");
            return Err(StoreError::damaged(self.0.receipts.name(), record, "shorter than a height"));
        };
        let height = u64::from_be_bytes(*height);
        Ok(self.is_committed(height).then(|| (height, value.slice(8..))))
    }

    /// The proof that the batch of a committed transaction is an entry of its block.
    ///
    /// # Errors
    /// When the file cannot be read or the record is damaged.
    pub fn transaction_proof(&self, id: &TransactionId) -> Result<Option<Inclusion>, ReadError> {
        let Some(place) = self.transaction_place(id)? else { return Ok(None) };
        let (height, index) = (place.batch.height, place.batch.entry as usize);
        let damaged = |reason: &str| self.damaged(format!("block {height}"), reason);
        let (_, body) = self.stored_block(height)?.ok_or_else(|| damaged("missing"))?;
        let entries = encoded_entries(body).map_err(|error| damaged(&error.to_string()))?;
        let inclusion = Inclusion::of(place, roots::ENTRIES, &entries, index);
        inclusion.map(Some).ok_or_else(|| damaged("an index points beyond its entries"))
    }

    /// The proof that the receipt of a committed transaction is among those of its block.
    ///
    /// # Errors
    /// When a file cannot be read or a record is damaged.
    pub fn receipt_proof(&self, id: &TransactionId) -> Result<Option<Inclusion>, ReadError> {
        let Some(place) = self.transaction_place(id)? else { return Ok(None) };
        let height = place.batch.height;
        let damaged = |reason: &str| self.damaged(format!("block {height}"), reason);
        let block = self.block(height)?.ok_or_else(|| damaged("missing"))?;
        let (mut receipts, mut index) = (Vec::new(), None);
        for (of, _) in TransactionPlace::all(&block) {
            if of == place {
                index = Some(receipts.len());
            }
            receipts.push(self.encoded_receipt(of)?.ok_or_else(|| damaged("a receipt is missing"))?);
        }
        let inclusion = index.and_then(|index| Inclusion::of(place, roots::RECEIPTS, &receipts, index));
        inclusion.map(Some).ok_or_else(|| damaged("an indexed transaction is not in it"))
    }

    /// How large the files of committed data are.
    pub fn files(&self) -> [FileUse; 3] {
        [&self.0.block, &self.0.receipts, &self.0.merkle].map(FileUse::of)
    }

    fn damaged(&self, record: String, reason: impl std::fmt::Display) -> StoreError {
        StoreError::damaged(self.0.block.name(), record, reason)
    }
}

impl Inclusion {
    fn of(place: TransactionPlace, domain: &[u8], contents: &[Bytes], index: usize) -> Option<Self> {
        let leaves: Vec<Hash> = contents.iter().map(|content| roots::leaf(domain, content)).collect();
        let path = roots::path(&leaves, index)?;
        Some(Self { place, content: contents.get(index)?.clone(), index, count: leaves.len(), path })
    }
}

/// The place that a view of the block file has under a key.
pub(crate) fn stored_place<P: Place>(
    view: &View<'_>,
    key: &[u8],
    id: &impl ToString,
) -> Result<Option<P>, StoreError> {
    let Some(stored) = view.get(key)? else { return Ok(None) };
    let damaged = || StoreError::damaged(view.file_name(), id.to_string(), "not a place");
    P::of_stored(stored).ok_or_else(damaged).map(Some)
}

/// The block of a height in a block file, whose header gives its id.
pub(crate) fn read_block(file: &File, height: u64) -> Result<Block, StoreError> {
    let damaged = |reason: String| StoreError::damaged(file.name(), format!("block {height}"), reason);
    let record = file.read()?.get_copy(&schema::block_by_height(height))?;
    let record = record.ok_or_else(|| damaged("missing".to_owned()))?;
    let Some((id, _)) = record.split_first_chunk::<64>() else {
        return Err(damaged("shorter than an id".to_owned()));
    };
    let block = Block::decode(record.slice(64..)).map_err(|error| damaged(error.to_string()))?;
    match block.id().0 == *id && block.header.height == height {
        true => Ok(block),
        false => Err(damaged("its header does not give its id and height".to_owned())),
    }
}

/// The entries of an encoded block, encoded.
fn encoded_entries(body: Bytes) -> Result<Vec<Bytes>, BlockError> {
    let mut reader = codec::Reader::new(body);
    let header = BlockHeader::decode(reader.bytes("header")?)?;
    Ok((0..header.entry_count).map(|_| reader.bytes("entry")).collect::<Result<_, _>>()?)
}

/// The encoded header of an encoded block.
fn header_of(body: &[u8]) -> Option<&[u8]> {
    let (len, rest) = body.split_first_chunk()?;
    rest.get(..u32::from_be_bytes(*len) as usize)
}

/// Reads one entry of an encoded block without decoding the others.
fn entry_of(body: Bytes, index: u32) -> Result<Entry, BlockError> {
    let mut reader = codec::Reader::new(body);
    reader.bytes("header")?;
    for _ in 0..index {
        reader.bytes("entry")?;
    }
    Entry::decode(reader.bytes("entry")?)
}
