//! One module per resource. A handler reads the request, reads the ledger, and shapes the answer; nothing more.

pub(crate) mod batches;
pub(crate) mod blocks;
pub(crate) mod certificates;
pub(crate) mod dag;
pub(crate) mod docs;
pub(crate) mod events;
pub(crate) mod health;
pub(crate) mod metrics;
pub(crate) mod network;
pub(crate) mod proofs;
pub(crate) mod receipts;
pub(crate) mod state;
pub(crate) mod status;
pub(crate) mod statuses;
pub(crate) mod subscriptions;
pub(crate) mod transactions;
