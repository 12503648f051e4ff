//! Where a wallet lives.

use ledger_types::Address;

use crate::named_value;

/// The first 6 hex characters of SHA-512("bgt").
pub const NAMESPACE: &str = "449095";

/// The address of a wallet's name. State there is a CBOR map of names to `BgtTokenInfo` messages.
pub fn address(name: &str) -> Address {
    named_value::address(NAMESPACE, name)
}
