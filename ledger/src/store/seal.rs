//! The seal of a record: a checksum over its key and value, at the end of the value. LMDB's pages have none, so without
//! it a byte that the disk changed would be served as truth.
//!
//! A CRC-32 finds every change of up to 32 bits in a row, and another one with a chance of 1 in 4 billion missed. It
//! is no defence against people: blocks, receipts and state are tied to the headers by hashes, votes by signatures.

/// Bytes of a seal.
const LEN: usize = 4;
/// The key of the one record without a seal: it says which format the file has.
const META: &[u8] = &[0x00];
/// What an error says of a record whose seal is not that of its key and value.
pub(super) const BROKEN: &str = "its seal does not match";

/// The seal of a record; the meta record has none.
pub(super) fn of(key: &[u8], value: &[u8]) -> Option<[u8; LEN]> {
    (key != META).then(|| sum(key, value).to_be_bytes())
}

/// The value of a stored record, or `None` when its seal does not match.
pub(super) fn open<'a>(key: &[u8], stored: &'a [u8]) -> Option<&'a [u8]> {
    if key == META {
        return Some(stored);
    }
    let (value, seal) = stored.split_last_chunk()?;
    (sum(key, value).to_be_bytes() == *seal).then_some(value)
}

fn sum(key: &[u8], value: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    // The length, so that no other split of the same bytes has the same seal.
    hasher.update(&(key.len() as u64).to_be_bytes());
    hasher.update(key);
    hasher.update(value);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::{META, of, open};

    fn sealed(key: &[u8], value: &[u8]) -> Vec<u8> {
        [value, of(key, value).as_ref().map_or(&[][..], |seal| seal)].concat()
    }

    #[test]
    fn no_changed_byte_of_key_value_or_seal_goes_unseen() {
        for (key, value) in [(&b"\x05key"[..], &b"a value"[..]), (b"\x04stale", b""), (b"", b"no key")] {
            let stored = sealed(key, value);
            assert_eq!(open(key, &stored), Some(value));
            for at in 0..stored.len() {
                for change in 1..=255 {
                    let mut changed = stored.clone();
                    changed[at] ^= change;
                    assert_eq!(open(key, &changed), None);
                }
                assert_eq!(open(key, &stored[..at]), None, "cut");
            }
            for at in 0..key.len() {
                let mut other = key.to_vec();
                other[at] ^= 0x40;
                assert_eq!(open(&other, &stored), None);
            }
        }
        assert_eq!(open(b"\x05ke", &sealed(b"\x05key", b"v")), None);
        assert_eq!(sealed(META, b"dgt"), b"dgt");
    }
}
