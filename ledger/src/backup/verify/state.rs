//! The state file: roots, tree nodes, values, presence, and the lists of what became unreachable.
//!
//! Heights above the oldest one kept are compared with the height before. Of the oldest one kept the whole tree is walked;
//! of the heights below it the file has only what that tree still reaches.

use std::collections::BTreeMap;

use ledger_types::{Address, Hash};

use super::audit::Audit;
use super::receipts::Changes;
use crate::reader::Head;
use crate::state::{Leaf, StateError, compare_with_previous, key_hash, presence, tree, value_hash, whole};
use crate::state_file::{self, Stale, StateView};
use crate::store::{File, StoreError, schema};

/// A check of the state file along the blocks.
pub(super) struct State<'a> {
    audit: Audit<'a>,
    /// The oldest height whose state is kept.
    oldest: u64,
    /// Leaves of the tree after the block checked last.
    leaves: u64,
    /// Values of the oldest kept tree that were found so far.
    old_values: u64,
}

impl<'a> State<'a> {
    pub(super) fn new(file: &'a File) -> Result<Self, StoreError> {
        let mut audit = Audit::new(file)?;
        let oldest = state_file::oldest(audit.view())?;
        if oldest > 0 {
            audit.count(schema::STATE_OLDEST[0], 1);
        }
        if audit.head().is_none_or(|head| head.height < oldest) && oldest > 0 {
            return Err(audit.damaged("oldest version".to_owned(), "above the head"));
        }
        Ok(Self { audit, oldest, leaves: 0, old_values: 0 })
    }

    pub(super) fn head(&self) -> Option<Head> {
        self.audit.head()
    }

    pub(super) fn oldest(&self) -> u64 {
        self.oldest
    }

    /// Checks what a block wrote, and that its receipts tell the same, unless the receipts file ends below.
    pub(super) fn check(&mut self, head: &Head, changes: Option<&Changes>) -> Result<(), StoreError> {
        if !self.audit.reaches(head.height) {
            return Ok(());
        }
        let height = head.height;
        self.audit.expect_head(head)?;
        let values = self.values(height)?;
        if height >= self.oldest {
            let name = || format!("state root of height {height}");
            self.audit.expect(&schema::state_root(height), &head.state_root.0, name)?;
        }
        let is_compared = height > self.oldest || self.oldest == 0;
        match is_compared {
            true => self.check_change(height, &head.state_root, &values)?,
            false => self.check_old(height, &head.state_root, &values)?,
        }
        let Some(changes) = changes else { return Ok(()) };
        for (address, value) in changes {
            let told = value.as_ref().map(|value| value_hash(value));
            let stored = values.get(address).copied();
            // Of an old height only what the oldest kept tree reaches is there.
            if stored != told && (is_compared || stored.is_some()) {
                return Err(self.differs(address, height));
            }
        }
        match values.keys().find(|address| !changes.contains_key(*address)) {
            Some(address) => Err(self.differs(address, height)),
            None => Ok(()),
        }
    }

    /// The hashes of the values that a height set.
    fn values(&mut self, height: u64) -> Result<BTreeMap<Address, Hash>, StoreError> {
        let mut values = BTreeMap::new();
        let prefix = schema::state_values(height);
        self.audit.view().for_each(&prefix, |key, value| {
            let address = key[prefix.len()..].try_into().map(Address);
            let record = data_encoding::HEXLOWER.encode(key);
            let address = address.map_err(|_| self.audit.damaged(record, "the key has not an address"))?;
            values.insert(address, value_hash(value));
            Ok::<_, StoreError>(())
        })?;
        self.audit.count(schema::STATE_VERSION, values.len() as u64);
        Ok(values)
    }

    /// Checks a height against the height before.
    fn check_change(
        &mut self,
        height: u64,
        root: &Hash,
        values: &BTreeMap<Address, Hash>,
    ) -> Result<(), StoreError> {
        let view = StateView::new(self.audit.view());
        let change = compare_with_previous(&view, height).map_err(|error| self.state_error(&error))?;
        self.check_root(height, root, &change.root)?;
        self.audit.count(schema::STATE_VERSION, change.written);
        let hashes = values.iter().map(|(address, value)| (key_hash(address), *value));
        let added = change.added.iter().map(|(key, leaf)| (*key, leaf.value_hash));
        if !hashes.collect::<BTreeMap<_, _>>().into_iter().eq(added) {
            let record = format!("values of height {height}");
            return Err(self.audit.damaged(record, "not those that the state tree got"));
        }
        let stale = self.stale(height)?;
        let lost = |values: &[(u64, Address)]| {
            let lost = values.iter().map(|(set_by, address)| (key_hash(address), *set_by));
            lost.collect::<BTreeMap<_, _>>()
        };
        let versions = change.removed.iter().map(|(key, leaf)| (*key, leaf.version));
        let is_right = stale.nodes.iter().eq(&change.stale)
            && stale.values.is_sorted_by(|a, b| a < b)
            && lost(&stale.values).into_iter().eq(versions);
        if !is_right {
            return Err(self.not_lost(height));
        }
        let mut began = BTreeMap::new();
        for address in &stale.presence {
            let key = key_hash(address);
            let is_present = change.added.contains_key(&key);
            if is_present == change.removed.contains_key(&key) || began.insert(key, is_present).is_some() {
                return Err(self.not_lost(height));
            }
            let key = schema::state_presence(&presence::key(address, height));
            let name = || format!("presence of {address} from height {height}");
            self.audit.expect(&key, &presence::encode(is_present), name)?;
        }
        let differing = |a: &BTreeMap<Hash, Leaf>, b: &BTreeMap<Hash, Leaf>| {
            a.keys().filter(|key| !b.contains_key(*key)).count()
        };
        let (gained, went) =
            (differing(&change.added, &change.removed), differing(&change.removed, &change.added));
        if began.len() != gained + went || !stale.presence.is_sorted() {
            return Err(self.not_lost(height));
        }
        self.leaves = (self.leaves + gained as u64).saturating_sub(went as u64);
        Ok(())
    }

    /// Checks what is left of a height that the oldest kept tree may reach, and at the oldest one the tree itself.
    fn check_old(
        &mut self,
        height: u64,
        root: &Hash,
        values: &BTreeMap<Address, Hash>,
    ) -> Result<(), StoreError> {
        let view = StateView::new(self.audit.view());
        for (address, hash) in values {
            let leaf = tree::leaf(&view, self.oldest, address).map_err(|error| self.state_error(&error))?;
            if leaf.is_none_or(|leaf| (leaf.version, leaf.value_hash) != (height, *hash)) {
                return Err(self.differs(address, height));
            }
        }
        self.old_values += values.len() as u64;
        if height < self.oldest {
            return Ok(());
        }
        let whole = whole(&view, height).map_err(|error| self.state_error(&error))?;
        self.check_root(height, root, &whole.root)?;
        self.audit.count(schema::STATE_VERSION, whole.nodes);
        self.leaves = whole.leaves;
        if self.old_values != whole.leaves {
            let reason = format!("it has {} leaves for {} values", whole.leaves, self.old_values);
            return Err(self.audit.damaged(format!("state tree of height {height}"), reason));
        }
        Ok(())
    }

    fn check_root(&self, height: u64, expected: &Hash, found: &Hash) -> Result<(), StoreError> {
        match expected == found {
            true => Ok(()),
            false => {
                let record = format!("state node {height}/");
                Err(self.audit.damaged(record, "not the root in the block's header"))
            }
        }
    }

    /// The list of what a height made unreachable, of which every part is as it is written.
    fn stale(&mut self, height: u64) -> Result<Stale, StoreError> {
        let mut stale = Stale::default();
        let mut parts = Vec::new();
        let name = |part: usize| format!("part {part} of what height {height} made unreachable");
        loop {
            let number = u32::try_from(parts.len()).expect("invariant: memory ends before");
            let Some(part) = self.audit.view().get_copy(&schema::state_stale(height, number))? else { break };
            stale.extend(&part).ok_or_else(|| self.audit.damaged(name(parts.len()), "not an encoding"))?;
            parts.push(part);
        }
        if stale.encode() != parts {
            return Err(self.audit.damaged(name(0), "not cut where it must be"));
        }
        self.audit.count(schema::STATE_VERSION, parts.len() as u64);
        Ok(stale)
    }

    /// Ends the check after the head's block: presence must be that of the tree. Returns how many addresses have a value.
    pub(super) fn finish(mut self) -> Result<u64, StoreError> {
        let Some(head) = self.audit.head() else { return self.audit.finish().map(|()| 0) };
        let (mut old, mut present) = (0, 0);
        let mut newest: Option<Address> = None;
        let view = StateView::new(self.audit.view());
        let in_tree = |address: &Address, height: u64| {
            let leaf = tree::leaf(&view, height, address).map_err(|error| self.state_error(&error))?;
            Ok::<_, StoreError>(leaf.is_some())
        };
        self.audit.view().for_each(&[schema::STATE_PRESENCE], |key, record| {
            let (address, version) =
                presence::parse_key(&key[1..]).map_err(|error| self.state_error(&error))?;
            let is_present = presence::decode(&key[1..], record).map_err(|error| self.state_error(&error))?;
            let damaged =
                |reason| self.audit.damaged(format!("presence of {address} from height {version}"), reason);
            // An address's newest record comes first.
            if newest.replace(address) != Some(address) {
                present += u64::from(is_present);
                if in_tree(&address, head.height)? != is_present {
                    return Err(damaged("the state tree of the head tells otherwise"));
                }
            }
            if self.oldest > 0 && version <= self.oldest {
                old += 1;
                if !is_present || !in_tree(&address, self.oldest)? {
                    return Err(damaged("the oldest state tree that is kept has no use for it"));
                }
            }
            Ok(())
        })?;
        if present != self.leaves {
            let reason = format!("it has {} leaves for {present} addresses", self.leaves);
            return Err(self.audit.damaged(format!("state tree of height {}", head.height), reason));
        }
        if self.oldest > 0 {
            if old != self.old_values {
                let reason = format!("it has {} leaves for {old} addresses", self.old_values);
                return Err(self.audit.damaged(format!("state tree of height {}", self.oldest), reason));
            }
            self.audit.count(schema::STATE_PRESENCE, old);
        }
        self.audit.finish().map(|()| present)
    }

    fn not_lost(&self, height: u64) -> StoreError {
        let record = format!("list of what height {height} made unreachable");
        self.audit.damaged(record, "not what the state tree lost")
    }

    fn differs(&self, address: &Address, height: u64) -> StoreError {
        let record = format!("value at {address} of height {height}");
        self.audit.damaged(record, "differs from what the blocks make of it")
    }

    fn state_error(&self, error: &StateError) -> StoreError {
        state_file::store_error(self.audit.view().file_name(), error)
    }
}
