//! From one declarative file to a network: who votes, which settings hold, and the signed batches that block 0 makes
//! of them. Everything derives from the file, so every node that reads it makes the same block 0.
#![forbid(unsafe_code)]

mod batches;
mod canonical;
mod network_file;
mod settings;

pub use batches::{ALGORITHM, Genesis};
pub use network_file::{NetworkFile, NetworkFileError};
pub use settings::NetworkSettings;
