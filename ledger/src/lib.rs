//! The ledger: pool, execution, authenticated state, and the four LMDB files.
//!
//! A batch goes one way: [`Pool`] -> [`execute`] -> [`Ledger::commit`] -> [`Reader`]. The ledger does not know how a block
//! is agreed on, nor who asks for what it holds; it has no clock and no sockets, and threads
//! only to execute: batches that cannot see each other, and blocks when files are verified.
#![deny(unsafe_code)]

pub mod backup;
mod chain;
pub mod execute;
mod filter;
mod pool;
pub mod reader;
mod recent;
pub mod roots;
pub mod state;
pub mod state_file;
pub mod store;
#[cfg(test)]
mod testing;

pub use chain::{GenesisBlock, Ledger, LedgerError, OpenOptions};
pub use pool::{AdmitError, Pool, Source};
pub use reader::{Head, Reader};
