//! Twins, after the method of DiemBFT's test suite (Bano et al., 2020): a liar that needs no script. One validator of
//! four runs twice, with one key and two memories, and the network decides who hears which of them. Two honest programs
//! with one key say together whatever an equivocating validator could say: two proposals in a view, two votes, votes on
//! both sides of a partition.
//!
//! A scenario is a position of the twin in the order of leaders (4), and for each of the views 1 to 4 a split of the
//! five processes into at most two groups (16): 4 * 16^4 = 262,144 scenarios. Every validator leads one of these views.
//!
//! - PROPOSEs and votes of view `v` are heard inside the groups of `v` only; what crosses is lost. A certificate is
//!   heard inside the groups of its view or of its sender's current one, so that a view can be entered late; questions
//!   and answers inside those of the sender's. From view 5 on everybody hears everybody.
//! - Messages arrive in the order in which they were sent, and at once. Only when none is left does time pass, to the
//!   next deadline of a process. Only building a block takes time.
//! - Where no group holds a quorum, nobody would ever leave the view. So when all timers have run without effect the
//!   NULLIFYs of view 1, the next time those of view 2, and so on, reach everybody, and nothing else does. All four
//!   rounds are reached that way.
//! - When somebody enters view 5, or nothing helps any more, everybody hears everybody in everything.
//!
//! Then, or at any moment before: all five processes commit one history; none of them contradicts itself; none halts;
//! and within 20 views of the end of the groups a new block is final at all three honest ones.
//!
//! Every split is run, none is left out as symmetric to another.

mod checks;
mod network;
mod process;
mod report;
mod scenario;
mod world;

use std::ops::Range;

pub use report::{Counts, Report};
pub use scenario::SCENARIOS;

use network::network;
use scenario::Scenario;
use world::World;

/// Runs the scenarios with these numbers on so many threads. Numbers begin at 0 and repeat after [`SCENARIOS`]; any
/// range of them is a fair sample. With one job everything happens on the calling thread.
pub fn run(range: Range<u64>, jobs: u64) -> Report {
    let jobs = jobs.max(1);
    if jobs == 1 {
        return run_every(range, 1);
    }
    let part = |job: u64| run_every(range.start + job..range.end, jobs);
    let mut report = Report::default();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..jobs).map(|job| scope.spawn(move || part(job))).collect();
        for thread in threads {
            report.merge(thread.join().expect("invariant: a scenario that goes wrong is reported"));
        }
    });
    report
}

/// What a scenario is, in words.
pub fn describe(number: u64) -> String {
    Scenario::new(number).to_string()
}

fn run_every(range: Range<u64>, step: u64) -> Report {
    let network = network();
    let mut report = Report::default();
    for number in range.step_by(usize::try_from(step).expect("invariant: few jobs")) {
        report.add(number, World::run(&network, Scenario::new(number)));
    }
    report
}
