//! How a node stops and starts, and what happens to its files in between.

use std::sync::Arc;

use consensus::guard::Standing;
use consensus::store::{Operator, begin};
use consensus::{Params, Replica, Tip};

use super::common::Common;
use super::crypto::RecordingSigner;
use super::pool::Pool;
use super::queue::Event;
use super::scenario::{Mishap, Trouble};
use super::shell::{Failure, Shell};

/// How long an operator takes to see that a node only observes, milliseconds.
const OPERATOR_MS: u64 = 1_500;

impl Shell {
    /// Something goes wrong.
    pub(super) fn suffer(&mut self, common: &mut Common, mishap: &Mishap) {
        if self.has_halted {
            return;
        }
        match mishap.trouble {
            Trouble::NoRoom => self.failure = Some(Failure::NoRoom),
            Trouble::SyncFails => self.failure = Some(Failure::Device),
            Trouble::Copied | Trouble::CopiedAtRest => {
                if mishap.trouble == Trouble::CopiedAtRest {
                    self.stop(common, None, mishap.down_ms);
                }
                common.recorder.count("fault: files copied");
                common.recorder.tell(|| format!("{}: files copied at height {}", self.place, self.height()));
                self.copy = Some(self.disk.copy());
            }
            Trouble::Killed => {
                common.recorder.count("fault: killed");
                self.stop(common, None, mishap.down_ms);
            }
            Trouble::PowerLost => {
                common.recorder.count("fault: power lost");
                self.stop(common, None, mishap.down_ms);
                self.lose_power(common);
            }
            Trouble::FileLost => {
                common.recorder.count("fault: generation file lost");
                self.stop(common, None, mishap.down_ms);
                self.disk.file = None;
            }
            Trouble::BitFlips => {
                self.stop(common, None, mishap.down_ms);
                // The real block file is synced at every commit: a body that a flip takes is never the only copy of a
                // committed block. Here it lags, so that recovery has work, but not behind a damaged body.
                self.disk.sync_chain();
                self.lose_power(common);
                self.is_restored = true;
                if let Some(tag) = self.disk.store.flip(&mut self.random) {
                    common.recorder.count("fault: bit flipped");
                    common.recorder.tell(|| format!("{}: a bit flips in a record {tag:#04x}", self.place));
                }
            }
            Trouble::Restored | Trouble::MachineRolledBack => self.go_back(common, mishap),
        }
    }

    fn go_back(&mut self, common: &mut Common, mishap: &Mishap) {
        let Some(copy) = self.copy.clone() else { return };
        let with_file = mishap.trouble == Trouble::MachineRolledBack;
        common.recorder.count(match with_file {
            true => "fault: machine rolled back",
            false => "fault: old files restored",
        });
        self.stop(common, None, mishap.down_ms);
        self.disk.restore(copy, with_file);
        self.is_restored = true;
        self.is_watched &= !with_file;
        common.recorder.tell(|| format!("{}: files go back to height {}", self.place, self.height()));
    }

    fn lose_power(&mut self, common: &mut Common) {
        let lost = self.disk.lose_power(&mut self.random);
        common.recorder.tell(|| format!("{} loses power and {lost} unsynced blocks", self.place));
    }

    /// Stops the process. A sync that runs is done or not; with a failure that says so, not.
    pub(super) fn stop(&mut self, common: &mut Common, failure: Option<Failure>, down_ms: u64) {
        if self.has_halted {
            return;
        }
        let is_written = failure != Some(Failure::NoRoom) && self.random.once_in(2);
        let (written, lost) = match is_written {
            true => (self.write_in_flight().len(), self.unsynced.len()),
            false => (0, self.in_flight.len() + self.unsynced.len()),
        };
        if self.replica.is_some() {
            common.recorder.tell(|| {
                let why = failure.map_or(String::new(), |failure| format!(" ({failure:?})"));
                format!("{} stops{why}, keeps {written} and loses {lost} unsynced writes", self.place)
            });
        }
        if lost > 0 {
            common.recorder.count("fault: unsynced writes lost");
        }
        self.halt_process();
        let start = Event::Start { node: self.node, life: self.life };
        let latest_ms = common.scenario.heal_ms.max(common.now_ms + 1);
        common.queue.plan((common.now_ms + down_ms.max(1)).min(latest_ms), start);
    }

    /// Ends the process for good, as far as it itself is concerned.
    pub(super) fn halt_process(&mut self) {
        self.life += 1;
        self.replica = None;
        self.unsynced.clear();
        self.in_flight.clear();
        (self.tick_ms, self.is_chain_due, self.built, self.failure) = (None, false, None, None);
        self.view = 0;
    }

    /// Starts the process from its files.
    pub(super) fn start(&mut self, common: &mut Common) {
        if self.replica.is_some() || self.has_halted {
            return;
        }
        self.life += 1;
        let mut nonce = [0; 16];
        nonce[..8].copy_from_slice(&self.random.draw().to_be_bytes());
        let operator = std::mem::take(&mut self.operator);
        let (start, loaded) = match begin(&mut self.disk.store, self.disk.file, nonce, operator) {
            Ok(begun) => begun,
            Err(error) => return common.oracle.violate(format!("{} cannot start: {error}", self.place)),
        };
        // A crash between the two writes leaves the file one behind; nothing was signed then.
        if self.random.once_in(20) {
            common.recorder.count("fault: crash while starting");
            let again = Event::Start { node: self.node, life: self.life };
            common.queue.plan(common.now_ms + 1, again);
            return;
        }
        self.disk.file = Some(start.current);
        common.recorder.count(match start.standing {
            Standing::Current => "start: current",
            Standing::Unproven => "start: unproven",
            Standing::Trusted => "start: trusted",
            Standing::Old => "start: old",
            Standing::Observer => "start: observer",
        });
        common.recorder.tell(|| {
            let (height, records) = (self.height(), loaded.records.len());
            format!("{} starts at height {height} with {records} records, {:?}", self.place, start.standing)
        });
        if self.is_watched {
            common.oracle.on_start(self.node, &self.disk, std::mem::take(&mut self.is_restored));
        }
        self.pool = Pool::new(&self.disk.chain);
        let head = Arc::clone(self.disk.head());
        let tip = Tip { height: head.header.height, block: head.id, header: head.header.clone() };
        let params = Params {
            committee: Arc::clone(&common.committee),
            own: self.place,
            timing: common.scenario.timing,
            start,
        };
        let inner = common.scenario.signatures.signer(self.node);
        let signer = RecordingSigner { inner, signed: Arc::clone(&self.signed) };
        let now = common.clocks(self.node);
        let (replica, effects) = Replica::restore(params, Box::new(signer), loaded.records, tip, now);
        self.replica = Some(replica);
        self.after(common, effects);
        if start.standing == Standing::Observer {
            self.operator = Operator::Restored;
            let delay_ms = OPERATOR_MS.min(common.scenario.heal_ms.saturating_sub(common.now_ms));
            common.plan_in(delay_ms, Event::Operator { node: self.node, life: self.life });
        }
    }
}
