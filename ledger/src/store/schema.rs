//! Keys and small values of the four files (FORMAT.md). A key is a tag byte and the table's key, big-endian.

use std::ops::Deref;

use ledger_types::codec::{Reader, Writer};
use ledger_types::{Address, BatchId, BlockId, Hash, NetworkId, TransactionId};

use super::{File, StoreError};
use crate::reader::{BatchPlace, Head, TransactionPlace};
use crate::state::{NodeKey, presence};

/// The format version that this code writes and reads.
pub(crate) const FORMAT_VERSION: u32 = 4;
const MAGIC: &[u8; 4] = b"dgt\0";

pub(crate) const META: &[u8] = &[0x00];
pub(crate) const HEAD: &[u8] = &[0x01];

const BLOCK_BY_HEIGHT: u8 = 0x02;
const HEIGHT_BY_BLOCK: u8 = 0x03;
pub(crate) const BATCH_PLACE: u8 = 0x04;
pub(crate) const TRANSACTION_PLACE: u8 = 0x05;
pub(crate) const CONTENT_PLACE: u8 = 0x06;
pub(crate) const ROLLBACK: u8 = 0x07;

const REJECTION: u8 = 0x02;
/// The highest tag of the receipts file, so that what a block writes goes to the end of the B-tree.
pub(crate) const RECEIPT: u8 = 0x03;

pub(crate) const STATE_OLDEST: &[u8] = &[0x02];
pub(crate) const STATE_PRESENCE: u8 = 0x03;
/// The highest tag of the state file, so that what a block writes goes to the end of the B-tree.
pub(crate) const STATE_VERSION: u8 = 0x04;
const VERSION_ROOT: u8 = 0x00;
const VERSION_VALUE: u8 = 0x01;
const VERSION_STALE: u8 = 0x02;
pub(crate) const VERSION_NODE: u8 = 0x03;

/// Which of the four a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum FileKind {
    /// Decided blocks.
    Block = 1,
    /// Authenticated global state.
    Merkle = 2,
    /// Receipts and rejections.
    Receipts = 3,
    /// This node's votes, undecided bodies and certificates.
    Consensus = 4,
}

impl FileKind {
    /// All four, in the order in which they are opened.
    pub const ALL: [Self; 4] = [Self::Block, Self::Merkle, Self::Receipts, Self::Consensus];

    /// The file's name in a data directory.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Block => "block-01.lmdb",
            Self::Merkle => "merkle-01.lmdb",
            Self::Receipts => "txn-receipts-01.lmdb",
            Self::Consensus => "pbft_consensus-01.lmdb",
        }
    }

    fn description(self) -> &'static str {
        match self {
            Self::Block => "blocks",
            Self::Merkle => "state",
            Self::Receipts => "receipts",
            Self::Consensus => "consensus votes",
        }
    }
}

/// Checks the meta record, or writes it into an empty file. Returns whether the file was empty.
pub(crate) fn check_meta(file: &File, kind: FileKind, network_id: NetworkId) -> Result<bool, StoreError> {
    let found = {
        let view = file.read()?;
        match view.get(META)? {
            Some(meta) => Some(meta.to_vec()),
            None if view.is_empty()? => None,
            None => return Err(StoreError::Foreign { file: file.name().to_owned() }),
        }
    };
    match found {
        Some(meta) => match read_meta(file.name(), kind, meta)? {
            found if found == network_id => Ok(false),
            found => {
                let file = file.name().to_owned();
                Err(StoreError::OtherNetwork { file, found, expected: network_id })
            }
        },
        None => {
            let mut writer = file.write()?;
            writer.put(META, &meta(kind, network_id))?;
            writer.commit().map(|()| true)
        }
    }
}

/// Whether a meta record says that the file has the format of this code.
pub(super) fn is_of_this_format(meta: &[u8]) -> bool {
    let version = meta.strip_prefix(MAGIC).and_then(|rest| rest.get(1..5));
    version == Some(&FORMAT_VERSION.to_be_bytes()[..])
}

/// The value of a file's meta record.
pub(crate) fn meta(kind: FileKind, network_id: NetworkId) -> Vec<u8> {
    let mut meta = Writer::new();
    meta.raw(MAGIC).u8(kind as u8).u32(FORMAT_VERSION).raw(&network_id.0);
    meta.finish()
}

/// The network that a file belongs to.
pub(crate) fn network_of(file: &File, kind: FileKind) -> Result<NetworkId, StoreError> {
    let meta = file.read()?.get(META)?.map(<[u8]>::to_vec);
    let meta = meta.ok_or_else(|| StoreError::Foreign { file: file.name().to_owned() })?;
    read_meta(file.name(), kind, meta)
}

/// Checks a meta record and returns the network in it.
fn read_meta(file: &str, kind: FileKind, meta: Vec<u8>) -> Result<NetworkId, StoreError> {
    let damaged = |reason| StoreError::damaged(file, "meta", reason);
    let mut reader = Reader::new(meta.into());
    if reader.array("magic").map_err(damaged)? != *MAGIC {
        return Err(StoreError::Foreign { file: file.to_owned() });
    }
    let found = reader.u8("file kind").map_err(damaged)?;
    let version = reader.u32("format version").map_err(damaged)?;
    if version != FORMAT_VERSION {
        let (file, known) = (file.to_owned(), FORMAT_VERSION);
        return Err(StoreError::UnknownVersion { file, found: version, known });
    }
    if found != kind as u8 {
        let named = FileKind::ALL.into_iter().find(|kind| *kind as u8 == found);
        let found = named.map_or(format!("kind {found}"), |kind| kind.description().to_owned());
        return Err(StoreError::WrongKind { file: file.to_owned(), found, expected: kind.description() });
    }
    let network_id = NetworkId(reader.array("network id").map_err(damaged)?);
    reader.finish().map_err(damaged)?;
    Ok(network_id)
}

/// A key, without an allocation: a block makes thousands.
pub(crate) struct Key {
    bytes: [u8; Self::MOST],
    len: usize,
}

impl Key {
    /// A tag and a transaction's id.
    const MOST: usize = 1 + TransactionId::LEN;

    fn new(parts: &[&[u8]]) -> Self {
        let mut key = Self { bytes: [0; Self::MOST], len: 0 };
        for part in parts {
            key.bytes[key.len..key.len + part.len()].copy_from_slice(part);
            key.len += part.len();
        }
        key
    }
}

impl Deref for Key {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

pub(crate) fn block_by_height(height: u64) -> Key {
    Key::new(&[&[BLOCK_BY_HEIGHT], &height.to_be_bytes()])
}

pub(crate) fn height_by_block(id: &BlockId) -> Key {
    Key::new(&[&[HEIGHT_BY_BLOCK], &id.0])
}

pub(crate) fn batch_place(id: &BatchId) -> Key {
    Key::new(&[&[BATCH_PLACE], &id.0])
}

pub(crate) fn transaction_place(id: &TransactionId) -> Key {
    Key::new(&[&[TRANSACTION_PLACE], &id.0])
}

pub(crate) fn content_place(hash: &Hash) -> Key {
    Key::new(&[&[CONTENT_PLACE], &hash.0])
}

/// A rollback, counted from 0.
pub(crate) fn rollback(number: u32) -> Key {
    Key::new(&[&[ROLLBACK], &number.to_be_bytes()])
}

pub(crate) fn rejection(id: &BatchId) -> Key {
    Key::new(&[&[REJECTION], &id.0])
}

/// The receipt of the transaction at a place.
pub(crate) fn receipt(place: TransactionPlace) -> Key {
    Key::new(&[&[RECEIPT], &place.encode()])
}

/// Whether a record of a file is the rejection of a batch.
pub(crate) fn is_rejection(file: &str, key: &[u8]) -> bool {
    file == FileKind::Receipts.file_name() && key.first() == Some(&REJECTION)
}

pub(crate) fn state_presence(key: &[u8; presence::KEY_BYTES]) -> Key {
    Key::new(&[&[STATE_PRESENCE], key])
}

/// Where the records of a height begin.
pub(crate) fn state_version(height: u64) -> Key {
    Key::new(&[&[STATE_VERSION], &height.to_be_bytes()])
}

pub(crate) fn state_root(height: u64) -> Key {
    Key::new(&[&[STATE_VERSION], &height.to_be_bytes(), &[VERSION_ROOT]])
}

/// The value that a height set at an address.
pub(crate) fn state_value(height: u64, address: &Address) -> Key {
    Key::new(&[&[STATE_VERSION], &height.to_be_bytes(), &[VERSION_VALUE], &address.0])
}

/// Where the values that a height set begin.
pub(crate) fn state_values(height: u64) -> Key {
    Key::new(&[&[STATE_VERSION], &height.to_be_bytes(), &[VERSION_VALUE]])
}

/// A part of the list of what a height made unreachable.
pub(crate) fn state_stale(height: u64, part: u32) -> Key {
    Key::new(&[&[STATE_VERSION], &height.to_be_bytes(), &[VERSION_STALE], &part.to_be_bytes()])
}

pub(crate) fn state_node(key: &NodeKey) -> Key {
    let stored = key.encode();
    let (version, place) = stored.split_at(8);
    Key::new(&[&[STATE_VERSION], version, &[VERSION_NODE], place])
}

impl Head {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.u64(self.height).raw(&self.id.0).raw(&self.state_root.0);
        writer.finish()
    }

    /// Reads a file's head record; `None` when it has none yet.
    pub(crate) fn of(file: &File) -> Result<Option<Self>, StoreError> {
        let Some(value) = file.read()?.get_copy(HEAD)? else { return Ok(None) };
        let mut reader = Reader::new(value);
        let mut decode = || {
            let height = reader.u64("height")?;
            let id = BlockId(reader.array("block id")?);
            Ok(Self { height, id, state_root: Hash(reader.array("state root")?) })
        };
        let head = decode().and_then(|head| reader.finish().map(|()| head));
        head.map(Some)
            .map_err(|error: ledger_types::codec::CodecError| StoreError::damaged(file.name(), "head", error))
    }
}

impl BatchPlace {
    /// Bytes of the stored form.
    pub(crate) const LEN: usize = 12;

    pub(crate) fn encode(&self) -> [u8; Self::LEN] {
        let mut value = [0; Self::LEN];
        value[..8].copy_from_slice(&self.height.to_be_bytes());
        value[8..].copy_from_slice(&self.entry.to_be_bytes());
        value
    }

    pub(crate) fn decode(value: &[u8]) -> Option<Self> {
        let (height, entry) = value.split_first_chunk()?;
        Some(Self { height: u64::from_be_bytes(*height), entry: u32::from_be_bytes(entry.try_into().ok()?) })
    }
}

impl TransactionPlace {
    /// Bytes of the stored form.
    pub(crate) const LEN: usize = BatchPlace::LEN + 4;

    pub(crate) fn encode(&self) -> [u8; Self::LEN] {
        let mut value = [0; Self::LEN];
        value[..BatchPlace::LEN].copy_from_slice(&self.batch.encode());
        value[BatchPlace::LEN..].copy_from_slice(&self.index.to_be_bytes());
        value
    }

    pub(crate) fn decode(value: &[u8]) -> Option<Self> {
        let (batch, index) = value.split_at_checked(BatchPlace::LEN)?;
        Some(Self { batch: BatchPlace::decode(batch)?, index: u32::from_be_bytes(index.try_into().ok()?) })
    }
}
