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
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AddressPrefix(Vec<u8>);

impl AddressPrefix {
    /// The prefix that covers every address.
    pub const ALL: Self = Self(Vec::new());

    /// The bytes of the prefix.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether the address begins with this prefix.
    pub fn covers(&self, address: &Address) -> bool {
        address.0.starts_with(&self.0)
    }
}

impl From<Address> for AddressPrefix {
    fn from(address: Address) -> Self {
        Self(address.0.to_vec())
    }
}

impl std::str::FromStr for AddressPrefix {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = ParseIdError { expected: 2 * Address::LEN };
        if text.len() > 2 * Address::LEN {
            return Err(error);
        }
        data_encoding::HEXLOWER.decode(text.as_bytes()).map(Self).map_err(|_| error)
    }
}

impl std::fmt::Display for AddressPrefix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
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
}
