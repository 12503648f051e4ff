//! One module per resource. A handler reads the request, reads the ledger, and shapes the answer; nothing more.

pub(crate) mod batches;
pub(crate) mod blocks;
pub(crate) mod receipts;
pub(crate) mod state;
pub(crate) mod status;
pub(crate) mod statuses;
pub(crate) mod transactions;
