//! Ranges of addresses. They are left by seeking, never by walking their versions, so a scan costs
//! the same whether an address changed once or a million times.

use ledger_types::Address;

use super::error::StateError;
use super::presence::{self, KEY_BYTES, PresenceCursor};
use crate::reader::StateQuery;

/// The addresses with a value that a query asks for, in its direction.
///
/// # Errors
/// When the store cannot be read or a record is damaged.
pub fn range(cursor: &dyn PresenceCursor, query: &StateQuery) -> Result<Vec<Address>, StateError> {
    let (low, high) = bounds(query);
    let mut found = Vec::new();
    let mut next = if low > high { None } else { first(cursor, query, &low, &high)? };
    while let Some(address) = next {
        if found.len() >= query.limit || address < low || address > high {
            break;
        }
        if presence::is_present(cursor, &address, query.height)? {
            found.push(address);
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
    cursor: &dyn PresenceCursor,
    query: &StateQuery,
    low: &Address,
    high: &Address,
) -> Result<Option<Address>, StateError> {
    if query.reverse {
        address_of(cursor.before(&behind(high))?)
    } else {
        address_of(cursor.at_or_after(&presence::key(low, u64::MAX))?)
    }
}

/// The nearest address with records behind an address, in the direction of reading.
fn beyond(
    cursor: &dyn PresenceCursor,
    address: &Address,
    reverse: bool,
) -> Result<Option<Address>, StateError> {
    let from = presence::key(address, u64::MAX);
    let found = if reverse { cursor.before(&from)? } else { cursor.at_or_after(&behind(address))? };
    let next = address_of(found)?;
    // A store that does not go on would otherwise be read for ever.
    let goes_on = |next: &Address| if reverse { next < address } else { next > address };
    match next {
        Some(next) if !goes_on(&next) => Err(presence::damaged(&from, "the store does not go on behind it")),
        next => Ok(next),
    }
}

/// A key above all records of an address and below those of the next: its oldest key and a byte more.
fn behind(address: &Address) -> [u8; KEY_BYTES + 1] {
    let mut bytes = [0; KEY_BYTES + 1];
    bytes[..KEY_BYTES].copy_from_slice(&presence::key(address, 0));
    bytes
}

fn address_of(found: presence::Found<'_>) -> Result<Option<Address>, StateError> {
    found.map(|(key, _)| presence::parse_key(key).map(|(address, _)| address)).transpose()
}
