//! What `shim.c` recorded: every write and sync of a node's files, in the order in which they happened.

use std::path::Path;

use serde_json::Value;

use crate::lmdb::{BLOCK, CONSENSUS, MERKLE, RECEIPTS};

/// What a record is about. The order is that of the names in `shim.c`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The block file.
    Block,
    /// The state file.
    Merkle,
    /// The receipts file.
    Receipts,
    /// The consensus file.
    Consensus,
    /// The file of the vote generation, under the name that it has before it is renamed.
    Generation,
    /// The folder of the keys.
    Keys,
    /// The folder of the four files.
    Data,
}

impl Place {
    /// The four files, with their names.
    pub const FILES: [(Self, &'static str); 4] = [
        (Self::Block, BLOCK),
        (Self::Merkle, MERKLE),
        (Self::Receipts, RECEIPTS),
        (Self::Consensus, CONSENSUS),
    ];

    const ALL: [Self; 7] = [
        Self::Block,
        Self::Merkle,
        Self::Receipts,
        Self::Consensus,
        Self::Generation,
        Self::Keys,
        Self::Data,
    ];
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Bytes were written.
    Write {
        /// Where.
        place: Place,
        /// At which byte.
        offset: usize,
        /// What.
        bytes: Vec<u8>,
        /// Whether these bytes were on the disk when the call returned.
        is_through: bool,
    },
    /// Everything written to a file is on the disk, or the names in a folder are.
    Sync(Place),
    /// The new vote generation took the name of the old one.
    GenerationRenamed,
    /// A client is told that these batches are committed.
    Committed(Vec<String>),
}

impl Event {
    /// Whether something becomes durable.
    pub fn is_sync(&self) -> bool {
        matches!(self, Self::Sync(_) | Self::Write { is_through: true, .. })
    }
}

const HEAD_LEN: usize = 16;

/// Reads a recording.
///
/// # Panics
/// When it is not one.
pub fn read(path: &Path) -> Vec<Event> {
    let log = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut events = Vec::new();
    let mut rest = &log[..];
    while let Some((head, behind)) = rest.split_first_chunk::<HEAD_LEN>() {
        let [kind, place, _, _, len @ .., _, _, _, _, _, _, _, _] = *head;
        let offset = u64::from_ne_bytes(*head.last_chunk().expect("invariant: 16 bytes"));
        let len = u32::from_ne_bytes(len) as usize;
        let (bytes, behind) = behind.split_at_checked(len).expect("a whole record");
        let place = || *Place::ALL.get(usize::from(place)).expect("a known file");
        events.push(match kind {
            1 | 2 => Event::Write {
                place: place(),
                offset: usize::try_from(offset).expect("an offset in memory"),
                bytes: bytes.to_vec(),
                is_through: kind == 2,
            },
            3 => Event::Sync(place()),
            4 => Event::GenerationRenamed,
            5 => Event::Committed(committed(bytes)),
            _ => panic!("a record of kind {kind}"),
        });
        rest = behind;
    }
    assert!(rest.is_empty(), "a record is cut");
    events
}

/// The batches that an HTTP answer calls committed.
fn committed(answer: &[u8]) -> Vec<String> {
    let body = answer.iter().position(|byte| *byte == b'{').expect("a body of JSON");
    let mut documents = serde_json::Deserializer::from_slice(&answer[body..]).into_iter::<Value>();
    let answer = documents.next().expect("a document").expect("an answer in one piece");
    let statuses = answer["data"].as_array().expect("a list of statuses").iter();
    let committed = statuses.filter(|status| status["status"] == "COMMITTED");
    committed.map(|status| status["id"].as_str().expect("an id").to_owned()).collect()
}
