//! Batches that are signed as they should be, but for the one thing that is wrong with them.

use bytes::Bytes;
use ledger_types::PrivateKey;
use ledger_types::hash::sha256;
use ledger_types::proto::client as proto;
use prost::Message as _;
use secp256k1::SecretKey;
use tests::load::set;
use txfamilies::{UnsignedTransaction, batch_of};

/// A transaction whose header was changed before it was signed.
pub(crate) fn transaction(
    key: &PrivateKey,
    unsigned: &UnsignedTransaction,
    change: impl FnOnce(&mut proto::TransactionHeader),
) -> proto::Transaction {
    let signed = unsigned.sign(key, &key.public_key());
    let mut header = proto::TransactionHeader::decode(signed.header).unwrap();
    change(&mut header);
    let header = header.encode_to_vec();
    let header_signature = key.sign(&header).to_string();
    proto::Transaction { header: header.into(), header_signature, payload: signed.payload }
}

/// A batch of one transaction whose header was changed before it was signed.
pub(crate) fn with_header(
    key: &PrivateKey,
    change: impl FnOnce(&mut proto::TransactionHeader),
) -> proto::Batch {
    batch_of(key, vec![transaction(key, &set("forged", 1), change)])
}

/// A batch of one transaction that was changed after it was signed, and before the batch was.
pub(crate) fn with_transaction(
    key: &PrivateKey,
    change: impl FnOnce(&mut proto::Transaction),
) -> proto::Batch {
    let mut transaction = set("forged", 1).sign(key, &key.public_key());
    change(&mut transaction);
    batch_of(key, vec![transaction])
}

/// A batch of these transactions, whose header was changed before it was signed.
pub(crate) fn with_batch_header(
    key: &PrivateKey,
    transactions: &[UnsignedTransaction],
    change: impl FnOnce(&mut proto::BatchHeader),
) -> proto::Batch {
    let mut batch = txfamilies::sign_batch(key, transactions);
    let mut header = proto::BatchHeader::decode(batch.header).unwrap();
    change(&mut header);
    batch.header = header.encode_to_vec().into();
    batch.header_signature = key.sign(&batch.header).to_string();
    batch
}

/// A signature with its last bit turned over.
pub(crate) fn flipped(signature: &str) -> String {
    let last = if signature.ends_with('0') { '1' } else { '0' };
    format!("{}{last}", &signature[..signature.len() - 1])
}

/// The other signature over the same message that the mathematics of secp256k1 accepts: s becomes n - s.
pub(crate) fn high_s(signature: &str) -> String {
    let s = data_encoding::HEXLOWER.decode(&signature.as_bytes()[64..]).unwrap();
    let negated = SecretKey::from_secret_bytes(s.try_into().unwrap()).unwrap().negate();
    format!("{}{}", &signature[..64], data_encoding::HEXLOWER.encode(&negated.to_secret_bytes()))
}

/// The same transaction under another signature of the same secp256k1 key, good in every respect.
pub(crate) fn signed_again(key: &PrivateKey, transaction: &proto::Transaction) -> proto::Transaction {
    let secret = SecretKey::from_secret_bytes(*key.secret_bytes()).unwrap();
    let digest = secp256k1::Message::from_digest(sha256(&[&transaction.header]).0);
    let signature = secp256k1::ecdsa::sign_with_noncedata(digest, &secret, &[7; 32]).serialize_compact();
    let again = proto::Transaction {
        header_signature: data_encoding::HEXLOWER.encode(&signature),
        ..transaction.clone()
    };
    assert_ne!(again.header_signature, transaction.header_signature);
    again
}

/// A transaction of a family with any payload, and everything as input and output.
pub(crate) fn raw(family: &str, version: &str, payload: impl Into<Bytes>) -> UnsignedTransaction {
    UnsignedTransaction {
        family_name: family.to_owned(),
        family_version: version.to_owned(),
        inputs: vec![String::new()],
        outputs: vec![String::new()],
        payload: payload.into(),
        ..UnsignedTransaction::default()
    }
}
