//! Small networks and signed batches for this crate's tests.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::path::Path;
use std::sync::Arc;

use consensus::Committee;
use genesis::{Genesis, NetworkFile, NetworkSettings};
use ledger::Ledger;
use ledger_types::signature::Curve;
use ledger_types::topology::{Cluster, NetKey, Validator};
use ledger_types::{Batch, PrivateKey, PublicKey, ValidatorId, Verified, VoteKey};
use prost::Message as _;
use txfamilies::bgt::{Payload, Verb};

use crate::wiring::open_ledger;

/// Bytes that each file of a ledger may have.
const MAP_BYTES: usize = 1 << 28;

/// The key of a number: a validator's vote key from 1, its net key from 101.
pub(crate) fn key(number: u8) -> PrivateKey {
    PrivateKey::from_bytes(Curve::Ed25519, [number; 32]).unwrap()
}

fn public(number: u8) -> [u8; 32] {
    let PublicKey::Ed25519(bytes) = key(number).public_key() else { panic!("an ed25519 key") };
    bytes
}

/// A validator of the first cluster, from 1.
pub(crate) fn validator(number: u16) -> ValidatorId {
    ValidatorId { cluster: 0, node: number - 1 }
}

/// A network of one cluster.
pub(crate) fn network(validators: u8) -> Genesis {
    let validator = |number: u8| Validator {
        name: format!("c1-{number}"),
        vote_key: VoteKey(public(number)),
        net_key: NetKey(public(100 + number)),
        delegate: true,
    };
    let validators = (1..=validators).map(validator).collect();
    let clusters = vec![Cluster { name: "c1".to_owned(), validators }];
    let settings = NetworkSettings::new(vec![key(200).public_key()]);
    NetworkFile::new("test", 1, settings, clusters).unwrap().genesis().unwrap()
}

/// The ledger of a node of that network.
pub(crate) fn ledger(directory: &Path, network: &Genesis) -> Arc<Ledger> {
    Arc::new(open_ledger(directory, network, MAP_BYTES, false, u64::MAX).unwrap())
}

/// The committee of a ledger's network.
pub(crate) fn committee(ledger: &Ledger, network: &Genesis) -> Arc<Committee> {
    let genesis = ledger.reader().block_id(0).unwrap().unwrap();
    Arc::new(Committee::new(network.lineage.clone(), 0, network.topology.clone(), &genesis))
}

fn of_payload(verb: Verb, number: u32, nonce: String) -> Verified<Batch> {
    let payload = Payload { verb, name: format!("w{number}"), value: 1 };
    let batch = txfamilies::sign_batch(&key(210), &[payload.transaction().with_nonce(nonce)]);
    Batch::from_proto(batch).unwrap().verify().unwrap()
}

/// A batch that opens a wallet.
pub(crate) fn batch(number: u32) -> Verified<Batch> {
    of_payload(Verb::Set, number, String::new())
}

/// A batch of so many transactions of about 7 KB: each names the address that it reads many times.
pub(crate) fn large_batch(number: u32, transactions: u32) -> Verified<Batch> {
    let unsigned: Vec<_> = (0..transactions)
        .map(|index| {
            let payload = Payload { verb: Verb::Set, name: format!("w{number}-{index}"), value: 1 };
            let mut transaction = payload.transaction();
            transaction.inputs = vec![transaction.inputs[0].clone(); 100];
            transaction
        })
        .collect();
    Batch::from_proto(txfamilies::sign_batch(&key(210), &unsigned)).unwrap().verify().unwrap()
}

/// A batch that every block rejects: it takes from a wallet that is not there.
pub(crate) fn rejected_batch(number: u32) -> Verified<Batch> {
    of_payload(Verb::Dec, 1_000_000 + number, String::new())
}

/// A batch with the ids of another one, whose transaction says something else than what was signed.
pub(crate) fn forged(batch: &Batch) -> Batch {
    let mut forged = batch.to_proto();
    let mut header =
        ledger_types::proto::client::TransactionHeader::decode(forged.transactions[0].header.clone())
            .unwrap();
    header.nonce = "forged".to_owned();
    forged.transactions[0].header = header.encode_to_vec().into();
    Batch::from_proto(forged).unwrap()
}
