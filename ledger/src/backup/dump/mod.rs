//! Dumps: a file's records as `mdb_dump -n` writes them, and back.
//!
//! ```text
//! VERSION=3
//! format=bytevalue
//! type=btree
//! mapsize=68719476736
//! maxreaders=126
//! db_pagesize=4096
//! HEADER=END
//!  KEY in hex, one leading space
//!  VALUE
//! DATA=END
//! ```

mod error;
mod load;
mod merge;
mod open;
mod read;
#[cfg(test)]
mod tests;
mod text;
mod write;

pub use error::DumpError;
pub use load::{Loaded, Replace, load};
pub use merge::{Existing, merge};
pub use open::open_dump;
pub use read::{DumpReader, MAX_VALUE_BYTES};
pub use text::Encoding;
pub use write::dump;

pub(super) use text::{DATA_END, push_hex_line};
pub(super) use write::write_dump;
