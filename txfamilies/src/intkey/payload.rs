//! The payload: a CBOR map {Name, Value, Verb}.

use ledger_types::family::ApplyError;
use minicbor::Encoder;

use super::address::address;
use crate::cbor::{Item, read_map};
use crate::client::UnsignedTransaction;
use crate::named_value;

/// What to do with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Give a new name its value.
    Set,
    /// Add to the value.
    Inc,
    /// Take from the value.
    Dec,
}

impl Verb {
    /// The word in the payload.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Set => "set",
            Self::Inc => "inc",
            Self::Dec => "dec",
        }
    }
}

/// A decoded payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// What to do.
    pub verb: Verb,
    /// The name, at most 20 characters.
    pub name: String,
    /// The value to set, or to add or take.
    pub value: u32,
}

impl Payload {
    /// The bytes, with the keys in the order of the alphabet.
    pub fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::new(Vec::new());
        encoder
            .map(3)
            .and_then(|encoder| encoder.str("Name")?.str(&self.name)?.str("Value")?.u32(self.value))
            .and_then(|encoder| encoder.str("Verb")?.str(self.verb.as_str()))
            .expect("invariant: writing to a vector does not fail");
        encoder.into_writer()
    }

    /// Reads a payload.
    ///
    /// # Errors
    /// The rule broken, in the words that clients know.
    pub fn decode(bytes: &[u8]) -> Result<Self, ApplyError> {
        let fields = read_map(bytes).map_err(|_| ApplyError::invalid("Invalid payload serialization"))?;
        let verb = named_value::required(&fields, "Verb")?;
        let name = named_value::required(&fields, "Name")?;
        let value = named_value::required(&fields, "Value")?;
        let verb = match verb {
            Item::Text("set") => Verb::Set,
            Item::Text("inc") => Verb::Inc,
            Item::Text("dec") => Verb::Dec,
            _ => return Err(ApplyError::invalid("Verb must be \"set\", \"inc\", or \"dec\"")),
        };
        Ok(Self { verb, name: named_value::name(name)?, value: named_value::value(value)? })
    }

    /// The transaction that carries this payload, with its address as input and output.
    pub fn transaction(&self) -> UnsignedTransaction {
        UnsignedTransaction::new("intkey", "1.0", &[address(&self.name)], self.encode())
    }
}
