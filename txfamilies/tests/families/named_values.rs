//! intkey and bgt: messages, and random histories against plain maps.

use std::collections::BTreeMap;

use minicbor::Encoder;
use proptest::prelude::*;
use txfamilies::{MemoryContext, UnsignedTransaction, bgt, intkey};

use crate::{apply, public};

fn intkey(verb: intkey::Verb, name: &str, value: u32) -> UnsignedTransaction {
    intkey::Payload { verb, name: name.to_owned(), value }.transaction()
}

fn bgt(verb: bgt::Verb, name: &str, value: u32) -> UnsignedTransaction {
    bgt::Payload { verb, name: name.to_owned(), value }.transaction()
}

fn trans(to: &str) -> bgt::Verb {
    bgt::Verb::Trans { to: to.to_owned() }
}

fn balance(context: &MemoryContext, name: &str) -> Option<u32> {
    let bytes = context.state().get(&bgt::address(name))?;
    bgt::decode_wallets(bytes).ok()?.get(name).map(|wallet| wallet.decimals)
}

#[test]
fn intkey_refuses_in_the_words_that_clients_know() {
    use intkey::Verb::{Dec, Inc, Set};
    let mut context = MemoryContext::new(0);
    let mut run = |verb, name: &str, value| apply(&mut context, 1, &intkey(verb, name, value));
    let error = |text: &str| Err(text.to_owned());
    assert_eq!(run(Inc, "x", 1), error("Verb is \"inc\" but name \"x\" not in state"));
    assert_eq!(run(Dec, "x", 1), error("Verb is \"dec\" but name \"x\" not in state"));
    assert_eq!(run(Set, "x", 5), Ok(()));
    assert_eq!(run(Set, "x", 6), error("Verb is \"set\", but already exists: Name: x, Value 5"));
    assert_eq!(
        run(Inc, "x", u32::MAX),
        error("Verb is \"inc\", but result would be greater than 4294967295")
    );
    assert_eq!(run(Dec, "x", 6), error("Verb is \"dec\", but result would be less than 0"));
    assert_eq!(run(Inc, "x", u32::MAX - 5), Ok(()));
    assert_eq!(run(Dec, "x", u32::MAX), Ok(()));
    assert_eq!(run(Set, &"n".repeat(21), 0), error("Name must be a string of no more than 20 characters"));
    assert_eq!(run(Set, &"я".repeat(20), 0), Ok(()));
}

#[test]
fn intkey_state_is_what_other_processors_write() {
    let mut context = MemoryContext::new(0);
    apply(&mut context, 1, &intkey(intkey::Verb::Set, "alpha", 300)).unwrap();
    let bytes = &context.state()[&intkey::address("alpha")];
    assert_eq!(bytes.as_ref(), b"\xa1\x65alpha\x19\x01\x2c");
}

/// A payload of any shape for intkey's address of "x".
fn raw(payload: Vec<u8>) -> UnsignedTransaction {
    UnsignedTransaction::new("intkey", "1.0", &[intkey::address("x")], payload)
}

#[test]
fn payloads_that_are_no_payload_are_refused_by_name() {
    let mut context = MemoryContext::new(0);
    let mut run = |write: &dyn Fn(&mut Encoder<Vec<u8>>)| {
        let mut encoder = Encoder::new(Vec::new());
        write(&mut encoder);
        apply(&mut context, 1, &raw(encoder.into_writer())).unwrap_err()
    };
    let field = |encoder: &mut Encoder<Vec<u8>>, key: &str, value: &str| {
        encoder.str(key).unwrap().str(value).unwrap();
    };
    assert_eq!(run(&|_| ()), "Invalid payload serialization");
    assert_eq!(run(&|cbor| drop(cbor.map(0))), "Verb is required");
    assert_eq!(
        run(&|cbor| {
            cbor.map(1).unwrap();
            field(cbor, "Verb", "set");
        }),
        "Name is required"
    );
    assert_eq!(
        run(&|cbor| {
            cbor.map(2).unwrap();
            field(cbor, "Verb", "set");
            field(cbor, "Name", "x");
        }),
        "Value is required"
    );
    let with = |verb: &'static str, value: &'static dyn Fn(&mut Encoder<Vec<u8>>)| {
        move |cbor: &mut Encoder<Vec<u8>>| {
            cbor.map(3).unwrap().str("Verb").unwrap().str(verb).unwrap();
            cbor.str("Name").unwrap().str("x").unwrap().str("Value").unwrap();
            value(cbor);
        }
    };
    assert_eq!(run(&with("add", &|cbor| drop(cbor.u8(1)))), "Verb must be \"set\", \"inc\", or \"dec\"");
    let range = "Value must be an integer no less than 0 and no greater than 4294967295";
    assert_eq!(run(&with("set", &|cbor| drop(cbor.bool(true)))), range);
    assert_eq!(run(&with("set", &|cbor| drop(cbor.i8(-1)))), range);
    assert_eq!(run(&with("set", &|cbor| drop(cbor.u64(1 << 32)))), range);
    assert_eq!(run(&with("set", &|cbor| drop(cbor.str("1")))), range);
    assert_eq!(run(&with("set", &|cbor| drop(cbor.f64(1.5)))), "Invalid payload serialization");
}

#[test]
fn extra_keys_and_any_order_are_accepted() {
    let mut encoder = Encoder::new(Vec::new());
    encoder.map(4).unwrap().str("Value").unwrap().u8(7).unwrap().str("more").unwrap().null().unwrap();
    encoder.str("Verb").unwrap().str("set").unwrap().str("Name").unwrap().str("x").unwrap();
    let mut context = MemoryContext::new(0);
    apply(&mut context, 1, &raw(encoder.into_writer())).unwrap();
    assert_eq!(context.state()[&intkey::address("x")].as_ref(), b"\xa1\x61x\x07");
}

#[test]
fn a_family_stays_inside_the_declared_addresses() {
    let mut context = MemoryContext::new(0);
    let address = intkey::address("x");
    let mut blind = intkey(intkey::Verb::Set, "x", 1);
    blind.inputs.clear();
    let error = apply(&mut context, 1, &blind).unwrap_err();
    assert_eq!(error, format!("Tried to get unauthorized address: ['{address}']"));
    let mut mute = intkey(intkey::Verb::Set, "x", 1);
    mute.outputs = vec![bgt::NAMESPACE.to_owned()];
    let error = apply(&mut context, 1, &mute).unwrap_err();
    assert_eq!(error, format!("Tried to set unauthorized address: ['{address}']"));
    assert!(context.state().is_empty());
}

#[test]
fn only_the_owner_moves_a_balance() {
    let mut context = MemoryContext::new(0);
    apply(&mut context, 1, &bgt(bgt::Verb::Set, "mine", 10)).unwrap();
    apply(&mut context, 2, &bgt(bgt::Verb::Set, "theirs", 0)).unwrap();
    for verb in [bgt::Verb::Inc, bgt::Verb::Dec, trans("theirs")] {
        let word = verb.as_str();
        let error = apply(&mut context, 2, &bgt(verb.clone(), "mine", 1)).unwrap_err();
        assert_eq!(error, format!("Verb is \"{word}\" but the signer does not own \"mine\""));
        apply(&mut context, 1, &bgt(verb, "mine", 1)).unwrap();
    }
    assert_eq!((balance(&context, "mine"), balance(&context, "theirs")), (Some(9), Some(1)));
    let wallets = bgt::decode_wallets(&context.state()[&bgt::address("mine")]).unwrap();
    let wallet = &wallets["mine"];
    assert_eq!((wallet.owner_key.as_str(), wallet.sign.as_str()), (public(1).as_str(), ""));
}

#[test]
fn a_transfer_to_oneself_makes_nothing() {
    let mut context = MemoryContext::new(0);
    apply(&mut context, 1, &bgt(bgt::Verb::Set, "a", 10)).unwrap();
    apply(&mut context, 1, &bgt(trans("a"), "a", 10)).unwrap();
    assert_eq!(balance(&context, "a"), Some(10));
    let error = apply(&mut context, 1, &bgt(trans("a"), "a", 11)).unwrap_err();
    assert_eq!(error, "Verb is \"trans\", but result would be less than 0");
}

#[test]
fn a_transfer_that_fails_halfway_changes_nothing() {
    let mut context = MemoryContext::new(0);
    apply(&mut context, 1, &bgt(bgt::Verb::Set, "a", 10)).unwrap();
    apply(&mut context, 1, &bgt(bgt::Verb::Set, "full", u32::MAX)).unwrap();
    let error = apply(&mut context, 1, &bgt(trans("full"), "a", 1)).unwrap_err();
    assert_eq!(error, "Verb is \"trans\", but result would be greater than 4294967295");
    let error = apply(&mut context, 1, &bgt(trans("nobody"), "a", 1)).unwrap_err();
    assert_eq!(error, "Verb is \"trans\" but name \"nobody\" not in state");
    assert_eq!((balance(&context, "a"), balance(&context, "full")), (Some(10), Some(u32::MAX)));
}

fn amount() -> impl Strategy<Value = u32> {
    prop_oneof![0..20u32, Just(u32::MAX), Just(u32::MAX - 10), Just(1 << 31)]
}

proptest! {
    #[test]
    fn intkey_is_a_map(steps in proptest::collection::vec((0..3u8, 0..4u8, amount()), 0..60)) {
        let mut context = MemoryContext::new(0);
        let mut model = BTreeMap::<String, u32>::new();
        for (verb, name, value) in steps {
            let name = format!("n{name}");
            let known = model.get(&name).copied();
            let (verb, next) = match verb {
                0 => (intkey::Verb::Set, if known.is_none() { Some(value) } else { None }),
                1 => (intkey::Verb::Inc, known.and_then(|known| known.checked_add(value))),
                _ => (intkey::Verb::Dec, known.and_then(|known| known.checked_sub(value))),
            };
            let result = apply(&mut context, 1, &intkey(verb, &name, value));
            prop_assert_eq!(result.is_ok(), next.is_some());
            model.extend(next.map(|next| (name, next)));
        }
        let expected = model.iter().map(|(name, value)| {
            let mut encoder = Encoder::new(Vec::new());
            encoder.map(1).unwrap().str(name).unwrap().u32(*value).unwrap();
            (intkey::address(name), encoder.into_writer().into())
        });
        prop_assert_eq!(context.state(), &expected.collect());
    }

    #[test]
    fn bgt_is_a_map_with_owners(
        steps in proptest::collection::vec((0..4u8, 0..3u8, 0..3u8, amount(), 1..3u8), 0..60),
    ) {
        let mut context = MemoryContext::new(0);
        let mut model = BTreeMap::<u8, (u8, u64)>::new();
        for (verb, name, to, value, signer) in steps {
            let before = model.clone();
            let owned = before.get(&name).filter(|(owner, _)| *owner == signer).map(|(_, balance)| *balance);
            let amount = u64::from(value);
            let verb = match verb {
                0 => {
                    model.entry(name).or_insert((signer, amount));
                    bgt::Verb::Set
                }
                1 => {
                    if let Some(balance) = owned {
                        model.insert(name, (signer, balance + amount));
                    }
                    bgt::Verb::Inc
                }
                2 => {
                    if let Some(rest) = owned.and_then(|balance| balance.checked_sub(amount)) {
                        model.insert(name, (signer, rest));
                    }
                    bgt::Verb::Dec
                }
                _ => {
                    if let Some(rest) = owned.and_then(|balance| balance.checked_sub(amount))
                        && model.contains_key(&to)
                    {
                        model.insert(name, (signer, rest));
                        model.entry(to).and_modify(|(_, balance)| *balance += amount);
                    }
                    trans(&to.to_string())
                }
            };
            if model.values().any(|(_, balance)| *balance > u64::from(u32::MAX)) {
                model.clone_from(&before);
            }
            let changes_nothing = value == 0 || verb == trans(&name.to_string());
            let result = apply(&mut context, signer, &bgt(verb, &name.to_string(), value));
            prop_assert!(result.is_ok() == (model != before) || changes_nothing, "{result:?}");
            for (name, (owner, balance)) in &model {
                let wallets = bgt::decode_wallets(&context.state()[&bgt::address(&name.to_string())]).unwrap();
                let wallet = &wallets[&name.to_string()];
                prop_assert_eq!((u64::from(wallet.decimals), &wallet.owner_key), (*balance, &public(*owner)));
            }
            prop_assert_eq!(context.state().len(), model.len());
        }
    }
}
