//! The list of what a height made unreachable: what may be deleted when older heights are no longer kept.
//!
//! A list is cut into parts, so that no record needs pages of its own. A part is a run of items, none of which is split:
//! `0`, version u64, nibble count u8, nibbles: a tree node; `1`, version u64, address 35: a value; `2`, address 35: an
//! address that began or ceased to be present. In this order, each kind ascending.

use ledger_types::Address;

use crate::state::{NodeKey, TreeUpdate};

/// Bytes of a part at most: LMDB gives pages of their own to records of more than about 2,000.
const PART_BYTES: usize = 1_900;

const NODE: u8 = 0;
const VALUE: u8 = 1;
const PRESENCE: u8 = 2;

/// What a height made unreachable.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Stale {
    /// Tree nodes.
    pub(crate) nodes: Vec<NodeKey>,
    /// Values: the version that set each, and its address.
    pub(crate) values: Vec<(u64, Address)>,
    /// Addresses whose older presence records may be of no more use.
    pub(crate) presence: Vec<Address>,
}

impl Stale {
    /// What an update makes unreachable.
    pub(crate) fn of(update: &TreeUpdate) -> Self {
        Self {
            nodes: update.stale.clone(),
            values: update.stale_values.clone(),
            presence: update.presence.iter().map(|(address, _)| *address).collect(),
        }
    }

    /// The parts. None when nothing is unreachable.
    pub(crate) fn encode(&self) -> Vec<Vec<u8>> {
        let mut parts = Parts(Vec::new());
        for key in &self.nodes {
            parts.push(&[&[NODE], &*key.encode()]);
        }
        for (version, address) in &self.values {
            parts.push(&[&[VALUE], &version.to_be_bytes(), &address.0]);
        }
        for address in &self.presence {
            parts.push(&[&[PRESENCE], &address.0]);
        }
        parts.0
    }

    /// Adds the items of a part; `None` when it is no run of items.
    pub(crate) fn extend(&mut self, mut part: &[u8]) -> Option<()> {
        while let Some((kind, rest)) = part.split_first() {
            let (item, rest) = match *kind {
                NODE => rest.split_at_checked(9 + usize::from(*rest.get(8)?).div_ceil(2))?,
                VALUE => rest.split_at_checked(8 + Address::LEN)?,
                PRESENCE => rest.split_at_checked(Address::LEN)?,
                _ => return None,
            };
            match *kind {
                NODE => self.nodes.push(NodeKey::decode(item)?),
                VALUE => {
                    let (version, address) = item.split_first_chunk()?;
                    self.values.push((u64::from_be_bytes(*version), Address(address.try_into().ok()?)));
                }
                _ => self.presence.push(Address(item.try_into().ok()?)),
            }
            part = rest;
        }
        Some(())
    }
}

struct Parts(Vec<Vec<u8>>);

impl Parts {
    fn push(&mut self, item: &[&[u8]]) {
        let bytes: usize = item.iter().map(|field| field.len()).sum();
        let part = match self.0.pop_if(|part| part.len() + bytes <= PART_BYTES) {
            Some(part) => part,
            None => Vec::with_capacity(PART_BYTES),
        };
        self.0.push(part);
        let part = self.0.last_mut().expect("invariant: pushed just now");
        item.iter().for_each(|field| part.extend_from_slice(field));
    }
}

#[cfg(test)]
mod tests {
    use ledger_types::Address;

    use super::{PART_BYTES, Stale};
    use crate::state::NodeKey;

    #[test]
    fn a_list_comes_back_from_its_parts() {
        let deep = NodeKey::decode(&[&[0, 0, 0, 0, 0, 0, 1, 2, 3][..], &[0xab, 0xc0]].concat()).unwrap();
        for count in [0, 1, 43, 44, 500] {
            let stale = Stale {
                nodes: (0..count).map(NodeKey::root).chain([deep]).collect(),
                values: (0..count).map(|version| (version, Address([9; 35]))).collect(),
                presence: (0..count).map(|number| Address([number as u8; 35])).collect(),
            };
            let (parts, mut read) = (stale.encode(), Stale::default());
            assert!(parts.iter().all(|part| part.len() <= PART_BYTES && part.len() + 45 > 0));
            assert!(parts.iter().all(|part| read.extend(part).is_some()));
            assert_eq!(read, stale);
            assert_eq!(read.encode(), parts);
        }
        assert!(Stale::default().encode().is_empty());
    }

    #[test]
    fn what_no_list_holds_is_refused() {
        let whole =
            Stale { nodes: vec![NodeKey::root(1)], values: vec![(2, Address([9; 35]))], presence: vec![] };
        let part = whole.encode().concat();
        for cut in [1, 5, 9, 11, part.len() - 1] {
            assert_eq!(Stale::default().extend(&part[..cut]), None, "{cut}");
        }
        assert_eq!(Stale::default().extend(&[3, 0]), None);
        assert_eq!(Stale::default().extend(&[&[0, 0, 0, 0, 0, 0, 0, 0, 1, 1], &[0x0f][..]].concat()), None);
    }
}
