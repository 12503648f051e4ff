//! How long to wait (SPEC, "Timers"). Only liveness depends on it.

use crate::params::Timing;

/// The delays of the current view.
#[derive(Debug)]
pub(crate) struct Timers {
    timing: Timing,
    /// How often the first guess of a delay is doubled.
    doublings: u64,
    entered_ms: u64,
    armed_ms: Option<u64>,
    repeat_ms: Option<u64>,
}

impl Timers {
    /// Timers of a view entered now.
    pub(crate) fn new(timing: Timing, now_ms: u64) -> Self {
        Self { timing, doublings: 0, entered_ms: now_ms, armed_ms: None, repeat_ms: None }
    }

    /// The current guess of a message's delay.
    pub(crate) fn delta_ms(&self) -> u64 {
        let factor = 1u64.checked_shl(u32::try_from(self.doublings).unwrap_or(u32::MAX)).unwrap_or(u64::MAX);
        self.timing.delta_ms.saturating_mul(factor).min(self.timing.delta_max_ms)
    }

    /// A view was entered: the guess grows with the views since the last final one, beyond two that are normal when
    /// views overlap.
    pub(crate) fn on_enter(&mut self, now_ms: u64, view: u64, final_view: u64) {
        self.doublings = self.doublings.max(view.saturating_sub(final_view).saturating_sub(2)).min(63);
        (self.entered_ms, self.armed_ms, self.repeat_ms) = (now_ms, None, None);
    }

    /// When the current view was entered.
    pub(crate) fn entered_ms(&self) -> u64 {
        self.entered_ms
    }

    /// A quorum is heard again after silence.
    pub(crate) fn on_quorum_back(&mut self) {
        self.doublings = 0;
    }

    /// A block became final.
    pub(crate) fn on_final(&mut self) {
        self.doublings = self.doublings.saturating_sub(1);
    }

    /// Arms the view's timers, unless they are, or disarms them.
    pub(crate) fn arm(&mut self, now_ms: u64, is_needed: bool) {
        self.armed_ms = is_needed.then(|| self.armed_ms.unwrap_or(now_ms));
    }

    /// When a view without a proposal is given up.
    pub(crate) fn proposal_deadline(&self) -> Option<u64> {
        self.after_arming(4)
    }

    /// When a view without a usable notarization is given up.
    pub(crate) fn view_deadline(&self) -> Option<u64> {
        self.after_arming(8)
    }

    /// When a tip that is not final has waited long enough.
    pub(crate) fn tip_deadline(&self) -> u64 {
        self.entered_ms.saturating_add(2 * self.delta_ms())
    }

    /// When to say again what may be lost; starts to run when it is first needed.
    pub(crate) fn repeat_deadline(&self) -> Option<u64> {
        self.repeat_ms
    }

    /// Whether it is time to repeat; if so, or if not yet needed before, the next time is set.
    pub(crate) fn is_time_to_repeat(&mut self, now_ms: u64, is_needed: bool) -> bool {
        if !is_needed {
            self.repeat_ms = None;
            return false;
        }
        let is_due = self.repeat_ms.is_some_and(|due| due <= now_ms);
        if is_due || self.repeat_ms.is_none() {
            self.repeat_ms = Some(now_ms.saturating_add(2 * self.delta_ms().max(1)));
        }
        is_due
    }

    fn after_arming(&self, deltas: u64) -> Option<u64> {
        let wait = deltas * self.delta_ms() + 2 * self.timing.execution_ms;
        self.armed_ms.map(|armed| armed.saturating_add(wait))
    }
}
