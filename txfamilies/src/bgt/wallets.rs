//! The state at one address: a CBOR map of names to `BgtTokenInfo` messages. Almost always one name.

use std::collections::BTreeMap;

use bytes::Bytes;
use ledger_types::family::ApplyError;
use ledger_types::proto::families::BgtTokenInfo;
use minicbor::Encoder;
use prost::Message as _;

use crate::cbor::{Item, read_map};
use crate::named_value::unreadable_state;

/// Wallets by name.
pub type Wallets = BTreeMap<String, BgtTokenInfo>;

/// Reads the state at an address of the family.
///
/// # Errors
/// When the bytes are not what the family writes.
pub fn decode_wallets(bytes: &[u8]) -> Result<Wallets, ApplyError> {
    let entries = read_map(bytes).map_err(|_| unreadable_state())?;
    let wallet = |item| match item {
        Item::Bytes(bytes) => BgtTokenInfo::decode(bytes).map_err(|_| unreadable_state()),
        _ => Err(unreadable_state()),
    };
    entries.into_iter().map(|(name, item)| Ok((name.to_owned(), wallet(item)?))).collect()
}

pub(super) fn encode(wallets: &Wallets) -> Bytes {
    let mut encoder = Encoder::new(Vec::new());
    encoder
        .map(wallets.len() as u64)
        .and_then(|encoder| {
            wallets.iter().try_fold(encoder, |encoder, (name, wallet)| {
                encoder.str(name)?.bytes(&wallet.encode_to_vec())
            })
        })
        .expect("invariant: writing to a vector does not fail");
    encoder.into_writer().into()
}
