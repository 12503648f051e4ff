//! How fast something may come: an allowance that grows with time, up to a burst.

use tokio::time::{Duration, Instant};

/// An allowance of so much a second.
#[derive(Debug)]
pub(super) struct Budget {
    per_second: f64,
    burst: f64,
    left: f64,
    counted: Instant,
}

impl Budget {
    /// A full allowance: `per_second`, and at most `seconds` worth of it at once.
    pub(super) fn new(per_second: f64, seconds: f64) -> Self {
        let burst = per_second * seconds;
        Self { per_second, burst, left: burst, counted: Instant::now() }
    }

    /// Takes some, more than is left if need be; how long to wait until the debt is paid.
    pub(super) fn take(&mut self, amount: f64, now: Instant) -> Duration {
        let passed = now.saturating_duration_since(self.counted).as_secs_f64();
        self.counted = now;
        self.left = (self.left + passed * self.per_second).min(self.burst) - amount;
        Duration::from_secs_f64((-self.left / self.per_second).max(0.0))
    }

    /// Takes some if there is as much.
    pub(super) fn try_take(&mut self, amount: f64, now: Instant) -> bool {
        let is_there = self.take(amount, now).is_zero();
        if !is_there {
            self.left += amount;
        }
        is_there
    }
}

#[cfg(test)]
mod tests {
    use super::{Budget, Duration, Instant};

    #[test]
    fn what_is_taken_too_early_is_waited_for() {
        let mut budget = Budget::new(10.0, 2.0);
        let now = Instant::now();
        assert_eq!(budget.take(20.0, now), Duration::ZERO, "the burst");
        assert!(!budget.try_take(1.0, now));
        assert_eq!(budget.take(5.0, now), Duration::from_millis(500));
        let later = now + Duration::from_secs(1);
        assert!(budget.try_take(4.0, later), "five were left after the debt");
        assert!(!budget.try_take(4.0, later));
        assert!(budget.try_take(20.0, later + Duration::from_secs(60)), "never more than the burst");
        assert!(!budget.try_take(0.5, later + Duration::from_secs(60)));
    }
}
