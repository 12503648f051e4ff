//! What administrators do with the files of a stopped node.

mod digest;
mod dump;
mod rollback;
mod set;
mod verify;

pub use digest::{FileDigest, digest};
pub use dump::{
    DumpError, DumpReader, Encoding, Existing, Loaded, MAX_VALUE_BYTES, Replace, dump, load, merge, open_dump,
};
pub use rollback::{Rollbacks, Undone, Votes};
pub use set::{Manifest, NewSet, Restoring, SetError, SetFile, Staged, check_set, create_set};
pub use verify::{CertificateCheck, Finalized, Step, Summary, VerifyOptions, verify};
