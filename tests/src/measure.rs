//! What the benchmarks measure with: processes seen from outside, what this machine can do at the moment, and medians.
//! What the figures mean: `docs/benchmark.md`.

mod calibration;
mod cpu;
mod figures;
mod output;
mod stand;
mod usage;

use std::time::{Duration, Instant};

pub use calibration::{Calibration, at_most, calibrate, ceiling};
pub use cpu::CpuTimes;
pub use figures::{Figures, Spread, Summary};
pub use output::{Output, number_from_env, words};
pub use stand::{Shape, Stand};
pub use usage::{Gauge, Usage};

/// How often work is done in a second, by doing it for a while.
pub fn per_second(span: Duration, mut work: impl FnMut()) -> f64 {
    let start = Instant::now();
    let mut count = 0.0;
    while start.elapsed() < span {
        work();
        count += 1.0;
    }
    count / start.elapsed().as_secs_f64()
}
