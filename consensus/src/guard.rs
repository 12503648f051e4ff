//! What a node must know about its own past before it votes (SPEC 3.10).

use ledger_types::codec::{CodecError, Reader, Writer};

/// One life of a node, from a start to its end: written into the vote store, then into a file that no backup holds,
/// before anything is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Incarnation {
    /// One more at each start.
    pub counter: u64,
    /// Random, so that two lives with one counter differ.
    pub nonce: [u8; 16],
}

impl Incarnation {
    /// The bytes of the file beside the keys: 24.
    pub fn to_bytes(self) -> Vec<u8> {
        let mut writer = Writer::new();
        self.encode(&mut writer);
        writer.finish()
    }

    /// Reads them.
    ///
    /// # Errors
    /// When the bytes are not those of an incarnation.
    pub fn from_bytes(bytes: bytes::Bytes) -> Result<Self, CodecError> {
        let mut reader = Reader::new(bytes);
        let incarnation = Self::decode(&mut reader)?;
        reader.finish()?;
        Ok(incarnation)
    }
}

/// What a start can tell about the vote store without asking anybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Store and file agree: the store holds every vote, unless both are old, which only peers can tell.
    Current,
    /// The file is missing, or behind the store: nothing says that the store is old, and nothing that it is not.
    Unproven,
    /// The store is older than the file says, or lost records, or the operator says so.
    Old,
    /// The store is damaged: this node signs nothing until the operator acts.
    Observer,
    /// The operator answers for the store, against any doubt.
    Trusted,
}

/// A start, as its vote store and the file beside the keys tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// The incarnation that the store held.
    pub previous: Option<Incarnation>,
    /// The one that begins. The shell writes it into the store, synced, then into the file, before `restore`.
    pub current: Incarnation,
    /// Whether the store can be trusted.
    pub standing: Standing,
}

impl Start {
    /// Compares the incarnations of store and file; `nonce` is fresh.
    pub fn new(stored: Option<Incarnation>, file: Option<Incarnation>, nonce: [u8; 16]) -> Self {
        let last = stored.max(file).map_or(0, |incarnation| incarnation.counter);
        let current = Incarnation { counter: last.saturating_add(1), nonce };
        let standing = match (stored, file) {
            (Some(stored), Some(file)) if stored == file => Standing::Current,
            // A crash between the two writes leaves the file one behind.
            (Some(stored), Some(file)) if stored.counter > file.counter => Standing::Unproven,
            (_, Some(_)) => Standing::Old,
            (_, None) => Standing::Unproven,
        };
        Self { previous: stored, current, standing }
    }
}
