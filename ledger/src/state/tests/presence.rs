use std::cell::Cell;
use std::collections::BTreeMap;

use bytes::Bytes;
use ledger_types::{Address, AddressPrefix};
use proptest::prelude::*;

use super::{ADDRESSES, Changes, Content, History, any_history};
use crate::reader::StateQuery;
use crate::state::StateError;
use crate::state::presence::{self, Found, PresenceCursor};

fn prefix(bytes: &[u8]) -> AddressPrefix {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    hex.parse().unwrap()
}

/// Prefixes that cover everything, a namespace, one address, nothing.
fn prefixes() -> Vec<AddressPrefix> {
    let one = AddressPrefix::from(ADDRESSES[14]);
    vec![AddressPrefix::ALL, prefix(&[0x1c; 3]), prefix(&[0x5b; 31]), one, prefix(&[0]), prefix(&[0xff])]
}

/// Starts at, just below and just above every address, and at both ends.
fn starts() -> Vec<Option<Address>> {
    let around = ADDRESSES.iter().flat_map(|address| {
        let (mut below, mut above) = (*address, *address);
        below.0[34] -= 1;
        above.0[34] += 1;
        [below, *address, above]
    });
    let ends = [Address([0; 35]), Address([0xff; 35])];
    [None].into_iter().chain(around.chain(ends).map(Some)).collect()
}

fn naive_range(content: &Content, query: &StateQuery) -> Vec<Address> {
    let wanted = |address: &Address| {
        let past_start = |start: &Address| if query.reverse { address <= start } else { address >= start };
        query.prefix.covers(address) && query.start.as_ref().is_none_or(past_start)
    };
    let mut all: Vec<_> = content.iter().filter(|(address, _)| wanted(address)).collect();
    if query.reverse {
        all.reverse();
    }
    all.into_iter().take(query.limit).map(|(address, _)| *address).collect()
}

fn check_ranges(history: &History, records: &BTreeMap<Vec<u8>, Bytes>, oldest: u64) {
    for (height, content) in history.versions().filter(|(height, _)| *height >= oldest) {
        for address in ADDRESSES.iter() {
            let is_present = presence::is_present(records, address, height).unwrap();
            assert_eq!(is_present, content.contains_key(address));
        }
        for (prefix, reverse) in prefixes().into_iter().flat_map(|p| [(p, false), (p, true)]) {
            for (start, limit) in starts().into_iter().zip([0, 1, 3, usize::MAX].into_iter().cycle()) {
                let query = StateQuery { prefix, height, start, reverse, limit };
                assert_eq!(
                    presence::range(records, &query).unwrap(),
                    naive_range(content, &query),
                    "{query:?}"
                );
                let query = StateQuery { limit: usize::MAX, ..query };
                assert_eq!(
                    presence::range(records, &query).unwrap(),
                    naive_range(content, &query),
                    "{query:?}"
                );
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn ranges_are_those_of_the_map_at_every_height_from_every_start(history in any_history()) {
        check_ranges(&history, &history.presence, 0);
    }

    #[test]
    fn superseded_records_are_all_that_kept_heights_do_not_need(history in any_history(), oldest in 0..9u64) {
        let oldest = oldest.min(history.head());
        let mut records = history.presence.clone();
        for address in ADDRESSES.iter() {
            for key in presence::superseded(&history.presence, address, oldest).unwrap() {
                prop_assert!(records.remove(key.as_slice()).is_some());
            }
        }
        check_ranges(&history, &records, oldest);
        // What is left at or below the oldest kept height is that height's content, once.
        let old = records.keys().map(|key| presence::parse_key(key).unwrap()).filter(|(_, version)| *version <= oldest);
        let old: Vec<_> = old.map(|(address, _)| address).collect();
        let content: Vec<_> = history.contents[oldest as usize].keys().copied().collect();
        prop_assert_eq!(old, content);
    }
}

proptest! {
    #[test]
    fn keys_sort_by_address_and_newest_first(a: ([u8; 2], u64), b: ([u8; 2], u64)) {
        let full = |(ends, version): ([u8; 2], u64)| {
            let mut address = Address([7; 35]);
            (address.0[0], address.0[34]) = (ends[0], ends[1]);
            (address, version)
        };
        let (a, b) = (full(a), full(b));
        let (key_a, key_b) = (presence::key(&a.0, a.1), presence::key(&b.0, b.1));
        prop_assert_eq!(key_a.cmp(&key_b), a.0.cmp(&b.0).then(b.1.cmp(&a.1)));
        prop_assert_eq!(presence::parse_key(&key_a).unwrap(), a);
    }

    #[test]
    fn any_bytes_in_the_store_give_an_answer_or_an_error(
        key in prop_oneof![prop::collection::vec(any::<u8>(), 0..60), prop::collection::vec(any::<u8>(), 43)],
        record in prop::collection::vec(any::<u8>(), 0..4),
        reverse: bool,
    ) {
        if let Ok(is_present) = presence::decode(&key, &record) {
            prop_assert_eq!(&presence::encode(is_present)[..], &record);
        }
        let well_formed = presence::parse_key(&key).is_ok();
        let records = BTreeMap::from([(key, Bytes::from(record))]);
        let query =
            StateQuery { prefix: AddressPrefix::ALL, height: u64::MAX, start: None, reverse, limit: 9 };
        let found = presence::range(&records, &query).unwrap_or_default();
        prop_assert!(well_formed || found.is_empty());
    }
}

#[test]
fn the_first_and_the_last_key_are_found() {
    let records: BTreeMap<_, _> = [(0, 0), (0, u64::MAX), (0xff, 0), (0xff, u64::MAX)]
        .map(|(fill, version)| {
            (presence::key(&Address([fill; 35]), version).to_vec(), Bytes::from_static(&[1]))
        })
        .into();
    for (height, reverse) in [(0, false), (0, true), (u64::MAX, false), (u64::MAX, true)] {
        let query = StateQuery { prefix: AddressPrefix::ALL, height, start: None, reverse, limit: 9 };
        assert_eq!(presence::range(&records, &query).unwrap().len(), 2);
    }
}

/// Counts seeks.
struct Counting<'a>(&'a BTreeMap<Vec<u8>, Bytes>, Cell<usize>);

impl PresenceCursor for Counting<'_> {
    fn at_or_after(&self, key: &[u8]) -> Result<Found<'_>, StateError> {
        self.1.set(self.1.get() + 1);
        self.0.at_or_after(key)
    }

    fn before(&self, key: &[u8]) -> Result<Found<'_>, StateError> {
        self.1.set(self.1.get() + 1);
        self.0.before(key)
    }
}

#[test]
fn a_scan_does_not_walk_versions() {
    let mut history = History::default();
    for _ in 0..300 {
        history.commit(&Changes::from([(ADDRESSES[0], Some(Bytes::from("a"))), (ADDRESSES[1], None)]));
    }
    for (height, reverse) in [(0, false), (150, true), (299, false), (299, true)] {
        let cursor = Counting(&history.presence, Cell::new(0));
        let query = StateQuery { prefix: AddressPrefix::ALL, height, start: None, reverse, limit: 9 };
        assert_eq!(presence::range(&cursor, &query).unwrap().len(), 1);
        assert!(cursor.1.get() <= 5, "{} seeks", cursor.1.get());
    }
}

/// A store that answers every question with the same record.
struct Stuck([u8; presence::KEY_BYTES]);

impl PresenceCursor for Stuck {
    fn at_or_after(&self, _: &[u8]) -> Result<Found<'_>, StateError> {
        Ok(Some((&self.0, &[1])))
    }

    fn before(&self, _: &[u8]) -> Result<Found<'_>, StateError> {
        Ok(Some((&self.0, &[1])))
    }
}

#[test]
fn a_store_that_does_not_go_on_is_an_error() {
    let stuck = Stuck(presence::key(&ADDRESSES[0], 0));
    for reverse in [false, true] {
        let query =
            StateQuery { prefix: AddressPrefix::ALL, height: 0, start: None, reverse, limit: usize::MAX };
        assert!(presence::range(&stuck, &query).is_err());
    }
    let stuck = Stuck(presence::key(&ADDRESSES[0], 9));
    assert!(presence::superseded(&stuck, &ADDRESSES[0], 5).is_err());
}
