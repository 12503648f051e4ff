//! The one reader of CBOR that clients send: a map with text keys. Definite lengths only, no key twice, no floats or
//! tags anywhere, bounded depth, nothing left over. What is read borrows from the input, so memory is bounded by it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use minicbor::data::Type;
use minicbor::decode::Decoder;

/// How deep maps and arrays may nest, the outermost map included.
const DEPTH: usize = 16;

/// A value of the map, as far as a family looks at values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Item<'a> {
    /// An integer from 0 to 2^64 - 1.
    Unsigned(u64),
    /// A text string.
    Text(&'a str),
    /// A byte string.
    Bytes(&'a [u8]),
    /// Anything else that is well-formed: a negative integer, a boolean, null, an array, a map.
    Other,
}

/// The bytes are not such a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

impl From<minicbor::decode::Error> for Malformed {
    fn from(_: minicbor::decode::Error) -> Self {
        Self
    }
}

/// Reads a map.
///
/// # Errors
/// When the bytes are anything but one map by the rules of this module.
pub(crate) fn read_map(bytes: &[u8]) -> Result<BTreeMap<&str, Item<'_>>, Malformed> {
    let mut decoder = Decoder::new(bytes);
    let entries = entries(&mut decoder, DEPTH)?;
    if decoder.position() != bytes.len() {
        return Err(Malformed);
    }
    Ok(entries)
}

fn entries<'a>(decoder: &mut Decoder<'a>, depth: usize) -> Result<BTreeMap<&'a str, Item<'a>>, Malformed> {
    let deeper = depth.checked_sub(1).ok_or(Malformed)?;
    let mut entries = BTreeMap::new();
    // A count larger than the input ends at the end of the input: every entry takes bytes.
    for _ in 0..decoder.map()?.ok_or(Malformed)? {
        let key = decoder.str()?;
        let item = item(decoder, deeper)?;
        match entries.entry(key) {
            Entry::Occupied(_) => return Err(Malformed),
            Entry::Vacant(vacant) => vacant.insert(item),
        };
    }
    Ok(entries)
}

fn item<'a>(decoder: &mut Decoder<'a>, depth: usize) -> Result<Item<'a>, Malformed> {
    match decoder.datatype()? {
        Type::U8 | Type::U16 | Type::U32 | Type::U64 => return Ok(Item::Unsigned(decoder.u64()?)),
        Type::String => return Ok(Item::Text(decoder.str()?)),
        Type::Bytes => return Ok(Item::Bytes(decoder.bytes()?)),
        Type::I8 | Type::I16 | Type::I32 | Type::I64 | Type::Int => drop(decoder.int()?),
        Type::Bool => drop(decoder.bool()?),
        Type::Null => decoder.null()?,
        Type::Map => drop(entries(decoder, depth)?),
        Type::Array => {
            let deeper = depth.checked_sub(1).ok_or(Malformed)?;
            for _ in 0..decoder.array()?.ok_or(Malformed)? {
                item(decoder, deeper)?;
            }
        }
        _ => return Err(Malformed),
    }
    Ok(Item::Other)
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;
    use proptest::prelude::*;

    use super::{Item, Malformed, read_map};

    fn read(hex: &str) -> Result<Vec<(String, String)>, Malformed> {
        let bytes = HEXLOWER.decode(hex.as_bytes()).unwrap();
        let map = read_map(&bytes)?;
        Ok(map.into_iter().map(|(key, item)| (key.to_owned(), format!("{item:?}"))).collect())
    }

    #[test]
    fn what_is_well_formed_is_read() {
        assert_eq!(read("a0"), Ok(vec![]));
        assert_eq!(read("a16161f6"), Ok(vec![("a".into(), "Other".into())]), "null");
        assert_eq!(read("a1616120"), Ok(vec![("a".into(), "Other".into())]), "-1");
        assert_eq!(read("a161613bffffffffffffffff"), Ok(vec![("a".into(), "Other".into())]), "-2^64");
        assert_eq!(
            read("a161611bffffffffffffffff"),
            Ok(vec![("a".into(), format!("{:?}", Item::Unsigned(u64::MAX)))])
        );
        assert_eq!(
            read("a161618283f5f4f6a0"),
            Ok(vec![("a".into(), "Other".into())]),
            "[[true, false, null], {{}}]"
        );
        assert_eq!(read("a161611801"), Ok(vec![("a".into(), "Unsigned(1)".into())]), "a longer form of 1");
    }

    #[test]
    fn what_is_not_is_refused() {
        for (hex, why) in [
            ("", "nothing"),
            ("80", "not a map"),
            ("a0a0", "bytes left over"),
            ("a1", "cut short"),
            ("bbffffffffffffffff", "a count larger than the input"),
            ("a161619bffffffffffffffff", "an array larger than the input"),
            ("a161617bffffffffffffffff", "a text longer than the input"),
            ("a2616101616102", "a key twice"),
            ("a16161a261620161620 2", "a key twice, deeper"),
            ("a10102", "a key that is no text"),
            ("bf616101ff", "an indefinite map"),
            ("a161619f01ff", "an indefinite array"),
            ("a161617f6161ff", "an indefinite text"),
            ("a161615f4161ff", "indefinite bytes"),
            ("a16161f93c00", "a half float"),
            ("a16161fa3f800000", "a float"),
            ("a16161fb3ff0000000000000", "a double"),
            ("a1616181f93c00", "a float in an array"),
            ("a16161c101", "a tag"),
            ("a16161f7", "undefined"),
            ("a16161e0", "a simple value"),
            ("a16161ff", "a break"),
            ("a161611c", "a reserved length"),
            ("a161ff01", "a key that is not UTF-8"),
        ] {
            assert_eq!(read(&hex.replace(' ', "")), Err(Malformed), "{why}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| format!("a16161{}80", "81".repeat(depth));
        assert!(read(&nested(14)).is_ok());
        assert_eq!(read(&nested(15)), Err(Malformed));
        assert_eq!(read(&nested(100_000)), Err(Malformed));
        assert_eq!(read(&"a16161".repeat(100_000)), Err(Malformed));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_map(&bytes);
        }
    }
}
