//! Random batches that meet in every way there is: few addresses, prefixes of all lengths, duplicates and dependencies.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use ledger_types::family::{ApplyError, Context, FamilyDescription, FamilyRegistry, TransactionFamily};
use ledger_types::hash::{sha256, sha512};
use ledger_types::proto::client as proto;
use ledger_types::signature::Curve;
use ledger_types::{Address, Batch, Hash, PrivateKey, Transaction, Verified};
use prost::Message as _;

use crate::execute::Candidate;

/// Random choices that a seed repeats (SplitMix64).
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % end as u64).unwrap()
    }

    pub(super) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }
}

/// Runs its payload, a list of steps of 37 bytes: what to do, an address, and a number. What is written depends on all that
/// was read before. Or sets an address to a value of any length.
struct Steps;

impl TransactionFamily for Steps {
    fn describe(&self) -> FamilyDescription {
        FamilyDescription { names: &["steps"], version: "1", namespaces: &[], commands: &[] }
    }

    fn apply(&self, transaction: &Transaction, context: &mut dyn Context) -> Result<(), ApplyError> {
        if let Some((b"v", set)) = transaction.payload.split_first_chunk() {
            let (address, value) = set.split_first_chunk().unwrap();
            return Ok(context.set(Address(*address), Bytes::copy_from_slice(value))?);
        }
        let mut read = Hash::ZERO;
        for step in transaction.payload.chunks_exact(37) {
            let address = Address(step[1..36].try_into().unwrap());
            match step[0] {
                b'g' => read = sha256(&[&read.0, &context.get(&address)?.unwrap_or_default()]),
                b's' => {
                    context.set(address, Bytes::copy_from_slice(&read.0[..usize::from(step[36] % 32)]))?;
                }
                b'd' => context.delete(address)?,
                // Families may go on after a refusal.
                b'i' => _ = context.get(&address).is_err() && context.delete(address).is_err(),
                b'e' => context.add_event("read", Vec::new(), Bytes::copy_from_slice(&read.0))?,
                b'r' if read.0[0] < step[36] => return Err(ApplyError::invalid(format!("read {read}"))),
                b'p' if read.0[0] < step[36] => panic!("a step of a test"),
                _ => {}
            }
        }
        Ok(())
    }
}

/// The one family.
pub(super) struct Families;

impl FamilyRegistry for Families {
    fn find(&self, name: &str, version: &str) -> Option<&dyn TransactionFamily> {
        ((name, version) == ("steps", "1")).then_some(&Steps)
    }

    fn describe_all(&self) -> Vec<FamilyDescription> {
        vec![Steps.describe()]
    }
}

/// The transactions of batches, unsigned: signatures are verified before execution, not by it.
#[derive(Clone)]
struct Made {
    id: String,
    header: Vec<u8>,
    payload: Vec<u8>,
}

/// Addresses of a load; the first few are hot.
const ADDRESSES: usize = 400;
const HOT: usize = 8;

/// An endless load on few addresses.
pub(super) struct Load {
    pub(super) random: Random,
    addresses: Vec<Address>,
    count: u64,
    /// Transactions of all batches so far, also of those that were never committed.
    made: Vec<Made>,
    batches: Vec<Arc<Verified<Batch>>>,
}

impl Load {
    pub(super) fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        // Each differs from an earlier one in one byte, so they part at every depth.
        let mut addresses = vec![Address([0; 35])];
        for _ in 0..ADDRESSES {
            let mut address = *random.pick(&addresses);
            address.0[random.below(35)] = random.below(256) as u8;
            addresses.push(address);
        }
        Self { random, addresses, count: seed << 32, made: Vec::new(), batches: Vec::new() }
    }

    /// Candidates of a block.
    pub(super) fn candidates(&mut self, since_height: u64) -> Vec<Candidate> {
        let count = 2 + self.random.below(9);
        (0..count).map(|_| self.candidate(since_height)).collect()
    }

    fn candidate(&mut self, since_height: u64) -> Candidate {
        let batch = match self.batches.is_empty() || !self.random.once_in(16) {
            true => Arc::new(self.batch()),
            false => self.random.pick(&self.batches).clone(),
        };
        self.batches.push(batch.clone());
        Candidate { batch, waited_enough: !self.random.once_in(3), since_height }
    }

    fn batch(&mut self) -> Verified<Batch> {
        let mut transactions: Vec<Made> = Vec::new();
        for _ in 0..=self.random.below(2) {
            let made = self.transaction();
            if transactions.iter().all(|earlier| earlier.id != made.id) {
                transactions.push(made);
            }
        }
        self.made.extend(transactions.iter().cloned());
        let id = match self.batches.is_empty() || !self.random.once_in(64) {
            true => self.fresh_id(),
            // One signature for two messages, which a signer can make.
            false => self.random.pick(&self.batches).id.to_string(),
        };
        batch(id, transactions)
    }

    fn transaction(&mut self) -> Made {
        if !self.made.is_empty() && self.random.once_in(12) {
            let made = self.an_earlier_one();
            return match self.random.below(3) {
                0 => made,
                // Another signature for the same message, and the other way round.
                1 => Made { id: self.fresh_id(), ..made },
                _ => Made { id: made.id, ..self.steps() },
            };
        }
        self.steps()
    }

    fn steps(&mut self) -> Made {
        let (mut inputs, mut outputs, mut payload) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..=self.random.below(4) {
            let address = match self.random.once_in(6) {
                true => *self.random.pick(&self.addresses[..HOT]),
                false => *self.random.pick(&self.addresses),
            };
            let what = if self.random.once_in(500) { b'p' } else { *self.random.pick(b"ggggggsssssdier") };
            payload.push(what);
            payload.extend_from_slice(&address.0);
            payload.push(if what == b'p' { self.random.below(8) } else { self.random.below(96) } as u8);
            if !self.random.once_in(48) {
                let is_input = what == b'g' || what == b'i';
                let prefix = self.prefix(&address);
                if is_input { inputs.push(prefix) } else { outputs.push(prefix) }
            }
        }
        if self.random.once_in(64) {
            let bad = (*self.random.pick(&["0", "zz", "AB"])).to_owned();
            if self.random.once_in(2) { inputs.push(bad) } else { outputs.push(bad) }
        }
        let dependencies = if self.random.once_in(7) { vec![self.dependency()] } else { Vec::new() };
        self.made(inputs, outputs, dependencies, payload)
    }

    /// The beginning of an address: mostly all of it, sometimes nearly all, seldom anything down to nothing.
    fn prefix(&mut self, address: &Address) -> String {
        let bytes = match self.random.below(32) {
            0 => self.random.below(36),
            1..6 => 32 + self.random.below(3),
            _ => 35,
        };
        address.to_string()[..2 * bytes].to_owned()
    }

    fn dependency(&mut self) -> String {
        match self.random.below(12) {
            0 => "abc".to_owned(),
            1 => self.fresh_id(),
            // What the next transaction will have, so that a later batch has what an earlier one needs.
            2 => id(self.count + 2),
            _ if self.made.is_empty() => self.fresh_id(),
            _ => self.an_earlier_one().id,
        }
    }

    /// One of the transactions so far, mostly of the same block.
    fn an_earlier_one(&mut self) -> Made {
        let count = if self.random.once_in(4) { self.made.len() } else { self.made.len().min(6) };
        self.random.pick(&self.made[self.made.len() - count..]).clone()
    }

    fn made(
        &mut self,
        inputs: Vec<String>,
        outputs: Vec<String>,
        dependencies: Vec<String>,
        payload: Vec<u8>,
    ) -> Made {
        let id = self.fresh_id();
        let header = proto::TransactionHeader {
            batcher_public_key: signer(),
            dependencies,
            family_name: "steps".to_owned(),
            family_version: if self.random.once_in(64) { "2" } else { "1" }.to_owned(),
            inputs,
            outputs,
            nonce: id.clone(),
            payload_sha512: data_encoding::HEXLOWER.encode(&sha512(&[&payload])),
            signer_public_key: signer(),
        };
        Made { id, header: header.encode_to_vec(), payload }
    }

    fn fresh_id(&mut self) -> String {
        self.count += 1;
        id(self.count)
    }
}

fn id(number: u64) -> String {
    data_encoding::HEXLOWER.encode(&sha512(&[&number.to_be_bytes()]))
}

fn signer() -> String {
    static SIGNER: LazyLock<String> =
        LazyLock::new(|| PrivateKey::from_bytes(Curve::Ed25519, [9; 32]).unwrap().public_key().to_string());
    SIGNER.clone()
}

fn batch(id: String, transactions: Vec<Made>) -> Verified<Batch> {
    let transaction_ids = transactions.iter().map(|made| made.id.clone()).collect();
    let header = proto::BatchHeader { signer_public_key: signer(), transaction_ids }.encode_to_vec();
    let transactions = transactions.into_iter().map(|made| proto::Transaction {
        header: made.header.into(),
        header_signature: made.id,
        payload: made.payload.into(),
    });
    let transactions = transactions.collect();
    let message =
        proto::Batch { header: header.into(), header_signature: id, transactions, ..Default::default() };
    Verified::of_final_block(Batch::from_proto(message).unwrap())
}

/// A batch that sets a value.
pub(super) fn setting(address: &Address, value: &[u8]) -> Verified<Batch> {
    let payload = [b"v", &address.0[..], value].concat();
    let made = Load::new(0).made(Vec::new(), vec![address.to_string()], Vec::new(), payload);
    batch(id(u64::MAX), vec![made])
}

/// A batch of one transaction that declares these prefixes and does nothing.
pub(super) fn declaring(number: u64, inputs: &[&str], outputs: &[&str]) -> Verified<Batch> {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    let mut load = Load::new(number);
    let made = load.made(owned(inputs), owned(outputs), Vec::new(), Vec::new());
    batch(id(number << 32 | 0xffff_ffff), vec![made])
}
