//! The commit thread: writes decided blocks, shows the new head, and syncs the files now and then.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use api::{Committed, Pipeline, Stage};
use consensus::Input;
use ledger::execute::Executed;
use ledger::{Ledger, LedgerError, Pool};
use ledger_types::{Block, BlockId};
use parking_lot::Mutex;
use tokio::sync::watch;

use super::driver::Event;
use super::progress::Watch;
use super::pulse::Fault;
use super::{Going, Shown};
use crate::broadcast::Broadcast;
use crate::clock::Clock;

/// Blocks after which the files are synced; until then the consensus file keeps the bodies.
const BLOCKS_PER_SYNC: u64 = 32;
/// How long after the last block the files are synced.
const QUIET: Duration = Duration::from_millis(200);

/// A block whose finalization is durable.
pub(super) struct Decided {
    pub(super) block: BlockId,
    pub(super) height: u64,
    /// When that was so.
    pub(super) at: Instant,
}

pub(super) struct Committer {
    pub(super) ledger: Arc<Ledger>,
    pub(super) pool: Arc<Pool>,
    pub(super) clock: Clock,
    pub(super) shown: watch::Sender<u64>,
    pub(super) broadcast: Arc<Broadcast>,
    /// What the replica shows: how far the chain is known to be final.
    pub(super) consensus: Arc<Mutex<Shown>>,
    pub(super) going: Going,
    pub(super) answers: Sender<Event>,
    pub(super) pipeline: Arc<Pipeline>,
    pub(super) fault: Arc<Fault>,
}

impl Committer {
    pub(super) fn run(self, decided: &Receiver<Decided>) {
        let mut synced = self.ledger.head().height;
        let mut watch = Watch::default();
        loop {
            let step = match decided.recv_timeout(QUIET) {
                Ok(first) => {
                    let queued: Vec<Decided> = std::iter::once(first).chain(decided.try_iter()).collect();
                    self.commit(&queued).and_then(|()| self.sync_after(&mut synced, BLOCKS_PER_SYNC))
                }
                Err(RecvTimeoutError::Timeout) => {
                    self.expire();
                    self.broadcast.repeat(self.clock.now().monotonic_ms);
                    self.sync_after(&mut synced, 1)
                }
                Err(RecvTimeoutError::Disconnected) => break,
            };
            if let Err(error) = step {
                return self.fail(&error);
            }
            let goal = self.consensus.lock().status.final_height;
            *self.going.lock() = watch.note(self.ledger.head().height, goal, Instant::now());
        }
        if let Err(error) = self.sync() {
            self.fail(&error);
        }
    }

    /// Writes what is decided; under load several blocks share a transaction in each file.
    fn commit(&self, decided: &[Decided]) -> Result<(), LedgerError> {
        let blocks: Vec<Arc<Executed>> = decided
            .iter()
            .map(|decided| {
                let executed = self.ledger.executed(&decided.block);
                executed.ok_or_else(|| LedgerError::NotExecuted { height: decided.height })
            })
            .collect::<Result<_, _>>()?;
        self.ledger.commit(&blocks)?;
        decided.iter().for_each(|decided| self.pipeline.stage(Stage::Commit, decided.at.elapsed()));
        blocks.iter().for_each(|executed| self.count(executed.block()));
        // The pool lets go only after the head is shown, so that no client sees UNKNOWN in between.
        blocks.iter().for_each(|executed| self.pool.remove_decided(executed.block()));
        self.shown.send_replace(self.ledger.head().height);
        self.answer(Event::PoolChanged);
        Ok(())
    }

    /// Counts a block that is readable, and how long its batches waited for that.
    fn count(&self, block: &Block) {
        let waited_ms = self.pool.waited_ms(block, self.clock.now().monotonic_ms);
        waited_ms.into_iter().for_each(|ms| self.pipeline.decision(Duration::from_millis(ms)));
        let batches = || block.batches();
        self.pipeline.committed(Committed {
            blocks: 1,
            batches: batches().count() as u64,
            transactions: batches().map(|batch| batch.transactions.len() as u64).sum(),
            rejected: block.rejections().count() as u64,
        });
    }

    fn expire(&self) {
        if self.pool.expire(self.clock.now().monotonic_ms) {
            self.answer(Event::PoolChanged);
        }
    }

    /// Syncs when so many blocks were written since the last time.
    fn sync_after(&self, synced: &mut u64, blocks: u64) -> Result<(), LedgerError> {
        if self.ledger.head().height >= *synced + blocks {
            *synced = self.sync()?;
        }
        Ok(())
    }

    fn sync(&self) -> Result<u64, LedgerError> {
        let height = self.ledger.sync()?;
        self.answer(Input::BlockDurable { height }.into());
        Ok(height)
    }

    fn fail(&self, error: &LedgerError) {
        match error.is_out_of_space() {
            // The consensus file holds the blocks: a restart with room goes on.
            true => self.fault.set(format!("commit: {error}")),
            false => self.fault.set_fatal(format!("commit: {error}")),
        }
        self.answer(Event::PoolChanged);
    }

    fn answer(&self, event: Event) {
        // A stopped driver needs no answer.
        let _ = self.answers.send(event);
    }
}
