//! Bytes that real clients made: tests/vectors/signing.json of the repository.

use data_encoding::HEXLOWER;
use ledger_types::proto::client as proto;
use ledger_types::signature::Curve;
use ledger_types::{Batch, PrivateKey, setting};
use prost::Message as _;
use serde_json::Value;
use txfamilies::{UnsignedTransaction, batch_of, bgt, intkey, settings, xo};

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../tests/vectors/signing.json")).expect("the vectors are JSON")
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a string")
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().expect("a list").iter().map(|item| text(item).to_owned()).collect()
}

fn list<'a>(vectors: &'a Value, name: &str) -> &'a Vec<Value> {
    vectors["signing"][name].as_array().expect("a list")
}

fn bytes(value: &Value) -> Vec<u8> {
    HEXLOWER.decode(text(value).as_bytes()).expect("hex")
}

/// The private key whose public key is this.
fn private_key(vectors: &Value, public: &str) -> PrivateKey {
    let keys = list(vectors, "keys").iter();
    let secret = keys.filter(|key| key["public"] == public).map(|key| bytes(&key["private"])).next();
    let secret = secret.and_then(|secret| secret.try_into().ok()).expect("a key of the vectors");
    PrivateKey::from_bytes(Curve::Secp256k1, secret).expect("a valid key")
}

/// The builder's transaction with the fields of a vector.
fn build(vectors: &Value, vector: &Value) -> proto::Transaction {
    let fields = &vector["header_fields"];
    let unsigned = UnsignedTransaction {
        family_name: text(&fields["family_name"]).to_owned(),
        family_version: text(&fields["family_version"]).to_owned(),
        inputs: texts(&fields["inputs"]),
        outputs: texts(&fields["outputs"]),
        dependencies: texts(&fields["dependencies"]),
        nonce: text(&fields["nonce"]).to_owned(),
        payload: bytes(&vector["payload_hex"]).into(),
    };
    let signer = private_key(vectors, text(&fields["signer_public_key"]));
    let batcher = private_key(vectors, text(&fields["batcher_public_key"]));
    unsigned.sign(&signer, &batcher.public_key())
}

#[test]
fn keys_and_signatures() {
    let vectors = vectors();
    for key in list(&vectors, "keys") {
        let public = text(&key["public"]);
        assert_eq!(private_key(&vectors, public).public_key().to_string(), public);
    }
    for signature in list(&vectors, "signatures") {
        let secret = bytes(&signature["private"]).try_into().unwrap();
        let key = PrivateKey::from_bytes(Curve::Secp256k1, secret).unwrap();
        let message = bytes(&signature["message_hex"]);
        assert_eq!(key.sign(&message).to_string(), text(&signature["signature"]));
        key.public_key().verify(&message, &key.sign(&message)).unwrap();
    }
}

#[test]
fn transactions_are_equal_byte_for_byte() {
    let vectors = vectors();
    for vector in list(&vectors, "transactions") {
        let built = build(&vectors, vector);
        assert_eq!(built.header, bytes(&vector["header_hex"]), "{}", vector["desc"]);
        assert_eq!(built.header_signature, text(&vector["transaction_id"]), "{}", vector["desc"]);
        assert_eq!(built.encode_to_vec(), bytes(&vector["transaction_hex"]), "{}", vector["desc"]);
    }
}

#[test]
fn batches_are_equal_byte_for_byte() {
    let vectors = vectors();
    for vector in list(&vectors, "batches") {
        let received = proto::BatchList::decode(&*bytes(&vector["batch_list_hex"])).unwrap();
        let [received] = received.batches.try_into().unwrap();
        let header = proto::BatchHeader::decode(received.header.clone()).unwrap();
        let batcher = private_key(&vectors, &header.signer_public_key);
        let mut built = batch_of(&batcher, received.transactions.clone());
        assert_eq!(built.header, bytes(&vector["header_hex"]), "{}", vector["desc"]);
        assert_eq!(built.header_signature, text(&vector["batch_id"]), "{}", vector["desc"]);
        built.trace = received.trace;
        let built = proto::BatchList { batches: vec![built], ..proto::BatchList::default() };
        assert_eq!(built.encode_to_vec(), bytes(&vector["batch_list_hex"]), "{}", vector["desc"]);
    }
}

#[test]
fn intkey_payloads_and_their_addresses() {
    let vectors = vectors();
    for vector in list(&vectors, "transactions") {
        let payload = intkey::Payload::decode(&bytes(&vector["payload_hex"])).unwrap();
        assert_eq!(payload.encode(), bytes(&vector["payload_hex"]));
        let ours = payload.transaction();
        assert_eq!(ours.inputs, texts(&vector["header_fields"]["inputs"]));
        assert_eq!(ours.outputs, texts(&vector["header_fields"]["outputs"]));
        let nonce = text(&vector["header_fields"]["nonce"]);
        let ours = texts(&vector["header_fields"]["dependencies"])
            .into_iter()
            .fold(ours.with_nonce(nonce), UnsignedTransaction::after);
        let fields = &vector["header_fields"];
        let signer = private_key(&vectors, text(&fields["signer_public_key"]));
        let batcher = private_key(&vectors, text(&fields["batcher_public_key"]));
        let signed = ours.sign(&signer, &batcher.public_key());
        assert_eq!(signed.header_signature, text(&vector["transaction_id"]), "{}", vector["desc"]);
    }
}

#[test]
fn addresses() {
    let vectors = vectors();
    let addresses = vectors["signing"]["addresses"].as_object().unwrap();
    assert_eq!(addresses.len(), 11);
    for (name, expected) in addresses {
        let ours = match name.split_once(':') {
            Some(("intkey", name)) => intkey::address(name).to_string(),
            Some(("xo", name)) => xo::address(name).to_string(),
            Some(("setting", key)) => setting::address(key).to_string(),
            _ if name == "intkey_namespace" => intkey::NAMESPACE.to_owned(),
            _ if name == "xo_namespace" => xo::NAMESPACE.to_owned(),
            _ => panic!("an address of a kind unknown to this test: {name}"),
        };
        assert_eq!(ours, text(expected), "{name}");
    }
    for (family, namespace) in [("intkey", intkey::NAMESPACE), ("xo", xo::NAMESPACE), ("bgt", bgt::NAMESPACE)]
    {
        let hash = HEXLOWER.encode(&ledger_types::hash::sha512(&[family.as_bytes()]));
        assert_eq!(namespace, &hash[..6]);
    }
    let hash = HEXLOWER.encode(&ledger_types::hash::sha512(&[b"BGX_Token"]));
    assert_eq!(bgt::address("BGX_Token").to_string(), format!("{}{}", bgt::NAMESPACE, &hash[64..]));
}

#[test]
fn a_whole_batch_of_ours_is_accepted_where_it_is_checked() {
    let key = crate::key(1);
    let transactions = [
        settings::propose("a.b", "1", "nonce").with_nonce("1"),
        xo::Payload { name: "g".into(), action: xo::Action::Create }.transaction(),
        bgt::Payload { verb: bgt::Verb::Trans { to: "b".into() }, name: "a".into(), value: 1 }.transaction(),
    ];
    let batch = Batch::from_proto(txfamilies::sign_batch(&key, &transactions)).unwrap().verify().unwrap();
    assert_eq!(batch.transactions.len(), 3);
    assert_eq!(batch.signer, key.public_key());
}
