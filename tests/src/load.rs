//! Signed batches of intkey transactions, by signers of both curves.

use std::ops::Range;

use ledger_types::PrivateKey;
use ledger_types::hash::sha256;
use ledger_types::proto::client as proto;
use ledger_types::signature::Curve;
use txfamilies::intkey::{Payload, Verb};
use txfamilies::{UnsignedTransaction, sign_batch};

use crate::random::Random;

/// The key of a name: the same at every run.
pub fn key(curve: Curve, name: &str) -> PrivateKey {
    PrivateKey::from_bytes(curve, sha256(&[name.as_bytes()]).0).expect("a hash that is no key is never met")
}

/// Gives a new name its value.
pub fn set(name: &str, value: u32) -> UnsignedTransaction {
    intkey(Verb::Set, name, value)
}

/// Adds to a name's value.
pub fn inc(name: &str, value: u32) -> UnsignedTransaction {
    intkey(Verb::Inc, name, value)
}

/// Takes from a name's value.
pub fn dec(name: &str, value: u32) -> UnsignedTransaction {
    intkey(Verb::Dec, name, value)
}

fn intkey(verb: Verb, name: &str, value: u32) -> UnsignedTransaction {
    Payload { verb, name: name.to_owned(), value }.transaction()
}

/// One signer's endless load: names are set, then changed; about one batch in eight is invalid.
#[derive(Debug)]
pub struct Load {
    key: PrivateKey,
    prefix: String,
    /// Names that are set, by their numbers.
    names: Range<u64>,
    batches: u64,
    random: Random,
}

impl Load {
    /// A load whose names begin so. Two loads with different prefixes never meet.
    pub fn new(curve: Curve, prefix: &str, random: Random) -> Self {
        Self { key: key(curve, prefix), prefix: prefix.to_owned(), names: 1..1, batches: 0, random }
    }

    /// Leaves the names of earlier batches alone: some of those batches may be lost.
    pub fn renew(&mut self) {
        self.names.start = self.names.end;
    }

    /// The next batch, of 1 to 6 transactions.
    pub fn next_batch(&mut self) -> proto::Batch {
        self.batches += 1;
        let names = self.names.clone();
        let count = self.random.below(1..6);
        let mut transactions: Vec<UnsignedTransaction> =
            (0..count).map(|_| self.next_transaction()).collect();
        if self.random.once_in(8) {
            transactions.push(dec(&format!("{}-never", self.prefix), 1));
            // An invalid batch takes its new names with it.
            self.names = names;
        }
        sign_batch(&self.key, &transactions)
    }

    fn next_transaction(&mut self) -> UnsignedTransaction {
        let transaction = if self.names.is_empty() || self.random.once_in(3) {
            self.names.end += 1;
            set(&format!("{}-{}", self.prefix, self.names.end - 1), 1_000_000)
        } else {
            let name = format!("{}-{}", self.prefix, self.random.below(self.names.clone()));
            let value = u32::try_from(self.random.below(1..10)).expect("invariant: below 10");
            if self.random.once_in(2) { inc(&name, value) } else { dec(&name, value) }
        };
        transaction.with_nonce(format!("{}-{}", self.batches, self.random.draw()))
    }
}
