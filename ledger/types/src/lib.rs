//! The nouns of the ledger: every type that more than one crate speaks about.
//!
//! No I/O, no clock, no randomness, no storage. Parsing is total: any byte string gives a value or a named
//! error, never a panic.
#![forbid(unsafe_code)]

pub mod address;
pub mod batch;
pub mod batch_list;
pub mod block;
pub mod certificate;
pub mod codec;
pub mod family;
pub mod hash;
pub mod ids;
pub mod limits;
pub mod lineage;
pub mod receipt;
pub mod setting;
pub mod signature;
pub mod topology;
pub mod transaction;
mod verifying;

/// Protobuf messages, generated from `proto/`.
pub mod proto {
    #![allow(missing_docs, unreachable_pub, clippy::all)]
    /// Messages that clients sign and submit.
    pub mod client {
        include!(concat!(env!("OUT_DIR"), "/client.rs"));
    }
    /// Payloads and state values of the built-in families.
    pub mod families {
        include!(concat!(env!("OUT_DIR"), "/families.rs"));
    }
}

pub use address::{Address, AddressPrefix};
pub use batch::{Batch, BatchError, Verified};
pub use block::{Block, BlockHeader, Entry, Rejection};
pub use hash::Hash;
pub use ids::{BatchId, BlockId, ConfigHash, NetworkId, TransactionId};
pub use lineage::{Lineage, Rollback};
pub use signature::{PrivateKey, PublicKey, Signature};
pub use topology::{Topology, ValidatorId, VoteKey};
pub use transaction::Transaction;
