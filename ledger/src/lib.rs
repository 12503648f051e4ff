//! The ledger: pool, execution, authenticated state, and the four LMDB files.

pub mod reader;

pub use reader::Reader;
