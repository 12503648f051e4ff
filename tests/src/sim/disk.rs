//! What a node finds again after a crash: its vote store, the file beside its keys, its block file.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use consensus::guard::Incarnation;
use consensus::record::ARCHIVE_TAG;
use consensus::store::{Loaded, VoteStore};
use consensus::{Change, Record};
use ledger_types::{BlockHeader, BlockId};

use super::mixing;
use crate::random::Random;

/// A committed block as the block file holds it.
#[derive(Clone, Debug)]
pub(super) struct Committed {
    pub(super) id: BlockId,
    pub(super) header: BlockHeader,
    pub(super) body: Bytes,
}

/// A record's value under the store's own checksum.
#[derive(Clone, Debug)]
struct Sealed {
    value: Bytes,
    checksum: u64,
}

/// The vote store as synced: a write is there as a whole or not at all.
#[derive(Clone, Debug, Default)]
pub(super) struct Store {
    records: BTreeMap<Vec<u8>, Sealed>,
}

impl Store {
    /// A record's value, if it is there and undamaged.
    pub(super) fn get(&self, key: &[u8]) -> Option<&Bytes> {
        let sealed = self.records.get(key)?;
        (sealed.checksum == checksum(key, &sealed.value)).then_some(&sealed.value)
    }

    /// How many live records there are.
    pub(super) fn live(&self) -> u64 {
        self.records.range(..vec![ARCHIVE_TAG]).count() as u64
    }

    /// Flips a bit of a record drawn at random; its first key byte, or `None` if there is none.
    pub(super) fn flip(&mut self, random: &mut Random) -> Option<u8> {
        let count = self.records.len() as u64;
        let place = usize::try_from(random.below(0..count.max(1))).ok()?;
        let (key, sealed) = self.records.iter_mut().nth(place)?;
        let mut value = sealed.value.to_vec();
        let at = usize::try_from(random.below(0..value.len().max(1) as u64)).ok()?;
        *value.get_mut(at)? ^= 1 << random.below(0..8);
        sealed.value = value.into();
        key.first().copied()
    }
}

fn checksum(key: &[u8], value: &[u8]) -> u64 {
    mixing::hash(mixing::hash(3, key), value)
}

impl VoteStore for Store {
    type Error = String;

    fn load(&self) -> Result<Loaded, String> {
        let mut loaded = Loaded::default();
        for (key, sealed) in self.records.range(..vec![ARCHIVE_TAG]) {
            if sealed.checksum != checksum(key, &sealed.value) {
                loaded.damaged.push(key.clone());
                continue;
            }
            let record = Record::decode(key, sealed.value.clone());
            loaded.records.push(record.map_err(|error| format!("record {key:02x?}: {error}"))?);
        }
        Ok(loaded)
    }

    fn write(&mut self, changes: &[Change]) -> Result<(), String> {
        for change in changes {
            let key = change.key();
            match change.value() {
                Some(value) => {
                    let checksum = checksum(&key, &value);
                    self.records.insert(key, Sealed { value: value.into(), checksum });
                }
                None => {
                    self.records.remove(&key);
                }
            }
        }
        Ok(())
    }
}

/// All files of a node.
#[derive(Clone, Debug)]
pub(super) struct Disk {
    /// The vote store.
    pub(super) store: Store,
    /// The file beside the keys, which no copy holds.
    pub(super) file: Option<Incarnation>,
    /// The block file, genesis first.
    pub(super) chain: Vec<Arc<Committed>>,
    /// How many blocks of it survive a loss of power.
    synced: usize,
}

impl Disk {
    /// A disk with nothing but genesis.
    pub(super) fn new(genesis: Arc<Committed>) -> Self {
        Self { store: Store::default(), file: None, chain: vec![genesis], synced: 1 }
    }

    /// The newest committed block.
    pub(super) fn head(&self) -> &Arc<Committed> {
        self.chain.last().expect("genesis at least")
    }

    /// Makes the block file durable; the height that it then reaches.
    pub(super) fn sync_chain(&mut self) -> u64 {
        self.synced = self.chain.len();
        self.head().header.height
    }

    /// How many blocks the block file has not synced.
    pub(super) fn unsynced(&self) -> u64 {
        (self.chain.len() - self.synced) as u64
    }

    /// Loses what the block file had not synced, or a part of it.
    pub(super) fn lose_power(&mut self, random: &mut Random) -> usize {
        let unsynced = (self.chain.len() - self.synced) as u64;
        let lost = usize::try_from(random.below(0..unsynced + 1)).unwrap_or(0);
        self.chain.truncate(self.chain.len() - lost);
        lost
    }

    /// Copies everything but the file beside the keys.
    pub(super) fn copy(&self) -> Self {
        Self { synced: self.chain.len(), ..self.clone() }
    }

    /// Puts a copy in place. The file beside the keys stays, unless the whole machine goes back.
    pub(super) fn restore(&mut self, copy: Self, with_file: bool) {
        let file = if with_file { copy.file } else { self.file };
        *self = Self { file, ..copy };
    }

    /// The block at a height.
    pub(super) fn at(&self, height: u64) -> Option<&Arc<Committed>> {
        self.chain.get(usize::try_from(height).ok()?)
    }
}
