//! One batch on top of what its block did so far: all of its transactions take effect, or none does.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use ledger_types::block::RejectionReason;
use ledger_types::family::{ApplyError, ContextError, FamilyRegistry};
use ledger_types::receipt::Receipt;
use ledger_types::{Batch, Hash, Rejection, Transaction, TransactionId, limits};

use super::context::{BadPrefix, TransactionContext};
use super::effects::{BatchEffects, Changes, Effects, Outcome};
use super::rules::Rules;
use super::view::Past;
use crate::store::StoreError;

/// What all batches of a block share, whichever thread executes them.
pub(super) struct BlockScope<'a> {
    pub(super) registry: &'a dyn FamilyRegistry,
    pub(super) rules: &'a Rules,
    pub(super) time_ms: u64,
}

/// What one batch can see: this, what it declares, and nothing else.
pub(super) struct Before<'a> {
    pub(super) past: &'a Past<'a>,
    /// Effects of the block's earlier batches, newest first. Those of batches that this one cannot see may be missing.
    pub(super) block: &'a [&'a Effects],
}

impl Before<'_> {
    fn has_transaction(&self, id: &TransactionId) -> Result<bool, StoreError> {
        let is_in_block = self.block.iter().any(|effects| effects.transactions.contains(id));
        Ok(is_in_block || self.past.has_transaction(id)?)
    }

    fn has_content(&self, content: &Hash) -> Result<bool, StoreError> {
        let is_in_block = self.block.iter().any(|effects| effects.contents.contains(content));
        Ok(is_in_block || self.past.has_content(content)?)
    }
}

/// A batch in execution.
struct Execution<'a> {
    scope: &'a BlockScope<'a>,
    before: &'a Before<'a>,
    effects: BatchEffects,
    contents: HashSet<Hash>,
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
    pub(super) fn execute(&self, before: &Before<'_>, batch: &Batch) -> Result<Outcome, StoreError> {
        if batch.encoded_len() + 1 > self.rules.max_bytes {
            let message = format!("The batch exceeds the {} bytes of a block", self.rules.max_bytes);
            // A batch without transactions is never that large.
            let first = batch.transactions.first().map_or(TransactionId::ZERO, |first| first.id);
            return Ok(Err(reject(batch, first, Invalid::new(RejectionReason::Limit, message))));
        }
        let effects = BatchEffects::default();
        let mut run = Execution { scope: self, before, effects, contents: HashSet::new() };
        for (index, transaction) in batch.transactions.iter().enumerate() {
            match run.apply(&batch.transactions[..index], transaction) {
                Ok((changes, receipt)) => {
                    run.effects.changes.extend(changes);
                    run.effects.receipts.push(&receipt);
                }
                Err(Stop::Invalid(invalid)) => return Ok(Err(reject(batch, transaction.id, invalid))),
                Err(Stop::Fault(error)) => return Err(error),
            }
        }
        Ok(Ok(run.effects))
    }
}

impl Execution<'_> {
    fn apply(
        &mut self,
        earlier: &[Transaction],
        transaction: &Transaction,
    ) -> Result<(Changes, Receipt), Stop> {
        self.check_new(transaction)?;
        self.check_dependencies(earlier, transaction)?;
        let header = &transaction.header;
        let (name, version) = (header.family_name.as_str(), header.family_version.as_str());
        if !self.scope.rules.permits(name, version, &header.outputs) {
            let message = format!("The network's settings do not permit family {name} {version} here");
            return Err(Invalid::new(RejectionReason::FamilyNotPermitted, message).into());
        }
        let Some(family) = self.scope.registry.find(name, version) else {
            let message = format!("There is no transaction family {name} {version}");
            return Err(Invalid::new(RejectionReason::UnknownFamily, message).into());
        };
        let below = (&self.effects.changes, self.before);
        let mut context =
            TransactionContext::new(transaction, below, self.scope.time_ms).map_err(|BadPrefix(text)| {
                let message = format!("Invalid address in inputs or outputs: '{text}'");
                Invalid::new(RejectionReason::BadAddress, message)
            })?;
        // A poison transaction is invalid, never a panic of the node. What the family left in the context is thrown
        // away with it.
        let applied = catch_unwind(AssertUnwindSafe(|| family.apply(transaction, &mut context)));
        if let Some(fault) = context.take_fault() {
            return Err(Stop::Fault(fault));
        }
        match applied {
            Ok(Ok(())) => Ok(context.finish(transaction)),
            Ok(Err(error)) => Err(Invalid::new(reason_of(&error), error.to_string()).into()),
            Err(_) => {
                tracing::error!(transaction = %transaction.id, family = name, "the family panicked");
                Err(Invalid::new(RejectionReason::Panic, format!("Family {name} {version} failed")).into())
            }
        }
    }

    /// A transaction takes effect once, under whatever signature.
    fn check_new(&mut self, transaction: &Transaction) -> Result<(), Stop> {
        let content = transaction.content_hash();
        let known = !self.contents.insert(content)
            || self.before.has_transaction(&transaction.id)?
            || self.before.has_content(&content)?;
        if known {
            let message = "The transaction is committed already, in another batch or under another signature";
            return Err(Invalid::new(RejectionReason::DuplicateTransaction, message).into());
        }
        Ok(())
    }

    fn check_dependencies(&self, earlier: &[Transaction], transaction: &Transaction) -> Result<(), Stop> {
        for dependency in &transaction.header.dependencies {
            // What is not an id can never be committed.
            let satisfied = match dependency.parse::<TransactionId>() {
                Err(_) => false,
                Ok(id) => {
                    earlier.iter().any(|earlier| earlier.id == id) || self.before.has_transaction(&id)?
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

fn reject(batch: &Batch, transaction: TransactionId, invalid: Invalid) -> Box<Rejection> {
    let mut message = invalid.message;
    let fits = (0..=limits::REJECTION_MESSAGE_BYTES).rev().find(|end| message.is_char_boundary(*end));
    message.truncate(fits.unwrap_or(0));
    Box::new(Rejection { batch: batch.id, transaction, reason: invalid.reason, message })
}
