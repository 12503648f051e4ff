//! Acceptance from outside: what the tests under `tests/` need to run the `dgt` binary as a stranger would.
//!
//! [`binary`] builds `dgt`, [`node`] runs it in a folder of its own, [`stopped`] is one that ran, [`testnet`] runs a whole
//! network, [`containers`] the same in Docker, [`namespaces`] cuts it, [`client`] speaks REST to a node, [`load`] makes signed batches, [`crowd`] submits them
//! in times of trouble, [`lmdb`] uses the distribution's LMDB tools, [`trace`] reads what strace recorded, and [`packages`]
//! and [`python`] install what those need. A harness fails by panicking, with the words of what went wrong.
//!
//! [`faults`] breaks the disk under a node. [`hostile`] attacks the network from a process of its own.
//!
//! Beside it, [`load_generator`] is the binary `load`, and [`fuzz_bodies`] is what `fuzz/` and `tests/fuzz.rs` run.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test harness fails by panicking")]

pub mod binary;
pub mod byzantine;
pub mod client;
pub mod containers;
pub mod crowd;
pub mod faults;
pub mod fuzz_bodies;
pub mod hostile;
pub mod lmdb;
pub mod load;
pub mod load_generator;
pub mod measure;
pub mod memory;
pub mod namespaces;
pub mod node;
pub mod packages;
pub mod python;
pub mod random;
pub mod sim;
pub mod stopped;
pub mod testnet;
pub mod trace;
pub mod twins;
pub mod workspace;
