//! The canonical bytes of a network file, by the ledger's codec (big-endian, `u32` lengths before bytes):
//!
//! | field | bytes |
//! |---|---|
//! | version | 1 byte, 1 |
//! | name | length, UTF-8 |
//! | time | 8 bytes, milliseconds |
//! | topology | as for the committee's id |
//! | authorized keys | 4 bytes count, then each as length, hex text |
//! | approval threshold | 4 bytes |
//! | settings | 4 bytes count, then each as length, key, length, value, in the order of keys; no others than the ledger gets |

use ledger_types::NetworkId;
use ledger_types::codec::Writer;
use ledger_types::hash::sha512_256;

use crate::network_file::NetworkFile;

const VERSION: u8 = 1;

pub(crate) fn encode(file: &NetworkFile) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.u8(VERSION).bytes(file.name.as_bytes()).u64(file.time_ms);
    file.topology.encode(&mut writer);
    let keys = &file.settings.authorized_keys;
    writer.u32(count(keys.len()));
    for key in keys {
        writer.bytes(key.to_string().as_bytes());
    }
    writer.u32(file.settings.approval_threshold);
    let values = file.settings.on_ledger();
    writer.u32(count(values.len()));
    for (key, value) in &values {
        writer.bytes(key.as_bytes()).bytes(value.as_bytes());
    }
    writer.finish()
}

pub(crate) fn network_id(canonical: &[u8]) -> NetworkId {
    NetworkId(sha512_256(&[b"dgt-net", canonical]).0)
}

fn count(len: usize) -> u32 {
    u32::try_from(len).expect("invariant: a file has fewer than 2^32 settings")
}
