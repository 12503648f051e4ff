//! What a node thinks the time is.

/// Milliseconds since 1970 at the beginning of every run.
pub(super) const WALL_START_MS: u64 = 1_700_000_000_000;

/// The clocks of one node, as planned.
#[derive(Clone, Debug, Default)]
pub struct ClockPlan {
    /// The monotonic clock's value at the beginning of the run.
    pub monotonic_start_ms: u64,
    /// How much faster than true time the monotonic clock runs, parts per million; may be negative.
    pub rate_ppm: i64,
    /// The wall clock's error at the beginning, milliseconds.
    pub skew_ms: i64,
    /// Changes of the wall clock's error: when, and the error from then on.
    pub jumps: Vec<(u64, i64)>,
}

impl ClockPlan {
    /// The monotonic clock at a true time.
    pub fn monotonic_ms(&self, true_ms: u64) -> u64 {
        let drift = i128::from(true_ms) * i128::from(self.rate_ppm) / 1_000_000;
        let elapsed = i128::from(true_ms) + drift;
        self.monotonic_start_ms + u64::try_from(elapsed).unwrap_or(0)
    }

    /// The first true time at which the monotonic clock shows at least this.
    pub fn true_ms(&self, monotonic_ms: u64) -> u64 {
        let wanted = i128::from(monotonic_ms.saturating_sub(self.monotonic_start_ms));
        let rate = 1_000_000 + i128::from(self.rate_ppm);
        let guess = u64::try_from(wanted * 1_000_000 / rate).unwrap_or(u64::MAX).saturating_sub(1);
        // Rounding puts the guess at most a step or two too low.
        (guess..).find(|it| self.monotonic_ms(*it) >= monotonic_ms).unwrap_or(u64::MAX)
    }

    /// The wall clock at a true time.
    pub fn wall_ms(&self, true_ms: u64) -> u64 {
        let passed = self.jumps.iter().rev().find(|(at_ms, _)| *at_ms <= true_ms);
        let error = passed.map_or(self.skew_ms, |(_, error)| *error);
        (WALL_START_MS + true_ms).saturating_add_signed(error)
    }
}
