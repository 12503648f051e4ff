//! The payload: the text `name,action,space`.

use ledger_types::family::ApplyError;

use super::address::address;
use crate::client::UnsignedTransaction;

/// What to do with a game.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start a game.
    Create,
    /// Mark a space.
    Take {
        /// The space, 1 to 9, row by row.
        space: u8,
    },
    /// Remove a game.
    Delete,
}

/// A decoded payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// The game's name: not empty, without `,` and `|`.
    pub name: String,
    /// What to do.
    pub action: Action,
}

impl Payload {
    /// The bytes.
    pub fn encode(&self) -> Vec<u8> {
        match self.action {
            Action::Create => format!("{},create,", self.name),
            Action::Take { space } => format!("{},take,{space}", self.name),
            Action::Delete => format!("{},delete,", self.name),
        }
        .into_bytes()
    }

    /// Reads a payload. The space is looked at for `take` only.
    ///
    /// # Errors
    /// The rule broken, in the words that clients know.
    pub fn decode(bytes: &[u8]) -> Result<Self, ApplyError> {
        let malformed = || ApplyError::invalid("Invalid payload serialization");
        let text = std::str::from_utf8(bytes).map_err(|_| malformed())?;
        let mut fields = text.split(',');
        let (Some(name), Some(action), Some(space), None) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            return Err(malformed());
        };
        if name.is_empty() {
            return Err(ApplyError::invalid("Name is required"));
        }
        if name.contains('|') {
            return Err(ApplyError::invalid("Name cannot contain \"|\""));
        }
        let action = match action {
            "" => return Err(ApplyError::invalid("Action is required")),
            "create" => Action::Create,
            "delete" => Action::Delete,
            "take" => match space.trim_ascii().parse() {
                Ok(space @ 1..=9) => Action::Take { space },
                _ => return Err(ApplyError::invalid("Space must be an integer from 1 to 9")),
            },
            other => return Err(ApplyError::invalid(format!("Invalid action: {other}"))),
        };
        Ok(Self { name: name.to_owned(), action })
    }

    /// The transaction that carries this payload, with its address as input and output.
    pub fn transaction(&self) -> UnsignedTransaction {
        UnsignedTransaction::new("xo", "1.0", &[address(&self.name)], self.encode())
    }
}
