//! What a run leaves behind: counters, the trace's hash, and the story if somebody wants to read it.

use std::collections::BTreeMap;

use super::mixing;

/// Whether a run tells its story.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verbosity {
    /// Only figures.
    Figures,
    /// One line an event.
    Story,
}

/// Counts by name. `"group: name"` sorts them for reports.
pub type Counters = BTreeMap<&'static str, u64>;

/// Counts of what liars did, by character and act.
pub type Acts = BTreeMap<(&'static str, &'static str), u64>;

/// Writes down what happens.
pub(super) struct Recorder {
    pub(super) counters: Counters,
    pub(super) acts: Acts,
    pub(super) trace: u64,
    pub(super) story: Option<Vec<String>>,
    pub(super) now_ms: u64,
}

impl Recorder {
    pub(super) fn new(seed: u64, verbosity: Verbosity) -> Self {
        let story = (verbosity == Verbosity::Story).then(Vec::new);
        Self { counters: Counters::new(), acts: Acts::new(), trace: mixing::mix(seed, 0), story, now_ms: 0 }
    }

    /// Counts one.
    pub(super) fn count(&mut self, name: &'static str) {
        self.add(name, 1);
    }

    /// Counts several.
    pub(super) fn add(&mut self, name: &'static str, times: u64) {
        *self.counters.entry(name).or_default() += times;
    }

    /// Counts something that a character did.
    pub(super) fn act(&mut self, character: &'static str, act: &'static str) {
        *self.acts.entry((character, act)).or_default() += 1;
    }

    /// Adds numbers to the trace.
    pub(super) fn trace(&mut self, numbers: [u64; 3]) {
        let now_ms = self.now_ms;
        self.trace = numbers.into_iter().fold(mixing::mix(self.trace, now_ms), mixing::mix);
    }

    /// Adds a line to the story; it is only made if somebody reads it.
    pub(super) fn tell(&mut self, line: impl FnOnce() -> String) {
        if let Some(story) = &mut self.story {
            let (seconds, milliseconds) = (self.now_ms / 1_000, self.now_ms % 1_000);
            story.push(format!("[{seconds:>5}.{milliseconds:03}s] {}", line()));
        }
    }
}
