use thiserror::Error;

use super::key::NodeKey;

/// Why the state cannot be read or updated: always this node's storage, never a client's doing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StateError {
    /// The version was pruned or is not stored yet.
    #[error("no state of version {version}: it was pruned or never stored")]
    NoVersion {
        /// The version asked for.
        version: u64,
    },
    /// A node is missing although its parent refers to it.
    #[error("state node {key} is missing")]
    MissingNode {
        /// The node.
        key: NodeKey,
    },
    /// A node's record is not what was written.
    #[error("state node {key} is damaged: {reason}")]
    DamagedNode {
        /// The node.
        key: NodeKey,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A presence record is not what was written.
    #[error("state presence record {key} is damaged: {reason}")]
    DamagedPresence {
        /// The record's key in hex.
        key: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A record is damaged, whatever it holds.
    #[error("record {record} is damaged: {reason}")]
    DamagedRecord {
        /// The record, as a person can find it.
        record: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The store could not be read.
    #[error("state store: {0}")]
    Store(String),
}
