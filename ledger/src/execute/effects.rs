//! What batches did: all that later ones can see of them.

use std::collections::{BTreeMap, HashSet};

use bytes::Bytes;
use ledger_types::receipt::Receipt;
use ledger_types::{Address, Batch, Hash, Rejection, Transaction, TransactionId};

use crate::roots;

/// Changes of state: a value, or `None` for a delete.
pub(crate) type Changes = BTreeMap<Address, Option<Bytes>>;

/// What became of a batch.
pub(super) type Outcome = Result<BatchEffects, Box<Rejection>>;

/// The effects of a batch that is valid.
#[derive(Default)]
pub(super) struct BatchEffects {
    pub(super) changes: Changes,
    pub(super) receipts: Receipts,
}

/// Encoded receipts in order, and their leaves.
#[derive(Default)]
pub(super) struct Receipts {
    pub(super) encoded: Vec<(TransactionId, Bytes)>,
    pub(super) leaves: Vec<Hash>,
}

impl Receipts {
    pub(super) fn push(&mut self, receipt: &Receipt) {
        let encoded = receipt.encode();
        self.leaves.push(roots::leaf(roots::RECEIPTS, &encoded));
        self.encoded.push((receipt.transaction, encoded.into()));
    }

    pub(super) fn append(&mut self, mut later: Self) {
        self.encoded.append(&mut later.encoded);
        self.leaves.append(&mut later.leaves);
    }
}

/// The effects of the valid ones among some batches, in their order. The sets are asked, never walked.
#[derive(Default)]
pub(super) struct Effects {
    pub(super) changes: Changes,
    pub(super) transactions: HashSet<TransactionId>,
    pub(super) contents: HashSet<Hash>,
}

impl Effects {
    /// Adds what the next batch did.
    pub(super) fn add(&mut self, batch: &Batch, changes: Changes) {
        self.changes.extend(changes);
        self.transactions.extend(batch.transactions.iter().map(|transaction| transaction.id));
        self.contents.extend(batch.transactions.iter().map(Transaction::content_hash));
    }
}
