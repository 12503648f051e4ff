//! The receipts file: what committed transactions did, and why batches were rejected.

use std::collections::BTreeMap;

use bytes::Bytes;
use ledger_types::codec::{Reader, Writer};
use ledger_types::receipt::Receipt;
use ledger_types::{Address, BatchId, Block, Rejection, Transaction};

use super::audit::Audit;
use crate::reader::{Head, TransactionPlace};
use crate::roots;
use crate::store::{File, StoreError, schema};

/// A block's state changes: a value, or `None` for a delete.
pub(super) type Changes = BTreeMap<Address, Option<Bytes>>;

/// A check of the receipts file along the blocks.
pub(super) struct Receipts<'a> {
    audit: Audit<'a>,
    /// Batches whose record is of a block that is still to come, by that block's height.
    later: BTreeMap<BatchId, u64>,
}

impl<'a> Receipts<'a> {
    pub(super) fn new(file: &'a File) -> Result<Self, StoreError> {
        Ok(Self { audit: Audit::new(file)?, later: BTreeMap::new() })
    }

    pub(super) fn head(&self) -> Option<Head> {
        self.audit.head()
    }

    /// Checks the records of a block and returns the state changes that they tell; `None` above the file's head.
    pub(super) fn check(&mut self, head: &Head, block: &Block) -> Result<Option<Changes>, StoreError> {
        if !self.audit.reaches(head.height) {
            return Ok(None);
        }
        self.audit.expect_head(head)?;
        let (mut leaves, mut changes) = (Vec::new(), Changes::new());
        for (place, transaction) in TransactionPlace::all(block) {
            let (receipt, encoded) = self.receipt(place, transaction)?;
            leaves.push(roots::leaf(roots::RECEIPTS, &encoded));
            changes.extend(receipt.state_changes.into_iter().map(|change| (change.address, change.value)));
        }
        if roots::root(&leaves) != block.header.receipts_root {
            let record = format!("receipts of block {}", head.height);
            return Err(self.audit.damaged(record, "they differ from receipts_root"));
        }
        block.rejections().try_for_each(|rejection| self.rejection(head.height, rejection))?;
        Ok(Some(changes))
    }

    fn receipt(
        &mut self,
        place: TransactionPlace,
        transaction: &Transaction,
    ) -> Result<(Receipt, Bytes), StoreError> {
        let name = || format!("receipt of transaction {}", transaction.id);
        let key = schema::receipt(place);
        let encoded = self.audit.get(&key, name)?;
        let receipt = Receipt::decode(encoded.clone())
            .map_err(|error| self.audit.damaged(name(), error.to_string()))?;
        if receipt.transaction != transaction.id {
            return Err(self.audit.damaged(name(), "it is another transaction's"));
        }
        self.audit.count(key[0], 1);
        Ok((receipt, encoded))
    }

    /// A batch may be rejected more than once: its record is of the newest time.
    fn rejection(&mut self, height: u64, rejection: &Rejection) -> Result<(), StoreError> {
        let name = || format!("rejection of batch {}", rejection.batch);
        let key = schema::rejection(&rejection.batch);
        let record = self.audit.get(&key, name)?;
        let stored = Reader::new(record)
            .u64("height")
            .map_err(|error| self.audit.damaged(name(), error.to_string()))?;
        if stored > height {
            self.later.insert(rejection.batch, stored);
            return Ok(());
        }
        self.later.remove(&rejection.batch);
        let mut expected = Writer::new();
        rejection.encode(expected.u64(height));
        self.audit.expect(&key, &expected.finish(), name)
    }

    /// Ends the check after the head's block.
    pub(super) fn finish(self) -> Result<(), StoreError> {
        if let Some((batch, height)) = self.later.first_key_value() {
            let reason = format!("it is of height {height}, where no block rejects the batch");
            return Err(self.audit.damaged(format!("rejection of batch {batch}"), reason));
        }
        self.audit.finish()
    }
}
