//! Batches that are wrong: forged, cut, twisted, or no batches at all.

use ledger_types::PrivateKey;
use ledger_types::proto::client as proto;
use ledger_types::signature::Curve;
use prost::Message as _;
use tests::client::Outcome;
use tests::load::{inc, key, set};
use tests::random::Random;
use txfamilies::{batch_of, sign_batch};

use crate::forgery::{flipped, high_s, signed_again, with_batch_header, with_header, with_transaction};
use crate::victim::{Victim, kind};
use crate::wire::{exchange, post};

/// Batches that must be refused at the door, and the words of the reason.
fn forgeries(key: &PrivateKey, other: &PrivateKey) -> Vec<(&'static str, proto::Batch)> {
    let good = sign_batch(key, &[set("forged", 1)]);
    let signed = |header_signature: String| proto::Batch { header_signature, ..good.clone() };
    let resigned = |change: fn(&str) -> String| {
        with_transaction(key, |it| it.header_signature = change(&it.header_signature))
    };
    let with_key = |text: String| with_header(key, |header| header.signer_public_key = text);
    let own = key.public_key().to_string();
    let (verify, id_format) = ("signature does not verify", "is not 128 lower-case hex characters");
    let two = [set("one", 1), set("two", 2)];
    let mut cases = vec![
        (verify, signed(flipped(&good.header_signature))),
        (verify, signed(other.sign(&good.header).to_string())),
        (verify, signed("0".repeat(128))),
        (verify, signed("f".repeat(128))),
        (verify, resigned(flipped)),
        (id_format, signed(good.header_signature.to_uppercase())),
        (id_format, signed(good.header_signature[..127].to_owned())),
        (id_format, signed(String::new())),
        (id_format, resigned(str::to_uppercase)),
        (id_format, resigned(|signature| format!("{signature}00"))),
        ("a public key is 66", with_key(own.to_uppercase())),
        ("a public key is 66", with_key(own[..own.len() - 1].to_owned())),
        ("a public key is 66", with_key(format!("04{}", "11".repeat(64)))),
        ("a public key is 66", with_key(String::new())),
        ("is not a valid secp256k1 key", with_key(format!("05{}", "11".repeat(32)))),
        (verify, with_key(other.public_key().to_string())),
        ("payload_sha512 is not", with_transaction(key, |it| it.payload = b"other".to_vec().into())),
        ("payload_sha512 is not", with_header(key, |it| it.payload_sha512.make_ascii_uppercase())),
        (
            "is not the batch's signer",
            with_header(key, |it| it.batcher_public_key = other.public_key().to_string()),
        ),
        ("a dependency is empty", with_header(key, |it| it.dependencies.push(String::new()))),
        ("transaction_ids are not", with_batch_header(key, &two, |it| it.transaction_ids.swap(0, 1))),
        ("transaction_ids are not", with_batch_header(key, &two, |it| it.transaction_ids.truncate(1))),
        (
            "has a duplicate",
            with_batch_header(key, &two, |it| it.transaction_ids[1] = it.transaction_ids[0].clone()),
        ),
        ("is not a TransactionHeader", with_transaction(key, |it| it.header = b"\xff\xff".to_vec().into())),
        ("is not a BatchHeader", proto::Batch { header: b"\xff\xff".to_vec().into(), ..good.clone() }),
    ];
    if own.len() == 66 {
        cases.push((verify, signed(high_s(&good.header_signature))));
        cases.push((verify, resigned(high_s)));
    }
    cases
}

#[test]
fn what_is_forged_is_refused_with_its_reason_and_takes_the_whole_list_with_it() {
    let mut victim = Victim::start(&[]);
    for curve in [Curve::Secp256k1, Curve::Ed25519] {
        let (bob, eve) = (key(curve, "bob"), key(curve, "eve"));
        for (words, forged) in forgeries(&bob, &eve) {
            let answer = victim.submit(std::slice::from_ref(&forged));
            assert_eq!(kind(answer.status, &answer.text), "400/30", "{words}: {answer:?}");
            assert!(answer.text.contains(words), "{words}: {answer:?}");
            let good = sign_batch(&bob, &[set("rides along", 1)]);
            let answer = victim.submit(&[good.clone(), forged]);
            assert!(answer.status == 400 && answer.text.contains("batch 1: "), "{words}: {answer:?}");
            assert_eq!(victim.outcomes(&[good]), [Outcome::Unknown], "{words}");
        }
    }
    victim.survived("forged batches");
    victim.stop();
}

#[test]
fn a_transaction_takes_effect_once_whatever_its_signature() {
    let mut victim = Victim::start(&[]);
    let bob = key(Curve::Secp256k1, "bob");
    let start = sign_batch(&bob, &[set("counter", 0)]);
    victim.client().commit(&start);
    let is_duplicate = |outcome: &Outcome| matches!(outcome, Outcome::Invalid { message, .. } if message.contains("committed already"));
    for number in 0..6 {
        let first = inc("counter", 1).with_nonce(number.to_string()).sign(&bob, &bob.public_key());
        let again = signed_again(&bob, &first);
        let twice = batch_of(&bob, vec![again.clone(), first.clone()]);
        let batches = [first.clone(), again].map(|transaction| batch_of(&bob, vec![transaction]));
        // A batch of both, both in one list and so in one block, or one after the other.
        assert_eq!(victim.submit(std::slice::from_ref(&twice)).status, 202);
        assert!(is_duplicate(&victim.outcomes(&[twice])[0]));
        if number % 2 == 0 {
            assert_eq!(victim.submit(&batches).status, 202);
        } else {
            victim.client().commit(&batches[0]);
            assert_eq!(victim.submit(&batches[1..]).status, 202);
        }
        let outcomes = victim.outcomes(&batches);
        assert!(outcomes[0] == Outcome::Committed && is_duplicate(&outcomes[1]), "{outcomes:?}");
        victim.keep(&batches[0]);
        // The very transaction in another batch.
        let other =
            [batch_of(&bob, vec![first, set(&format!("new {number}"), 1).sign(&bob, &bob.public_key())])];
        assert_eq!(victim.submit(&other).status, 202);
        assert!(is_duplicate(&victim.outcomes(&other)[0]));
    }
    let probe = inc("counter", u32::MAX - 6);
    victim.client().commit(&sign_batch(&bob, &[probe]));
    let over = sign_batch(&bob, &[inc("counter", 1)]);
    assert!(matches!(victim.client().decide(&over), Outcome::Invalid { .. }), "the counter was at 6");
    victim.survived("second signatures");
    victim.stop();
}

/// Whether bytes that are no list of good batches are answered as such.
fn is_refusal(kind: &str) -> bool {
    ["400/30", "400/34", "400/35", "400/101"].contains(&kind)
}

#[test]
fn garbage_is_refused_by_name() {
    let mut victim = Victim::start(&[]);
    let mut random = Random::from_env();
    let batches = [sign_batch(&key(Curve::Ed25519, "bob"), &[set("garbage", 1), set("more", 2)])];
    let good = proto::BatchList { batches: batches.to_vec(), ..proto::BatchList::default() }.encode_to_vec();
    let mut inputs: Vec<Vec<u8>> = vec![
        vec![0x0b; 1 << 20],
        [vec![0x1b; 1 << 20], vec![0x1c; 1 << 20]].concat(),
        vec![0xff; 1 << 20],
        vec![0; 1 << 20],
        [0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f].to_vec(),
        // Millions of empty batches, of empty transactions.
        [0x0a, 0x00].repeat(4 << 20),
        [vec![0x0a, 0x80, 0x80, 0x80, 0x04], [0x1a, 0x00].repeat(4 << 20)].concat(),
    ];
    for _ in 0..300 {
        let length = usize::try_from(random.below(0..600)).unwrap();
        inputs.push((0..length).map(|_| random.draw().to_le_bytes()[0]).collect());
        inputs.push(good[..usize::try_from(random.below(0..good.len() as u64)).unwrap()].to_vec());
        let mut changed = good.clone();
        let at = usize::try_from(random.below(0..good.len() as u64)).unwrap();
        changed[at] ^= 1 << random.below(0..8);
        inputs.push(changed);
    }
    for input in inputs {
        let replies = exchange(victim.address(), &post("/batches", "application/octet-stream", &input));
        victim.count(&replies);
        assert!(replies.len() == 1, "{replies:?}");
        // A bit of a field that nobody signs may change without harm, and so may one that makes a batch unknown.
        let is_known = replies[0].status == 202 && input.len() == good.len();
        assert!(is_known || is_refusal(&replies[0].kind()), "{replies:?}");
    }
    victim.survived("garbage");
    victim.stop();
}
