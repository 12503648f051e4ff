//! One file under check.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::reader::Head;
use crate::store::{File, StoreError, View, schema};

/// Compares a file's records with what they must be, and counts them by table: what is left over at the end is as
/// wrong as what is missing.
pub(super) struct Audit<'a> {
    view: View<'a>,
    head: Option<Head>,
    /// Records found right, by tag. Every one is counted once.
    seen: BTreeMap<u8, u64>,
}

impl<'a> Audit<'a> {
    pub(super) fn new(file: &'a File) -> Result<Self, StoreError> {
        let head = Head::of(file)?;
        let seen = BTreeMap::from([(schema::META[0], 1), (schema::HEAD[0], u64::from(head.is_some()))]);
        Ok(Self { view: file.read()?, head, seen })
    }

    /// The file's own head; `None` when it holds nothing of any block.
    pub(super) fn head(&self) -> Option<Head> {
        self.head
    }

    /// Whether the file says that it holds what belongs to a height.
    pub(super) fn reaches(&self, height: u64) -> bool {
        self.head.is_some_and(|head| height <= head.height)
    }

    pub(super) fn view(&self) -> &View<'a> {
        &self.view
    }

    /// Counts records of a table that were found right.
    pub(super) fn count(&mut self, tag: u8, records: u64) {
        *self.seen.entry(tag).or_default() += records;
    }

    /// A record that must be there and is not counted yet.
    pub(super) fn get(&self, key: &[u8], name: impl Fn() -> String) -> Result<Bytes, StoreError> {
        self.view.get_copy(key)?.ok_or_else(|| self.damaged(name(), "missing"))
    }

    /// Counts a record that must be there, with this value.
    pub(super) fn expect(
        &mut self,
        key: &[u8],
        value: &[u8],
        name: impl Fn() -> String,
    ) -> Result<(), StoreError> {
        match self.view.get(key)? {
            None => return Err(self.damaged(name(), "missing")),
            Some(found) if found != value => {
                return Err(self.damaged(name(), "differs from what the blocks make of it"));
            }
            Some(_) => {}
        }
        self.count(key[0], 1);
        Ok(())
    }

    /// Checks the file's head against the block of its height.
    pub(super) fn expect_head(&self, expected: &Head) -> Result<(), StoreError> {
        match self.head {
            Some(head) if head.height == expected.height && head != *expected => {
                Err(self.damaged("head".to_owned(), "differs from the block of its height"))
            }
            _ => Ok(()),
        }
    }

    /// Ends the check: nothing may be left over.
    pub(super) fn finish(self) -> Result<(), StoreError> {
        if self.view.len()? == self.seen.values().sum::<u64>() {
            return Ok(());
        }
        let mut found = BTreeMap::<u8, u64>::new();
        self.view.for_each(&[], |key, _| {
            *found.entry(key.first().copied().unwrap_or(0)).or_default() += 1;
            Ok::<_, StoreError>(())
        })?;
        for (tag, found) in found {
            let expected = self.seen.get(&tag).copied().unwrap_or(0);
            if found != expected {
                let reason = format!("the table holds {found} records, but the blocks make {expected}");
                return Err(self.damaged(format!("0x{tag:02x}.."), reason));
            }
        }
        Ok(())
    }

    pub(super) fn damaged(&self, record: String, reason: impl std::fmt::Display) -> StoreError {
        StoreError::damaged(self.view.file_name(), record, reason)
    }
}
