//! Where on-ledger settings live, and the keys that the ledger itself reads.

use data_encoding::HEXLOWER;
use prost::Message as _;

use crate::address::Address;
use crate::hash::sha256;
use crate::proto::families::Setting;

/// The namespace of settings.
pub const NAMESPACE: &str = "000000";
/// Public keys, comma-separated, that may propose and vote.
pub const AUTHORIZED_KEYS: &str = "sawtooth.settings.vote.authorized_keys";
/// How many accepting votes apply a proposal.
pub const APPROVAL_THRESHOLD: &str = "sawtooth.settings.vote.approval_threshold";
/// Open proposals; written by the family only.
pub const PROPOSALS: &str = "sawtooth.settings.vote.proposals";
/// The most batches a block may have.
pub const MAX_BATCHES_PER_BLOCK: &str = "sawtooth.publisher.max_batches_per_block";
/// Families permitted, as JSON; all when absent.
pub const TRANSACTION_FAMILIES: &str = "sawtooth.validator.transaction_families";
/// The most bytes of entries a block may have.
pub const BLOCK_MAX_BYTES: &str = "dgt.consensus.block_max_bytes";
/// The first network-delay estimate, milliseconds.
pub const DELTA0_MS: &str = "dgt.consensus.delta0_ms";
/// The largest network-delay estimate, milliseconds.
pub const DELTA_MAX_MS: &str = "dgt.consensus.delta_max_ms";
/// How many heights of certificates stay.
pub const RETAIN_HEIGHTS: &str = "dgt.consensus.retain_heights";
/// How many versions of state stay readable.
pub const KEEP_VERSIONS: &str = "dgt.state.keep_versions";
/// The topology; fixed at genesis.
pub const TOPOLOGY: &str = "dgt.topology";

/// The address of a setting: the key is split at dots into at most four parts (the last keeps the rest), each part
/// gives the first 16 hex characters of its SHA-256, missing parts count as empty.
pub fn address(key: &str) -> Address {
    let mut parts = key.splitn(4, '.');
    let key: String =
        (0..4).map(|_| HEXLOWER.encode(&sha256(&[parts.next().unwrap_or("").as_bytes()]).0[..8])).collect();
    Address::from_parts(NAMESPACE, &key).expect("invariant: 4 x 16 hex characters")
}

/// The value of a key in the state value at its address (several keys may share an address). Bytes that are not a
/// Setting message count as absent: only the settings family writes there.
pub fn value_of(key: &str, state_value: &[u8]) -> Option<String> {
    let setting = Setting::decode(state_value).ok()?;
    setting.entries.into_iter().find(|entry| entry.key == key).map(|entry| entry.value)
}
