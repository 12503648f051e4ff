//! Typed identifiers of fixed length, written as lower-case hex everywhere a person or a client sees them.

use thiserror::Error;

/// Why a hex string is not an identifier.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("expected {expected} lower-case hex characters")]
pub struct ParseIdError {
    /// Characters expected.
    pub expected: usize,
}

macro_rules! fixed_bytes {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $len]);

        impl $name {
            /// Length in bytes.
            pub const LEN: usize = $len;
            /// All bytes zero.
            pub const ZERO: Self = Self([0; $len]);

            /// The bytes.
            pub fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}({}..)", stringify!($name), data_encoding::HEXLOWER.encode(&self.0[..4]))
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::ids::ParseIdError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let error = $crate::ids::ParseIdError { expected: 2 * $len };
                let mut bytes = [0; $len];
                if text.len() != 2 * $len {
                    return Err(error);
                }
                data_encoding::HEXLOWER.decode_mut(text.as_bytes(), &mut bytes).map_err(|_| error)?;
                Ok(Self(bytes))
            }
        }

        impl AsRef<[u8]> for $name {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use fixed_bytes;

fixed_bytes! {
    /// A transaction's id: the signature over its header.
    TransactionId, 64
}
fixed_bytes! {
    /// A batch's id: the signature over its header.
    BatchId, 64
}
fixed_bytes! {
    /// A block's id: SHA-512 of `"dgt-block"` and the header bytes.
    BlockId, 64
}
fixed_bytes! {
    /// The one id of a network: SHA-512/256 of `"dgt-net"` and the canonical network file.
    NetworkId, 32
}
fixed_bytes! {
    /// The id of a committee: SHA-512/256 of `"dgt-cfg"` and the canonical topology.
    ConfigHash, 32
}

#[cfg(test)]
mod tests {
    use super::{BatchId, NetworkId};

    #[test]
    fn only_lower_case_hex_of_the_exact_length_is_an_id() {
        let id = BatchId([0xab; 64]);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!(id.to_string().to_uppercase().parse::<BatchId>().is_err());
        assert!("ab".parse::<NetworkId>().is_err());
        assert!("é".repeat(32).parse::<NetworkId>().is_err());
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(serde_json::from_str::<BatchId>(&json).unwrap(), id);
    }
}
