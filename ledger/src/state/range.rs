//! Range reads of flat values. Addresses are left by seeking, never by walking their versions, so a scan costs
//! the same whether an address changed once or a million times.

use bytes::Bytes;
use ledger_types::Address;

use super::error::StateError;
use super::flat::{self, FlatCursor, KEY_BYTES};
use crate::reader::StateQuery;

/// Addresses and values of a query, in the direction it asks for.
///
/// # Errors
/// When the store cannot be read or a record is damaged.
pub fn range(cursor: &dyn FlatCursor, query: &StateQuery) -> Result<Vec<(Address, Bytes)>, StateError> {
    let (low, high) = bounds(query);
    let mut found = Vec::new();
    let mut next = if low > high { None } else { first(cursor, query, &low, &high)? };
    while let Some(address) = next {
        if found.len() >= query.limit || address < low || address > high {
            break;
        }
        if let Some(value) = flat::value_at(cursor, &address, query.height)? {
            found.push((address, value));
        }
        next = beyond(cursor, &address, query.reverse)?;
    }
    Ok(found)
}

/// The lowest and the highest address wanted, both inclusive.
fn bounds(query: &StateQuery) -> (Address, Address) {
    let padded = |fill| {
        let mut address = Address([fill; Address::LEN]);
        let prefix = query.prefix.as_bytes();
        address.0[..prefix.len()].copy_from_slice(prefix);
        address
    };
    let (low, high) = (padded(0), padded(0xff));
    match query.start {
        None => (low, high),
        Some(start) if query.reverse => (low, high.min(start)),
        Some(start) => (low.max(start), high),
    }
}

fn first(
    cursor: &dyn FlatCursor,
    query: &StateQuery,
    low: &Address,
    high: &Address,
) -> Result<Option<Address>, StateError> {
    if query.reverse {
        address_of(cursor.before(&behind(high))?)
    } else {
        address_of(cursor.at_or_after(&flat::key(low, u64::MAX))?)
    }
}

/// The nearest address with records behind an address, in the direction of reading.
fn beyond(cursor: &dyn FlatCursor, address: &Address, reverse: bool) -> Result<Option<Address>, StateError> {
    let from = flat::key(address, u64::MAX);
    let found = if reverse { cursor.before(&from)? } else { cursor.at_or_after(&behind(address))? };
    let next = address_of(found)?;
    // A store that does not go on would otherwise be read for ever.
    let goes_on = |next: &Address| if reverse { next < address } else { next > address };
    match next {
        Some(next) if !goes_on(&next) => Err(flat::damaged(&from, "the store does not go on behind it")),
        next => Ok(next),
    }
}

/// A key above all records of an address and below those of the next: its oldest key and a byte more.
fn behind(address: &Address) -> [u8; KEY_BYTES + 1] {
    let mut bytes = [0; KEY_BYTES + 1];
    bytes[..KEY_BYTES].copy_from_slice(&flat::key(address, 0));
    bytes
}

fn address_of(found: flat::Found<'_>) -> Result<Option<Address>, StateError> {
    found.map(|(key, _)| flat::parse_key(key).map(|(address, _)| address)).transpose()
}
