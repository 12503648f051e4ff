//! The REST interface over real sockets, in front of a real ledger in a temporary folder.
#![allow(clippy::unwrap_used, clippy::panic)]

mod administration;
mod batch_statuses;
mod client;
mod errors;
mod events;
mod finality;
mod lists;
mod network;
mod node;
mod openapi;
mod resources;
mod serving;
mod signing;
mod subscriptions;
