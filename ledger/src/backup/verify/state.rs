//! The state file: roots, tree nodes, the index of stale nodes, and flat values.

use ledger_types::{Address, Hash};

use super::audit::Audit;
use super::receipts::Changes;
use crate::reader::Head;
use crate::state::{JmtTree, StateError, StateTree as _, compare_with_previous, flat};
use crate::state_file::{NodeView, store_error};
use crate::store::{File, StoreError, schema};

/// A check of the state file along the blocks.
pub(super) struct State<'a> {
    audit: Audit<'a>,
    /// Leaves of the tree after the block checked last.
    leaves: u64,
    /// Whether receipts told the changes of every block checked.
    all_changes_known: bool,
}

impl<'a> State<'a> {
    pub(super) fn new(file: &'a File) -> Result<Self, StoreError> {
        Ok(Self { audit: Audit::new(file)?, leaves: 0, all_changes_known: true })
    }

    pub(super) fn head(&self) -> Option<Head> {
        self.audit.head()
    }

    /// Checks what a block wrote. Without its changes, because the receipts file ends below, flat values are checked
    /// at the head only.
    pub(super) fn check(&mut self, head: &Head, changes: Option<&Changes>) -> Result<(), StoreError> {
        if !self.audit.reaches(head.height) {
            return Ok(());
        }
        let height = head.height;
        self.audit.expect_head(head)?;
        let name = || format!("state root of height {height}");
        self.audit.expect(&schema::state_root(height), &head.state_root.0, name)?;
        self.check_tree(height, &head.state_root)?;
        let Some(changes) = changes else {
            self.all_changes_known = false;
            return Ok(());
        };
        for (address, value) in changes {
            let key = schema::state_value(&flat::key(address, height));
            let name = || format!("value at {address} of height {height}");
            self.audit.expect(&key, &flat::encode(value.as_deref()), name)?;
        }
        Ok(())
    }

    fn check_tree(&mut self, height: u64, root: &Hash) -> Result<(), StoreError> {
        let change = compare_with_previous(&NodeView(self.audit.view()), height)
            .map_err(|error| self.state_error(&error))?;
        if change.root != *root {
            return Err(self
                .audit
                .damaged(format!("state node {height}/"), "not the root in the block's header"));
        }
        self.audit.count(schema::STATE_NODE, change.written);
        for key in &change.stale {
            let name = || format!("stale node {} of height {height}", data_encoding::HEXLOWER.encode(key));
            self.audit.expect(&schema::state_stale(height, key), &[], name)?;
        }
        self.leaves = (self.leaves + change.leaves_written).saturating_sub(change.leaves_stale);
        Ok(())
    }

    /// Ends the check after the head's block: the tree must hold exactly the flat values. Returns how many.
    pub(super) fn finish(mut self) -> Result<u64, StoreError> {
        let Some(head) = self.audit.head() else { return self.audit.finish().map(|()| 0) };
        let (mut records, mut values) = (0, 0);
        let mut newest: Option<Address> = None;
        self.audit.view().for_each(&[schema::STATE_VALUE], |key, record| {
            records += 1;
            let key = &key[1..];
            let (address, _) = flat::parse_key(key).map_err(|error| self.state_error(&error))?;
            // An address's newest record comes first.
            if newest.replace(address) != Some(address)
                && let Some(value) = flat::decode(key, record).map_err(|error| self.state_error(&error))?
            {
                values += 1;
                self.check_leaf(&head, &address, value)?;
            }
            Ok::<_, StoreError>(())
        })?;
        if values != self.leaves {
            let reason = format!("it has {} leaves for {values} values", self.leaves);
            return Err(self.audit.damaged(format!("state tree of height {}", head.height), reason));
        }
        if !self.all_changes_known {
            self.audit.recount(schema::STATE_VALUE, records);
        }
        self.audit.finish().map(|()| values)
    }

    fn check_leaf(&self, head: &Head, address: &Address, value: &[u8]) -> Result<(), StoreError> {
        let proof = JmtTree
            .prove(&NodeView(self.audit.view()), head.height, address)
            .map_err(|error| self.state_error(&error))?;
        proof.verify(&head.state_root, address, Some(value)).map_err(|_| {
            self.audit.damaged(
                format!("value at {address}"),
                format!("not in the state tree of height {}", head.height),
            )
        })
    }

    fn state_error(&self, error: &StateError) -> StoreError {
        store_error(self.audit.view().file_name(), error)
    }
}
