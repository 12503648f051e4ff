//! One batch on top of what its block did so far: all of its transactions take effect, or none does.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use ledger_types::block::RejectionReason;
use ledger_types::family::{ApplyError, ContextError, FamilyRegistry};
use ledger_types::receipt::Receipt;
use ledger_types::{Batch, Hash, Rejection, Transaction, TransactionId, limits};

use super::context::{BadPrefix, Changes, TransactionContext};
use super::rules::Rules;
use super::view::ParentView;
use crate::store::StoreError;

/// What all batches of a block share.
pub(super) struct BlockScope<'a> {
    pub(super) registry: &'a dyn FamilyRegistry,
    pub(super) parent: &'a ParentView,
    pub(super) rules: &'a Rules,
    pub(super) time_ms: u64,
    /// Changes of the block's earlier batches.
    pub(super) changes: &'a Changes,
    /// Transactions of the block's earlier batches.
    pub(super) transactions: &'a BTreeSet<TransactionId>,
    /// What those transactions said.
    pub(super) contents: &'a BTreeSet<Hash>,
}

/// The effects of a batch that is valid.
pub(super) struct BatchEffects {
    pub(super) changes: Changes,
    pub(super) receipts: Vec<Receipt>,
    pub(super) contents: Vec<Hash>,
}

/// Why a transaction makes its batch invalid.
struct Invalid {
    reason: RejectionReason,
    message: String,
}

impl Invalid {
    fn new(reason: RejectionReason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }
}

enum Stop {
    Invalid(Invalid),
    Fault(StoreError),
}

impl From<Invalid> for Stop {
    fn from(invalid: Invalid) -> Self {
        Self::Invalid(invalid)
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Fault(error)
    }
}

impl BlockScope<'_> {
    /// Executes a batch.
    ///
    /// # Errors
    /// Only when this node's storage fails; an invalid batch is the inner error.
    pub(super) fn execute(&self, batch: &Batch) -> Result<Result<BatchEffects, Rejection>, StoreError> {
        if batch.encoded_len() + 1 > self.rules.max_bytes {
            let message = format!("The batch exceeds the {} bytes of a block", self.rules.max_bytes);
            // A batch without transactions is never that large.
            let first = batch.transactions.first().map_or(TransactionId::ZERO, |first| first.id);
            return Ok(Err(reject(batch, first, Invalid::new(RejectionReason::Limit, message))));
        }
        let mut effects =
            BatchEffects { changes: Changes::new(), receipts: Vec::new(), contents: Vec::new() };
        for (index, transaction) in batch.transactions.iter().enumerate() {
            match self.apply(&batch.transactions[..index], transaction, &effects) {
                Ok((changes, receipt, content)) => {
                    effects.changes.extend(changes);
                    effects.receipts.push(receipt);
                    effects.contents.push(content);
                }
                Err(Stop::Invalid(invalid)) => return Ok(Err(reject(batch, transaction.id, invalid))),
                Err(Stop::Fault(error)) => return Err(error),
            }
        }
        Ok(Ok(effects))
    }

    fn apply(
        &self,
        earlier: &[Transaction],
        transaction: &Transaction,
        effects: &BatchEffects,
    ) -> Result<(Changes, Receipt, Hash), Stop> {
        let content = self.check_new(transaction, effects)?;
        self.check_dependencies(earlier, transaction)?;
        let header = &transaction.header;
        let (name, version) = (header.family_name.as_str(), header.family_version.as_str());
        if !self.rules.permits(name, version, &header.outputs) {
            let message = format!("The network's settings do not permit family {name} {version} here");
            return Err(Invalid::new(RejectionReason::FamilyNotPermitted, message).into());
        }
        let Some(family) = self.registry.find(name, version) else {
            let message = format!("There is no transaction family {name} {version}");
            return Err(Invalid::new(RejectionReason::UnknownFamily, message).into());
        };
        let below = [&effects.changes, self.changes];
        let mut context = TransactionContext::new(transaction, below, self.parent, self.time_ms).map_err(
            |BadPrefix(text)| {
                let message = format!("Invalid address in inputs or outputs: '{text}'");
                Invalid::new(RejectionReason::BadAddress, message)
            },
        )?;
        // A poison transaction is invalid, never a panic of the node. What the family left in the context is thrown
        // away with it.
        let applied = catch_unwind(AssertUnwindSafe(|| family.apply(transaction, &mut context)));
        if let Some(fault) = context.take_fault() {
            return Err(Stop::Fault(fault));
        }
        match applied {
            Ok(Ok(())) => {
                let (changes, receipt) = context.finish(transaction);
                Ok((changes, receipt, content))
            }
            Ok(Err(error)) => Err(Invalid::new(reason_of(&error), error.to_string()).into()),
            Err(_) => {
                tracing::error!(transaction = %transaction.id, family = name, "the family panicked");
                Err(Invalid::new(RejectionReason::Panic, format!("Family {name} {version} failed")).into())
            }
        }
    }

    /// A transaction takes effect once, under whatever signature.
    fn check_new(&self, transaction: &Transaction, effects: &BatchEffects) -> Result<Hash, Stop> {
        let content = transaction.content_hash();
        let known = self.transactions.contains(&transaction.id)
            || self.contents.contains(&content)
            || effects.contents.contains(&content)
            || self.parent.has_transaction(&transaction.id)?
            || self.parent.has_content(&content)?;
        if known {
            let message = "The transaction is committed already, in another batch or under another signature";
            return Err(Invalid::new(RejectionReason::DuplicateTransaction, message).into());
        }
        Ok(content)
    }

    fn check_dependencies(&self, earlier: &[Transaction], transaction: &Transaction) -> Result<(), Stop> {
        for dependency in &transaction.header.dependencies {
            // What is not an id can never be committed.
            let satisfied = match dependency.parse::<TransactionId>() {
                Err(_) => false,
                Ok(id) => {
                    earlier.iter().any(|earlier| earlier.id == id)
                        || self.transactions.contains(&id)
                        || self.parent.has_transaction(&id)?
                }
            };
            if !satisfied {
                let message = format!("The dependency {dependency} is not committed");
                return Err(Invalid::new(RejectionReason::MissingDependency, message).into());
            }
        }
        Ok(())
    }
}

fn reason_of(error: &ApplyError) -> RejectionReason {
    match error {
        ApplyError::Invalid(_) => RejectionReason::Family,
        ApplyError::Context(ContextError::Limit { .. }) => RejectionReason::Limit,
        ApplyError::Context(_) => RejectionReason::Unauthorized,
    }
}

fn reject(batch: &Batch, transaction: TransactionId, invalid: Invalid) -> Rejection {
    let mut message = invalid.message;
    let fits = (0..=limits::REJECTION_MESSAGE_BYTES).rev().find(|end| message.is_char_boundary(*end));
    message.truncate(fits.unwrap_or(0));
    Rejection { batch: batch.id, transaction, reason: invalid.reason, message }
}
