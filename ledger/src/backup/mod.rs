//! What administrators do with the files of a stopped node.

mod digest;
mod verify;

pub use digest::{FileDigest, digest};
pub use verify::{CertificateCheck, Finalized, Summary, VerifyOptions, verify};
