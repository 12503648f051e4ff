//! The block file: blocks, and the index made of them.

use ledger_types::{Block, BlockId, Entry, Lineage};

use super::audit::Audit;
use crate::chain::GenesisBlock;
use crate::reader::{BatchPlace, Head, TransactionPlace};
use crate::recent::{Id, Place as _, written_at};
use crate::roots;
use crate::store::{File, StoreError, schema};

/// A check of the block file, from block 0 up.
pub(super) struct Blocks<'a> {
    audit: Audit<'a>,
    lineage: &'a Lineage,
    head: Head,
    /// The id of the block checked last.
    parent: BlockId,
}

impl<'a> Blocks<'a> {
    pub(super) fn new(file: &'a File, lineage: &'a Lineage) -> Result<Self, StoreError> {
        let mut audit = Audit::new(file)?;
        audit.count(schema::ROLLBACK, lineage.rollbacks().len() as u64);
        let head = audit.head().ok_or_else(|| audit.damaged("head".to_owned(), "missing"))?;
        Ok(Self { audit, lineage, head, parent: BlockId::ZERO })
    }

    pub(super) fn head(&self) -> Head {
        self.head
    }

    /// Checks the block of the next height and every record that speaks of it.
    pub(super) fn check(&mut self, height: u64) -> Result<Block, StoreError> {
        let name = || format!("block {height}");
        let key = schema::block_by_height(height);
        let record = self.audit.get(&key, name)?;
        let Some((id, _)) = record.split_first_chunk::<64>() else {
            return Err(self.audit.damaged(name(), "shorter than an id"));
        };
        let id = BlockId(*id);
        let block = Block::decode(record.slice(64..))
            .map_err(|error| self.audit.damaged(name(), error.to_string()))?;
        self.check_header(height, &id, &block).map_err(|reason| self.audit.damaged(name(), reason))?;
        self.audit.count(key[0], 1);
        self.audit.expect_head(&Head { height, id, state_root: block.header.state_root })?;
        self.check_index(&id, &block)?;
        self.parent = id;
        Ok(block)
    }

    fn check_header(&self, height: u64, id: &BlockId, block: &Block) -> Result<(), &'static str> {
        let header = &block.header;
        let transactions: usize = block.batches().map(|batch| batch.transactions.len()).sum();
        let rules = [
            (block.id() == *id, "the header does not hash to the id"),
            (header.height == height, "the header is of another height"),
            (header.parent == self.parent, "the parent is not the block below"),
            (header.network_id == self.lineage.of_height(height), "the header is of another network"),
            (self.lineage.agreed(height).is_none_or(|agreed| agreed == *id), "not the block of the rollback"),
            (entries_root(&block.entries) == header.entries_root, "the entries differ from entries_root"),
            (
                u64::from(header.receipt_count) == transactions as u64,
                "receipt_count differs from the entries",
            ),
        ];
        rules.iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, reason)| Err(*reason))
    }

    fn check_index(&mut self, id: &BlockId, block: &Block) -> Result<(), StoreError> {
        let height = block.header.height;
        let key = schema::height_by_block(id);
        self.audit.expect(&key, &height.to_be_bytes(), || format!("height of block {id}"))?;
        for (place, batch) in BatchPlace::all(block) {
            let name = || format!("place of batch {}", batch.id);
            self.expect_place(&batch.id, &place, name)?;
        }
        for (place, transaction) in TransactionPlace::all(block) {
            let name = || format!("place of transaction {}", transaction.id);
            self.expect_place(&transaction.id, &place, name)?;
            let name = || format!("content of transaction {}", transaction.id);
            self.expect_place(&transaction.content_hash(), &place, name)?;
        }
        Ok(())
    }

    /// A place has a record once its turn has come, and not before.
    fn expect_place<I: Id>(
        &mut self,
        id: &I,
        place: &I::Place,
        name: impl Fn() -> String,
    ) -> Result<(), StoreError> {
        if written_at(place.height(), id) > self.head.height {
            return Ok(());
        }
        self.audit.expect(&id.key(), place.stored().as_ref(), name)
    }

    /// Checks that block 0 is made of a network's genesis. Its roots are execution's business.
    pub(super) fn check_genesis(&self, block: &Block, genesis: &GenesisBlock) -> Result<(), StoreError> {
        let header = &block.header;
        let entries: Vec<Entry> = genesis.batches.iter().map(|batch| Entry::Batch(batch.share())).collect();
        let same = header.cfg_hash == genesis.cfg_hash
            && header.time_ms == genesis.time_ms
            && header.entries_root == entries_root(&entries);
        if same {
            Ok(())
        } else {
            Err(self.audit.damaged("block 0".to_owned(), "not made of this network's genesis"))
        }
    }

    /// Ends the check after the head's block.
    pub(super) fn finish(self) -> Result<(), StoreError> {
        self.audit.finish()
    }
}

fn entries_root(entries: &[Entry]) -> ledger_types::Hash {
    let leaves: Vec<_> = entries.iter().map(|entry| roots::leaf(roots::ENTRIES, &entry.encode())).collect();
    roots::root(&leaves)
}
