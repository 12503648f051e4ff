//! The payload: a CBOR map {Name, To, Value, Verb}; `To` only where it is needed.

use ledger_types::family::ApplyError;
use minicbor::Encoder;

use super::address::address;
use crate::cbor::{Item, read_map};
use crate::client::UnsignedTransaction;
use crate::named_value;

/// What to do with a wallet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Open a new wallet with a balance; its signer becomes the owner.
    Set,
    /// Add to the balance.
    Inc,
    /// Take from the balance.
    Dec,
    /// Move from this wallet to another one.
    Trans {
        /// The wallet that receives.
        to: String,
    },
}

impl Verb {
    /// The word in the payload.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Set => "set",
            Self::Inc => "inc",
            Self::Dec => "dec",
            Self::Trans { .. } => "trans",
        }
    }
}

/// A decoded payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// What to do.
    pub verb: Verb,
    /// The wallet, at most 20 characters.
    pub name: String,
    /// The balance to set, or the amount to add, take or move.
    pub value: u32,
}

impl Payload {
    /// The bytes, with the keys in the order of the alphabet.
    pub fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::new(Vec::new());
        let to = match &self.verb {
            Verb::Trans { to } => Some(to),
            _ => None,
        };
        encoder
            .map(if to.is_some() { 4 } else { 3 })
            .and_then(|encoder| encoder.str("Name")?.str(&self.name))
            .and_then(|encoder| match to {
                Some(to) => encoder.str("To")?.str(to),
                None => Ok(encoder),
            })
            .and_then(|encoder| encoder.str("Value")?.u32(self.value))
            .and_then(|encoder| encoder.str("Verb")?.str(self.verb.as_str()))
            .expect("invariant: writing to a vector does not fail");
        encoder.into_writer()
    }

    /// Reads a payload. `To` is looked at for `trans` only.
    ///
    /// # Errors
    /// The rule broken.
    pub fn decode(bytes: &[u8]) -> Result<Self, ApplyError> {
        let fields = read_map(bytes).map_err(|_| ApplyError::invalid("Invalid payload serialization"))?;
        let verb = named_value::required(&fields, "Verb")?;
        let name = named_value::required(&fields, "Name")?;
        let value = named_value::required(&fields, "Value")?;
        let verb = match verb {
            Item::Text("set") => Verb::Set,
            Item::Text("inc") => Verb::Inc,
            Item::Text("dec") => Verb::Dec,
            Item::Text("trans") => {
                Verb::Trans { to: named_value::name(named_value::required(&fields, "To")?)? }
            }
            _ => return Err(ApplyError::invalid("Verb must be \"set\", \"inc\", \"dec\" or \"trans\"")),
        };
        Ok(Self { verb, name: named_value::name(name)?, value: named_value::value(value)? })
    }

    /// The transaction that carries this payload, with its addresses as inputs and outputs.
    pub fn transaction(&self) -> UnsignedTransaction {
        let mut addresses = vec![address(&self.name)];
        if let Verb::Trans { to } = &self.verb {
            addresses.push(address(to));
        }
        UnsignedTransaction::new("bgt", "1.0", &addresses, self.encode())
    }
}
