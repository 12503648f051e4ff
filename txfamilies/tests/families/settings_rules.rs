//! The rules of settings, one by one.

use ledger_types::setting::{
    APPROVAL_THRESHOLD, AUTHORIZED_KEYS, KEEP_VERSIONS, PROPOSALS, TOPOLOGY, address, value_of,
};
use txfamilies::settings::{
    ALGORITHM_NAME, OPEN_PROPOSALS, OPEN_PROPOSALS_BYTES, decode_candidates, proposal_id, propose, vote,
};
use txfamilies::{MemoryContext, UnsignedTransaction};

use crate::{apply, public};

fn keys(numbers: impl IntoIterator<Item = u8>) -> String {
    numbers.into_iter().map(public).collect::<Vec<_>>().join(",")
}

fn value(context: &MemoryContext, key: &str) -> Option<String> {
    value_of(key, context.state().get(&address(key))?)
}

fn error(text: &str) -> Result<(), String> {
    Err(text.to_owned())
}

/// State with these authorized keys and this threshold.
fn governed(numbers: &[u8], threshold: u32) -> MemoryContext {
    let mut context = MemoryContext::new(0);
    let by = numbers[0];
    apply(&mut context, by, &propose(AUTHORIZED_KEYS, &keys(numbers.iter().copied()), ""))
        .expect("first keys");
    apply(&mut context, by, &propose(APPROVAL_THRESHOLD, &threshold.to_string(), ""))
        .expect("first threshold");
    context
}

fn open_proposals(context: &MemoryContext) -> usize {
    let value = value(context, PROPOSALS).expect("the ballot is stored");
    decode_candidates(&value).expect("the ballot is readable").candidates.len()
}

#[test]
fn without_keys_only_the_keys_can_be_set() {
    let mut context = MemoryContext::new(0);
    assert_eq!(
        apply(&mut context, 1, &propose("a", "1", "")),
        error("Cannot set \"a\" until authorized_keys is set.")
    );
    assert_eq!(
        apply(&mut context, 1, &propose(AUTHORIZED_KEYS, "", "")),
        error("authorized_keys must not be empty.")
    );
    apply(&mut context, 1, &propose(AUTHORIZED_KEYS, &public(2), "")).unwrap();
    assert_eq!(
        apply(&mut context, 1, &propose("a", "1", "")),
        Err(format!("\"{}\" is not authorized to change settings", public(1)))
    );
    apply(&mut context, 2, &propose("a", "1", "")).unwrap();
    assert_eq!(value(&context, "a").as_deref(), Some("1"));
}

#[test]
fn a_change_is_told_to_subscribers() {
    let mut context = governed(&[1], 1);
    apply(&mut context, 1, &propose("a.b", "1", "")).unwrap();
    let [event] = context.events() else { panic!("one event") };
    assert_eq!(event.event_type, "settings/update");
    assert_eq!(event.attributes, [("updated".to_owned(), "a.b".to_owned())]);
}

#[test]
fn the_threshold_is_between_one_and_the_number_of_keys() {
    let mut context = governed(&[1, 2], 1);
    let mut set = |text: &str| apply(&mut context, 1, &propose(APPROVAL_THRESHOLD, text, ""));
    assert_eq!(set("x"), error("approval_threshold must be an integer"));
    assert_eq!(set("0"), error("approval_threshold must be at least 1"));
    let too_many = "approval_threshold must be less than or equal to number of authorized_keys";
    assert_eq!(set("3"), error(too_many));
    assert_eq!(set("18446744073709551615"), error(too_many));
    assert_eq!(set("2"), Ok(()));
}

#[test]
fn keys_cannot_become_fewer_than_the_threshold() {
    let mut context = governed(&[1, 2, 3], 2);
    assert_eq!(
        apply(&mut context, 1, &propose(AUTHORIZED_KEYS, &public(1), "")),
        error("authorized_keys must be at least as many as the approval_threshold of 2")
    );
}

#[test]
fn a_proposal_is_checked_again_when_it_would_apply() {
    let mut context = governed(&[1, 2, 3], 2);
    let (fewer, three) = (keys([1, 2]), "3");
    apply(&mut context, 1, &propose(APPROVAL_THRESHOLD, three, "")).unwrap();
    apply(&mut context, 1, &propose(AUTHORIZED_KEYS, &fewer, "")).unwrap();
    let id = proposal_id(AUTHORIZED_KEYS, &fewer, "");
    apply(&mut context, 2, &vote(AUTHORIZED_KEYS, &id, true)).unwrap();
    let id = proposal_id(APPROVAL_THRESHOLD, three, "");
    assert_eq!(
        apply(&mut context, 2, &vote(APPROVAL_THRESHOLD, &id, true)),
        error("approval_threshold must be less than or equal to number of authorized_keys")
    );
    apply(&mut context, 2, &vote(APPROVAL_THRESHOLD, &id, false)).unwrap();
    assert_eq!(open_proposals(&context), 0, "all have voted");
}

#[test]
fn open_proposals_cannot_be_written_directly() {
    let mut context = governed(&[1], 1);
    assert_eq!(
        apply(&mut context, 1, &propose(PROPOSALS, "", "")),
        error("Setting sawtooth.settings.vote.proposals is read-only")
    );
}

#[test]
fn what_genesis_fixes_is_set_once() {
    for key in [TOPOLOGY, ALGORITHM_NAME] {
        let mut context = governed(&[1], 1);
        apply(&mut context, 1, &propose(key, "first", "")).unwrap();
        for again in ["second", "first"] {
            assert_eq!(
                apply(&mut context, 1, &propose(key, again, "")),
                Err(format!("Setting {key} is fixed at genesis"))
            );
        }
    }
}

#[test]
fn a_value_that_would_halt_the_chain_is_refused() {
    let mut context = governed(&[1, 2], 2);
    let refused = format!("{KEEP_VERSIONS} must be an integer from 16 to 4294967295");
    assert_eq!(apply(&mut context, 1, &propose(KEEP_VERSIONS, "0", "")), Err(refused));
    assert!(value(&context, PROPOSALS).is_none(), "not even opened");
}

#[test]
fn votes_are_one_per_key_on_an_open_proposal() {
    let mut context = governed(&[1, 2, 3], 3);
    apply(&mut context, 1, &propose("a", "1", "")).unwrap();
    assert_eq!(value(&context, "a"), None);
    assert_eq!(apply(&mut context, 2, &propose("a", "1", "")), error("Duplicate proposal for \"a\""));
    apply(&mut context, 2, &propose("a", "1", "another nonce")).unwrap();
    let id = proposal_id("a", "1", "");
    assert_eq!(
        apply(&mut context, 1, &vote("a", &id, true)),
        Err(format!("\"{}\" already has voted", public(1)))
    );
    assert_eq!(apply(&mut context, 2, &vote("a", "00", true)), error("Proposal \"00\" does not exist"));
    apply(&mut context, 2, &vote("a", &id, true)).unwrap();
    assert_eq!(value(&context, "a"), None);
    apply(&mut context, 3, &vote("a", &id, true)).unwrap();
    assert_eq!(value(&context, "a").as_deref(), Some("1"));
    assert_eq!(open_proposals(&context), 1);
}

#[test]
fn a_key_that_leaves_loses_its_votes_and_nothing_stays_open_for_ever() {
    let mut context = governed(&[1, 2, 3], 2);
    apply(&mut context, 1, &propose("a", "1", "")).unwrap();
    apply(&mut context, 3, &propose("b", "1", "")).unwrap();
    apply(&mut context, 1, &vote("b", &proposal_id("b", "1", ""), false)).unwrap();
    apply(&mut context, 1, &propose(AUTHORIZED_KEYS, &keys([2, 3]), "")).unwrap();
    let id = proposal_id(AUTHORIZED_KEYS, &keys([2, 3]), "");
    apply(&mut context, 2, &vote(AUTHORIZED_KEYS, &id, true)).unwrap();
    assert_eq!(open_proposals(&context), 2);
    apply(&mut context, 2, &vote("a", &proposal_id("a", "1", ""), true)).unwrap();
    assert_eq!(value(&context, "a"), None, "the acceptance of key 1 is gone");
    apply(&mut context, 3, &vote("a", &proposal_id("a", "1", ""), true)).unwrap();
    assert_eq!(value(&context, "a").as_deref(), Some("1"));
    apply(&mut context, 2, &vote("b", &proposal_id("b", "1", ""), false)).unwrap();
    assert_eq!(open_proposals(&context), 0, "both have voted");
}

#[test]
fn a_proposal_that_nobody_can_vote_on_any_more_is_closed() {
    let mut context = governed(&[1, 2, 3], 2);
    apply(&mut context, 1, &propose("a", "1", "")).unwrap();
    apply(&mut context, 2, &vote("a", &proposal_id("a", "1", ""), false)).unwrap();
    assert_eq!(open_proposals(&context), 1, "key 3 is still to vote");
    apply(&mut context, 1, &propose(AUTHORIZED_KEYS, &keys([1, 2]), "")).unwrap();
    apply(&mut context, 2, &vote(AUTHORIZED_KEYS, &proposal_id(AUTHORIZED_KEYS, &keys([1, 2]), ""), true))
        .unwrap();
    assert_eq!(open_proposals(&context), 0);
    assert_eq!(value(&context, "a"), None);
}

#[test]
fn one_key_cannot_fill_the_ballot_so_that_no_vote_fits() {
    let mut context = governed(&[1, 2], 2);
    let long = "v".repeat(OPEN_PROPOSALS_BYTES / OPEN_PROPOSALS - 300);
    for nonce in 0..OPEN_PROPOSALS {
        apply(&mut context, 1, &propose("a", &long, &nonce.to_string())).unwrap();
    }
    let full = format!("open proposals may be at most {OPEN_PROPOSALS} and {OPEN_PROPOSALS_BYTES} bytes");
    assert_eq!(apply(&mut context, 2, &propose("b", "1", "")), Err(full.clone()));
    for nonce in 1..OPEN_PROPOSALS {
        apply(&mut context, 2, &vote("a", &proposal_id("a", &long, &nonce.to_string()), false)).unwrap();
    }
    apply(&mut context, 2, &vote("a", &proposal_id("a", &long, "0"), true)).unwrap();
    assert_eq!(value(&context, "a"), Some(long));
    assert_eq!(apply(&mut context, 2, &propose("b", &"v".repeat(OPEN_PROPOSALS_BYTES), "")), Err(full));
}

#[test]
fn messages_that_are_no_payload_are_refused() {
    let mut context = governed(&[1], 1);
    let mut refused = |payload: &[u8]| {
        let mut transaction = UnsignedTransaction::new("sawtooth_settings", "1.0", &[], payload.to_vec());
        transaction.inputs.push("000000".to_owned());
        apply(&mut context, 1, &transaction).unwrap_err()
    };
    assert_eq!(refused(&[0xff]), "Failed to unmarshal SettingsTransaction");
    assert_eq!(refused(&[0x08, 0x01, 0x12, 0x01, 0xff]), "Failed to unmarshal SettingsTransaction");
    assert_eq!(refused(&[]), "'action' must be one of {PROPOSE, VOTE} in 'Ballot' mode");
    assert_eq!(refused(&[0x08, 0x07]), "'action' must be one of {PROPOSE, VOTE} in 'Ballot' mode");
    assert_eq!(refused(&[0x08, 0x02]), "'vote' must be one of {ACCEPT, REJECT}");
    assert_eq!(refused(&[0x08, 0x01]), "a setting's key must have 1 to 256 bytes");
}
