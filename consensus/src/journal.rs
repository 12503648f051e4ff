//! What is written in a turn, and what waits until it is durable.
//!
//! A signature that needs a record is born inside an [`Unsynced`], which only a [`Synced`] opens, and that comes only
//! from the shell's receipt. Sending a vote before it is durable is therefore a type error (SPEC 3.5 V5).

use crate::effect::Effect;
use crate::record::{Change, Record, RecordKey};

/// The number of a `Persist`: 1, 2, ... from each start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PersistId(pub u64);

/// A value that must not be used before a `Persist` is done.
#[derive(Debug)]
#[must_use]
pub(crate) struct Unsynced<T> {
    value: T,
    needs: PersistId,
}

impl<T> Unsynced<T> {
    /// The value, or itself if the receipt does not reach far enough.
    pub(crate) fn open(self, synced: &Synced) -> Result<T, Self> {
        if self.needs <= synced.0 { Ok(self.value) } else { Err(self) }
    }

    /// Whether the value is of a kind. It stays closed.
    pub(crate) fn is(&self, kind: impl FnOnce(&T) -> bool) -> bool {
        kind(&self.value)
    }

    /// Another value that needs the same.
    pub(crate) fn map<U>(self, change: impl FnOnce(T) -> U) -> Unsynced<U> {
        Unsynced { value: change(self.value), needs: self.needs }
    }
}

/// Proof that everything up to a `Persist` is durable.
#[derive(Debug)]
pub(crate) struct Synced(PersistId);

/// The changes of the running turn.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    changes: Vec<Change>,
    last_closed: u64,
    synced: u64,
}

impl Journal {
    /// Writes a record with this turn's `Persist`.
    pub(crate) fn put(&mut self, record: Record) {
        self.changes.push(Change::Put(record));
    }

    /// Removes a record with this turn's `Persist`.
    pub(crate) fn delete(&mut self, key: RecordKey) {
        self.changes.push(Change::Delete(key));
    }

    /// A value that waits for all that was written so far, this turn included.
    pub(crate) fn hold<T>(&self, value: T) -> Unsynced<T> {
        let open = u64::from(!self.changes.is_empty());
        Unsynced { value, needs: PersistId(self.last_closed + open) }
    }

    /// Ends the turn: its `Persist`, if anything was written.
    pub(crate) fn close_turn(&mut self) -> Option<Effect> {
        if self.changes.is_empty() {
            return None;
        }
        self.last_closed += 1;
        let changes = std::mem::take(&mut self.changes);
        Some(Effect::Persist { id: PersistId(self.last_closed), changes })
    }

    /// Takes the shell's receipt. One for a `Persist` that was never asked for opens nothing new.
    pub(crate) fn on_persisted(&mut self, id: PersistId) {
        self.synced = self.synced.max(id.0.min(self.last_closed));
    }

    /// How far the receipts reach.
    pub(crate) fn synced(&self) -> Synced {
        Synced(PersistId(self.synced))
    }
}
