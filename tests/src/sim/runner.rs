//! Many seeds, on several threads. Each world is one thread's own.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use super::family::Family;
use super::record::Verbosity;
use super::scenario::Scenario;
use super::summary::Summary;

/// Seeds that a thread takes at a time.
const TAKEN: u64 = 4;

/// Plays all seeds of a range within a family.
pub fn play(seeds: Range<u64>, family: &Family, jobs: usize) -> Summary {
    let next = AtomicU64::new(seeds.start);
    let work = || {
        let mut summary = Summary::default();
        loop {
            let first = next.fetch_add(TAKEN, Ordering::Relaxed);
            if first >= seeds.end {
                return summary;
            }
            for seed in first..seeds.end.min(first + TAKEN) {
                let scenario = Scenario::draw(seed, family);
                summary.add(&scenario, &super::run(&scenario, Verbosity::Figures));
            }
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..jobs.max(1)).map(|_| scope.spawn(work)).collect();
        threads.into_iter().fold(Summary::default(), |mut all, thread| {
            all.merge(thread.join().expect("a world does not panic"));
            all
        })
    })
}
