//! One more than every limit allows.

use ledger_types::limits::{
    ADDRESS_BYTES, ADDRESSES_PER_TRANSACTION, BATCHES_PER_LIST, FAMILY_NAME_BYTES, FAMILY_VERSION_BYTES,
    NONCE_BYTES, PAYLOAD_BYTES, REST_BODY_BYTES, TRANSACTIONS_PER_BATCH,
};
use ledger_types::proto::client as proto;
use ledger_types::signature::Curve;
use tests::client::Outcome;
use tests::load::{key, set};
use txfamilies::{UnsignedTransaction, sign_batch};

use crate::forgery::{raw, with_header};
use crate::victim::{Victim, kind};
use crate::wire::{exchange, post, request};

/// Batches that exceed a limit by one, with the words of the reason.
fn too_large() -> Vec<(&'static str, proto::Batch)> {
    let bob = key(Curve::Ed25519, "bob");
    let changed = |change: fn(&mut proto::TransactionHeader)| with_header(&bob, change);
    let many = || vec!["00".to_owned(); ADDRESSES_PER_TRANSACTION + 1];
    let batch = |transactions: &[UnsignedTransaction]| sign_batch(&bob, transactions);
    let numbered = |number: usize| set("n", 1).with_nonce(number.to_string());
    let payload = |number: usize, bytes| raw("intkey", "1.0", vec![0; bytes]).with_nonce(number.to_string());
    vec![
        ("payload, in bytes, exceeds the limit of 1048576", batch(&[payload(0, PAYLOAD_BYTES + 1)])),
        ("the number of inputs exceeds the limit of 1000", with_header(&bob, |it| it.inputs = many())),
        ("the number of outputs exceeds the limit of 1000", with_header(&bob, |it| it.outputs = many())),
        ("the number of dependencies exceeds", with_header(&bob, |it| it.dependencies = many())),
        (
            "output or dependency, in bytes, exceeds the limit of 128",
            changed(|it| it.inputs.push("0".repeat(ADDRESS_BYTES + 1))),
        ),
        (
            "output or dependency, in bytes, exceeds the limit of 128",
            changed(|it| it.dependencies.push("0".repeat(ADDRESS_BYTES + 1))),
        ),
        ("nonce, in bytes, exceeds the limit of 256", changed(|it| it.nonce = "n".repeat(NONCE_BYTES + 1))),
        (
            "family_name, in bytes, exceeds the limit of 128",
            changed(|it| it.family_name = "f".repeat(FAMILY_NAME_BYTES + 1)),
        ),
        (
            "family_version, in bytes, exceeds the limit of 32",
            changed(|it| it.family_version = "1".repeat(FAMILY_VERSION_BYTES + 1)),
        ),
        (
            "the number of transactions exceeds the limit of 1000",
            batch(&(0..=TRANSACTIONS_PER_BATCH).map(numbered).collect::<Vec<_>>()),
        ),
        (
            "the batch exceeds the 8388608 bytes of a block",
            batch(&(0..9).map(|number| payload(number, PAYLOAD_BYTES)).collect::<Vec<_>>()),
        ),
    ]
}

#[test]
fn every_limit_has_an_error_of_its_own() {
    let mut victim = Victim::start(&[]);
    for (words, batch) in too_large() {
        let answer = victim.submit(std::slice::from_ref(&batch));
        assert_eq!(kind(answer.status, &answer.text), "400/30", "{words}");
        assert!(answer.text.contains(words), "{words}: {answer:?}");
        assert_eq!(victim.outcomes(&[batch]), [Outcome::Unknown], "{words}");
    }
    let batches = vec![sign_batch(&key(Curve::Ed25519, "bob"), &[]); BATCHES_PER_LIST + 1];
    let answer = victim.submit(&batches);
    assert_eq!(kind(answer.status, &answer.text), "400/101");
    let ids = format!("[{}]", vec![format!("{:?}", "0".repeat(128)); 1_001].join(","));
    for path in ["/batch_statuses", "/receipts"] {
        let replies = exchange(victim.address(), &post(path, "application/json", ids.as_bytes()));
        assert_eq!(replies[0].kind(), "400/102", "{path}");
        victim.count(&replies);
    }
    victim.survived("one more than allowed");
    victim.stop();
}

#[test]
fn a_body_beyond_its_limit_is_refused_however_it_comes() {
    let mut victim = Victim::start(&[]);
    let octets = "Content-Type: application/octet-stream\r\n";
    let one_more = format!("{:x}\r\n", REST_BODY_BYTES + 1);
    let chunk = [one_more.as_bytes(), &vec![0; REST_BODY_BYTES + 1], b"\r\n0\r\n\r\n"].concat();
    let said = |headers: String| request("POST /batches", &format!("{octets}{headers}"), b"");
    let cases = [
        // Not a byte of the body is sent: the length alone is enough.
        said(format!("Content-Length: {}\r\n", REST_BODY_BYTES + 1)),
        said(format!("Content-Length: {}\r\n", u64::MAX / 2)),
        said(format!("Expect: 100-continue\r\nContent-Length: {}\r\n", 1_u64 << 40)),
        request("POST /batches", &format!("{octets}Transfer-Encoding: chunked\r\n"), &chunk),
        post("/batches", "application/octet-stream", &vec![0; REST_BODY_BYTES + 1]),
    ];
    for case in cases {
        let replies = exchange(victim.address(), &case);
        let words = String::from_utf8_lossy(&case[..case.len().min(300)]).into_owned();
        assert_eq!(replies.iter().map(crate::wire::Reply::kind).collect::<Vec<_>>(), ["413/100"], "{words}");
        victim.count(&replies);
    }
    victim.survived("bodies beyond the limit");
    victim.stop();
}
