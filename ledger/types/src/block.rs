//! A block: a header that is hashed, and an ordered list of entries. Layout: ledger/FORMAT.md, "block".

use std::sync::Arc;

use bytes::Bytes;
use thiserror::Error;

use crate::batch::{Batch, BatchError};
use crate::codec::{CodecError, Reader, Writer};
use crate::hash::{Hash, sha512};
use crate::ids::{BatchId, BlockId, ConfigHash, NetworkId, TransactionId};
use crate::limits;
use crate::topology::ValidatorId;

/// The version byte that begins every header.
pub const HEADER_VERSION: u8 = 1;
const BLOCK_DOMAIN: &[u8] = b"dgt-block";

/// Everything a block's id commits to. Certificates are never part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockHeader {
    /// The network.
    pub network_id: NetworkId,
    /// The epoch: which committee decides. 0 until membership changes exist.
    pub epoch: u64,
    /// The view in which the block was proposed; 0 for genesis.
    pub view: u64,
    /// The number of blocks before this one.
    pub height: u64,
    /// The id of the block before; all zeros for genesis.
    pub parent: BlockId,
    /// The leader that proposed the block.
    pub proposer: ValidatorId,
    /// The proposer's clock, milliseconds since 1970, later than the parent's.
    pub time_ms: u64,
    /// The number of entries, needed to verify a proof against `entries_root`.
    pub entry_count: u32,
    /// The number of receipts, needed to verify a proof against `receipts_root`.
    pub receipt_count: u32,
    /// Merkle root over the encoded entries.
    pub entries_root: Hash,
    /// Root of the global state after this block.
    pub state_root: Hash,
    /// Merkle root over the encoded receipts of committed transactions, in order.
    pub receipts_root: Hash,
    /// The committee.
    pub cfg_hash: ConfigHash,
    /// The next committee, in a boundary block only.
    pub next_cfg_hash: Option<ConfigHash>,
}

impl BlockHeader {
    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.u8(HEADER_VERSION).raw(&self.network_id.0).u64(self.epoch).u64(self.view).u64(self.height);
        writer.raw(&self.parent.0).u16(self.proposer.cluster).u16(self.proposer.node).u64(self.time_ms);
        writer.u32(self.entry_count).u32(self.receipt_count);
        writer.raw(&self.entries_root.0).raw(&self.state_root.0).raw(&self.receipts_root.0);
        writer.raw(&self.cfg_hash.0);
        match &self.next_cfg_hash {
            None => writer.u8(0),
            Some(hash) => writer.u8(1).raw(&hash.0),
        };
        writer.finish()
    }

    /// Reads the canonical bytes.
    ///
    /// # Errors
    /// When the bytes are not the one encoding of a header.
    pub fn decode(bytes: Bytes) -> Result<Self, CodecError> {
        let mut reader = Reader::new(bytes);
        if reader.u8("header version")? != HEADER_VERSION {
            return reader.bad("header version");
        }
        let header = Self {
            network_id: NetworkId(reader.array("network id")?),
            epoch: reader.u64("epoch")?,
            view: reader.u64("view")?,
            height: reader.u64("height")?,
            parent: BlockId(reader.array("parent")?),
            proposer: ValidatorId {
                cluster: reader.u16("proposer cluster")?,
                node: reader.u16("proposer node")?,
            },
            time_ms: reader.u64("time")?,
            entry_count: reader.u32("entry count")?,
            receipt_count: reader.u32("receipt count")?,
            entries_root: Hash(reader.array("entries root")?),
            state_root: Hash(reader.array("state root")?),
            receipts_root: Hash(reader.array("receipts root")?),
            cfg_hash: ConfigHash(reader.array("cfg hash")?),
            next_cfg_hash: match reader.u8("next cfg hash flag")? {
                0 => None,
                1 => Some(ConfigHash(reader.array("next cfg hash")?)),
                _ => return reader.bad("next cfg hash flag"),
            },
        };
        reader.finish()?;
        Ok(header)
    }

    /// The block's id: SHA-512 of `"dgt-block"` and the header bytes.
    pub fn id(&self) -> BlockId {
        BlockId(sha512(&[BLOCK_DOMAIN, &self.encode()]))
    }
}

/// Why a batch was not committed. Part of the block, so every node gives the same answer for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The batch.
    pub batch: BatchId,
    /// Its first invalid transaction.
    pub transaction: TransactionId,
    /// The kind of reason.
    pub reason: RejectionReason,
    /// What a client reads; at most [`limits::REJECTION_MESSAGE_BYTES`] bytes.
    pub message: String,
}

/// The kinds of reasons for a rejection. The numbers are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u16)]
pub enum RejectionReason {
    /// The family refused the transaction.
    Family = 1,
    /// No such family or version.
    UnknownFamily = 2,
    /// Read or write outside the declared inputs and outputs.
    Unauthorized = 3,
    /// A declared input or output is not an address prefix.
    BadAddress = 4,
    /// A dependency is not committed.
    MissingDependency = 5,
    /// A transaction, or one with the same header, is committed already in another batch.
    DuplicateTransaction = 6,
    /// The family's code panicked.
    Panic = 7,
    /// State values, events or receipt data exceed their limits.
    Limit = 8,
    /// The family is not among those that the network's settings permit.
    FamilyNotPermitted = 9,
}

impl RejectionReason {
    /// The reason of a stored number.
    pub fn from_code(code: u16) -> Option<Self> {
        use RejectionReason as R;
        [
            R::Family,
            R::UnknownFamily,
            R::Unauthorized,
            R::BadAddress,
            R::MissingDependency,
            R::DuplicateTransaction,
            R::Panic,
            R::Limit,
            R::FamilyNotPermitted,
        ]
        .into_iter()
        .find(|reason| *reason as u16 == code)
    }
}

impl Rejection {
    /// Appends the stored form.
    pub fn encode(&self, writer: &mut Writer) {
        writer.raw(&self.batch.0).raw(&self.transaction.0).u16(self.reason as u16);
        writer.bytes(self.message.as_bytes());
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// When the bytes are not a rejection.
    pub fn decode(reader: &mut Reader) -> Result<Self, CodecError> {
        let batch = BatchId(reader.array("rejected batch id")?);
        let transaction = TransactionId(reader.array("rejected transaction id")?);
        let Some(reason) = RejectionReason::from_code(reader.u16("reason")?) else {
            return reader.bad("reason");
        };
        let message = reader.string("message")?;
        if message.len() > limits::REJECTION_MESSAGE_BYTES {
            return reader.bad("message length");
        }
        Ok(Self { batch, transaction, reason, message })
    }
}

/// One decided thing: a batch that took effect, or one that did not.
#[derive(Clone, Debug)]
pub enum Entry {
    /// All the batch's transactions took effect. Shared, since it is also in the pool.
    Batch(Arc<Batch>),
    /// None did.
    Rejection(Rejection),
}

impl Entry {
    /// The batch that the entry decides.
    pub fn batch_id(&self) -> BatchId {
        match self {
            Self::Batch(batch) => batch.id,
            Self::Rejection(rejection) => rejection.batch,
        }
    }

    /// The stored form, also the leaf under `entries_root`: a tag byte (0 batch, 1 rejection), then the content.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        self.write(&mut writer);
        writer.finish()
    }

    /// Appends the stored form.
    pub fn write(&self, writer: &mut Writer) {
        match self {
            Self::Batch(batch) => batch.encode(writer.u8(0)),
            Self::Rejection(rejection) => rejection.encode(writer.u8(1)),
        }
    }

    /// Bytes of the stored form.
    pub fn encoded_len(&self) -> usize {
        1 + match self {
            Self::Batch(batch) => batch.encoded_len(),
            Self::Rejection(rejection) => 64 + 64 + 2 + 4 + rejection.message.len(),
        }
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// When the bytes are not the one encoding of an entry.
    pub fn decode(bytes: Bytes) -> Result<Self, BlockError> {
        let mut reader = Reader::new(bytes);
        let entry = match reader.u8("entry tag")? {
            0 => Self::Batch(Arc::new(Batch::decode(&mut reader)?)),
            1 => Self::Rejection(Rejection::decode(&mut reader)?),
            _ => return Ok(reader.bad("entry tag")?),
        };
        reader.finish()?;
        Ok(entry)
    }
}

/// Why bytes are not a block.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum BlockError {
    /// The layout is wrong.
    #[error("block: {0}")]
    Codec(#[from] CodecError),
    /// A batch breaks a structural rule.
    #[error("block: {0}")]
    Batch(#[from] BatchError),
    /// The header counts other entries than follow.
    #[error("block: entry_count differs from the entries")]
    EntryCount,
}

/// A header and its entries. Roots are not checked here: the ledger does.
#[derive(Clone, Debug)]
pub struct Block {
    /// The header.
    pub header: BlockHeader,
    /// The entries in order.
    pub entries: Vec<Entry>,
}

impl Block {
    /// The block's id.
    pub fn id(&self) -> BlockId {
        self.header.id()
    }

    /// The batches that took effect, in order.
    pub fn batches(&self) -> impl Iterator<Item = &Batch> {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Batch(batch) => Some(&**batch),
            Entry::Rejection(_) => None,
        })
    }

    /// The rejections, in order.
    pub fn rejections(&self) -> impl Iterator<Item = &Rejection> {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Batch(_) => None,
            Entry::Rejection(rejection) => Some(rejection),
        })
    }

    /// The stored form: header and entries, each length-prefixed.
    pub fn encode(&self) -> Vec<u8> {
        let mut entries = Writer::new();
        for entry in &self.entries {
            entries.framed(|writer| entry.write(writer));
        }
        Self::encode_parts(&self.header, entries.as_bytes())
    }

    /// The stored form of a header and its entries, which are encoded, each length-prefixed.
    pub fn encode_parts(header: &BlockHeader, entries: &[u8]) -> Vec<u8> {
        let header = header.encode();
        let mut writer = Writer::with_capacity(4 + header.len() + entries.len());
        writer.bytes(&header).raw(entries);
        writer.finish()
    }

    /// Reads the stored form. Payloads and headers are slices of the input.
    ///
    /// # Errors
    /// When the bytes are not the one encoding of a block.
    pub fn decode(bytes: Bytes) -> Result<Self, BlockError> {
        let mut reader = Reader::new(bytes);
        let header = BlockHeader::decode(reader.bytes("header")?)?;
        let mut entries = Vec::new();
        for _ in 0..header.entry_count {
            entries.push(Entry::decode(reader.bytes("entry")?)?);
        }
        reader.finish()?;
        Ok(Self { header, entries })
    }
}
