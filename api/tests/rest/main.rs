//! The REST interface over real sockets, in front of a real ledger in a temporary folder.
#![allow(clippy::unwrap_used, clippy::panic)]

mod batch_statuses;
mod client;
mod errors;
mod lists;
mod node;
mod resources;
mod serving;
mod signing;
