//! Where a game lives.

use data_encoding::HEXLOWER;
use ledger_types::Address;
use ledger_types::hash::sha512;

/// The first 6 hex characters of SHA-512("xo").
pub const NAMESPACE: &str = "5b7349";

/// The address of a game's name: the first 64 hex characters of its SHA-512 (not the last, as elsewhere).
pub fn address(name: &str) -> Address {
    let key = HEXLOWER.encode(&sha512(&[name.as_bytes()])[..32]);
    Address::from_parts(NAMESPACE, &key).expect("invariant: 6 and 64 lower-case hex characters")
}
