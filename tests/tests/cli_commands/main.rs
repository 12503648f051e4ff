//! The commands that ask a node, check answers, and look after settings, as a shell runs them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod batches;
mod config;
mod proofs;
mod reads;
mod shell;
mod site;
