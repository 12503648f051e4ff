//! Execution from outside the ledger: real families, real files, one process.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod chain;

use chain::{Chain, PROBE_ADDRESS, probe};
use ledger::LedgerError;
use ledger_types::block::RejectionReason as Reason;
use ledger_types::proto::client as proto;
use ledger_types::signature::Curve;
use ledger_types::{PrivateKey, Rejection, TransactionId};
use proptest::prelude::*;
use prost::Message as _;
use tests::load::{Load, dec, inc, key, set};
use tests::random::Random;
use txfamilies::intkey::{NAMESPACE, address};
use txfamilies::{UnsignedTransaction, batch_of, sign_batch};

fn alice() -> PrivateKey {
    key(Curve::Ed25519, "alice")
}

fn one(transaction: &UnsignedTransaction) -> proto::Batch {
    sign_batch(&alice(), std::slice::from_ref(transaction))
}

fn id_of(batch: &proto::Batch, index: usize) -> String {
    batch.transactions[index].header_signature.clone()
}

/// Commits a batch alone, which must be rejected for this reason.
fn rejected(chain: &mut Chain, batch: &proto::Batch, reason: Reason) -> String {
    chain.commit(std::slice::from_ref(batch));
    let rejection = chain.rejection(batch).unwrap_or_else(|| panic!("not rejected, expected {reason:?}"));
    assert_eq!(rejection.reason, reason, "{rejection:?}");
    rejection.message
}

#[test]
fn an_unknown_family_or_version_is_rejected_at_once() {
    let mut chain = Chain::new();
    let transaction = set("a", 1);
    let unknown = UnsignedTransaction { family_name: "weather".into(), ..transaction.clone() };
    let newer = UnsignedTransaction { family_version: "2.0".into(), ..transaction };
    let message = rejected(&mut chain, &one(&unknown), Reason::UnknownFamily);
    assert_eq!(message, "There is no transaction family weather 1.0");
    let message = rejected(&mut chain, &one(&newer), Reason::UnknownFamily);
    assert_eq!(message, "There is no transaction family intkey 2.0");
}

#[test]
fn a_family_that_panics_rejects_its_batch_and_nothing_else() {
    let mut chain = Chain::new();
    let poison = one(&probe("panic"));
    let batches = [one(&set("before", 1)), poison.clone(), one(&set("after", 2))];
    chain.commit(&batches);
    let rejection = chain.rejection(&poison).unwrap();
    assert_eq!((rejection.reason, rejection.message.as_str()), (Reason::Panic, "Family probe 1.0 failed"));
    assert_eq!((chain.value("before"), chain.value("after")), (Some(1), Some(2)));
    assert!(chain.state(PROBE_ADDRESS).is_none(), "what the family wrote before its panic is gone");
    chain.commit(&[one(&inc("after", 1))]);
    assert_eq!(chain.value("after"), Some(3));
}

#[test]
fn undeclared_addresses_are_neither_read_nor_written() {
    let mut chain = Chain::new();
    let (declared, other) = (address("a"), address("b"));
    let no_inputs = UnsignedTransaction { inputs: vec![other.to_string()], ..set("a", 1) };
    let no_outputs = UnsignedTransaction { outputs: vec![other.to_string()], ..set("a", 1) };
    let message = rejected(&mut chain, &one(&no_inputs), Reason::Unauthorized);
    assert_eq!(message, format!("Tried to get unauthorized address: ['{declared}']"));
    let message = rejected(&mut chain, &one(&no_outputs), Reason::Unauthorized);
    assert_eq!(message, format!("Tried to set unauthorized address: ['{declared}']"));
    let no_delete = UnsignedTransaction { outputs: Vec::new(), ..probe("delete") };
    let message = rejected(&mut chain, &one(&no_delete), Reason::Unauthorized);
    assert_eq!(message, format!("Tried to delete unauthorized address: ['{PROBE_ADDRESS}']"));
    assert_eq!(chain.value("a"), None);

    for (malformed, at) in [("1cf1260", 0), ("1CF126", 1), ("zz", 0), (&"0".repeat(72), 1)] {
        let mut transaction = set("a", 1);
        let declared = if at == 0 { &mut transaction.inputs } else { &mut transaction.outputs };
        declared.push(malformed.to_owned());
        let message = rejected(&mut chain, &one(&transaction), Reason::BadAddress);
        assert_eq!(message, format!("Invalid address in inputs or outputs: '{malformed}'"));
    }
    for (value, prefix) in [(1, NAMESPACE), (2, ""), (3, &declared.to_string()[..68])] {
        let prefixes = vec![prefix.to_owned()];
        let name = format!("by prefix {value}");
        let wide = UnsignedTransaction { inputs: prefixes.clone(), outputs: prefixes, ..set(&name, value) };
        if prefix.len() <= NAMESPACE.len() {
            chain.commit(&[one(&wide)]);
            assert_eq!(chain.value(&name), Some(value), "{prefix:?}");
        } else {
            rejected(&mut chain, &one(&wide), Reason::Unauthorized);
        }
    }
}

#[test]
fn a_batch_takes_effect_whole_or_not_at_all() {
    let mut chain = Chain::new();
    let batch = sign_batch(&alice(), &[set("a", 1), inc("a", 2), dec("never", 1), set("b", 1)]);
    chain.commit(std::slice::from_ref(&batch));
    let rejection = chain.rejection(&batch).unwrap();
    assert_eq!(rejection.transaction.to_string(), id_of(&batch, 2), "the first invalid transaction is named");
    assert_eq!((chain.value("a"), chain.value("b")), (None, None));
    for transaction in &batch.transactions {
        let id: TransactionId = transaction.header_signature.parse().unwrap();
        assert!(chain.reader().transaction(&id).unwrap().is_none(), "in no block");
        assert!(chain.reader().receipt(&id).unwrap().is_none(), "without receipt");
    }
    // Nothing of it counts as done: the same transactions are good in another batch.
    let rest = batch_of(&alice(), batch.transactions[..2].to_vec());
    chain.commit(std::slice::from_ref(&rest));
    assert_eq!(chain.value("a"), Some(3));
}

/// The same transaction under a second valid signature, which anybody with the key can make.
fn signed_again(transaction: &proto::Transaction, key: &PrivateKey) -> proto::Transaction {
    let secret = secp256k1::SecretKey::from_secret_bytes(*key.secret_bytes()).unwrap();
    let hash = ledger_types::hash::sha256(&[&transaction.header]);
    let message = secp256k1::Message::from_digest(hash.0);
    let signature = secp256k1::ecdsa::sign_with_noncedata(message, &secret, &[7; 32]);
    let header_signature = data_encoding::HEXLOWER.encode(&signature.serialize_compact());
    assert_ne!(header_signature, transaction.header_signature);
    proto::Transaction { header_signature, ..transaction.clone() }
}

#[test]
fn a_transaction_takes_effect_once_whatever_its_signature() {
    let mut chain = Chain::new();
    let bob = key(Curve::Secp256k1, "bob");
    let first = sign_batch(&bob, &[set("a", 1), inc("a", 10)]);
    chain.commit(std::slice::from_ref(&first));
    let repeated = batch_of(&bob, vec![first.transactions[1].clone()]);
    let resigned = batch_of(&bob, vec![signed_again(&first.transactions[1], &bob)]);
    for batch in [repeated, resigned] {
        let message = rejected(&mut chain, &batch, Reason::DuplicateTransaction);
        assert!(message.starts_with("The transaction is committed already"), "{message}");
    }
    let once = batch_of(&bob, vec![inc("a", 5).sign(&bob, &bob.public_key())]);
    let twice_in_a_batch = {
        let transaction = inc("a", 6).sign(&bob, &bob.public_key());
        batch_of(&bob, vec![signed_again(&transaction, &bob), transaction])
    };
    let twice_in_a_block = batch_of(&bob, vec![signed_again(&once.transactions[0], &bob)]);
    chain.commit(&[once, twice_in_a_block.clone(), twice_in_a_batch.clone()]);
    for batch in [twice_in_a_block, twice_in_a_batch] {
        assert_eq!(chain.rejection(&batch).unwrap().reason, Reason::DuplicateTransaction);
    }
    assert_eq!(chain.value("a"), Some(16));
}

#[test]
fn dependencies_must_come_first() {
    let mut chain = Chain::new();
    let base = one(&set("a", 1));
    let on_base = one(&inc("a", 1).after(id_of(&base, 0)));
    chain.commit(&[base.clone(), on_base.clone()]);
    assert_eq!(chain.value("a"), Some(2), "earlier in the block");
    chain.commit(&[one(&inc("a", 2).after(id_of(&base, 0)).after(id_of(&on_base, 0)))]);
    assert_eq!(chain.value("a"), Some(4), "in an earlier block");

    let (alice, public) = (alice(), alice().public_key());
    let first = inc("a", 3).sign(&alice, &public);
    let second = inc("a", 4).after(first.header_signature.clone()).sign(&alice, &public);
    chain.commit(&[batch_of(&alice, vec![first, second])]);
    assert_eq!(chain.value("a"), Some(11), "earlier in the batch");

    let later = inc("a", 5).sign(&alice, &public);
    let early = inc("a", 6).after(later.header_signature.clone()).sign(&alice, &public);
    let message =
        rejected(&mut chain, &batch_of(&alice, vec![early, later.clone()]), Reason::MissingDependency);
    assert_eq!(message, format!("The dependency {} is not committed", later.header_signature));
    for missing in ["abc", &"00".repeat(64), &id_of(&base, 0).to_uppercase()] {
        let message = rejected(&mut chain, &one(&inc("a", 7).after(missing)), Reason::MissingDependency);
        assert_eq!(message, format!("The dependency {missing} is not committed"));
    }
    assert_eq!(chain.value("a"), Some(11));
}

#[test]
fn a_missing_dependency_waits_and_then_commits() {
    let mut chain = Chain::new();
    let base = one(&set("a", 1));
    let waiting = one(&inc("a", 1).after(id_of(&base, 0)));
    assert_eq!(chain.build_new(std::slice::from_ref(&waiting)).len(), 1, "left to wait");
    assert!(chain.rejection(&waiting).is_none());
    chain.commit(&[base]);
    assert_eq!(chain.build_new(&[waiting]), []);
    assert_eq!(chain.value("a"), Some(2));
}

#[test]
fn a_rejected_batch_may_be_good_later() {
    let mut chain = Chain::new();
    let batch = one(&inc("a", 1));
    let message = rejected(&mut chain, &batch, Reason::Family);
    assert_eq!(message, "Verb is \"inc\" but name \"a\" not in state");
    chain.commit(&[one(&set("a", 1))]);
    chain.commit(std::slice::from_ref(&batch));
    assert!(chain.is_committed(&batch));
    assert_eq!(chain.value("a"), Some(2));
}

#[test]
fn rejections_say_the_same_after_a_restart_and_a_rebuild() {
    let mut chain = Chain::new();
    let batches = [one(&inc("a", 1)), one(&probe("panic")), one(&set("a", 1).after("abc"))];
    chain.commit(&batches);
    let said = |chain: &Chain| -> Vec<Rejection> {
        batches.iter().map(|batch| chain.rejection(batch).unwrap()).collect()
    };
    let before = said(&chain);
    assert_eq!(
        before.iter().map(|r| r.reason).collect::<Vec<_>>(),
        [Reason::Family, Reason::Panic, Reason::MissingDependency]
    );
    chain.reopen();
    assert_eq!(said(&chain), before);
    chain.rebuild();
    assert_eq!(said(&chain), before);
}

/// A chain of some blocks, by a load of both curves.
fn loaded(seed: u64, blocks: &[usize]) -> Chain {
    let mut random = Random::new(seed);
    let mut loads =
        [Load::new(Curve::Ed25519, "ed", random.fork()), Load::new(Curve::Secp256k1, "secp", random.fork())];
    let mut chain = Chain::new();
    for size in blocks {
        let batches: Vec<_> = (0..*size).map(|index| loads[index % 2].next_batch()).collect();
        chain.commit(&batches);
    }
    chain
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 12,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn executing_again_gives_the_same_bytes(seed: u64, blocks in prop::collection::vec(0usize..12, 1..6)) {
        let mut chain = loaded(seed, &blocks);
        let mut other = Chain::new();
        for height in 1..=chain.head().height {
            other.replay(&chain.reader().block(height).unwrap().unwrap());
            prop_assert_eq!(other.head(), {
                let header = chain.reader().header(height).unwrap().unwrap();
                ledger::Head { height, id: header.id(), state_root: header.state_root }
            });
        }
        let digests = chain.digests();
        prop_assert_eq!(other.digests(), digests);
        chain.rebuild();
        prop_assert_eq!(chain.digests(), digests);
    }
}

#[test]
fn files_that_lag_behind_the_blocks_catch_up() {
    let mut chain = loaded(1, &[5, 5, 5]);
    let older = chain.copy();
    more_blocks(&mut chain, &["x", "y", "z"]);
    let (head, digests) = (chain.head(), chain.digests());
    for files in
        [&["merkle-01.lmdb"][..], &["txn-receipts-01.lmdb"], &["merkle-01.lmdb", "txn-receipts-01.lmdb"]]
    {
        chain.restore(&older, files);
        chain.reopen();
        assert_eq!(chain.head(), head, "{files:?}");
        assert_eq!(chain.digests(), digests, "{files:?}");
        more_blocks(&mut chain, &[&format!("after {}", files.len())]);
        chain.restore_all();
    }
}

#[test]
fn files_ahead_of_the_blocks_are_refused_until_they_are_made_again() {
    let mut chain = loaded(2, &[4, 4]);
    let (older, old_head, old_digests) = (chain.copy(), chain.head(), chain.digests());
    more_blocks(&mut chain, &["x", "y"]);
    chain.restore(&older, &["block-01.lmdb"]);
    match chain.try_open(false).err() {
        Some(LedgerError::Ahead { file, height, blocks }) => {
            assert_eq!(
                (file, height, blocks),
                ("txn-receipts-01.lmdb", old_head.height + 2, old_head.height)
            );
        }
        other => panic!("{other:?}"),
    }
    chain.rebuild();
    assert_eq!((chain.head(), chain.digests()), (old_head, old_digests));
}

#[test]
fn missing_files_are_made_again_only_on_request() {
    let mut chain = loaded(3, &[6, 6]);
    let (head, digests) = (chain.head(), chain.digests());
    chain.delete(&["merkle-01.lmdb", "txn-receipts-01.lmdb"]);
    let refused = chain.try_open(false).err().unwrap().to_string();
    assert!(refused.contains("merkle-01.lmdb is missing beside block-01.lmdb"), "{refused}");
    assert!(refused.contains("--rebuild"), "{refused}");
    chain.rebuild();
    assert_eq!((chain.head(), chain.digests()), (head, digests));
    for file in ["block-01.lmdb", "pbft_consensus-01.lmdb"] {
        chain.delete(&[file]);
        for rebuild in [false, true] {
            let refused = chain.try_open(rebuild).err().unwrap().to_string();
            assert!(
                refused.contains(&format!("{file} is missing")) && refused.contains("backup"),
                "{refused}"
            );
        }
        chain.restore_all();
    }
}

fn more_blocks(chain: &mut Chain, names: &[&str]) {
    names.iter().for_each(|name| chain.commit(&[one(&set(name, 1))]));
    assert!(names.iter().all(|name| chain.value(name) == Some(1)));
}

#[test]
fn a_header_is_signed_as_it_is_not_as_it_would_be_encoded() {
    let mut chain = Chain::new();
    // A known field twice: the last one counts, and encoding the decoded header anew would give other bytes.
    let signed = one(&set("a", 1));
    let mut header = proto::TransactionHeader { nonce: "first".into(), ..Default::default() }.encode_to_vec();
    header.extend_from_slice(&signed.transactions[0].header);
    header.extend(proto::TransactionHeader { nonce: "last".into(), ..Default::default() }.encode_to_vec());
    let transaction = proto::Transaction {
        header_signature: alice().sign(&header).to_string(),
        header: header.clone().into(),
        ..signed.transactions[0].clone()
    };
    let batch = batch_of(&alice(), vec![transaction]);
    chain.commit(std::slice::from_ref(&batch));
    chain.reopen();
    let id: TransactionId = id_of(&batch, 0).parse().unwrap();
    let stored = chain.reader().transaction(&id).unwrap().unwrap();
    assert_eq!((stored.header_bytes.to_vec(), stored.header.nonce.as_str()), (header, "last"));
    assert_eq!(stored.verify_signature(), Ok(()));
}
