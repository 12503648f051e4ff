//! Somebody who does everything right, but late, to each peer by another time. Attacks the timers: views in which some
//! have given up when others finalise are where SPEC 3.5 V3 and V4 meet, and where late votes may count double.

use std::collections::BTreeMap;

use bytes::Bytes;
use ledger_types::ValidatorId;

use super::Stage;
use super::face::{Face, Word};
use super::twist::{Twist, say};

/// See the module.
pub(super) struct Late {
    /// By when it is due and a running number.
    waiting: BTreeMap<(u64, u64), (ValidatorId, Bytes)>,
    count: u64,
    lateness_ms: BTreeMap<ValidatorId, u64>,
    until_ms: u64,
}

impl Late {
    pub(super) fn new() -> Self {
        Self { waiting: BTreeMap::new(), count: 0, lateness_ms: BTreeMap::new(), until_ms: 0 }
    }

    fn draw(&mut self, stage: &mut Stage<'_>) {
        let timing = stage.timing;
        let give_up_ms = 4 * timing.delta_ms + 2 * timing.execution_ms;
        for id in stage.audience(consensus::Recipients::Others) {
            let lateness_ms = match stage.random.below(0..5) {
                0 | 1 => 0,
                2 => stage.random.below(1..2 * timing.delta_ms.max(1)),
                // About when a view is given up.
                3 => stage.random.below(give_up_ms / 2..2 * give_up_ms + 1),
                _ => stage.random.below(0..5_000),
            };
            self.lateness_ms.insert(id, lateness_ms);
        }
        self.until_ms = stage.now_ms.saturating_add(stage.random.below(500..6_000));
    }
}

impl Twist for Late {
    fn name(&self) -> &'static str {
        "late"
    }

    fn on_word(&mut self, stage: &mut Stage<'_>, face: &Face, word: Word) {
        let Word::Say(to, message) = word else { return say(stage, face, &word) };
        let bytes = Bytes::from(message.encode());
        for id in stage.audience(to) {
            match self.lateness_ms.get(&id).copied().unwrap_or(0) {
                0 => stage.send_bytes(&[id], &bytes),
                lateness_ms => {
                    self.count += 1;
                    let due = (stage.now_ms.saturating_add(lateness_ms), self.count);
                    self.waiting.insert(due, (id, bytes.clone()));
                    stage.act("held a message back");
                }
            }
        }
    }

    fn on_time(&mut self, stage: &mut Stage<'_>, _face: &Face) {
        if stage.now_ms >= self.until_ms {
            self.draw(stage);
        }
        let later = self.waiting.split_off(&(stage.now_ms.saturating_add(1), 0));
        for (id, bytes) in std::mem::replace(&mut self.waiting, later).into_values() {
            stage.send_bytes(&[id], &bytes);
            stage.act("said something late");
        }
    }
}
