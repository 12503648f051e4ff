//! Presence: which addresses have a value from which version on, newest first, so that scans in address order need no
//! tree. What the value is, the tree tells; so an update of a value that is there writes nothing here.
//!
//! Key: `address (35) || bitwise-not version (8, big-endian)`. Record: `1` when the address has a value from this version
//! on, `0` when it has none, until the address's next record.

use std::collections::BTreeMap;
use std::ops::Bound;

use bytes::Bytes;
use ledger_types::Address;

use super::error::StateError;
pub use super::range::range;

/// Bytes of a stored key.
pub const KEY_BYTES: usize = Address::LEN + 8;

/// A stored key and record, as a cursor finds them.
pub type Found<'a> = Option<(&'a [u8], &'a [u8])>;

/// Ordered access to presence records, in memcmp order of their keys.
pub trait PresenceCursor {
    /// The first record whose key is `key` or above.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn at_or_after(&self, key: &[u8]) -> Result<Found<'_>, StateError>;

    /// The last record whose key is below `key`.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn before(&self, key: &[u8]) -> Result<Found<'_>, StateError>;
}

impl PresenceCursor for BTreeMap<Vec<u8>, Bytes> {
    fn at_or_after(&self, key: &[u8]) -> Result<Found<'_>, StateError> {
        let mut rest = self.range::<[u8], _>((Bound::Included(key), Bound::Unbounded));
        Ok(rest.next().map(|(key, record)| (key.as_slice(), record.as_ref())))
    }

    fn before(&self, key: &[u8]) -> Result<Found<'_>, StateError> {
        let mut rest = self.range::<[u8], _>((Bound::Unbounded, Bound::Excluded(key)));
        Ok(rest.next_back().map(|(key, record)| (key.as_slice(), record.as_ref())))
    }
}

/// The stored key of an address's record of a version.
pub fn key(address: &Address, version: u64) -> [u8; KEY_BYTES] {
    let mut bytes = [0; KEY_BYTES];
    let (front, back) = bytes.split_at_mut(Address::LEN);
    front.copy_from_slice(&address.0);
    back.copy_from_slice(&(!version).to_be_bytes());
    bytes
}

/// Reads a stored key: the address and the version.
///
/// # Errors
/// [`StateError::DamagedPresence`] when it has another length.
pub fn parse_key(key: &[u8]) -> Result<(Address, u64), StateError> {
    let parts = key.split_first_chunk().and_then(|(front, back)| Some((front, back.try_into().ok()?)));
    let (address, version): (&[u8; Address::LEN], [u8; 8]) =
        parts.ok_or_else(|| damaged(key, "the key has not 43 bytes"))?;
    Ok((Address(*address), !u64::from_be_bytes(version)))
}

/// The record of an address that has a value, or has none.
pub fn encode(is_present: bool) -> [u8; 1] {
    [u8::from(is_present)]
}

/// Reads the record under a stored key: whether the address has a value.
///
/// # Errors
/// [`StateError::DamagedPresence`] when no encoder wrote it.
pub fn decode(key: &[u8], record: &[u8]) -> Result<bool, StateError> {
    match record {
        [0] => Ok(false),
        [1] => Ok(true),
        _ => Err(damaged(key, "neither present nor absent")),
    }
}

/// Whether an address has a value at a version.
///
/// # Errors
/// When the store cannot be read or a record is damaged.
pub fn is_present(cursor: &dyn PresenceCursor, address: &Address, version: u64) -> Result<bool, StateError> {
    let Some((found, record)) = cursor.at_or_after(&key(address, version))? else { return Ok(false) };
    if parse_key(found)?.0 != *address {
        return Ok(false);
    }
    decode(found, record)
}

/// The stored keys of an address's records that no version from `oldest_kept` on needs, newest first: all that
/// are older than the one in force at `oldest_kept`, and that one too when it says that there is no value.
///
/// An address needs this look only after a version that changed its presence becomes the oldest kept one or older.
///
/// # Errors
/// When the store cannot be read or a record is damaged.
pub fn superseded(
    cursor: &dyn PresenceCursor,
    address: &Address,
    oldest_kept: u64,
) -> Result<Vec<[u8; KEY_BYTES]>, StateError> {
    let mut keys = Vec::new();
    let mut next = Some(oldest_kept);
    let mut in_force = true;
    while let Some(asked) = next {
        let Some((found, record)) = cursor.at_or_after(&key(address, asked))? else { break };
        let (of, version) = parse_key(found)?;
        if of != *address {
            break;
        }
        if version > asked {
            return Err(damaged(found, "the store does not go on behind it"));
        }
        let deleted = !decode(found, record)?;
        if !in_force || deleted {
            keys.push(key(address, version));
        }
        in_force = false;
        next = version.checked_sub(1);
    }
    Ok(keys)
}

pub(super) fn damaged(key: &[u8], reason: &'static str) -> StateError {
    let shown = &key[..key.len().min(KEY_BYTES)];
    StateError::DamagedPresence { key: shown.iter().map(|byte| format!("{byte:02x}")).collect(), reason }
}
