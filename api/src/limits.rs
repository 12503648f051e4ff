//! What one node grants its clients. Node settings, not network parameters: nodes may differ.

use std::time::Duration;

use ledger_types::limits::{BATCHES_PER_LIST, BLOCK_BYTES, REST_BODY_BYTES};

/// Bounds on memory, time and connections. [`ApiLimits::default`] suits a node with 1 GiB of memory.
#[derive(Clone, Debug)]
pub struct ApiLimits {
    /// Bytes of one request body.
    pub body_bytes: usize,
    /// Bytes of all request bodies held at the same time; at least `body_bytes`.
    pub bodies_bytes: usize,
    /// How long a request body may take to arrive.
    pub body_timeout: Duration,
    /// Batches in one submitted list.
    pub batches_per_list: usize,
    /// Ids in one query or one JSON array.
    pub ids: usize,
    /// Items of a page when the client names no limit.
    pub page_default: usize,
    /// The most items of a page.
    pub page_max: usize,
    /// Bytes of content after which a page ends early; its first item is served whatever its size.
    pub page_bytes: usize,
    /// Lists read, and large submissions decoded, at the same time; more wait.
    pub concurrent_heavy: usize,
    /// The longest wait for a batch's status.
    pub wait_max: Duration,
    /// Connections served at the same time; more wait to be accepted.
    pub connections: usize,
    /// How long a client may leave an answer unread before its connection is dropped.
    pub write_timeout: Duration,
    /// How long requests in progress may take to end after a shutdown began.
    pub shutdown_grace: Duration,
}

impl Default for ApiLimits {
    fn default() -> Self {
        Self {
            body_bytes: REST_BODY_BYTES,
            bodies_bytes: 128 * 1024 * 1024,
            body_timeout: Duration::from_secs(30),
            batches_per_list: BATCHES_PER_LIST,
            ids: 1_000,
            page_default: 100,
            page_max: 1_000,
            page_bytes: BLOCK_BYTES,
            concurrent_heavy: 16,
            wait_max: Duration::from_secs(300),
            connections: 512,
            write_timeout: Duration::from_secs(30),
            shutdown_grace: Duration::from_secs(5),
        }
    }
}
