//! Signed batches for the family of these tests.

use ledger_types::hash::sha512;
use ledger_types::proto::client as proto;
use ledger_types::signature::Curve;
use ledger_types::{Batch, BatchId, PrivateKey};
use prost::Message as _;

/// An address of the tests' namespace.
pub(crate) fn address(n: u8) -> String {
    format!("aabbcc{}", format!("{n:02x}").repeat(32))
}

/// A batch of one transaction for each payload. Equal arguments make equal batches.
pub(crate) fn batch(seed: u8, payloads: &[String]) -> Batch {
    let key = PrivateKey::from_bytes(Curve::Ed25519, [seed; 32]).unwrap();
    let signer = key.public_key().to_string();
    let transactions: Vec<_> = payloads
        .iter()
        .enumerate()
        .map(|(nonce, payload)| {
            let header = proto::TransactionHeader {
                batcher_public_key: signer.clone(),
                family_name: "put".into(),
                family_version: "1.0".into(),
                inputs: vec!["aabbcc".into()],
                outputs: vec!["aabbcc".into()],
                nonce: format!("é{nonce}"),
                payload_sha512: BatchId(sha512(&[payload.as_bytes()])).to_string(),
                signer_public_key: signer.clone(),
                ..Default::default()
            };
            let header = header.encode_to_vec();
            proto::Transaction {
                header_signature: key.sign(&header).to_string(),
                header: header.into(),
                payload: payload.clone().into_bytes().into(),
            }
        })
        .collect();
    let transaction_ids = transactions.iter().map(|t| t.header_signature.clone()).collect();
    let header = proto::BatchHeader { signer_public_key: signer, transaction_ids }.encode_to_vec();
    let header_signature = key.sign(&header).to_string();
    Batch::from_proto(proto::Batch {
        header: header.into(),
        header_signature,
        transactions,
        ..Default::default()
    })
    .unwrap()
}

/// The bytes that a client posts.
pub(crate) fn list(batches: &[&Batch]) -> Vec<u8> {
    let batches = batches.iter().map(|batch| batch.to_proto()).collect();
    proto::BatchList { batches, ..Default::default() }.encode_to_vec()
}
