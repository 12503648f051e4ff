//! The families against known answers, hostile bytes and naive models.

mod hostile_payloads;
mod known_answers;
mod named_values;
mod settings_rules;
mod settings_voting;
mod xo_game;

use ledger_types::family::ApplyError;
use ledger_types::signature::Curve;
use ledger_types::{PrivateKey, Transaction};
use txfamilies::{MemoryContext, UnsignedTransaction, registry};

/// A key pair for each number.
pub(crate) fn key(number: u8) -> PrivateKey {
    PrivateKey::from_bytes(Curve::Ed25519, [number; 32]).expect("any bytes make an ed25519 key")
}

/// The public key's hex for each number.
pub(crate) fn public(number: u8) -> String {
    key(number).public_key().to_string()
}

/// Signs a transaction and applies it; a refusal is its message.
pub(crate) fn apply(
    context: &mut MemoryContext,
    signer: u8,
    transaction: &UnsignedTransaction,
) -> Result<(), String> {
    let signed = transaction.sign(&key(signer), &key(signer).public_key());
    let transaction = Transaction::from_proto(signed).expect("the builder makes sound transactions");
    context.apply(&registry(), &transaction).map_err(|error: ApplyError| error.to_string())
}
