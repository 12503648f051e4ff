//! A world in which whole networks of real replicas live through bad times, thousands of times an hour.
//!
//! One thread, virtual time, and one seed: [`Scenario::draw`] makes of it who lies, what is lost, who crashes when and
//! what clients do; [`run`] plays that, byte for byte the same each time, and an oracle that shares no code with the
//! consensus crate looks at every word said and every block committed.
//!
//! Replicas, message codec, verification, records and the start from a vote store are production code. The wire, the
//! disks, the clocks, the executor and the clients are this module's.

mod clock;
mod common;
mod crypto;
mod disk;
pub mod execution;
mod executor;
mod family;
mod liar;
mod lifecycle;
pub mod mixing;
mod names;
mod network;
mod oracle;
mod outcome;
mod pool;
mod queue;
mod record;
mod runner;
mod scenario;
mod shell;
mod summary;
mod world;

pub use clock::ClockPlan;
pub use crypto::Signatures;
pub use family::{Family, Share};
pub use network::{Cut, Delay, NetworkPlan};
pub use outcome::{LEAST_BLOCKS, Outcome, Violation};
pub use record::{Acts, Counters, Verbosity};
pub use runner::play;
pub use scenario::{Load, Mishap, Model, Role, Scenario, Slowness, Trouble};
pub use summary::{Summary, shape_name};

/// Plays a scenario to its end, or to the first thing that must not happen.
pub fn run(scenario: &Scenario, verbosity: Verbosity) -> Outcome {
    world::World::new(scenario, verbosity).run()
}
