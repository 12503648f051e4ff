//! Starts: what store, file and operator say about the past, before anybody is asked (SPEC 3.10).

mod common;

use common::{MapStore, Store, records, write};
use consensus::guard::{Incarnation, Standing, Start};
use consensus::store::{Loaded, Operator, VoteStore, begin};
use consensus::{Change, Record, RecordKey};

const NONCE: [u8; 16] = [9; 16];

fn life(counter: u64, nonce: u8) -> Incarnation {
    Incarnation { counter, nonce: [nonce; 16] }
}

#[test]
fn store_and_file_tell_what_a_start_is_worth() {
    let cases = [
        (None, None, Standing::Unproven, 1),
        (None, Some(life(3, 1)), Standing::Old, 4),
        (Some(life(3, 1)), None, Standing::Unproven, 4),
        (Some(life(3, 1)), Some(life(3, 1)), Standing::Current, 4),
        (Some(life(3, 1)), Some(life(3, 2)), Standing::Old, 4),
        (Some(life(3, 2)), Some(life(3, 1)), Standing::Old, 4),
        (Some(life(3, 1)), Some(life(4, 1)), Standing::Old, 5),
        (Some(life(4, 1)), Some(life(3, 1)), Standing::Unproven, 5),
        (Some(life(u64::MAX, 1)), Some(life(u64::MAX, 1)), Standing::Current, u64::MAX),
    ];
    for (stored, file, standing, counter) in cases {
        let start = Start::new(stored, file, NONCE);
        let expected = Start { previous: stored, current: Incarnation { counter, nonce: NONCE }, standing };
        assert_eq!(start, expected, "store {stored:?}, file {file:?}");
    }
}

#[test]
fn an_incarnation_has_one_form_of_24_bytes() {
    let bytes = life(7, 3).to_bytes();
    assert_eq!(bytes.len(), 24);
    assert_eq!(Incarnation::from_bytes(bytes.clone().into()), Ok(life(7, 3)));
    assert!(Incarnation::from_bytes(bytes[..23].to_vec().into()).is_err());
    assert!(Incarnation::from_bytes([&bytes[..], &[0]].concat().into()).is_err());
}

/// A store that says that some records are damaged, and can fail to write.
struct Worn {
    store: Store,
    damaged: Vec<Vec<u8>>,
    is_full: bool,
}

impl VoteStore for Worn {
    type Error = &'static str;

    fn load(&self) -> Result<Loaded, Self::Error> {
        let mut store = self.store.clone();
        let Ok(loaded) = MapStore(&mut store).load();
        Ok(Loaded { damaged: self.damaged.clone(), ..loaded })
    }

    fn write(&mut self, changes: &[Change]) -> Result<(), Self::Error> {
        if self.is_full {
            return Err("full");
        }
        write(&mut self.store, changes);
        Ok(())
    }
}

/// A store of one life before, and its guard's record.
fn worn(is_damaged: bool, guard: Option<Record>) -> Worn {
    let mut store = Store::new();
    let changes: Vec<Change> =
        [Some(Record::Incarnation(life(3, 1))), guard].into_iter().flatten().map(Change::Put).collect();
    write(&mut store, &changes);
    let damaged = if is_damaged { vec![vec![2, 0, 0]] } else { Vec::new() };
    Worn { store, damaged, is_full: false }
}

fn guard_of(store: &Store) -> Option<Option<u64>> {
    records(store).iter().find_map(|record| match record {
        Record::Guard { epoch: 0, bound } => Some(*bound),
        _ => None,
    })
}

#[test]
fn damage_and_the_operator_overrule_the_file() {
    let cases = [
        (Operator::Silent, false, Standing::Current, None),
        (Operator::Silent, true, Standing::Observer, Some(None)),
        (Operator::Restored, false, Standing::Old, Some(None)),
        (Operator::Restored, true, Standing::Old, Some(None)),
        (Operator::Trusts, false, Standing::Trusted, None),
        (Operator::Trusts, true, Standing::Trusted, None),
    ];
    for (operator, is_damaged, standing, guard) in cases {
        let mut store = worn(is_damaged, None);
        let (start, loaded) = begin(&mut store, Some(life(3, 1)), NONCE, operator).unwrap();
        assert_eq!(start.standing, standing, "{operator:?}, damaged: {is_damaged}");
        assert_eq!(
            (start.previous, start.current),
            (Some(life(3, 1)), Incarnation { counter: 4, nonce: NONCE })
        );
        assert_eq!(guard_of(&store.store), guard, "{operator:?}, damaged: {is_damaged}");
        assert_eq!(loaded.damaged, store.damaged);
        let life = Record::Incarnation(start.current);
        assert!(records(&store.store).contains(&life), "durable before it returns");
    }
}

#[test]
fn a_file_that_is_ahead_makes_the_store_old_and_that_is_durable() {
    for operator in [Operator::Silent, Operator::Restored] {
        let mut store = worn(false, None);
        let (start, _) = begin(&mut store, Some(life(5, 1)), NONCE, operator).unwrap();
        assert_eq!((start.standing, start.current.counter), (Standing::Old, 6));
        assert_eq!(guard_of(&store.store), Some(None));
        // A crash now: the next start finds store and file equal, and still knows.
        let (start, loaded) = begin(&mut store, Some(start.current), NONCE, Operator::Silent).unwrap();
        assert_eq!(start.standing, Standing::Current);
        assert!(loaded.records.contains(&Record::Guard { epoch: 0, bound: None }));
    }
}

#[test]
fn a_start_that_is_worth_something_keeps_the_guard_it_finds() {
    for bound in [None, Some(7)] {
        let guard = Record::Guard { epoch: 0, bound };
        for file in [Some(life(3, 1)), None] {
            let mut store = worn(false, Some(guard.clone()));
            let (_, loaded) = begin(&mut store, file, NONCE, Operator::Silent).unwrap();
            assert!(loaded.records.contains(&guard));
            assert_eq!(guard_of(&store.store), Some(bound));
        }
    }
}

#[test]
fn who_trusts_the_store_ends_a_guard() {
    for bound in [None, Some(7)] {
        let mut store = worn(true, Some(Record::Guard { epoch: 0, bound }));
        let (start, loaded) = begin(&mut store, None, NONCE, Operator::Trusts).unwrap();
        assert_eq!(start.standing, Standing::Trusted);
        assert_eq!(guard_of(&store.store), None);
        assert!(!loaded.records.iter().any(|record| record.key() == RecordKey::Guard { epoch: 0 }));
    }
}

#[test]
fn there_is_no_start_without_its_record() {
    let mut store = Worn { is_full: true, ..worn(false, None) };
    assert_eq!(begin(&mut store, None, NONCE, Operator::Trusts).unwrap_err(), "full");
}
