//! How catching up goes, for people.

use std::time::{Duration, Instant};

/// Final blocks not committed here from which on it is worth a word.
const LAG: u64 = 32;
/// How often the log says how it goes.
const EVERY: Duration = Duration::from_secs(2);

/// A node that catches up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Progress {
    /// Blocks committed in a second, since the catching up began.
    pub(crate) blocks_per_s: f64,
    /// How long it takes at this rate, if none is added.
    pub(crate) remaining_s: Option<f64>,
}

/// Watches the height.
#[derive(Debug, Default)]
pub(super) struct Watch {
    began: Option<(Instant, u64)>,
    told: Option<Instant>,
}

impl Watch {
    /// Takes the height after a commit; `None` when the node keeps up.
    pub(super) fn note(&mut self, height: u64, goal: u64, now: Instant) -> Option<Progress> {
        let lag = goal.saturating_sub(height);
        if self.began.is_none() && lag < LAG {
            return None;
        }
        let (began, first) = *self.began.get_or_insert((now, height));
        let seconds = now.duration_since(began).as_secs_f64();
        if lag == 0 {
            tracing::info!(height, blocks = height - first, seconds, "caught up");
            *self = Self::default();
            return None;
        }
        let rate = if seconds > 0.0 { as_f64(height - first) / seconds } else { 0.0 };
        let remaining_s = (rate > 0.0).then(|| as_f64(lag) / rate);
        let is_time = self.told.is_none_or(|told| now.duration_since(told) >= EVERY);
        if is_time {
            self.told = Some(now);
            let (blocks_per_s, remaining) = (rate.round(), remaining_s.map(f64::round));
            tracing::info!(height, goal, blocks_per_s, remaining_s = ?remaining, "catching up");
        }
        Some(Progress { blocks_per_s: rate, remaining_s })
    }
}

#[allow(clippy::cast_precision_loss, reason = "heights are far below 2^52")]
fn as_f64(blocks: u64) -> f64 {
    blocks as f64
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Progress, Watch};

    #[test]
    fn a_lag_is_told_with_its_rate_until_it_is_gone() {
        let (mut watch, begin) = (Watch::default(), Instant::now());
        let after = |seconds| begin + Duration::from_secs(seconds);
        assert_eq!(watch.note(10, 41, begin), None, "so much is normal");
        let first = watch.note(10, 1_010, begin).unwrap();
        assert_eq!((first.blocks_per_s, first.remaining_s), (0.0, None));
        let next = watch.note(210, 1_010, after(2)).unwrap();
        assert_eq!(next, Progress { blocks_per_s: 100.0, remaining_s: Some(8.0) });
        assert!(watch.note(1_009, 1_010, after(9)).is_some(), "to the end");
        assert_eq!(watch.note(1_010, 1_010, after(10)), None);
        assert_eq!(watch.note(1_011, 1_012, after(11)), None, "and from then on it keeps up");
    }
}
