//! Any payload is applied or refused, whatever its bytes.

use proptest::prelude::*;
use txfamilies::{MemoryContext, UnsignedTransaction, bgt, intkey, settings, xo};

use crate::apply;

/// Sound payloads to mutate, with the name of their family.
fn sound() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("intkey", intkey::Payload { verb: intkey::Verb::Set, name: "x".into(), value: 70_000 }.encode()),
        ("bgt", bgt::Payload { verb: bgt::Verb::Set, name: "x".into(), value: 1 }.encode()),
        (
            "bgt",
            bgt::Payload { verb: bgt::Verb::Trans { to: "y".into() }, name: "x".into(), value: 1 }.encode(),
        ),
        ("xo", xo::Payload { name: "g".into(), action: xo::Action::Take { space: 1 } }.encode()),
        ("sawtooth_settings", settings::propose("a.b", &crate::public(1), "n").payload.to_vec()),
        ("sawtooth_settings", settings::vote("a.b", "id", true).payload.to_vec()),
    ]
}

fn run(family: &str, payload: Vec<u8>) {
    let mut transaction = UnsignedTransaction::new(family, "1.0", &[], payload);
    (transaction.inputs, transaction.outputs) = (vec![String::new()], vec![String::new()]);
    let _ = apply(&mut MemoryContext::new(0), 1, &transaction);
}

proptest! {
    #[test]
    fn random_bytes(payload in proptest::collection::vec(any::<u8>(), 0..300)) {
        for family in ["sawtooth_settings", "bgt", "intkey", "xo"] {
            run(family, payload.clone());
        }
    }

    #[test]
    fn mutated_bytes(
        which in 0..6usize,
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..5),
        cut in proptest::option::of(any::<proptest::sample::Index>()),
        tail in proptest::collection::vec(any::<u8>(), 0..4),
    ) {
        let (family, mut payload) = sound().swap_remove(which);
        for (place, byte) in changes {
            let place = place.index(payload.len());
            payload[place] = byte;
        }
        if let Some(cut) = cut {
            payload.truncate(cut.index(payload.len()));
        }
        payload.extend(tail);
        run(family, payload);
    }
}
