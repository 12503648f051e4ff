//! From batches to a block's effects: entries, state changes, receipts and roots. Deterministic: the same parent state
//! and batches give the same bytes on every node and every run.

mod batch;
mod block;
mod context;
mod rules;
mod view;

pub(crate) use block::Built;
pub use block::{Candidate, CheckError, Executed, Executor, ProposedEntry, Slot};
pub(crate) use view::ParentView;
