//! The consensus crate, mutated: `build.rs` patches every mutant of [`table`] into a copy of its source, each behind a
//! switch of [`mutant`]. With no mutant on it behaves as written.
//!
//! The consensus crate itself holds no way to make it lie; this one is linked into tests only.
#![forbid(unsafe_code)]
#![allow(
    clippy::all,
    reason = "what is patched in is not meant to be good; the original is linted where it stands"
)]

pub mod mutant;
#[cfg(test)]
mod patch;
pub mod table;

// With the modules of the copy, which are found beside it.
include!(concat!(env!("OUT_DIR"), "/consensus/lib.rs"));
