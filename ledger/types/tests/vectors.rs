//! Which batches are accepted: those of real clients, each structural rule by its own error, and each limit.

use bytes::Bytes;
use data_encoding::HEXLOWER;
use ledger_types::codec::{Reader, Writer};
use ledger_types::hash::sha512;
use ledger_types::proto::client as proto;
use ledger_types::signature::{Curve, SignatureError};
use ledger_types::transaction::TransactionError;
use ledger_types::{Batch, BatchError, PrivateKey, PublicKey, Signature, Verified, limits};
use proptest::prelude::*;
use prost::Message as _;
use serde_json::Value;

fn vectors() -> Value {
    let file: Value =
        serde_json::from_str(include_str!("../../../tests/vectors/signing.json")).expect("JSON");
    file["signing"].clone()
}

fn list<'a>(vectors: &'a Value, name: &str) -> &'a [Value] {
    vectors[name].as_array().expect("a list")
}

fn bytes(value: &Value) -> Vec<u8> {
    HEXLOWER.decode(value.as_str().expect("a string").as_bytes()).expect("hex")
}

fn batches(hex: &Value) -> Vec<proto::Batch> {
    proto::BatchList::decode(&*bytes(hex)).expect("a BatchList").batches
}

fn check(batch: proto::Batch) -> Result<Verified<Batch>, BatchError> {
    Batch::from_proto(batch)?.verify()
}

fn of_first(error: TransactionError) -> BatchError {
    BatchError::Transaction { index: 0, error }
}

#[test]
fn keys_and_signatures_of_real_clients_verify() {
    let vectors = vectors();
    for key in list(&vectors, "keys") {
        let secret = bytes(&key["private"]).try_into().unwrap();
        let public = PrivateKey::from_bytes(Curve::Secp256k1, secret).unwrap().public_key();
        assert_eq!(public.to_string(), key["public"].as_str().unwrap());
    }
    for vector in list(&vectors, "signatures") {
        let secret = bytes(&vector["private"]).try_into().unwrap();
        let key = PrivateKey::from_bytes(Curve::Secp256k1, secret).unwrap();
        let (message, signature) =
            (bytes(&vector["message_hex"]), Signature(bytes(&vector["signature"]).try_into().unwrap()));
        key.public_key().verify(&message, &signature).unwrap();
        assert_eq!(key.sign(&message), signature);
    }
}

#[test]
fn batches_of_real_clients_are_accepted_with_their_ids_and_bytes() {
    let vectors = vectors();
    for vector in list(&vectors, "batches") {
        let [batch] = batches(&vector["batch_list_hex"]).try_into().unwrap();
        let batch = check(batch).unwrap();
        assert_eq!(batch.id.to_string(), vector["batch_id"].as_str().unwrap());
        assert_eq!(batch.header_bytes, bytes(&vector["header_hex"]));
        for transaction in &batch.transactions {
            let known = list(&vectors, "transactions")
                .iter()
                .find(|known| known["transaction_id"] == transaction.id.to_string());
            // One transaction of the vectors stands only inside its batch.
            if let Some(known) = known {
                assert_eq!(transaction.header_bytes, bytes(&known["header_hex"]));
                assert_eq!(transaction.payload, bytes(&known["payload_hex"]));
            }
        }
    }
    let three = batches(&vectors["batch_list_of_3_hex"]);
    assert_eq!(three.into_iter().map(check).filter(Result::is_ok).count(), 3);
}

#[test]
fn what_the_ancestor_refuses_is_refused_for_the_right_reason() {
    let vectors = vectors();
    let invalid = SignatureError::Invalid(Curve::Secp256k1);
    for vector in list(&vectors, "invalid_batch_lists") {
        let description = vector["desc"].as_str().unwrap();
        let expected = match description {
            "batcher_public_key differs from batch signer" => BatchError::Batcher { index: 0 },
            "payload_sha512 mismatch" | "payload altered after signing" => {
                of_first(TransactionError::PayloadHash)
            }
            "zero transaction signature" | "high-S (malleated) transaction signature" => {
                of_first(TransactionError::Signature(invalid))
            }
            "bad batch signature" | "batch signed by another key" => BatchError::Signature(invalid),
            other => panic!("a vector unknown to this test: {other}"),
        };
        let [batch] = batches(&vector["batch_list_hex"]).try_into().unwrap();
        assert_eq!(check(batch).err(), Some(expected), "{description}");
    }
}

fn key(number: u8) -> PrivateKey {
    PrivateKey::from_bytes(Curve::Ed25519, [number; 32]).expect("any bytes make an ed25519 key")
}

fn sound_header(payload: &[u8]) -> proto::TransactionHeader {
    let public = key(1).public_key().to_string();
    proto::TransactionHeader {
        batcher_public_key: public.clone(),
        family_name: "family".into(),
        family_version: "1.0".into(),
        payload_sha512: HEXLOWER.encode(&sha512(&[payload])),
        signer_public_key: public,
        ..proto::TransactionHeader::default()
    }
}

fn signed(header: &proto::TransactionHeader, payload: Vec<u8>) -> proto::Transaction {
    let header = header.encode_to_vec();
    let header_signature = key(1).sign(&header).to_string();
    proto::Transaction { header: header.into(), header_signature, payload: payload.into() }
}

fn batch_of(transactions: Vec<proto::Transaction>) -> proto::Batch {
    let header = proto::BatchHeader {
        signer_public_key: key(1).public_key().to_string(),
        transaction_ids: transactions
            .iter()
            .map(|transaction| transaction.header_signature.clone())
            .collect(),
    };
    with_header(&header, transactions)
}

fn with_header(header: &proto::BatchHeader, transactions: Vec<proto::Transaction>) -> proto::Batch {
    let header = header.encode_to_vec();
    let header_signature = key(1).sign(&header).to_string();
    proto::Batch { header: header.into(), header_signature, transactions, trace: true, timestamp: 7 }
}

/// A batch of one transaction whose header is changed before it is signed.
fn with(change: impl FnOnce(&mut proto::TransactionHeader)) -> Result<Verified<Batch>, BatchError> {
    let mut header = sound_header(b"payload");
    change(&mut header);
    check(batch_of(vec![signed(&header, b"payload".to_vec())]))
}

fn numbered(count: usize) -> Vec<proto::Transaction> {
    let transaction = |number: usize| {
        let header = proto::TransactionHeader { nonce: number.to_string(), ..sound_header(b"") };
        signed(&header, Vec::new())
    };
    (0..count).map(transaction).collect()
}

#[test]
fn every_rule_about_a_transaction_has_its_error() {
    assert!(with(|_| ()).is_ok());
    assert_eq!(
        with(|h| h.signer_public_key = "02".into()).err(),
        Some(of_first(TransactionError::SignerKey(SignatureError::KeyFormat)))
    );
    assert_eq!(
        with(|h| h.signer_public_key.make_ascii_uppercase()).err(),
        Some(of_first(TransactionError::SignerKey(SignatureError::KeyFormat)))
    );
    assert_eq!(
        with(|h| h.dependencies.push(String::new())).err(),
        Some(of_first(TransactionError::EmptyDependency))
    );
    assert_eq!(
        with(|h| h.payload_sha512.make_ascii_uppercase()).err(),
        Some(of_first(TransactionError::PayloadHash))
    );
    assert_eq!(
        with(|h| h.batcher_public_key = key(2).public_key().to_string()).err(),
        Some(BatchError::Batcher { index: 0 })
    );

    let not_on_curve = PublicKey::Secp256k1([2; 33]).to_string().replacen("02", "05", 1);
    let off_curve = SignatureError::KeyInvalid(Curve::Secp256k1);
    assert_eq!(
        with(|h| h.signer_public_key = not_on_curve).err(),
        Some(of_first(TransactionError::Signature(off_curve)))
    );
    let another = key(2).public_key().to_string();
    let invalid = SignatureError::Invalid(Curve::Ed25519);
    assert_eq!(
        with(|h| h.signer_public_key = another).err(),
        Some(of_first(TransactionError::Signature(invalid)))
    );

    let sound = || signed(&sound_header(b""), Vec::new());
    let garbled = proto::Transaction { header: Bytes::from_static(&[0xff]), ..sound() };
    assert_eq!(check(batch_of(vec![garbled])).err(), Some(of_first(TransactionError::HeaderNotDecodable)));
    for id in [String::new(), "0".repeat(126), sound().header_signature.to_uppercase()] {
        let transaction = proto::Transaction { header_signature: id, ..sound() };
        assert_eq!(check(batch_of(vec![transaction])).err(), Some(of_first(TransactionError::IdFormat)));
    }
}

#[test]
fn every_rule_about_a_batch_has_its_error() {
    let header = |change: &dyn Fn(&mut proto::BatchHeader)| {
        let transactions = numbered(2);
        let mut header = proto::BatchHeader::decode(batch_of(transactions.clone()).header).unwrap();
        change(&mut header);
        check(with_header(&header, transactions)).err()
    };
    assert_eq!(header(&|_| ()), None);
    assert_eq!(header(&|h| h.transaction_ids.reverse()), Some(BatchError::TransactionIds));
    assert_eq!(header(&|h| h.transaction_ids.truncate(1)), Some(BatchError::TransactionIds));
    assert_eq!(header(&|h| h.transaction_ids.push("00".into())), Some(BatchError::TransactionIds));
    assert_eq!(
        header(&|h| h.transaction_ids.push(h.transaction_ids[0].clone())),
        Some(BatchError::DuplicateTransaction)
    );
    assert_eq!(
        header(&|h| h.signer_public_key.clear()),
        Some(BatchError::SignerKey(SignatureError::KeyFormat))
    );
    assert_eq!(
        header(&|h| h.signer_public_key = key(2).public_key().to_string()),
        Some(BatchError::Batcher { index: 0 })
    );

    let mut twice = numbered(1);
    twice.extend(numbered(1));
    assert_eq!(check(batch_of(twice)).err(), Some(BatchError::DuplicateTransaction));
    let mut second = numbered(2);
    second[1].payload = Bytes::from_static(b"other");
    let error = BatchError::Transaction { index: 1, error: TransactionError::PayloadHash };
    assert_eq!(check(batch_of(second)).err(), Some(error));

    let sound = || batch_of(numbered(1));
    let garbled = proto::Batch { header: Bytes::from_static(&[0xff]), ..sound() };
    assert_eq!(check(garbled).err(), Some(BatchError::HeaderNotDecodable));
    for id in ["".to_owned(), "0".repeat(130), sound().header_signature.to_uppercase()] {
        assert_eq!(check(proto::Batch { header_signature: id, ..sound() }).err(), Some(BatchError::IdFormat));
    }
    let unsigned = proto::Batch { header_signature: "0".repeat(128), ..sound() };
    assert_eq!(check(unsigned).err(), Some(BatchError::Signature(SignatureError::Invalid(Curve::Ed25519))));
}

#[test]
fn a_batch_may_be_empty_and_unsigned_fields_are_dropped() {
    let batch = check(batch_of(Vec::new())).unwrap();
    assert!(batch.transactions.is_empty());
    let proto = batch.to_proto();
    assert_eq!((proto.trace, proto.timestamp), (false, 0));
    assert_eq!(check(proto).unwrap().id, batch.id);
}

#[test]
fn each_limit_of_a_transaction_holds_up_to_its_value() {
    let refused = |result: Result<Verified<Batch>, BatchError>| match result {
        Ok(_) => None,
        Err(BatchError::Transaction { error: TransactionError::Limit { what, limit }, .. }) => {
            Some((what, limit))
        }
        Err(other) => panic!("another error: {other}"),
    };
    type Fill = fn(&mut proto::TransactionHeader, usize);
    let cases: [(&str, usize, Fill); 8] = [
        ("the number of inputs", 1_000, |h, n| h.inputs = vec!["00".into(); n]),
        ("the number of outputs", 1_000, |h, n| h.outputs = vec!["00".into(); n]),
        ("the number of dependencies", 1_000, |h, n| h.dependencies = vec!["00".into(); n]),
        ("an input, output or dependency, in bytes,", 128, |h, n| h.inputs = vec!["0".repeat(n)]),
        ("an input, output or dependency, in bytes,", 128, |h, n| h.dependencies = vec!["0".repeat(n)]),
        ("nonce, in bytes,", 256, |h, n| h.nonce = "n".repeat(n)),
        ("family_name, in bytes,", 128, |h, n| h.family_name = "f".repeat(n)),
        ("family_version, in bytes,", 32, |h, n| h.family_version = "1".repeat(n)),
    ];
    for (what, limit, fill) in cases {
        assert_eq!(refused(with(|header| fill(header, limit))), None, "{what}");
        assert_eq!(refused(with(|header| fill(header, limit + 1))), Some((what, limit)));
    }
    let payload = |size: usize| {
        let payload = vec![0; size];
        check(batch_of(vec![signed(&sound_header(&payload), payload)]))
    };
    assert_eq!(refused(payload(1024 * 1024)), None);
    assert_eq!(refused(payload(1024 * 1024 + 1)), Some(("payload, in bytes,", 1024 * 1024)));
}

#[test]
fn each_limit_of_a_batch_holds_up_to_its_value() {
    assert!(check(batch_of(numbered(1_000))).is_ok());
    assert_eq!(check(batch_of(numbered(1_001))).err(), Some(BatchError::TooManyTransactions));

    let large = |count: usize| {
        let payload = vec![0; limits::PAYLOAD_BYTES];
        let transaction = |number: usize| {
            let header = proto::TransactionHeader { nonce: number.to_string(), ..sound_header(&payload) };
            signed(&header, payload.clone())
        };
        Batch::from_proto(batch_of((0..count).map(transaction).collect()))
    };
    assert!(large(7).is_ok());
    assert_eq!(large(8).err(), Some(BatchError::TooLarge));
}

#[test]
fn a_second_signature_does_not_make_second_content() {
    // The same bytes signed by another library, with another nonce, differ only in the id.
    let transaction = check(batch_of(numbered(1))).unwrap().transactions[0].clone();
    let mut again = transaction.clone();
    again.id.0[0] ^= 1;
    assert_eq!(transaction.content_hash(), again.content_hash());
    let other = check(batch_of(numbered(2))).unwrap().transactions[1].clone();
    assert_ne!(transaction.content_hash(), other.content_hash());
}

proptest! {
    #[test]
    fn any_batch_list_is_checked_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(list) = proto::BatchList::decode(&*bytes) {
            list.batches.into_iter().for_each(|batch| drop(check(batch)));
        }
    }

    #[test]
    fn a_mutated_batch_never_passes_as_another(
        place in any::<proptest::sample::Index>(),
        bit in 0..8u8,
    ) {
        let batch = batch_of(numbered(2));
        let original = check(batch.clone()).unwrap();
        let mut bytes = batch.encode_to_vec();
        let place = place.index(bytes.len());
        bytes[place] ^= 1 << bit;
        if let Ok(Ok(changed)) = proto::Batch::decode(&*bytes).map(check) {
            // Only what nobody signs may differ: trace, timestamp, unknown fields.
            prop_assert_eq!(changed.id, original.id);
            prop_assert_eq!(&changed.header_bytes, &original.header_bytes);
            prop_assert_eq!(changed.to_proto(), original.to_proto());
        }
    }

    #[test]
    fn the_stored_form_is_one_to_one(count in 0..4usize, cut in any::<proptest::sample::Index>()) {
        let batch = check(batch_of(numbered(count))).unwrap();
        let mut writer = Writer::new();
        batch.encode(&mut writer);
        let stored = Bytes::from(writer.finish());
        prop_assert_eq!(stored.len(), batch.encoded_len());
        let mut reader = Reader::new(stored.clone());
        let read = Batch::decode(&mut reader).unwrap();
        prop_assert_eq!(reader.finish(), Ok(()));
        prop_assert_eq!(read.to_proto(), batch.to_proto());
        let cut = stored.slice(..cut.index(stored.len()));
        prop_assert!(Batch::decode(&mut Reader::new(cut)).is_err());
    }
}
