//! The execution thread: builds this node's proposals and checks those of others.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

use api::{Pipeline, Stage};
use bytes::Bytes;
use consensus::{Committee, Input};
use ledger::execute::{Executed, ProposedEntry, Slot};
use ledger::{AdmitError, Ledger, LedgerError, Pool, Source, roots};
use ledger_types::{Batch, BatchId, Block, BlockHeader, BlockId, ValidatorId, Verified};
use rayon::prelude::*;

use super::arriving::{Arriving, Begun, Checked};
use super::driver::Event;
use super::pulse::Fault;
use super::{refs, take_all};
use crate::batch_list;
use crate::clock::Clock;

/// Transactions of one block at most: keeps execution well within a view.
const TRANSACTIONS_PER_BLOCK: usize = 2_000;
/// Batches of the pool looked at for one block.
const CANDIDATES_PER_BLOCK: usize = 4_000;

/// One thing to execute.
pub(super) enum Task {
    /// Build a proposal of this node.
    Build { view: u64, parent: BlockId, time_ms: u64, allow_empty: bool },
    /// Assemble and check somebody else's proposal, with entries that a peer sent.
    Check { header: BlockHeader, refs: Bytes, entries: Bytes },
    /// Check a block whose body was stored before a restart.
    CheckStored { header: BlockHeader, body: Bytes },
}

/// How assembling a proposal ended.
enum Assembled {
    /// With all of its entries.
    Whole(Vec<ProposedEntry>),
    /// The batches of these places are not here; none: the refs are not this block's.
    Missing(Vec<u32>),
}

pub(super) struct Executor {
    pub(super) ledger: Arc<Ledger>,
    pub(super) pool: Arc<Pool>,
    pub(super) committee: Arc<Committee>,
    pub(super) own: ValidatorId,
    pub(super) clock: Clock,
    pub(super) answers: Sender<Event>,
    pub(super) pipeline: Arc<Pipeline>,
    pub(super) arriving: Arc<Arriving>,
    pub(super) fault: Arc<Fault>,
}

impl Executor {
    pub(super) fn run(self, tasks: &Receiver<Task>) {
        while let Some(queued) = take_all(tasks) {
            // A newer request to build makes an older one void.
            let newest = queued.iter().rposition(|task| matches!(task, Task::Build { .. }));
            for (index, task) in queued.into_iter().enumerate() {
                if matches!(task, Task::Build { .. }) && Some(index) != newest {
                    continue;
                }
                if let Err(error) = self.execute(task) {
                    self.fault.set(format!("execution: {error}"));
                    return;
                }
            }
        }
    }

    fn execute(&self, task: Task) -> Result<(), LedgerError> {
        match task {
            Task::Build { view, parent, time_ms, allow_empty } => {
                let answer = self.build(view, parent, time_ms, allow_empty)?;
                self.answer(answer);
            }
            Task::Check { header, refs, entries } => self.check(&header, refs, entries)?,
            Task::CheckStored { header, body } => self.check_stored(&header, body)?,
        }
        Ok(())
    }

    fn build(
        &self,
        view: u64,
        parent: BlockId,
        time_ms: u64,
        allow_empty: bool,
    ) -> Result<Input, LedgerError> {
        let slot = Slot {
            network_id: self.committee.network_id(),
            cfg_hash: self.committee.cfg_hash(),
            epoch: self.committee.epoch(),
            view,
            proposer: self.own,
            time_ms,
        };
        let begun = Instant::now();
        let candidates = self.pool.candidates(CANDIDATES_PER_BLOCK);
        let (executed, deferred) = self.ledger.build(&parent, &slot, &candidates, TRANSACTIONS_PER_BLOCK)?;
        self.pool.defer(&deferred, &self.ledger.reader())?;
        if executed.block().entries.is_empty() && !allow_empty {
            self.ledger.forget(&executed.id());
            return Ok(Input::NothingToPropose { view });
        }
        self.measure(Stage::Build, begun, executed.block());
        Ok(Input::ProposalBuilt {
            view,
            header: executed.header().clone(),
            refs: refs::encode(executed.block()),
            body: executed.body().clone(),
        })
    }

    fn check(&self, header: &BlockHeader, refs: Bytes, entries: Bytes) -> Result<(), LedgerError> {
        let (block, begun) = (header.id(), Instant::now());
        let entries = match self.assemble(header, refs, entries)? {
            Assembled::Whole(entries) => entries,
            Assembled::Missing(missing) => {
                self.answer(Input::ProposalMissing { block, missing });
                return Ok(());
            }
        };
        let checked = match self.ledger.check(header, &entries) {
            Ok(executed) => {
                self.measure(Stage::Check, begun, executed.block());
                self.answer(Input::ProposalAssembled { block, body: executed.body().clone() });
                true
            }
            // Its proposer may have signed refs that are not this block's; others may have the right ones.
            Err(LedgerError::OtherEntries) => {
                self.answer(Input::ProposalMissing { block, missing: Vec::new() });
                return Ok(());
            }
            Err(error @ (LedgerError::Check(_) | LedgerError::UnknownParent { .. })) => {
                tracing::warn!(%block, %error, "a proposal does not hold");
                false
            }
            Err(fault) => return Err(fault),
        };
        self.answer(Input::ProposalChecked { block, valid: checked });
        Ok(())
    }

    /// Looks for the proposal's batches in the pool and in what a peer sent.
    fn assemble(&self, header: &BlockHeader, refs: Bytes, entries: Bytes) -> Result<Assembled, LedgerError> {
        let Ok(refs) = refs::decode(refs, header.entry_count) else {
            return Ok(Assembled::Missing(Vec::new()));
        };
        let mut batches = HashMap::new();
        let mut wanted: Vec<BatchId> = refs.iter().map(|entry| entry.batch).collect();
        self.take_pooled(&mut wanted, &mut batches);
        if !wanted.is_empty() {
            self.take_arriving(&mut wanted, &mut batches)?;
            self.take_pooled(&mut wanted, &mut batches);
        }
        let sent = self.verified(entries, wanted.into_iter().collect())?;
        batches.extend(sent.into_iter().map(|batch| (batch.id, Arc::new(batch))));
        let (mut assembled, mut missing) = (Vec::new(), Vec::new());
        for (index, entry) in (0u32..).zip(refs) {
            match batches.get(&entry.batch) {
                Some(batch) => {
                    assembled.push(ProposedEntry { batch: batch.clone(), rejection: entry.rejection });
                }
                None => missing.push(index),
            }
        }
        if !missing.is_empty() {
            return Ok(Assembled::Missing(missing));
        }
        Ok(Assembled::Whole(assembled))
    }

    /// Moves what is wanted and is in the pool.
    fn take_pooled(&self, wanted: &mut Vec<BatchId>, batches: &mut HashMap<BatchId, Arc<Verified<Batch>>>) {
        wanted.retain(|id| match self.pool.get(id) {
            Some(batch) => batches.insert(*id, batch).is_some(),
            None => true,
        });
    }

    /// Moves what is wanted and arrives: verified now, without waiting for its turn. The pool has it too from now on, as far
    /// as there is room.
    fn take_arriving(
        &self,
        wanted: &mut Vec<BatchId>,
        batches: &mut HashMap<BatchId, Arc<Verified<Batch>>>,
    ) -> Result<(), LedgerError> {
        let begun = self.arriving.begin_all(wanted);
        let checked: Vec<Checked> = begun.into_par_iter().filter_map(Begun::verify).collect();
        for Checked { batch, .. } in &checked {
            batches.insert(batch.id, Arc::new(batch.clone()));
            self.admit(vec![batch.clone()])?;
        }
        // Before what others have begun is waited for, since these are held until then.
        drop(checked);
        wanted.retain(|id| !batches.contains_key(id));
        self.arriving.wait_for(wanted);
        Ok(())
    }

    /// Those of a peer's batches that are wanted. The pool has them too from now on, as far as there is room: this
    /// block may lose its view, and a peer that answers in parts is not asked for a part twice.
    fn verified(
        &self,
        sent: Bytes,
        mut wanted: HashSet<BatchId>,
    ) -> Result<Vec<Verified<Batch>>, LedgerError> {
        if wanted.is_empty() || sent.is_empty() {
            return Ok(Vec::new());
        }
        // What is no batch, or is signed by nobody, is as good as not sent.
        let mut batches = batch_list::decode(sent).unwrap_or_default();
        batches.retain(|batch| wanted.remove(&batch.id));
        let verified = batch_list::verify(batches).unwrap_or_default();
        self.admit(verified.clone())?;
        Ok(verified)
    }

    /// Gives peers' batches to the pool, if that has room.
    fn admit(&self, batches: Vec<Verified<Batch>>) -> Result<(), LedgerError> {
        let (reader, now_ms) = (self.ledger.reader(), self.clock.now().monotonic_ms);
        match self.pool.admit(batches, Source::Peer, &reader, now_ms) {
            Ok(()) => self.tell(Event::PoolChanged),
            Err(AdmitError::Full { .. }) => {}
            Err(AdmitError::Store(error)) => return Err(error.into()),
        }
        Ok(())
    }

    /// The body was checked before it was stored, or a quorum did so: its rejections stand.
    fn check_stored(&self, header: &BlockHeader, body: Bytes) -> Result<(), LedgerError> {
        let block = header.id();
        let is_its_body = |stored: &Block| {
            stored.header == *header && roots::of_entries(&stored.entries) == header.entries_root
        };
        let Some(stored) = Block::decode(body).ok().filter(is_its_body) else {
            tracing::error!(%block, "a body is not that of its block");
            self.answer(Input::ProposalMissing { block, missing: Vec::new() });
            return Ok(());
        };
        let executed: Result<Arc<Executed>, LedgerError> = self.ledger.replay(&stored);
        if let Err(error @ LedgerError::Store(_)) = executed {
            return Err(error);
        }
        if let Err(error) = &executed {
            tracing::error!(%block, %error, "a stored block does not hold");
        }
        self.answer(Input::ProposalChecked { block, valid: executed.is_ok() });
        Ok(())
    }

    /// A block was executed: how long that took, and how long its batches had waited before.
    fn measure(&self, stage: Stage, begun: Instant, block: &Block) {
        let took = begun.elapsed();
        self.pipeline.stage(stage, took);
        for waited_ms in self.pool.waited_ms(block, self.clock.now().monotonic_ms) {
            self.pipeline.stage(Stage::Pool, Duration::from_millis(waited_ms).saturating_sub(took));
        }
    }

    fn answer(&self, input: Input) {
        self.tell(input.into());
    }

    fn tell(&self, event: Event) {
        // A stopped driver needs no answer.
        let _ = self.answers.send(event);
    }
}
