//! The simulator and Twins, as they are in the tests crate, on top of the mutated consensus crate.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test harness fails by panicking")]

pub mod attack;
#[path = "../../src/byzantine/mod.rs"]
pub mod byzantine;
pub mod plan;
#[path = "../../src/random.rs"]
pub mod random;
#[path = "../../src/sim/mod.rs"]
pub mod sim;
pub mod trial;
#[path = "../../src/twins/mod.rs"]
pub mod twins;
