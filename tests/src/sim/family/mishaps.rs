//! Crashes, failing disks, old files.

use super::super::scenario::{Mishap, Model, Scenario, Trouble};
use super::{Family, index};
use crate::random::Random;

impl Scenario {
    /// Draws what goes wrong with nodes, from the time that trouble begins.
    pub(super) fn draw_mishaps(&mut self, family: &Family, random: &mut Random) {
        if family.crashes.draw(random, 2) {
            self.draw_crashes(random);
        }
        if family.disks.draw(random, 4) {
            self.draw_disks(random);
        }
        // With fewer than four nodes a guarded one has nobody to ask: it stays silent for ever.
        if self.size() < 4 {
            return;
        }
        if family.restores.draw(random, 5) {
            self.draw_restores(random);
        }
        if family.rollbacks.draw(random, 12) {
            self.draw_rollback(random);
        }
    }

    fn draw_crashes(&mut self, random: &mut Random) {
        let crash =
            |random: &mut Random| if random.once_in(2) { Trouble::Killed } else { Trouble::PowerLost };
        for _ in 0..random.below(1..2 + self.size() as u64) {
            let trouble = crash(random);
            self.add(trouble, random);
        }
        if random.once_in(3) {
            // Everybody at once.
            let at_ms = random.below(0..self.heal_ms);
            for node in 0..self.size() {
                let (trouble, down_ms) = (crash(random), random.below(1..2_000));
                let at_ms = at_ms + random.below(0..20);
                self.mishaps.push(Mishap { at_ms, node, trouble, down_ms });
            }
        }
        if random.once_in(8) {
            self.add(Trouble::FileLost, random);
        }
    }

    fn draw_disks(&mut self, random: &mut Random) {
        for _ in 0..random.below(1..4) {
            let trouble = if random.once_in(2) { Trouble::NoRoom } else { Trouble::SyncFails };
            self.add(trouble, random);
        }
        if self.size() >= 4 && random.once_in(3) {
            self.add(Trouble::BitFlips, random);
        }
    }

    fn draw_restores(&mut self, random: &mut Random) {
        let count = if random.once_in(4) { 2 } else { 1 };
        for _ in 0..count {
            let node = index(random, 0, self.size());
            self.add_return(node, Trouble::Restored, random);
        }
    }

    /// A machine that goes back counts as a liar: only where there may be one more.
    fn draw_rollback(&mut self, random: &mut Random) {
        let node = index(random, 0, self.size());
        if self.model == Model::Honest || self.cast.iter().any(|role| role.node == node) {
            return;
        }
        let before = self.mishaps.len();
        self.add_return(node, Trouble::MachineRolledBack, random);
        if !self.is_safe() {
            // One liar less makes room for it.
            self.cast.pop();
        }
        if !self.is_safe() && self.model != Model::Beyond {
            self.mishaps.truncate(before);
        }
    }

    fn add_return(&mut self, node: usize, trouble: Trouble, random: &mut Random) {
        let copied_ms = random.below(0..self.heal_ms / 2);
        let at_ms = copied_ms + random.below(500..self.heal_ms / 2);
        let is_hot = trouble == Trouble::MachineRolledBack && random.once_in(2);
        let copying = if is_hot { Trouble::Copied } else { Trouble::CopiedAtRest };
        self.mishaps.push(Mishap { at_ms: copied_ms, node, trouble: copying, down_ms: random.below(1..500) });
        self.mishaps.push(Mishap { at_ms, node, trouble, down_ms: random.below(1..2_000) });
    }

    fn add(&mut self, trouble: Trouble, random: &mut Random) {
        let node = index(random, 0, self.size());
        let (at_ms, down_ms) = (random.below(0..self.heal_ms), random.below(1..4_000));
        self.mishaps.push(Mishap { at_ms, node, trouble, down_ms });
    }
}
