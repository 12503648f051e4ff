//! The vote store as the core needs it: the same trait on LMDB and in the simulator, and the one way to start from it.

use crate::guard::{Incarnation, Standing, Start};
use crate::record::{Change, Record, RecordKey};

/// Keeps records through crashes.
pub trait VoteStore {
    /// Why a record could not be read or written.
    type Error;

    /// All live records (see [`crate::record::ARCHIVE_TAG`]), and the keys of those whose checksum does not match.
    ///
    /// # Errors
    /// When the store cannot be read at all.
    fn load(&self) -> Result<Loaded, Self::Error>;

    /// Writes changes in one transaction: when this returns they are durable, and before that none is.
    ///
    /// # Errors
    /// When the write or the sync fails. The process must then say nothing that depends on it, now or later.
    fn write(&mut self, changes: &[Change]) -> Result<(), Self::Error>;
}

/// What a vote store holds.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// The records that can be trusted.
    pub records: Vec<Record>,
    /// The keys of the others.
    pub damaged: Vec<Vec<u8>>,
}

/// What the operator says about the vote store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Operator {
    /// Nothing.
    #[default]
    Silent,
    /// It may have forgotten votes: it was restored, or is damaged.
    Restored,
    /// It has forgotten none, whatever it looks like. If that is wrong this node lies.
    Trusts,
}

/// Begins a life: what the store holds, and what it is worth. The new incarnation is durable when this returns; the
/// caller then writes it into the file beside the keys, and only then restores a replica.
///
/// # Errors
/// When the store cannot be read or written.
pub fn begin<S: VoteStore>(
    store: &mut S,
    file: Option<Incarnation>,
    nonce: [u8; 16],
    operator: Operator,
) -> Result<(Start, Loaded), S::Error> {
    let mut loaded = store.load()?;
    let stored = loaded.records.iter().find_map(|record| match record {
        Record::Incarnation(incarnation) => Some(*incarnation),
        _ => None,
    });
    let mut start = Start::new(stored, file, nonce);
    match operator {
        Operator::Silent if !loaded.damaged.is_empty() => start.standing = Standing::Observer,
        Operator::Silent => {}
        Operator::Restored => start.standing = Standing::Old,
        Operator::Trusts => start.standing = Standing::Trusted,
    }
    let mut changes = vec![Change::Put(Record::Incarnation(start.current))];
    match start.standing {
        // What was damaged may be overwritten by and by. From then on this node is guarded at least.
        Standing::Observer | Standing::Old => {
            changes.push(Change::Put(Record::Guard { epoch: 0, bound: None }));
        }
        Standing::Trusted => {
            changes.push(Change::Delete(RecordKey::Guard { epoch: 0 }));
            loaded.records.retain(|record| !matches!(record, Record::Guard { .. }));
        }
        Standing::Current | Standing::Unproven => {}
    }
    store.write(&changes)?;
    Ok((start, loaded))
}
