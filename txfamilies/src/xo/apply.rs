//! The rules, and the words of the platform that xo comes from.

use ledger_types::Transaction;
use ledger_types::family::{ApplyError, Context, FamilyDescription, TransactionFamily};

use super::address::{NAMESPACE, address};
use super::game::{Game, Games, decode, encode};
use super::payload::{Action, Payload};

/// The family.
#[derive(Clone, Copy, Debug)]
pub struct Xo;

impl TransactionFamily for Xo {
    fn describe(&self) -> FamilyDescription {
        FamilyDescription {
            names: &["xo"],
            version: "1.0",
            namespaces: &[NAMESPACE],
            commands: &["create", "take", "delete"],
        }
    }

    fn apply(&self, transaction: &Transaction, context: &mut dyn Context) -> Result<(), ApplyError> {
        let Payload { name, action } = Payload::decode(&transaction.payload)?;
        let address = address(&name);
        let mut games = context.get(&address)?.map_or_else(|| Ok(Games::new()), |bytes| decode(&bytes))?;
        act(&mut games, &name, action, &transaction.header.signer_public_key)?;
        if games.is_empty() {
            context.delete(address)?;
        } else {
            context.set(address, encode(&games))?;
        }
        Ok(())
    }
}

fn act(games: &mut Games, name: &str, action: Action, signer: &str) -> Result<(), ApplyError> {
    let refuse = |message: &str| Err(ApplyError::invalid(message));
    match (action, games.get_mut(name)) {
        (Action::Create, Some(_)) => {
            Err(ApplyError::invalid(format!("Invalid action: Game already exists: {name}")))
        }
        (Action::Create, None) => {
            games.insert(name.to_owned(), Game::new());
            Ok(())
        }
        (Action::Take { .. }, None) => refuse("Invalid action: Take requires an existing game"),
        (Action::Take { space }, Some(game)) => game.take(space, signer),
        (Action::Delete, None) => refuse("Invalid action: game does not exist"),
        (Action::Delete, Some(_)) => {
            games.remove(name);
            Ok(())
        }
    }
}
