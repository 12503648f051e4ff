//! Old versions of the state go when the network keeps only so many: a step per version, in the transaction of the block
//! that makes it due. What goes, and when, follows from the chain alone, so the files of all nodes stay equal
//! (but for a while after a rollback, which may leave them different numbers of old versions).

use std::num::NonZeroU64;

use ledger_types::Address;

use super::stale::Stale;
use super::{store_error, tagged, unreadable, untagged};
use crate::state::presence::{self, Found, PresenceCursor};
use crate::state::{StateError, oldest_kept};
use crate::store::{StoreError, View, Writer, schema};

/// Versions that stay whatever the network's setting says: a start after a power loss executes the last blocks again, and
/// blocks are executed on parents below the head.
const LEAST_KEPT: NonZeroU64 = NonZeroU64::new(64).unwrap();
/// Versions pruned with one block at most. Two, so that a setting that was lowered takes effect in time.
const STEPS_PER_BLOCK: u32 = 2;

/// The oldest version that a state file has.
pub(crate) fn oldest(view: &View<'_>) -> Result<u64, StoreError> {
    read_oldest(view.file_name(), view.get(schema::STATE_OLDEST)?)
}

fn read_oldest(file: &str, record: Option<&[u8]>) -> Result<u64, StoreError> {
    let Some(record) = record else { return Ok(0) };
    let oldest = record.try_into().map(u64::from_be_bytes).ok().filter(|oldest| *oldest > 0);
    oldest.ok_or_else(|| StoreError::damaged(file, "oldest version", "not a height above 0"))
}

/// Takes away what a block makes due, as part of the write of its state: `keep` is the network's setting in the state of
/// its parent.
///
/// # Errors
/// When the file cannot be read or written, or a record that must go is not there.
pub fn prune(writer: &mut Writer<'_>, height: u64, keep: Option<NonZeroU64>) -> Result<(), StoreError> {
    let due = oldest_kept(height, keep.map(|keep| keep.max(LEAST_KEPT)));
    let before = read_oldest(writer.file_name(), writer.get(schema::STATE_OLDEST)?)?;
    let after = due.min(before.saturating_add(u64::from(STEPS_PER_BLOCK)));
    if after <= before {
        return Ok(());
    }
    (before + 1..=after).try_for_each(|version| drop_before(writer, version))?;
    writer.put(schema::STATE_OLDEST, &after.to_be_bytes())
}

/// Makes a version the oldest one, when the version before it was.
fn drop_before(writer: &mut Writer<'_>, version: u64) -> Result<(), StoreError> {
    if version == 1 {
        // Nothing is older than what the first version began.
        take_stale(writer, 0)?;
    }
    let stale = take_stale(writer, version)?;
    delete(writer, &schema::state_root(version - 1))?;
    for (set_by, address) in &stale.values {
        delete(writer, &schema::state_value(*set_by, address))?;
    }
    for key in &stale.nodes {
        delete(writer, &schema::state_node(key))?;
    }
    for address in &stale.presence {
        let superseded = superseded(writer, address, version)?;
        superseded.iter().try_for_each(|key| delete(writer, &schema::state_presence(key)))?;
    }
    Ok(())
}

/// Reads the list of what a version made unreachable, and deletes it.
fn take_stale(writer: &mut Writer<'_>, version: u64) -> Result<Stale, StoreError> {
    let (mut stale, mut part) = (Stale::default(), 0);
    loop {
        let key = schema::state_stale(version, part);
        let damaged = |file: &str, reason| {
            StoreError::damaged(
                file,
                format!("part {part} of what height {version} made unreachable"),
                reason,
            )
        };
        match writer.get(&key)? {
            // Every later version has a root node of its own and makes that of the version before unreachable.
            None if part == 0 && version > 0 => return Err(damaged(writer.file_name(), "missing")),
            None => return Ok(stale),
            Some(list) => stale.extend(list).ok_or_else(|| damaged(writer.file_name(), "not an encoding"))?,
        }
        writer.delete(&key)?;
        part += 1;
    }
}

/// Deletes a record that must be there.
fn delete(writer: &mut Writer<'_>, key: &[u8]) -> Result<(), StoreError> {
    match writer.delete(key)? {
        true => Ok(()),
        false => {
            let record = data_encoding::HEXLOWER.encode(key);
            Err(StoreError::damaged(writer.file_name(), record, "missing, although no height was without it"))
        }
    }
}

fn superseded(
    writer: &Writer<'_>,
    address: &Address,
    oldest: u64,
) -> Result<Vec<[u8; presence::KEY_BYTES]>, StoreError> {
    let found = presence::superseded(&Written(writer), address, oldest);
    found.map_err(|error| store_error(writer.file_name(), &error))
}

/// Presence as a write sees it.
struct Written<'a>(&'a Writer<'a>);

impl PresenceCursor for Written<'_> {
    fn at_or_after(&self, key: &[u8]) -> Result<Found<'_>, StateError> {
        self.0.at_or_after(&tagged(key)).map(untagged).map_err(unreadable)
    }

    fn before(&self, _: &[u8]) -> Result<Found<'_>, StateError> {
        Err(StateError::Store("a write reads forwards only".to_owned()))
    }
}
