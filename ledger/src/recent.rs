//! Where the newest batches, transactions and contents stand. Their keys are random: a record of each, written with its own
//! block, would change a page of the block file that nothing else of this block is on. So a block writes one slice of all
//! keys, that of its turn, with what came up in the slice since its last turn, and many records share a page. What is not
//! written yet is in the blocks, and here.
//!
//! And which ids the whole chain has, as a filter: most that are looked for are new, and are not looked for in the file.

use std::collections::HashMap;
use std::hash::Hash as Hashed;
use std::ops::RangeInclusive;

use data_encoding::HEXLOWER;
use ledger_types::{BatchId, Block, Hash, TransactionId};
use parking_lot::{RwLock, RwLockReadGuard};

use crate::filter::Filter;
use crate::reader::{BatchPlace, Head, TransactionPlace, read_block};
use crate::store::schema::{self, Key};
use crate::store::{File, StoreError};

/// Slices of the keys, by their first byte; so many blocks after its own a record is written at the latest. Part of the
/// format: the files of all nodes are equal.
pub(crate) const SLICES: u64 = 64;

/// The height of the block with which a record that came up with a block of this height is written.
pub(crate) fn written_at(height: u64, id: &impl Id) -> u64 {
    let turns = (id.slice() + SLICES - height % SLICES) % SLICES;
    height.saturating_add(turns)
}

/// What a record of the index is found by.
pub(crate) trait Id: Copy + Ord + Hashed {
    /// What the index tells of it.
    type Place: Place;
    /// The tag of its table.
    const TAG: u8;

    /// The id that a key is of.
    fn of_key(key: &[u8]) -> Option<Self>;
    /// The key of the record.
    fn key(&self) -> Key;
    /// What the key has behind its tag.
    fn first_byte(&self) -> u8;

    /// Which slice it is in.
    fn slice(&self) -> u64 {
        u64::from(self.first_byte()) * SLICES / 256
    }
}

/// A place in a block.
pub(crate) trait Place: Copy {
    /// The height of the block.
    fn height(&self) -> u64;
    /// Its stored form.
    fn stored(&self) -> impl AsRef<[u8]>;
    /// Reads the stored form.
    fn of_stored(stored: &[u8]) -> Option<Self>;
}

impl Place for BatchPlace {
    fn height(&self) -> u64 {
        self.height
    }

    fn stored(&self) -> impl AsRef<[u8]> {
        self.encode()
    }

    fn of_stored(stored: &[u8]) -> Option<Self> {
        Self::decode(stored)
    }
}

impl Place for TransactionPlace {
    fn height(&self) -> u64 {
        self.batch.height
    }

    fn stored(&self) -> impl AsRef<[u8]> {
        self.encode()
    }

    fn of_stored(stored: &[u8]) -> Option<Self> {
        Self::decode(stored)
    }
}

impl Id for BatchId {
    type Place = BatchPlace;
    const TAG: u8 = schema::BATCH_PLACE;

    fn of_key(key: &[u8]) -> Option<Self> {
        key.strip_prefix(&[Self::TAG])?.try_into().ok().map(Self)
    }

    fn key(&self) -> Key {
        schema::batch_place(self)
    }

    fn first_byte(&self) -> u8 {
        self.0[0]
    }
}

impl Id for TransactionId {
    type Place = TransactionPlace;
    const TAG: u8 = schema::TRANSACTION_PLACE;

    fn of_key(key: &[u8]) -> Option<Self> {
        key.strip_prefix(&[Self::TAG])?.try_into().ok().map(Self)
    }

    fn key(&self) -> Key {
        schema::transaction_place(self)
    }

    fn first_byte(&self) -> u8 {
        self.0[0]
    }
}

impl Id for Hash {
    type Place = TransactionPlace;
    const TAG: u8 = schema::CONTENT_PLACE;

    fn of_key(key: &[u8]) -> Option<Self> {
        key.strip_prefix(&[Self::TAG])?.try_into().ok().map(Self)
    }

    fn key(&self) -> Key {
        schema::content_place(self)
    }

    fn first_byte(&self) -> u8 {
        self.0[0]
    }
}

/// What came up with the newest blocks.
#[derive(Default)]
pub(crate) struct Recent(RwLock<Places>);

/// The places of the newest blocks: all that are not written yet, and some that are.
#[derive(Default)]
pub(crate) struct Places {
    batches: Table<BatchId>,
    transactions: Table<TransactionId>,
    contents: Table<Hash>,
    /// What was written with a block up to this height may be gone from here.
    gone: Option<u64>,
    /// All ids that ever came up here.
    ids: Filter,
    /// Those that the file had, once they are read.
    older_ids: Option<Filter>,
}

/// What is known of an id without a look into the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known<P> {
    /// Where it stands.
    At(P),
    /// It came up with no block.
    Nowhere,
    /// It may be in the file.
    Unknown,
}

/// One of the tables, by slice. What is looked up is mostly not there, which a hash map tells without a walk.
struct Table<I: Id>([HashMap<I, I::Place>; SLICES as usize]);

impl<I: Id> Default for Table<I> {
    fn default() -> Self {
        Self(std::array::from_fn(|_| HashMap::new()))
    }
}

impl Recent {
    /// Reads the newest blocks of a file that has some.
    pub(crate) fn load(&self, blocks: &File) -> Result<(), StoreError> {
        let Some(head) = Head::of(blocks)? else { return Ok(()) };
        let lowest = head.height.saturating_sub(SLICES - 1);
        for height in lowest..=head.height {
            self.add(&read_block(blocks, height)?);
        }
        if lowest == 0 {
            let mut places = self.0.write();
            places.older_ids = Some(places.ids.of_same_hash());
        }
        Ok(())
    }

    /// Reads which ids a file has that [`Recent::load`] was called with. Blocks may be committed meanwhile: what comes up
    /// with them is added before it is written. `go_on` is asked at every id.
    ///
    /// # Errors
    /// When the file cannot be read, or a record is damaged.
    pub(crate) fn load_ids(&self, blocks: &File, go_on: &dyn Fn() -> bool) -> Result<(), StoreError> {
        let mut ids = {
            let places = self.read();
            if places.older_ids.is_some() {
                return Ok(());
            }
            places.ids.of_same_hash()
        };
        // Into a filter that nobody waits for, since this thread may be one that gives way to all others.
        let is_whole = load_ids_of::<BatchId>(blocks, &mut ids, go_on)?
            && load_ids_of::<TransactionId>(blocks, &mut ids, go_on)?
            && load_ids_of::<Hash>(blocks, &mut ids, go_on)?;
        if is_whole {
            self.0.write().older_ids = Some(ids);
        }
        Ok(())
    }

    /// Adds what came up with a block, before its records are written and before it is the head.
    pub(crate) fn add(&self, block: &Block) {
        let mut places = self.0.write();
        for (place, batch) in BatchPlace::all(block) {
            places.add_id(&batch.id);
            places.batches.add(batch.id, place);
        }
        for (place, transaction) in TransactionPlace::all(block) {
            let content = transaction.content_hash();
            places.add_id(&transaction.id);
            places.transactions.add(transaction.id, place);
            places.add_id(&content);
            places.contents.add(content, place);
        }
    }

    /// Gives what is written with blocks of these heights, of which no slice has two turns, almost ascending by key.
    pub(crate) fn for_each_record<E>(
        &self,
        heights: RangeInclusive<u64>,
        mut put: impl FnMut(&[u8], &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let places = self.read();
        places.batches.for_each(heights.clone(), &mut put)?;
        places.transactions.for_each(heights.clone(), &mut put)?;
        places.contents.for_each(heights, &mut put)
    }

    /// Forgets what was written before the last turn. What these blocks wrote is kept until the next one: who reads the file
    /// as it was before them still finds it here.
    pub(crate) fn forget(&self, heights: RangeInclusive<u64>) {
        for height in heights {
            // For each by itself: others read meanwhile.
            let mut places = self.0.write();
            places.batches.forget(height);
            places.transactions.forget(height);
            places.contents.forget(height);
            places.gone = places.gone.max(height.checked_sub(SLICES));
        }
    }

    /// What is here now. Who also looks into the file opens it later than this, or asks [`Places::completes`].
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, Places> {
        self.0.read()
    }
}

/// Adds the ids of a table; whether it went on to the end.
fn load_ids_of<I: Id>(blocks: &File, ids: &mut Filter, go_on: &dyn Fn() -> bool) -> Result<bool, StoreError> {
    let mut is_whole = true;
    for first in 0..=u8::MAX {
        // A view of its own for each part of the keys, since a view holds old pages alive.
        blocks.read()?.for_each(&[I::TAG, first], |key, _| {
            is_whole = is_whole && go_on();
            if is_whole {
                let damaged =
                    || StoreError::damaged(blocks.name(), HEXLOWER.encode(key), "its key is not an id");
                ids.add(ids.hash(&I::of_key(key).ok_or_else(damaged)?));
            }
            Ok::<_, StoreError>(())
        })?;
    }
    Ok(is_whole)
}

impl Places {
    pub(crate) fn batch(&self, id: &BatchId) -> Known<BatchPlace> {
        self.known(&self.batches, id)
    }

    pub(crate) fn transaction(&self, id: &TransactionId) -> Known<TransactionPlace> {
        self.known(&self.transactions, id)
    }

    pub(crate) fn content(&self, hash: &Hash) -> Known<TransactionPlace> {
        self.known(&self.contents, hash)
    }

    fn known<I: Id>(&self, table: &Table<I>, id: &I) -> Known<I::Place> {
        if let Some(older) = &self.older_ids {
            let hash = self.ids.hash(id);
            if !self.ids.may_have(hash) && !older.may_have(hash) {
                return Known::Nowhere;
            }
        }
        table.get(id).map_or(Known::Unknown, Known::At)
    }

    fn add_id(&mut self, id: &impl Id) {
        let hash = self.ids.hash(id);
        self.ids.add(hash);
    }

    /// Whether everything that is not here is in a view of the block file that has the block of this height.
    pub(crate) fn completes(&self, head: Option<u64>) -> bool {
        self.gone <= head
    }
}

impl<I: Id> Table<I> {
    fn of(&self, slice: u64) -> &HashMap<I, I::Place> {
        &self.0[slice as usize]
    }

    fn get(&self, id: &I) -> Option<I::Place> {
        self.of(id.slice()).get(id).copied()
    }

    fn add(&mut self, id: I, place: I::Place) {
        // If a chain had something twice, its first place would be what counts.
        self.0[id.slice() as usize].entry(id).or_insert(place);
    }

    fn for_each<E>(
        &self,
        heights: RangeInclusive<u64>,
        mut put: impl FnMut(&[u8], &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        for height in heights {
            let slice = self.of(height % SLICES).iter();
            let mut due: Vec<_> =
                slice.filter(|(id, place)| written_at(place.height(), *id) == height).collect();
            due.sort_unstable_by_key(|(id, _)| *id);
            due.into_iter().try_for_each(|(id, place)| put(&id.key(), place.stored().as_ref()))?;
        }
        Ok(())
    }

    fn forget(&mut self, height: u64) {
        let slice = &mut self.0[(height % SLICES) as usize];
        slice.retain(|id, place| written_at(place.height(), id) >= height);
    }
}

#[cfg(test)]
mod tests;
