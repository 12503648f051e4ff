//! The four LMDB files of a node. Everything lies in each file's unnamed main database, so that the stock tools dump
//! and load all of it. Layouts: FORMAT.md.

mod consensus_file;
mod custody;
mod env;
mod error;
pub(crate) mod lineage;
mod lock;
pub mod pages;
mod room;
pub(crate) mod schema;
mod seal;

pub use consensus_file::{Change, ConsensusFile};
pub use custody::{Copying, FileStats, is_open_somewhere, lmdb_version};
pub use env::{Durability, File, FileOptions, Record, View, Writer};
pub use error::StoreError;
pub use lock::{FileLock, LockError};
pub use room::{RESERVE_BYTES, free_bytes};
pub use schema::FileKind;
