//! An honest node: a replica, and the shell that performs its effects on simulated files, pool and executor.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use consensus::message::MESSAGE_BYTES;
use consensus::store::{Operator, VoteStore as _};
use consensus::{Change, Effect, Input, Message, PersistId, Recipients, Replica};
use ledger_types::certificate::Certificate;
use ledger_types::{BlockHeader, BlockId, ValidatorId};

use super::common::{Common, Progress};
use super::crypto::Signed;
use super::disk::Disk;
use super::execution::{self, Order};
use super::names;
use super::pool::Pool;
use super::queue::Event;
use super::scenario::Model;
use crate::random::Random;

/// Why the next sync of a vote store fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// No room: nothing is written.
    NoRoom,
    /// An error of the device: it may be written or not.
    Device,
}

/// Effects of one input at most; a start may send again whatever was signed since the last final block.
const MOST_EFFECTS: usize = 1_000;

pub(super) struct Shell {
    pub(super) node: usize,
    pub(super) place: ValidatorId,
    pub(super) disk: Disk,
    pub(super) pool: Pool,
    /// `None` while it is down.
    pub(super) replica: Option<Replica>,
    /// Goes up with every start and stop: what an earlier life waited for comes to nobody.
    pub(super) life: u64,
    /// The highest view entered in this life.
    pub(super) view: u64,
    pub(super) signed: Signed,
    /// Written, not yet handed to the disk; and what it syncs now.
    pub(super) unsynced: Vec<(PersistId, Vec<Change>)>,
    pub(super) in_flight: Vec<(PersistId, Vec<Change>)>,
    /// When the next tick comes.
    pub(super) tick_ms: Option<u64>,
    pub(super) is_chain_due: bool,
    /// The number of the newest order to build, and the block built for it.
    pub(super) order: u64,
    pub(super) built: Option<BlockId>,
    pub(super) random: Random,
    /// Whether the oracle holds it to what it said: not after its machine went back unnoticed.
    pub(super) is_watched: bool,
    pub(super) has_halted: bool,
    pub(super) failure: Option<Failure>,
    /// What the operator says at the next start.
    pub(super) operator: Operator,
    /// What the last start put in place of newer files.
    pub(super) is_restored: bool,
    pub(super) copy: Option<Disk>,
}

impl Shell {
    pub(super) fn new(node: usize, common: &Common, random: Random) -> Self {
        let disk = Disk::new(Arc::clone(&common.genesis));
        Self {
            node,
            place: common.places[node],
            pool: Pool::new(&disk.chain),
            disk,
            replica: None,
            life: 0,
            view: 0,
            signed: Arc::new(Mutex::new(Vec::new())),
            unsynced: Vec::new(),
            in_flight: Vec::new(),
            tick_ms: None,
            is_chain_due: false,
            order: 0,
            built: None,
            random,
            is_watched: true,
            has_halted: false,
            failure: None,
            operator: Operator::Silent,
            is_restored: false,
            copy: None,
        }
    }

    /// The height of the committed head.
    pub(super) fn height(&self) -> u64 {
        self.disk.head().header.height
    }

    /// Feeds the replica and does what it wants done.
    pub(super) fn handle(&mut self, common: &mut Common, input: Input) {
        let now = common.clocks(self.node);
        let Some(replica) = self.replica.as_mut() else { return };
        let effects = replica.handle(now, input);
        self.after(common, effects);
    }

    /// Does what a replica wants done, and plans what follows.
    pub(super) fn after(&mut self, common: &mut Common, effects: Vec<Effect>) {
        let entered = effects.iter().filter_map(|effect| match effect {
            Effect::EnterView { view, .. } => Some(*view),
            _ => None,
        });
        self.view = entered.fold(self.view, u64::max);
        common.oracle.on_enter(self.view);
        if effects.len() > MOST_EFFECTS {
            common.oracle.violate(format!("{} wants {} things at once", self.place, effects.len()));
        }
        let mut has_committed = false;
        for effect in effects {
            has_committed |= matches!(effect, Effect::Commit { .. });
            self.perform(common, effect);
        }
        self.check_signed(common);
        self.begin_sync(common);
        self.plan_tick(common);
        if has_committed {
            self.tell_pending(common);
        }
    }

    /// Says since when a batch waits.
    pub(super) fn tell_pending(&mut self, common: &mut Common) {
        let since_ms = self.pool.since_ms();
        self.handle(common, Input::Pending { since_ms });
    }

    fn check_signed(&mut self, common: &mut Common) {
        let signed = std::mem::take(&mut *self.signed.lock().expect("one thread, no panic while held"));
        if !self.is_watched || signed.is_empty() {
            return;
        }
        // What binds a signature may be on its way to the disk, but not behind the signature's own record.
        let writes: Vec<&Change> =
            self.in_flight.iter().chain(&self.unsynced).flat_map(|(_, changes)| changes).collect();
        for bytes in &signed {
            common.oracle.on_signed(self.node, bytes, self.view, &self.disk, &writes);
        }
    }

    fn perform(&mut self, common: &mut Common, effect: Effect) {
        match effect {
            Effect::BuildProposal { view, parent, time_ms, allow_empty, height: _ } => {
                let order = Order { view, proposer: self.place, parent, time_ms };
                self.build(common, order, allow_empty);
            }
            Effect::CheckProposal { header, refs, entries } => self.check(common, &header, &refs, &entries),
            Effect::CheckStored { header, body } => {
                common.recorder.count("rule: stored block checked");
                let block = header.id();
                if execution::is_body_of(&header, &body) {
                    self.execute(common, block, &header, &body);
                } else {
                    self.answer(common, 0, Input::ProposalMissing { block, missing: Vec::new() });
                }
            }
            Effect::SendEntries { to, block, indices } => self.send_entries(common, to, block, &indices),
            Effect::SendRun { to, from_height } => self.send_run(common, to, from_height),
            Effect::Persist { id, changes } => {
                if self.is_watched {
                    common.oracle.on_write(self.node, &changes);
                }
                self.unsynced.push((id, changes));
            }
            Effect::Send { to, message } => self.send(common, to, &message),
            Effect::Commit { block, header, certificate } => {
                // The simulator has no rollbacks.
                let Some(certificate) = certificate else {
                    return common.oracle.violate(format!("{} commits what nothing proves", self.place));
                };
                self.commit(common, block, &header, &certificate);
            }
            Effect::Abandon { block } => {
                common.recorder.count("rule: block abandoned");
                self.pool.abandon(&block);
            }
            Effect::EnterView { view, leader } => {
                common.recorder.count("rule: view entered");
                common.recorder.tell(|| format!("{} enters view {view} (leader {leader})", self.place));
            }
            Effect::Halt { reason, .. } => {
                common.recorder.count("rule: halted");
                common.recorder.tell(|| format!("{} halts: {reason}", self.place));
                self.has_halted = true;
                if self.is_watched && common.scenario.is_safe() {
                    common.oracle.violate(format!("{} halts: {reason}", self.place));
                }
            }
        }
    }

    pub(super) fn send(&mut self, common: &mut Common, to: Recipients, message: &Message) {
        let bytes = Bytes::from(message.encode());
        if bytes.len() > MESSAGE_BYTES {
            common.oracle.violate(format!("{} sends {} bytes", self.place, bytes.len()));
        }
        if self.is_watched {
            common.oracle.on_send(self.node, &bytes, &self.disk);
        } else {
            common.oracle.on_lie(&bytes);
        }
        common.recorder.count(names::sent(message));
        names::tell_sent(&mut common.recorder, self.place, to, message);
        match to {
            Recipients::Others => {
                for peer in (0..common.places.len()).filter(|peer| *peer != self.node) {
                    common.transmit(self.node, peer, &bytes);
                }
            }
            Recipients::One(place) => match common.index(place) {
                Some(peer) if peer != self.node => common.transmit(self.node, peer, &bytes),
                _ => common.oracle.violate(format!("{} sends to {place}", self.place)),
            },
        }
    }

    fn commit(&mut self, common: &mut Common, id: BlockId, header: &BlockHeader, certificate: &Certificate) {
        common.recorder.count("rule: committed");
        let Some(block) = self.pool.commit(&id) else {
            return common.oracle.violate(format!("{} commits what it did not execute", self.place));
        };
        if self.is_watched {
            common.oracle.on_commit(self.node, id, header, certificate, &self.disk);
            common.oracle.check_execution(self.node, &self.disk.head().header, header, &block.body);
            let batches = execution::batches(&block.body).unwrap_or_default();
            let is_late = common.late_batch.is_some_and(|late| batches.iter().any(|batch| *batch >= late));
            if is_late && common.progress.is_none() {
                let (height, view, at_ms) = (header.height, header.view, common.now_ms);
                common.progress = Some(Progress { height, view, at_ms });
            }
        }
        common
            .recorder
            .tell(|| format!("{} commits block {} of view {}", self.place, header.height, header.view));
        self.disk.chain.push(block);
        if !std::mem::replace(&mut self.is_chain_due, true) {
            let delay_ms = self.random.below(1..common.scenario.slowness.chain_sync_ms.max(1) + 1);
            common.plan_in(delay_ms, Event::SyncChain { node: self.node, life: self.life });
        }
    }

    /// The block file is synced.
    pub(super) fn on_chain_due(&mut self, common: &mut Common) {
        self.is_chain_due = false;
        let height = self.disk.sync_chain();
        self.handle(common, Input::BlockDurable { height });
    }

    /// Hands what was written to the disk, unless it is busy: all of it becomes one transaction.
    fn begin_sync(&mut self, common: &mut Common) {
        if self.unsynced.is_empty() || !self.in_flight.is_empty() {
            return;
        }
        self.in_flight = std::mem::take(&mut self.unsynced);
        let slowness = common.scenario.slowness;
        let is_healed = common.late_batch.is_some();
        let is_slow = !is_healed && self.random.below(0..1_000) < slowness.slow_permille;
        let most_ms = if is_slow { slowness.slow_sync_ms } else { slowness.sync_ms };
        let delay_ms = self.random.below(0..most_ms + 1);
        common.plan_in(delay_ms, Event::Synced { node: self.node, life: self.life });
    }

    /// The disk is done.
    pub(super) fn on_synced(&mut self, common: &mut Common) {
        if let Some(failure) = self.failure.take() {
            common.recorder.count(match failure {
                Failure::NoRoom => "fault: no room",
                Failure::Device => "fault: sync failed",
            });
            let down_ms = self.random.below(50..3_000);
            return self.stop(common, Some(failure), down_ms);
        }
        let synced = self.write_in_flight();
        for id in synced {
            self.handle(common, Input::Persisted(id));
        }
        self.begin_sync(common);
        self.check_size(common);
    }

    /// Live records are few: some for every view since the last final one, and for every block that is not durable yet.
    fn check_size(&self, common: &mut Common) {
        let Some(status) = self.replica.as_ref().map(Replica::status) else { return };
        // What is being written may delete records; and beyond the bounds a view may hold two final blocks.
        if !self.in_flight.is_empty() || common.scenario.model == Model::Beyond {
            return;
        }
        let views = status.view.saturating_sub(status.final_view) + 1;
        let blocks = self.disk.unsynced() + common.oracle.height().saturating_sub(self.height());
        let most = 20 + common.places.len() as u64 + 8 * views + 4 * blocks;
        let live = self.disk.store.live();
        if live > most {
            common.oracle.violate(format!("{} keeps {live} records, {most} are enough", self.place));
        }
    }

    /// Makes what the disk works on durable, as one transaction.
    pub(super) fn write_in_flight(&mut self) -> Vec<PersistId> {
        let in_flight = std::mem::take(&mut self.in_flight);
        let (ids, changes): (Vec<PersistId>, Vec<Vec<Change>>) = in_flight.into_iter().unzip();
        // Writing into memory cannot fail.
        let _never = self.disk.store.write(&changes.concat());
        ids
    }

    fn plan_tick(&mut self, common: &mut Common) {
        let Some(deadline_ms) = self.replica.as_ref().and_then(Replica::next_deadline) else { return };
        let at_ms = common.scenario.clocks[self.node].true_ms(deadline_ms).max(common.now_ms + 1);
        if self.tick_ms.is_none_or(|planned_ms| at_ms < planned_ms) {
            self.tick_ms = Some(at_ms);
            common.queue.plan(at_ms, Event::Tick { node: self.node, life: self.life });
        }
    }

    /// A planned tick comes; the deadline may have moved since.
    pub(super) fn on_tick(&mut self, common: &mut Common) {
        if self.tick_ms != Some(common.now_ms) {
            return;
        }
        self.tick_ms = None;
        let deadline_ms = self.replica.as_ref().and_then(Replica::next_deadline);
        match deadline_ms {
            Some(due_ms) if due_ms <= common.clocks(self.node).monotonic_ms => {
                self.handle(common, Input::Tick);
            }
            _ => self.plan_tick(common),
        }
    }
}
