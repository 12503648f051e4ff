//! State addresses: 35 bytes, 70 lower-case hex characters; the first 3 bytes are the family's namespace.

use crate::ids::{ParseIdError, fixed_bytes};

fixed_bytes! {
    /// The address of one state value.
    Address, 35
}

impl Address {
    /// Builds an address from a 6-character namespace and 64 characters of key, both lower-case hex.
    ///
    /// # Errors
    /// When the two do not make 70 lower-case hex characters.
    pub fn from_parts(namespace: &str, key: &str) -> Result<Self, ParseIdError> {
        format!("{namespace}{key}").parse()
    }
}

/// The beginning of addresses: 0 to 35 whole bytes. The empty prefix covers everything.
/// Prefixes are ordered as their bytes are; so one stands before all that it covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AddressPrefix {
    /// Zeros behind the prefix, so that the derived order is that of the bytes.
    bytes: [u8; Address::LEN],
    len: u8,
}

impl AddressPrefix {
    /// The prefix that covers every address.
    pub const ALL: Self = Self { bytes: [0; Address::LEN], len: 0 };

    /// The bytes of the prefix.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// Whether the address begins with this prefix.
    pub fn covers(&self, address: &Address) -> bool {
        address.0.starts_with(self.as_bytes())
    }

    /// Whether every address that the other prefix covers begins with this one.
    pub fn covers_all_of(&self, other: &Self) -> bool {
        other.as_bytes().starts_with(self.as_bytes())
    }
}

impl From<Address> for AddressPrefix {
    fn from(address: Address) -> Self {
        Self { bytes: address.0, len: Address::LEN as u8 }
    }
}

impl std::str::FromStr for AddressPrefix {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = ParseIdError { expected: 2 * Address::LEN };
        let mut bytes = [0; Address::LEN];
        let len = text.len() / 2;
        if len > Address::LEN || !text.len().is_multiple_of(2) {
            return Err(error);
        }
        data_encoding::HEXLOWER.decode_mut(text.as_bytes(), &mut bytes[..len]).map_err(|_| error)?;
        Ok(Self { bytes, len: len as u8 })
    }
}

impl std::fmt::Display for AddressPrefix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(self.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::{Address, AddressPrefix};

    #[test]
    fn prefixes_are_whole_lower_case_bytes() {
        assert!("1cf126".parse::<Address>().is_err(), "a bare namespace is not an address");
        let address = Address::from_parts("1cf126", &"0".repeat(64)).unwrap();
        for good in ["", "1c", "1cf126", &address.to_string()] {
            assert!(good.parse::<AddressPrefix>().unwrap().covers(&address), "{good}");
        }
        for bad in ["1", "1C", "zz", &"0".repeat(72)] {
            assert!(bad.parse::<AddressPrefix>().is_err(), "{bad}");
        }
        assert!(!"00".parse::<AddressPrefix>().unwrap().covers(&address));
    }

    #[test]
    fn the_order_of_prefixes_is_that_of_their_bytes() {
        let texts = ["", "00", "0000", "0001", "01", "0100", "010000", "1c", "1cf126", "ff"];
        let prefixes = texts.map(|text| text.parse::<AddressPrefix>().unwrap());
        for (a, b) in prefixes.iter().flat_map(|a| prefixes.iter().map(move |b| (a, b))) {
            assert_eq!(a.cmp(b), a.as_bytes().cmp(b.as_bytes()), "{a} {b}");
            assert_eq!(a.covers_all_of(b), b.to_string().starts_with(&a.to_string()), "{a} {b}");
        }
    }
}
