//! The consensus thread: inputs in, effects out, one synced transaction per turn.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use consensus::store::VoteStore as _;
use consensus::{Change, Effect, Input, PersistId, Replica, VerifiedMessage};
use ledger::store::StoreError;
use ledger::{Ledger, Pool};
use ledger_types::ValidatorId;
use parking_lot::Mutex;

use super::Shown;
use super::answers::{Question, Questions};
use super::committer::Decided;
use super::executor::Task;
use super::inbox::Permit;
use super::meter::Meter;
use super::pulse::Fault;
use super::vote_store::LedgerVotes;
use crate::clock::Clock;
use crate::network::Links;

/// Inputs taken in one turn, so that a flood of them cannot put off the sync that answers wait for.
const INPUTS_PER_TURN: usize = 256;

/// What wakes the driver.
pub(crate) enum Event {
    /// Something for the replica.
    Input(Box<Input>),
    /// What a peer said.
    Message {
        /// Whose link it came over.
        from: ValidatorId,
        /// The message.
        message: Box<VerifiedMessage>,
        /// Held until the message is handled: until then it counts as waiting.
        permit: Permit,
    },
    /// The pool may have a batch to propose.
    PoolChanged,
    /// The node stops.
    Stop,
}

pub(super) struct Driver {
    pub(super) replica: Replica,
    pub(super) votes: LedgerVotes,
    pub(super) ledger: Arc<Ledger>,
    pub(super) pool: Arc<Pool>,
    pub(super) clock: Clock,
    pub(super) work: Sender<Task>,
    pub(super) decided: Sender<Decided>,
    pub(super) questions: Questions,
    pub(super) links: Links,
    pub(super) shown: Arc<Mutex<Shown>>,
    pub(super) meter: Meter,
    pub(super) fault: Arc<Fault>,
}

/// What one turn has to handle, and to write before it ends.
#[derive(Default)]
struct Turn {
    persists: Vec<PersistId>,
    changes: Vec<Change>,
    inputs: VecDeque<Input>,
    /// Of the peers' messages among the inputs.
    permits: Vec<Permit>,
}

impl Driver {
    /// Runs until told to stop, or until the node must not vote any more.
    pub(super) fn run(mut self, events: &Receiver<Event>, restored: Vec<Effect>) {
        let mut turn = Turn::default();
        turn.inputs.push_back(self.pending());
        let ended = self.perform(&mut turn, restored).and_then(|()| self.finish(turn));
        let ended = ended.and_then(|()| self.turns(events));
        // After a fault the other threads are gone, which is no second fault.
        if let Some(error) = ended.err().filter(|_| self.fault.get().is_none()) {
            // Nothing of a failed write left the node. With room again a restart goes on where this one ended.
            match error.downcast_ref::<StoreError>().is_some_and(StoreError::is_out_of_space) {
                true => self.fault.set(format!("{error:#}")),
                false => self.fault.set_fatal(format!("{error:#}")),
            }
        }
    }

    fn turns(&mut self, events: &Receiver<Event>) -> Result<()> {
        while let Some(turn) = self.next_turn(events) {
            self.finish(turn)?;
            *self.shown.lock() = Shown::of(&self.replica);
            if self.fault.get().is_some() {
                break;
            }
        }
        Ok(())
    }

    /// Waits for events or the replica's deadline; `None` when the node stops.
    fn next_turn(&self, events: &Receiver<Event>) -> Option<Turn> {
        let first = match self.replica.next_deadline() {
            None => events.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(deadline_ms) => {
                let wait_ms = deadline_ms.saturating_sub(self.clock.now().monotonic_ms);
                events.recv_timeout(Duration::from_millis(wait_ms))
            }
        };
        let mut turn = Turn::default();
        match first {
            Err(RecvTimeoutError::Disconnected) => return None,
            Err(RecvTimeoutError::Timeout) => turn.inputs.push_back(Input::Tick),
            Ok(first) => {
                let queued = std::iter::once(first).chain(events.try_iter());
                let mut pool_changed = false;
                for event in queued.take(INPUTS_PER_TURN) {
                    match event {
                        Event::Stop => return None,
                        Event::PoolChanged => pool_changed = true,
                        Event::Input(input) => turn.inputs.push_back(*input),
                        Event::Message { from, message, permit } => {
                            turn.inputs.push_back(Input::Message { from, message: *message });
                            turn.permits.push(permit);
                        }
                    }
                }
                if pool_changed {
                    turn.inputs.push_back(self.pending());
                }
            }
        }
        Some(turn)
    }

    fn pending(&self) -> Input {
        Input::Pending { since_ms: self.pool.pending_since_ms() }
    }

    /// Feeds the replica, and syncs what it wants to be durable: all of a turn's records with one sync.
    fn finish(&mut self, mut turn: Turn) -> Result<()> {
        loop {
            while let Some(input) = turn.inputs.pop_front() {
                self.meter.input(&input);
                let effects = self.replica.handle(self.clock.now(), input);
                self.perform(&mut turn, effects)?;
            }
            if turn.persists.is_empty() {
                return Ok(());
            }
            let changes = std::mem::take(&mut turn.changes);
            self.votes.write(&changes).context("the consensus file")?;
            turn.inputs.extend(turn.persists.drain(..).map(Input::Persisted));
        }
    }

    fn perform(&mut self, turn: &mut Turn, effects: Vec<Effect>) -> Result<()> {
        for effect in effects {
            self.meter.effect(&effect);
            match effect {
                Effect::Persist { id, changes } => {
                    turn.persists.push(id);
                    turn.changes.extend(changes);
                }
                Effect::BuildProposal { view, parent, height: _, time_ms, allow_empty } => {
                    self.give(Task::Build { view, parent, time_ms, allow_empty })?;
                }
                Effect::CheckProposal { header, refs, entries } => {
                    self.give(Task::Check { header, refs, entries })?;
                }
                Effect::CheckStored { header, body } => self.give(Task::CheckStored { header, body })?,
                Effect::Commit { block, header, certificate: _ } => {
                    let decided = Decided { block, height: header.height, at: Instant::now() };
                    self.decided.send(decided).context("the committer stopped")?;
                }
                Effect::Abandon { block } => self.ledger.forget(&block),
                Effect::Send { to, message } => self.links.send(to, &message),
                Effect::SendEntries { to, block, indices } => {
                    self.questions.ask(to, Question::Entries { block, indices });
                }
                Effect::SendRun { to, from_height } => self.questions.ask(to, Question::Run { from_height }),
                Effect::EnterView { view, leader } => tracing::debug!(view, %leader, "view entered"),
                Effect::Halt { reason, .. } => anyhow::bail!("consensus halted: {reason}"),
            }
        }
        Ok(())
    }

    fn give(&self, task: Task) -> Result<()> {
        self.work.send(task).context("the executor stopped")
    }
}
