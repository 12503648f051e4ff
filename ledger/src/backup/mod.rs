//! What administrators do with the files of a stopped node.

mod digest;

pub use digest::{FileDigest, digest};
