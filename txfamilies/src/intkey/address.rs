//! Where a name's value lives.

use ledger_types::Address;

use crate::named_value;

/// The first 6 hex characters of SHA-512("intkey").
pub const NAMESPACE: &str = "1cf126";

/// The address of a name. State there is a CBOR map of names to values.
pub fn address(name: &str) -> Address {
    named_value::address(NAMESPACE, name)
}
