//! Payloads made to confuse the families: accepted as bytes, then INVALID with a reason.

use ledger_types::proto::client as proto;
use ledger_types::signature::Curve;
use tests::client::Outcome;
use tests::load::{key, set};
use txfamilies::{UnsignedTransaction, sign_batch};

use crate::forgery::raw;
use crate::victim::Victim;

/// Repetitions that would end the stack of a reader that trusts its input.
const DEEP: usize = 500_000;

/// CBOR that is no payload.
fn cbor() -> Vec<Vec<u8>> {
    // {"Verb": "set", "Name": "x", "Value": <what follows>
    let fields = |count: u8| [&[0xa0 | count], &b"\x64Verb\x63set\x64Name\x61x\x65Value"[..]].concat();
    let value = |bytes: &[u8]| [fields(3), bytes.to_vec()].concat();
    vec![
        Vec::new(),
        vec![0x81; DEEP],
        vec![0xc1; DEEP],
        [[0xa1, 0x61, 0x61].repeat(DEEP / 2), vec![0xa0]].concat(),
        value(&vec![0x81; DEEP]),
        value(&vec![0x9f; DEEP]),
        value(&[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        value(&[0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        value(&[0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        vec![0xbb, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff],
        // A float, a negative number, one beyond 32 bits, the largest one, a text, nothing at all.
        value(&[0xfb, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0]),
        value(&[0x20]),
        value(&[0x1b, 0, 0, 0, 1, 0, 0, 0, 0]),
        value(&[0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        value(b"\x611"),
        value(&[0xf6]),
        value(&[]),
        // Something behind the map, an indefinite map, a key twice, a text that is not UTF-8.
        value(&[0x01, 0x00]),
        [&[0xbf], &fields(3)[1..], &[0x01, 0xff]].concat(),
        [fields(4), b"\x01\x65Value\x02".to_vec()].concat(),
        b"\xa3\x64Verb\x63set\x64Name\x61\xff\x65Value\x01".to_vec(),
        [&b"\xa3\x64Verb\x63set\x64Name\x78\x15"[..], &[b'x'; 21], b"\x65Value\x01"].concat(),
        b"\xa3\x64Verb\x64steal\x64Name\x61x\x65Value\x01".to_vec(),
        vec![0xff; 1 << 20],
        vec![0x00; 1 << 20],
    ]
}

/// Transactions that no family may let pass.
fn poison() -> Vec<UnsignedTransaction> {
    let mut poison: Vec<UnsignedTransaction> = Vec::new();
    for family in ["intkey", "bgt"] {
        poison.extend(cbor().into_iter().map(|payload| raw(family, "1.0", payload)));
    }
    let texts: [&[u8]; 7] =
        [b"", b",,", b"a,create", b"a,take,10,", b"\xff,create,", b"a|b,create,", &[b','; 1 << 20]];
    poison.extend(texts.map(|text| raw("xo", "1.0", text.to_vec())));
    let messages: [&[u8]; 5] =
        [b"", &[0xff; 4096], &[0x0b; 1 << 20], b"\x08\x01\x12\x02\xff\xff", b"\x08\x63"];
    poison.extend(messages.map(|message| raw("sawtooth_settings", "1.0", message.to_vec())));
    for (family, version) in
        [("", ""), ("intkey", "9.9"), ("intkey", ""), ("../../etc", "1.0"), ("\u{0}", "1.0")]
    {
        poison.push(raw(family, version, b"payload".to_vec()));
    }
    let with_addresses = |inputs: &[&str], outputs: &[&str]| UnsignedTransaction {
        inputs: inputs.iter().map(ToString::to_string).collect(),
        outputs: outputs.iter().map(ToString::to_string).collect(),
        ..set("hidden", 1)
    };
    let too_long = "00".repeat(36);
    for bad in ["zz", "1cf12", "1CF126", "1cf126 ", &too_long, "\u{0}\u{0}", "1cf1é"] {
        poison.push(with_addresses(&[bad], &[""]));
        poison.push(with_addresses(&[""], &[bad]));
    }
    // Nothing declared, or something else than what is used.
    for (inputs, outputs) in [(&[][..], &[][..]), (&[""], &[]), (&[], &[""]), (&["000000"], &["000000"])] {
        poison.push(with_addresses(inputs, outputs));
    }
    poison
}

fn numbered(poison: Vec<UnsignedTransaction>) -> Vec<proto::Batch> {
    let bob = key(Curve::Ed25519, "bob");
    let alone = poison
        .into_iter()
        .enumerate()
        .map(|(number, transaction)| transaction.with_nonce(number.to_string()));
    // A good transaction goes down with the bad one.
    alone.map(|transaction| sign_batch(&bob, &[set("good one", 1), transaction])).collect()
}

#[test]
fn poison_is_invalid_with_a_reason() {
    let mut victim = Victim::start(&[]);
    let batches = numbered(poison());
    for batch in &batches {
        let answer = victim.submit(std::slice::from_ref(batch));
        assert_eq!(answer.status, 202, "{answer:?}");
    }
    for (number, outcome) in victim.outcomes(&batches).into_iter().enumerate() {
        let Outcome::Invalid { transaction, message } = outcome else { panic!("{number}: {outcome:?}") };
        assert_eq!(transaction, batches[number].transactions[1].header_signature, "{number}: {message}");
        assert!(!message.is_empty() && message.len() <= 1_024, "{number}");
        assert!(!message.contains("failed"), "{number}: the family panicked: {message}");
    }
    let undeclared = victim.outcomes(&batches[batches.len() - 1..]).remove(0);
    assert!(
        matches!(undeclared, Outcome::Invalid { message, .. } if message.contains("unauthorized address"))
    );
    victim.survived("poison payloads");
    victim.stop();
}
