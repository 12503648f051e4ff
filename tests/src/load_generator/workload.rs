//! Everything that a run posts, signed ahead.

use std::ops::Range;

use bytes::Bytes;
use ledger_types::limits::TRANSACTIONS_PER_BATCH;
use ledger_types::proto::client as proto;
use ledger_types::{BatchId, PrivateKey, TransactionId};
use prost::Message as _;
use txfamilies::{UnsignedTransaction, batch_of, bgt, intkey};

use super::options::{FamilyName, Options};
use crate::load::key;
use crate::random::Random;

/// Keys that own the accounts and sign in turn: a node that remembers the last signer gains nothing.
const SIGNERS: u32 = 64;
/// Transactions in a batch that makes accounts: as many as a batch may have, so that many accounts are soon made.
const ACCOUNTS_PER_BATCH: u32 = TRANSACTIONS_PER_BATCH as u32;
/// What an account holds at first.
const FIRST_VALUE: u32 = 1_000_000;

/// A batch ready to be posted.
#[derive(Clone, Debug)]
pub(super) struct Prepared {
    /// The batch.
    pub(super) id: BatchId,
    /// Its transactions.
    pub(super) transactions: Vec<TransactionId>,
    /// A list of this one batch, as bytes.
    pub(super) body: Bytes,
}

/// The accounts, keys and choices of one run.
pub(super) struct Workload {
    signers: Vec<PrivateKey>,
    family: FamilyName,
    accounts: u32,
    batch_size: u32,
    hot_share: u8,
    payload_bytes: usize,
    /// Makes the choices.
    seed: u64,
    /// Makes the accounts' names and keys: the same seed, or that of the run which made them.
    accounts_seed: u64,
}

impl Workload {
    pub(super) fn new(options: &Options, seed: u64) -> Self {
        let accounts_seed = options.accounts_of.unwrap_or(seed);
        let signer = |number| key(options.curve.into(), &format!("load {accounts_seed} {number}"));
        Self {
            signers: (0..SIGNERS).map(signer).collect(),
            family: options.family,
            accounts: options.accounts,
            batch_size: options.batch_size,
            hot_share: options.hot_share,
            payload_bytes: options.payload_bytes.unwrap_or_default() as usize,
            seed,
            accounts_seed,
        }
    }

    /// Signs the batches that make these accounts.
    pub(super) fn sign_accounts(&self, accounts: Range<u32>) -> Vec<Prepared> {
        let count = (accounts.end - accounts.start).div_ceil(ACCOUNTS_PER_BATCH);
        in_parallel(count.into(), |batch| {
            let batches = u32::try_from(batch).expect("invariant: below the count");
            let first = accounts.start + batches * ACCOUNTS_PER_BATCH;
            let accounts = first..accounts.end.min(first + ACCOUNTS_PER_BATCH);
            let openings: Vec<_> = accounts.map(|account| (account, self.opening(account))).collect();
            self.sign(batch, &openings)
        })
    }

    /// Signs batches of changes.
    pub(super) fn sign_changes(&self, batches: u64) -> Vec<Prepared> {
        in_parallel(batches, |batch| {
            let mut random = Random::new(self.seed ^ batch.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let changes = (0..self.batch_size).map(|index| {
                let account = self.choose(&mut random);
                (account, self.change(account).with_nonce(format!("{:x}-{batch}-{index}", self.seed)))
            });
            self.sign(batch, &changes.collect::<Vec<_>>())
        })
    }

    fn choose(&self, random: &mut Random) -> u32 {
        if random.below(0..100) < self.hot_share.into() {
            return 0;
        }
        u32::try_from(random.below(0..self.accounts.into())).expect("invariant: below the accounts")
    }

    /// Another seed makes other names.
    fn name(&self, account: u32) -> String {
        format!("{:08x}-{account}", Random::new(self.accounts_seed).draw() as u32)
    }

    fn opening(&self, account: u32) -> UnsignedTransaction {
        let (name, value) = (self.name(account), FIRST_VALUE);
        match self.family {
            FamilyName::Intkey => intkey::Payload { verb: intkey::Verb::Set, name, value }.transaction(),
            FamilyName::Bgt => bgt::Payload { verb: bgt::Verb::Set, name, value }.transaction(),
        }
    }

    fn change(&self, account: u32) -> UnsignedTransaction {
        let (name, value) = (self.name(account), 1);
        let mut change = match self.family {
            FamilyName::Intkey => intkey::Payload { verb: intkey::Verb::Inc, name, value }.transaction(),
            FamilyName::Bgt => bgt::Payload { verb: bgt::Verb::Inc, name, value }.transaction(),
        };
        change.payload = padded(change.payload, self.payload_bytes);
        change
    }

    /// Each transaction is signed by its account's owner, and the batch by one signer after the other.
    fn sign(&self, batch: u64, transactions: &[(u32, UnsignedTransaction)]) -> Prepared {
        let signer = |number: u64| &self.signers[(number % u64::from(SIGNERS)) as usize];
        let batcher = signer(batch);
        let public = batcher.public_key();
        let signed = transactions.iter().map(|(account, it)| it.sign(signer((*account).into()), &public));
        Prepared::of(batch_of(batcher, signed.collect()))
    }
}

impl Prepared {
    fn of(batch: proto::Batch) -> Self {
        let ours = "invariant: made from a signature";
        let ids = batch.transactions.iter().map(|it| it.header_signature.parse().expect(ours));
        let (id, transactions) = (batch.header_signature.parse().expect(ours), ids.collect());
        let list = proto::BatchList { batches: vec![batch], ..proto::BatchList::default() };
        Self { id, transactions, body: list.encode_to_vec().into() }
    }
}

/// A family's CBOR map with one more entry, whose value makes it so many bytes long; it is not made shorter, and not
/// longer by less than such an entry takes.
fn padded(map: Bytes, bytes: usize) -> Bytes {
    /// The key `Pad`, and a byte string whose length has four bytes.
    const ENTRY: [u8; 5] = [0x63, b'P', b'a', b'd', 0x5a];
    let Some(padding) = bytes.checked_sub(map.len() + ENTRY.len() + size_of::<u32>()) else { return map };
    let mut longer = map.to_vec();
    longer[0] += 1;
    longer.extend(ENTRY);
    longer.extend(u32::try_from(padding).expect("invariant: a payload is below 4 GiB").to_be_bytes());
    longer.resize(bytes, b'.');
    longer.into()
}

/// Makes batches `0..count` on all cores.
fn in_parallel(count: u64, make: impl Fn(u64) -> Prepared + Sync) -> Vec<Prepared> {
    let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get() as u64);
    let share = count.div_ceil(threads).max(1);
    std::thread::scope(|scope| {
        let make = &make;
        let parts = (0..count).step_by(usize::try_from(share).expect("invariant: fits in memory"));
        let parts = parts
            .map(|from| scope.spawn(move || (from..count.min(from + share)).map(make).collect::<Vec<_>>()));
        let parts: Vec<_> = parts.collect();
        parts.into_iter().flat_map(|part| part.join().expect("signing does not panic")).collect()
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use bytes::Bytes;
    use clap::Parser as _;
    use ledger_types::proto::client as proto;
    use ledger_types::{Batch, Transaction};
    use prost::Message as _;
    use txfamilies::{MemoryContext, registry};

    use super::{Options, Prepared, Workload};

    fn batch(prepared: &Prepared) -> Batch {
        let list = proto::BatchList::decode(prepared.body.clone()).unwrap();
        let [message] = <[proto::Batch; 1]>::try_from(list.batches).unwrap();
        let batch = Batch::from_proto(message).unwrap().verify().unwrap().into_inner();
        assert_eq!(batch.id, prepared.id);
        assert!(batch.transactions.iter().map(|it| it.id).eq(prepared.transactions.iter().copied()));
        batch
    }

    fn workload(words: &str) -> Workload {
        let words = ["load"].into_iter().chain(words.split_whitespace());
        let options = Options::parse_from(words);
        Workload::new(&options, options.seed.unwrap_or(7))
    }

    #[test]
    fn every_transaction_is_valid_and_new() {
        for words in [
            "--accounts 150 --batch-size 3 --curve secp256k1",
            "--accounts 2100 --batch-size 20 --family bgt --hot-share 50 --payload-bytes 1000",
        ] {
            let (load, mut context, mut seen) = (workload(words), MemoryContext::new(0), BTreeSet::new());
            // Another run changes the same accounts.
            let later = workload(&format!("{words} --accounts-of 7 --seed 8"));
            let accounts = [load.sign_accounts(0..100), load.sign_accounts(100..load.accounts)].concat();
            for prepared in [accounts, load.sign_changes(10), later.sign_changes(10)].iter().flatten() {
                for transaction in &batch(prepared).transactions {
                    context.apply(&registry(), transaction).unwrap();
                    assert!(seen.insert(transaction.content_hash()), "{words}");
                }
            }
            assert_eq!(context.state().len(), load.accounts as usize);
        }
    }

    #[test]
    fn payloads_have_the_size_that_was_asked_for() {
        for (bytes, expected) in [(1, 30..60), (100, 100..101), (10_000, 10_000..10_001)] {
            let load = workload(&format!("--payload-bytes {bytes}"));
            let changes = load.sign_changes(1);
            let size = batch(&changes[0]).transactions[0].payload.len();
            assert!(expected.contains(&size), "{bytes} {size}");
        }
    }

    #[test]
    fn the_hot_account_gets_its_share() {
        let payloads = |words: &str| -> Vec<Bytes> {
            let changes = workload(words).sign_changes(20);
            let payload = |it: Transaction| it.payload;
            changes.iter().flat_map(|it| batch(it).transactions.into_iter().map(payload)).collect()
        };
        let most = |payloads: Vec<Bytes>| {
            let distinct: BTreeSet<_> = payloads.iter().collect();
            distinct.iter().map(|one| payloads.iter().filter(|it| it == one).count()).max().unwrap()
        };
        let (none, third) =
            ("--batch-size 50 --accounts 1000", "--batch-size 50 --accounts 1000 --hot-share 33");
        assert!(most(payloads(none)) < 20, "no account is hot");
        assert!((250..420).contains(&most(payloads(third))), "a third of 1,000, as chance has it");
    }
}
