//! Limits that are constants of every network. What a network may tune is a setting (`setting`).

/// Bytes of a REST request body.
pub const REST_BODY_BYTES: usize = 10 * 1024 * 1024;
/// Batches in one submitted list.
pub const BATCHES_PER_LIST: usize = 1_000;
/// Transactions in one batch.
pub const TRANSACTIONS_PER_BATCH: usize = 1_000;
/// Bytes of one payload.
pub const PAYLOAD_BYTES: usize = 1024 * 1024;
/// Inputs, outputs or dependencies of one transaction, each.
pub const ADDRESSES_PER_TRANSACTION: usize = 1_000;
/// Bytes of one input, output or dependency: a dependency is 128 characters, an address 70.
pub const ADDRESS_BYTES: usize = 128;
/// Bytes of a nonce.
pub const NONCE_BYTES: usize = 256;
/// Bytes of a family's name.
pub const FAMILY_NAME_BYTES: usize = 128;
/// Bytes of a family's version.
pub const FAMILY_VERSION_BYTES: usize = 32;
/// Bytes of one state value.
pub const STATE_VALUE_BYTES: usize = 1024 * 1024;
/// Bytes of a block's entries; a batch larger than this can never be in a block.
pub const BLOCK_BYTES: usize = 8 * 1024 * 1024;
/// Bytes of all batches in the pool.
pub const POOL_BYTES: usize = 64 * 1024 * 1024;
/// Batches in the pool.
pub const POOL_BATCHES: usize = 20_000;
/// Batches of the pool that wait for a dependency.
pub const POOL_WAITING_BATCHES: usize = 10_000;
/// How long a batch waits for a dependency.
pub const DEPENDENCY_WAIT_MS: u64 = 1_200_000;
/// Bytes of the message in a rejection or an invalid transaction.
pub const REJECTION_MESSAGE_BYTES: usize = 1_024;
/// Events one transaction may add.
pub const EVENTS_PER_TRANSACTION: usize = 1_000;
/// Bytes of all events and receipt data of one transaction.
pub const RECEIPT_BYTES: usize = 1024 * 1024;
/// Clusters in a topology, and validators in a cluster.
pub const CLUSTERS: usize = 64;
/// Validators in one cluster.
pub const VALIDATORS_PER_CLUSTER: usize = 64;
