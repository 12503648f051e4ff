//! A load generator over the public REST interface: one process, any number of nodes, durable answers only.
//!
//! - Everything is signed before the clock starts (`workload`); the generator only posts bytes, over connections
//!   that stay open.
//! - A *closed window* keeps so many batches in flight and shows the peak; an *open loop* posts at a fixed rate,
//!   whatever the nodes answer, and shows the latency at that rate: there a batch's time runs from the moment it was
//!   due, so a slow node cannot hide its queue in the generator (`driver`).
//! - Batches go to the nodes in turn. A batch counts as committed when **every** node named has answered COMMITTED
//!   (`observer`).
//! - Throughput is counted from the chain, not from answers: the blocks between the heads at the start and the end of
//!   the measurement are read back, and the run's own transaction ids are counted in them (`chain`).
//! - The generator's own CPU stands in the report: it shares the machine with what it measures.
#![allow(clippy::print_stderr, reason = "the progress line")]

mod accounts;
mod chain;
mod driver;
mod node;
mod observer;
mod options;
mod progress;
mod report;
mod run;
mod workload;

pub use accounts::make_accounts;
pub use options::{CurveName, FamilyName, Options};
pub use report::{Ended, Generator, Latency, Measured, Report, WholeRun};
pub use run::{run, run_watched};
