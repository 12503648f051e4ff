//! A set of ids that takes little memory and may only be wrong in one way: it may say of an id that it has it, and not have
//! it. Nearly every id that is looked for in the block file is new, and this tells without a search in the file.
//!
//! It is a split block Bloom filter, as Apache Parquet defines it (parquet-format, `BloomFilter.md`): an id has one bit in
//! each of the eight words of one block. The hash has a secret key, so nobody can choose ids that fill a block.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hash};

/// Bits for each id: of 200 ids that are not there, about one is said to be.
const BITS: usize = 12;
/// Blocks of the first part, half a megabyte; each further one has four times as many.
const FIRST_BLOCKS: usize = 1 << 14;
/// Blocks of the last part at most, 128 MiB: what comes when it is full only makes the answers worse.
const MOST_BLOCKS: usize = 1 << 22;
/// Odd numbers of the Parquet format, one for each word of a block.
const SALT: [u32; 8] =
    [0x47b6_137b, 0x4497_4d91, 0x8824_ad5b, 0xa2b7_289d, 0x7054_95c7, 0x2df1_424b, 0x9efc_4947, 0x5c6b_fb31];

type Block = [u32; 8];
const BLOCK_BITS: usize = 256;

/// A set of ids, most of them right. Memory: 1.5 bytes for each, up to four times as much just after it grew; never more
/// than 171 MiB.
#[derive(Default)]
pub(crate) struct Filter {
    key: RandomState,
    parts: Vec<Part>,
}

/// What has one size. A filter cannot be made larger, so there is one more of them.
struct Part {
    blocks: Vec<Block>,
    /// Ids that it is still meant for.
    room: usize,
}

impl Part {
    fn of(blocks: usize) -> Self {
        Self { blocks: vec![[0; 8]; blocks], room: blocks * BLOCK_BITS / BITS }
    }

    /// Which block an id is in: its hash's upper half as a share of all.
    fn at(&self, hash: u64) -> usize {
        (((hash >> 32) * self.blocks.len() as u64) >> 32) as usize
    }
}

/// The bits of an id in its block, by its hash's lower half.
fn bits(hash: u64) -> Block {
    SALT.map(|salt| 1 << ((hash as u32).wrapping_mul(salt) >> 27))
}

impl Filter {
    /// An empty one, in which an id has the same hash.
    pub(crate) fn of_same_hash(&self) -> Self {
        Self { key: self.key.clone(), parts: Vec::new() }
    }

    /// What an id is added as and looked for by.
    pub(crate) fn hash(&self, id: &impl Hash) -> u64 {
        self.key.hash_one(id)
    }

    /// Adds an id by its hash.
    pub(crate) fn add(&mut self, hash: u64) {
        let blocks = match self.parts.last() {
            Some(part) if part.room > 0 || part.blocks.len() == MOST_BLOCKS => None,
            Some(part) => Some(4 * part.blocks.len()),
            None => Some(FIRST_BLOCKS),
        };
        self.parts.extend(blocks.map(Part::of));
        if let Some(part) = self.parts.last_mut() {
            part.room = part.room.saturating_sub(1);
            let at = part.at(hash);
            part.blocks[at].iter_mut().zip(bits(hash)).for_each(|(word, bit)| *word |= bit);
        }
    }

    /// Whether an id of this hash may have been added; `true` of every one that was.
    pub(crate) fn may_have(&self, hash: u64) -> bool {
        let bits = bits(hash);
        let is_in =
            |part: &Part| part.blocks[part.at(hash)].iter().zip(bits).all(|(word, bit)| word & bit != 0);
        self.parts.iter().any(is_in)
    }
}

#[cfg(test)]
mod tests {
    use super::{BITS, BLOCK_BITS, FIRST_BLOCKS, Filter};

    #[test]
    fn what_was_added_is_there_and_little_else() {
        // One more than the first two parts are meant for.
        let count = FIRST_BLOCKS * BLOCK_BITS / BITS * 5 + 2;
        let mut filter = Filter::default();
        assert!(!filter.may_have(filter.hash(&0_usize)));
        for id in 0..count {
            filter.add(filter.hash(&id));
        }
        assert_eq!(filter.parts.len(), 3);
        assert!((0..count).all(|id| filter.may_have(filter.hash(&id))));
        let others = 100_000;
        let wrong = (count..count + others).filter(|id| filter.may_have(filter.hash(id))).count();
        assert!(wrong < others / 50, "{wrong} of {others}");
    }
}
