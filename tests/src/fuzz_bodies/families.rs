//! Payloads and state of the families. Any payload gives a state change or a named refusal.

use std::sync::OnceLock;

use bytes::Bytes;
use data_encoding::HEXLOWER;
use ledger_types::family::ApplyError;
use ledger_types::hash::sha512;
use ledger_types::proto::client as proto;
use ledger_types::signature::Curve;
use ledger_types::{Transaction, TransactionId, setting};
use prost::Message as _;
use txfamilies::{MemoryContext, bgt, intkey, registry, settings, xo};

use crate::load::key;

/// A payload of intkey.
pub fn intkey_payload(input: &[u8]) -> bool {
    let applied = apply("intkey", input);
    let Ok(payload) = accepted_or_refused(intkey::Payload::decode(input), &applied) else { return false };
    assert_eq!(intkey::Payload::decode(&payload.encode()), Ok(payload));
    true
}

/// A payload of bgt.
pub fn bgt_payload(input: &[u8]) -> bool {
    let applied = apply("bgt", input);
    let Ok(payload) = accepted_or_refused(bgt::Payload::decode(input), &applied) else { return false };
    assert_eq!(bgt::Payload::decode(&payload.encode()), Ok(payload));
    true
}

/// A payload of xo.
pub fn xo_payload(input: &[u8]) -> bool {
    let applied = apply("xo", input);
    let Ok(payload) = accepted_or_refused(xo::Payload::decode(input), &applied) else { return false };
    assert_eq!(xo::Payload::decode(&payload.encode()), Ok(payload));
    true
}

/// A payload of the settings family.
pub fn settings_payload(input: &[u8]) -> bool {
    let applied = apply("sawtooth_settings", input);
    accepted_or_refused(settings::Payload::decode(input), &applied).is_ok()
}

/// The state of wallets.
pub fn bgt_wallets(input: &[u8]) -> bool {
    bgt::decode_wallets(input).is_ok()
}

/// The open proposals, as the setting holds them.
pub fn settings_proposals(input: &[u8]) -> bool {
    std::str::from_utf8(input).is_ok_and(|text| settings::decode_candidates(text).is_ok())
}

/// A setting: `key=value`. Its address, its check, and the bytes of the value read as those of a stored one.
pub fn setting_value(input: &[u8]) -> bool {
    let Some((key, value)) = std::str::from_utf8(input).ok().and_then(|text| text.split_once('=')) else {
        return false;
    };
    assert!(setting::address(key).to_string().starts_with(setting::NAMESPACE));
    let _ = setting::value_of(key, value.as_bytes());
    match settings::check_value(key, value) {
        Ok(()) => true,
        Err(reason) => {
            assert!(!reason.is_empty(), "refused without a reason");
            false
        }
    }
}

/// A payload that cannot be read is refused by the family in the same words, and a refusal has some.
fn accepted_or_refused<T>(
    decoded: Result<T, ApplyError>,
    applied: &Result<(), ApplyError>,
) -> Result<T, ApplyError> {
    if let Err(error) = &decoded {
        assert_eq!(applied.as_ref(), Err(error));
    }
    if let Err(error) = applied {
        assert!(!error.to_string().is_empty(), "refused without a reason");
    }
    decoded
}

/// Applies a payload to a state in which every family has something.
fn apply(family: &str, payload: &[u8]) -> Result<(), ApplyError> {
    static STATE: OnceLock<MemoryContext> = OnceLock::new();
    let state = STATE.get_or_init(|| {
        let mut state = MemoryContext::new(0);
        let signer = key(Curve::Ed25519, "fuzz").public_key().to_string();
        let authorize = settings::propose(setting::AUTHORIZED_KEYS, &signer, "");
        for (family, payload) in [
            ("intkey", intkey::Payload { verb: intkey::Verb::Set, name: "a".into(), value: 7 }.encode()),
            ("bgt", bgt::Payload { verb: bgt::Verb::Set, name: "a".into(), value: 7 }.encode()),
            ("bgt", bgt::Payload { verb: bgt::Verb::Set, name: "b".into(), value: 7 }.encode()),
            ("xo", xo::Payload { name: "a".into(), action: xo::Action::Create }.encode()),
            ("sawtooth_settings", authorize.payload.to_vec()),
        ] {
            let applied = state.apply(&registry(), &transaction(family, &payload));
            applied.expect("the first payloads are good");
        }
        state
    });
    state.clone().apply(&registry(), &transaction(family, payload))
}

/// A transaction that may read and change everything.
fn transaction(family: &str, payload: &[u8]) -> Transaction {
    let signer = key(Curve::Ed25519, "fuzz").public_key().to_string();
    let header = proto::TransactionHeader {
        batcher_public_key: signer.clone(),
        family_name: family.to_owned(),
        family_version: "1.0".to_owned(),
        inputs: vec![String::new()],
        outputs: vec![String::new()],
        payload_sha512: HEXLOWER.encode(&sha512(&[payload])),
        signer_public_key: signer,
        ..proto::TransactionHeader::default()
    };
    let (header, payload) = (header.encode_to_vec().into(), Bytes::copy_from_slice(payload));
    Transaction::from_parts(TransactionId::ZERO, header, payload)
        .expect("payloads here are below their limit")
}
