//! The one place that reads clocks.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use consensus::Now;

/// The node's clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock whose monotonic time begins now.
    pub(crate) fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// Both clocks.
    pub(crate) fn now(&self) -> Now {
        Now { monotonic_ms: millis(self.start.elapsed().as_millis()), wall_ms: wall_ms() }
    }
}

/// Milliseconds since 1970.
pub(crate) fn wall_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| millis(since.as_millis()))
}

fn millis(value: u128) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}
