//! A small ledger for this crate's tests, with one family: `put` sets or deletes the address in its payload.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use ledger_types::family::{ApplyError, Context, FamilyDescription, FamilyRegistry, TransactionFamily};
use ledger_types::hash::sha512;
use ledger_types::proto::client as proto;
use ledger_types::proto::families::Setting;
use ledger_types::proto::families::setting::Entry;
use ledger_types::signature::Curve;
use ledger_types::{
    Address, Batch, BlockId, ConfigHash, NetworkId, PrivateKey, Transaction, ValidatorId, Verified, setting,
};
use prost::Message as _;

use crate::execute::{Candidate, Executed, Slot};
use crate::{GenesisBlock, Ledger, OpenOptions};

/// The network of all test ledgers.
pub(crate) const NETWORK: NetworkId = NetworkId([7; 32]);

/// Payload: an address (35 bytes) and a value; an empty value deletes, `refuse` is refused, `panic` panics.
struct Put;

impl TransactionFamily for Put {
    fn describe(&self) -> FamilyDescription {
        FamilyDescription { names: &["put"], version: "1", namespaces: &[], commands: &[] }
    }

    fn apply(&self, transaction: &Transaction, context: &mut dyn Context) -> Result<(), ApplyError> {
        let Some((address, value)) = transaction.payload.split_first_chunk() else {
            return Err(ApplyError::invalid("too short"));
        };
        match value {
            b"refuse" => Err(ApplyError::invalid("refused")),
            b"panic" => panic!("asked for"),
            b"" => Ok(context.delete(Address(*address))?),
            value => Ok(context.set(Address(*address), Bytes::copy_from_slice(value))?),
        }
    }
}

struct OnlyPut;

impl FamilyRegistry for OnlyPut {
    fn find(&self, name: &str, version: &str) -> Option<&dyn TransactionFamily> {
        ((name, version) == ("put", "1")).then_some(&Put)
    }

    fn describe_all(&self) -> Vec<FamilyDescription> {
        vec![Put.describe()]
    }
}

/// An address that ends with a number.
pub(crate) fn address(number: u32) -> Address {
    let mut bytes = [0xab; 35];
    bytes[31..].copy_from_slice(&number.to_be_bytes());
    Address(bytes)
}

/// A signed batch of transactions that put values; each may depend on transaction ids.
pub(crate) fn batch(puts: &[(Address, &[u8], &[String])]) -> Verified<Batch> {
    batch_with_nonce(puts, "")
}

/// The same with a nonce, so that it can say the same again.
pub(crate) fn batch_with_nonce(puts: &[(Address, &[u8], &[String])], nonce: &str) -> Verified<Batch> {
    let key = PrivateKey::from_bytes(Curve::Ed25519, [9; 32]).unwrap();
    let signer = key.public_key().to_string();
    let transactions: Vec<proto::Transaction> = puts
        .iter()
        .map(|(address, value, dependencies)| {
            let payload = [&address.0[..], value].concat();
            let header = proto::TransactionHeader {
                batcher_public_key: signer.clone(),
                dependencies: dependencies.to_vec(),
                family_name: "put".to_owned(),
                family_version: "1".to_owned(),
                inputs: vec![String::new()],
                outputs: vec![String::new()],
                nonce: nonce.to_owned(),
                payload_sha512: data_encoding::HEXLOWER.encode(&sha512(&[&payload])),
                signer_public_key: signer.clone(),
            };
            let header = header.encode_to_vec();
            let header_signature = key.sign(&header).to_string();
            proto::Transaction { header: header.into(), header_signature, payload: payload.into() }
        })
        .collect();
    let transaction_ids = transactions.iter().map(|one| one.header_signature.clone()).collect();
    let header = proto::BatchHeader { signer_public_key: signer, transaction_ids }.encode_to_vec();
    let header_signature = key.sign(&header).to_string();
    let message =
        proto::Batch { header: header.into(), header_signature, transactions, ..proto::Batch::default() };
    Batch::from_proto(message).unwrap().verify().unwrap()
}

/// A batch of one transaction.
pub(crate) fn put(number: u32, value: &[u8]) -> Verified<Batch> {
    batch(&[(address(number), value, &[])])
}

/// A batch that sets how many versions of state the network keeps.
pub(crate) fn keep_versions(versions: u64) -> Verified<Batch> {
    let entry = setting_entry(setting::KEEP_VERSIONS, &versions.to_string());
    batch(&[(setting::address(setting::KEEP_VERSIONS), &entry, &[])])
}

fn setting_entry(key: &str, value: &str) -> Vec<u8> {
    let entry = Entry { key: key.to_owned(), value: value.to_owned() };
    Setting { entries: vec![entry] }.encode_to_vec()
}

/// How the test ledgers are opened.
pub(crate) fn options(directory: &Path) -> OpenOptions {
    OpenOptions {
        directory: directory.to_owned(),
        map_bytes: 1 << 26,
        rebuild: false,
        check_bytes: u64::MAX,
        genesis: GenesisBlock {
            lineage: NETWORK.into(),
            cfg_hash: ConfigHash([3; 32]),
            time_ms: 1,
            batches: vec![put(0, b"genesis")],
        },
        registry: Arc::new(OnlyPut),
    }
}

/// Builds a block of these batches on the head.
pub(crate) fn build(ledger: &Ledger, batches: &[Verified<Batch>]) -> Arc<Executed> {
    let since_height = ledger.head().height;
    let candidate = |batch: &Verified<Batch>| Candidate {
        batch: Arc::new(batch.clone()),
        waited_enough: true,
        since_height,
    };
    build_of(ledger, &batches.iter().map(candidate).collect::<Vec<_>>())
}

/// Builds a block of these candidates on the head.
pub(crate) fn build_of(ledger: &Ledger, candidates: &[Candidate]) -> Arc<Executed> {
    let head = ledger.head();
    build_at(ledger, head.id, head.height + 1, candidates)
}

/// Builds a block of these candidates on an executed block.
pub(crate) fn build_on(ledger: &Ledger, parent: &Executed, candidates: &[Candidate]) -> Arc<Executed> {
    build_at(ledger, parent.id(), parent.header().height + 1, candidates)
}

fn build_at(ledger: &Ledger, parent: BlockId, height: u64, candidates: &[Candidate]) -> Arc<Executed> {
    ledger.build(&parent, &slot(height), candidates, usize::MAX).unwrap().0
}

/// What does not come from execution in the header of a block of a height.
pub(crate) fn slot(height: u64) -> Slot {
    Slot {
        network_id: NETWORK,
        cfg_hash: ConfigHash([3; 32]),
        epoch: 0,
        view: height,
        proposer: ValidatorId { cluster: 0, node: 0 },
        time_ms: height + 1,
    }
}

/// Commits a block of these batches on the head.
pub(crate) fn commit(ledger: &Ledger, batches: &[Verified<Batch>]) -> Arc<Executed> {
    let executed = build(ledger, batches);
    ledger.commit(std::slice::from_ref(&executed)).unwrap();
    executed
}

/// A batch of several puts: the number of an address, and its value.
pub(crate) fn several(puts: &[(u32, &[u8])]) -> Verified<Batch> {
    let puts: Vec<_> = puts.iter().map(|(number, value)| (address(*number), *value, &[][..])).collect();
    batch(&puts)
}

/// The batches of the blocks above genesis: repeated rejections, deletes, an empty block, several entries.
pub(crate) fn history() -> Vec<Vec<Verified<Batch>>> {
    let refused = || put(9, b"refuse");
    vec![
        vec![several(&[(1, b"a"), (2, b"b")]), refused(), put(3, b"c")],
        vec![refused(), several(&[(4, b"d"), (5, b"refuse")])],
        vec![],
        vec![several(&[(2, b""), (17, b"e"), (1, b"a2")]), put(200, b"")],
        vec![put(2, b"again"), refused()],
    ]
}
