//! The flat values: every value that an address ever had, newest first, so that reads at any kept height and
//! scans in address order need no tree.
//!
//! Key: `address (35) || bitwise-not version (8, big-endian)`. Value: `0` for a delete, `1 || value` for a set.
//! A record says what holds from its version on, until the address's next record.

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

/// Ordered access to flat records, in memcmp order of their keys.
pub trait FlatCursor {
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

impl FlatCursor for BTreeMap<Vec<u8>, Bytes> {
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
/// [`StateError::DamagedValue`] when it has another length.
pub fn parse_key(key: &[u8]) -> Result<(Address, u64), StateError> {
    let parts = key.split_first_chunk().and_then(|(front, back)| Some((front, back.try_into().ok()?)));
    let (address, version): (&[u8; Address::LEN], [u8; 8]) =
        parts.ok_or_else(|| damaged(key, "the key has not 43 bytes"))?;
    Ok((Address(*address), !u64::from_be_bytes(version)))
}

/// The record of a set (`Some`) or a delete (`None`).
pub fn encode(value: Option<&[u8]>) -> Vec<u8> {
    match value {
        None => vec![0],
        Some(value) => [&[1], value].concat(),
    }
}

/// Reads the record under a stored key: the value set, or `None` for a delete.
///
/// # Errors
/// [`StateError::DamagedValue`] when no encoder wrote it.
pub fn decode<'a>(key: &[u8], record: &'a [u8]) -> Result<Option<&'a [u8]>, StateError> {
    match record {
        [0] => Ok(None),
        [1, value @ ..] => Ok(Some(value)),
        _ => Err(damaged(key, "unknown tag or length")),
    }
}

/// The value of an address at a version; `None` when it has none then.
///
/// # Errors
/// When the store cannot be read or a record is damaged.
pub fn value_at(
    cursor: &dyn FlatCursor,
    address: &Address,
    version: u64,
) -> Result<Option<Bytes>, StateError> {
    let Some((found, record)) = cursor.at_or_after(&key(address, version))? else { return Ok(None) };
    if parse_key(found)?.0 != *address {
        return Ok(None);
    }
    Ok(decode(found, record)?.map(Bytes::copy_from_slice))
}

/// The stored keys of an address's records that no version from `oldest_kept` on needs, newest first: all that
/// are older than the one in force at `oldest_kept`, and that one too when it is a delete.
///
/// An address needs this look only after a version that changed it becomes the oldest kept one or older.
///
/// # Errors
/// When the store cannot be read or a record is damaged.
pub fn superseded(
    cursor: &dyn FlatCursor,
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
        let deleted = decode(found, record)?.is_none();
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
    StateError::DamagedValue { key: shown.iter().map(|byte| format!("{byte:02x}")).collect(), reason }
}
