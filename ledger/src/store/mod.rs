//! The four LMDB files of a node. Everything lies in each file's unnamed main database, so that the stock tools dump
//! and load all of it. Layouts: FORMAT.md.

mod consensus_file;
mod env;
mod error;
mod lock;
pub(crate) mod schema;

pub use consensus_file::{Change, ConsensusFile};
pub use env::{Durability, File, FileOptions, Record, View, Writer};
pub use error::StoreError;
pub use lock::{FileLock, LockError};
pub use schema::FileKind;
