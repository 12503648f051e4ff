//! Clients that mean harm, or do not know better, against the real binary over real sockets.
//!
//! Each test is one kind of abuse on a node of its own. Every request gets a clear answer (of 5xx only 503, where the node says that it is full), and after
//! each storm the [`Victim`](victim::Victim) is as before: a lone batch commits, everything committed is there, its
//! memory stayed below [`MEMORY_CAP`](victim::MEMORY_CAP). At its end it stops cleanly, and its log tells of no panic and
//! no error. `--nocapture` shows the peaks and the answers by kind.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, reason = "the figures are part of the result")]

mod connections;
mod forgery;
mod limits;
mod payloads;
mod pool;
mod requests;
mod streams;
mod submissions;
mod victim;
mod weight;
mod wire;
