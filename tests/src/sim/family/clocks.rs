//! Clocks: good ones, and in some scenarios wrong ones.

use super::super::clock::ClockPlan;
use super::super::scenario::Scenario;
use super::Family;
use crate::random::Random;

const HOUR_MS: u64 = 3_600_000;

/// A clock that is right but for little.
pub(super) fn draw_good(random: &mut Random) -> ClockPlan {
    ClockPlan {
        monotonic_start_ms: random.below(0..100_000_000),
        rate_ppm: between(random, 100),
        skew_ms: between(random, 60),
        jumps: Vec::new(),
    }
}

/// A number between `-most` and `most`.
fn between(random: &mut Random, most: u64) -> i64 {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    i64::try_from(random.below(0..2 * most.unsigned_abs() + 1)).unwrap_or(0) - most
}

impl Scenario {
    /// Makes clocks wrong. In the end all are right again, but for a few if the others can go on without them.
    pub(super) fn draw_clocks(&mut self, family: &Family, random: &mut Random) {
        if !family.clocks.draw(random, 4) {
            return;
        }
        let progresses = self.must_progress();
        for node in 0..self.size() {
            if random.once_in(2) {
                continue;
            }
            let most_ms = if random.once_in(2) { HOUR_MS } else { 3_000 };
            let good = std::mem::replace(&mut self.clocks[node].skew_ms, between(random, most_ms));
            for _ in 0..random.below(0..3) {
                let jump = (random.below(0..self.heal_ms), between(random, most_ms));
                self.clocks[node].jumps.push(jump);
            }
            self.clocks[node].jumps.sort_unstable();
            let is_kept = random.once_in(3) && (!progresses || self.must_progress());
            if !is_kept {
                self.clocks[node].jumps.push((self.heal_ms, good));
            }
        }
    }
}
