//! From batches to a block's effects: entries, state changes, receipts and roots. Deterministic: the same parent state
//! and batches give the same bytes on every node and every run.

mod ahead;
mod batch;
mod block;
mod context;
mod effects;
mod executed;
mod plan;
mod rules;
mod run;
#[cfg(test)]
mod tests;
mod view;

pub(crate) use block::{Built, list_of};
pub use block::{Candidate, CheckError, Executor, ProposedEntry, Slot};
pub use executed::Executed;
pub(crate) use view::{ParentView, Past};
