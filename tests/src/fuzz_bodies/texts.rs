//! What people write.

use std::fmt::Display;
use std::str::FromStr;

use genesis::NetworkFile;
use ledger_types::topology::NetKey;
use ledger_types::{
    Address, AddressPrefix, BatchId, BlockId, Hash, NetworkId, PublicKey, Signature, TransactionId, VoteKey,
};

/// Addresses, prefixes, ids, keys and signatures: whatever the text is one of.
pub fn ids(input: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(input) else { return false };
    let accepted = [
        reads_back::<Address>(text),
        reads_back::<AddressPrefix>(text),
        reads_back::<BatchId>(text),
        reads_back::<BlockId>(text),
        reads_back::<Hash>(text),
        reads_back::<NetKey>(text),
        reads_back::<NetworkId>(text),
        reads_back::<PublicKey>(text),
        reads_back::<Signature>(text),
        reads_back::<TransactionId>(text),
        reads_back::<VoteKey>(text),
    ];
    accepted.contains(&true)
}

/// There is one way to write an id.
fn reads_back<T: FromStr + Display>(text: &str) -> bool {
    let Ok(value) = text.parse::<T>() else { return false };
    assert_eq!(value.to_string(), text, "a second spelling is accepted");
    true
}

/// A network file.
pub fn network_file(input: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(input) else { return false };
    match NetworkFile::parse(text) {
        Ok(network) => {
            let again = NetworkFile::parse(&network.to_toml()).expect("what is written is read");
            assert_eq!(again, network);
            assert_eq!(again.network_id(), network.network_id());
            true
        }
        Err(error) => {
            assert!(!error.to_string().is_empty(), "refused without a reason");
            false
        }
    }
}
