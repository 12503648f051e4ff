//! The contract between the ledger and a transaction family. A family sees its transaction and a context, nothing
//! else: no files, network, clock, environment or randomness; integers only.

use bytes::Bytes;
use thiserror::Error;

use crate::address::Address;
use crate::transaction::Transaction;

/// A transaction family: pure code that turns a payload into state changes.
pub trait TransactionFamily: Send + Sync {
    /// What the family is, for people and for `/tx_families`.
    fn describe(&self) -> FamilyDescription;

    /// Applies one transaction. Changes take effect only when the whole batch succeeds.
    ///
    /// # Errors
    /// [`ApplyError`] makes the transaction, and so its batch, invalid.
    fn apply(&self, transaction: &Transaction, context: &mut dyn Context) -> Result<(), ApplyError>;
}

/// What a family says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FamilyDescription {
    /// Names it answers to; the first is the usual one.
    pub names: &'static [&'static str],
    /// The one version implemented.
    pub version: &'static str,
    /// Namespaces it writes, 6 hex characters each.
    pub namespaces: &'static [&'static str],
    /// Its commands, as a payload names them.
    pub commands: &'static [&'static str],
}

/// Finds families by the name and version in a transaction's header.
pub trait FamilyRegistry: Send + Sync {
    /// The family, if there is one of exactly that name and version.
    fn find(&self, name: &str, version: &str) -> Option<&dyn TransactionFamily>;

    /// All families.
    fn describe_all(&self) -> Vec<FamilyDescription>;
}

/// State and receipt as one transaction may see and change them.
pub trait Context {
    /// The value at an address.
    ///
    /// # Errors
    /// When no declared input covers the address, or state cannot be read.
    fn get(&mut self, address: &Address) -> Result<Option<Bytes>, ContextError>;

    /// Sets the value at an address.
    ///
    /// # Errors
    /// When no declared output covers the address, or the value is too large.
    fn set(&mut self, address: Address, value: Bytes) -> Result<(), ContextError>;

    /// Deletes the value at an address, if there is one.
    ///
    /// # Errors
    /// When no declared output covers the address.
    fn delete(&mut self, address: Address) -> Result<(), ContextError>;

    /// Adds an event to the receipt.
    ///
    /// # Errors
    /// When the receipt would exceed its limits.
    fn add_event(
        &mut self,
        event_type: &str,
        attributes: Vec<(String, String)>,
        data: Bytes,
    ) -> Result<(), ContextError>;

    /// Adds opaque data to the receipt.
    ///
    /// # Errors
    /// When the receipt would exceed its limits.
    fn add_receipt_data(&mut self, data: Bytes) -> Result<(), ContextError>;

    /// The block's time, milliseconds since 1970: the only clock there is.
    fn block_time_ms(&self) -> u64;
}

/// Why a transaction is invalid.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ApplyError {
    /// The family's rules refuse it. Clients read the message.
    #[error("{0}")]
    Invalid(String),
    /// The context refused an operation.
    #[error("{0}")]
    Context(#[from] ContextError),
}

impl ApplyError {
    /// A refusal by the family's rules.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid(message.into())
    }
}

/// Why a context refused an operation. The messages are those of the ancestor platform where it has one.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ContextError {
    /// No input covers the address.
    #[error("Tried to get unauthorized address: ['{0}']")]
    GetUnauthorized(Address),
    /// No output covers the address.
    #[error("Tried to set unauthorized address: ['{0}']")]
    SetUnauthorized(Address),
    /// No output covers the address.
    #[error("Tried to delete unauthorized address: ['{0}']")]
    DeleteUnauthorized(Address),
    /// A limit is exceeded.
    #[error("{what} exceeds the limit of {limit}")]
    Limit {
        /// What is too large.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// State could not be read: a fault of this node, never of the transaction. Execution of the block stops.
    #[error("state could not be read: {0}")]
    State(String),
}
