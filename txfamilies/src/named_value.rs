//! What intkey and bgt share: names and 32-bit values as existing clients write them, and the words of refusal.

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use ledger_types::Address;
use ledger_types::family::ApplyError;
use ledger_types::hash::sha512;

use crate::cbor::Item;

/// The longest name, in characters.
const NAME_CHARACTERS: usize = 20;

/// The address of a name: the last 64 hex characters of its SHA-512 under the namespace.
pub(crate) fn address(namespace: &str, name: &str) -> Address {
    let key = HEXLOWER.encode(&sha512(&[name.as_bytes()])[32..]);
    Address::from_parts(namespace, &key).expect("invariant: 6 and 64 lower-case hex characters")
}

/// The entry of a payload that must be there.
pub(crate) fn required<'a>(fields: &BTreeMap<&str, Item<'a>>, key: &str) -> Result<Item<'a>, ApplyError> {
    fields.get(key).copied().ok_or_else(|| ApplyError::invalid(format!("{key} is required")))
}

/// A payload's name.
pub(crate) fn name(item: Item<'_>) -> Result<String, ApplyError> {
    match item {
        Item::Text(name) if name.chars().count() <= NAME_CHARACTERS => Ok(name.to_owned()),
        _ => Err(ApplyError::invalid(format!(
            "Name must be a string of no more than {NAME_CHARACTERS} characters"
        ))),
    }
}

/// A payload's value. `true` is no integer here, other than in the platform that intkey comes from.
pub(crate) fn value(item: Item<'_>) -> Result<u32, ApplyError> {
    let value = match item {
        Item::Unsigned(value) => u32::try_from(value).ok(),
        _ => None,
    };
    value.ok_or_else(|| {
        ApplyError::invalid(format!(
            "Value must be an integer no less than 0 and no greater than {}",
            u32::MAX
        ))
    })
}

/// The sum, if it is in range.
pub(crate) fn increased(verb: &str, current: u32, by: u32) -> Result<u32, ApplyError> {
    current.checked_add(by).ok_or_else(|| {
        ApplyError::invalid(format!("Verb is \"{verb}\", but result would be greater than {}", u32::MAX))
    })
}

/// The difference, if it is in range.
pub(crate) fn decreased(verb: &str, current: u32, by: u32) -> Result<u32, ApplyError> {
    current
        .checked_sub(by)
        .ok_or_else(|| ApplyError::invalid(format!("Verb is \"{verb}\", but result would be less than 0")))
}

/// The refusal of a name that is not there.
pub(crate) fn absent(verb: &str, name: &str) -> ApplyError {
    ApplyError::invalid(format!("Verb is \"{verb}\" but name \"{name}\" not in state"))
}

/// The refusal of state that is not what the family writes. Only the family writes there, so no client sees it.
pub(crate) fn unreadable_state() -> ApplyError {
    ApplyError::invalid("Failed to load state data")
}
