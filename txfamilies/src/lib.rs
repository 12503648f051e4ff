//! The transaction families of the node, and what clients need to speak to them.
//!
//! A family is a pure function from a transaction and a [`Context`](ledger_types::family::Context) to state changes.
//! Each has a folder: `payload` reads and writes its payload, `address` says where its state lives, `apply` holds its
//! rules. Any payload gives a state change or a named refusal, never a panic.
#![forbid(unsafe_code)]
#![deny(clippy::float_arithmetic)]

pub mod bgt;
pub mod client;
pub mod intkey;
pub mod memory;
pub mod settings;
pub mod xo;

mod cbor;
mod named_value;
mod registry;

pub use client::{UnsignedTransaction, batch_of, sign_batch};
pub use memory::MemoryContext;
pub use registry::{Registry, registry};
