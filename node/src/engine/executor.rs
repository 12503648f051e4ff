//! The execution thread: builds this node's proposals and checks those of others.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};

use bytes::Bytes;
use consensus::{Committee, Input};
use ledger::execute::{Executed, ProposedEntry, Slot};
use ledger::{Ledger, LedgerError, Pool, roots};
use ledger_types::{Batch, Block, BlockHeader, BlockId, Entry, ValidatorId};

use super::driver::Event;
use super::pulse::Fault;
use super::{refs, take_all};

/// Transactions of one block at most: keeps execution well within a view.
const TRANSACTIONS_PER_BLOCK: usize = 2_000;
/// Batches of the pool looked at for one block.
const CANDIDATES_PER_BLOCK: usize = 4_000;

/// One thing to execute.
pub(super) enum Task {
    /// Build a proposal of this node.
    Build { view: u64, parent: BlockId, time_ms: u64, allow_empty: bool },
    /// Assemble and check somebody else's proposal.
    Check { header: BlockHeader, refs: Bytes },
    /// Check a block whose body was stored before a restart.
    CheckStored { header: BlockHeader, body: Bytes },
}

pub(super) struct Executor {
    pub(super) ledger: Arc<Ledger>,
    pub(super) pool: Arc<Pool>,
    pub(super) committee: Arc<Committee>,
    pub(super) own: ValidatorId,
    pub(super) answers: Sender<Event>,
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
            Task::Check { header, refs } => self.check(&header, refs)?,
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
        let candidates = self.pool.candidates(CANDIDATES_PER_BLOCK);
        let (executed, deferred) = self.ledger.build(&parent, &slot, candidates, TRANSACTIONS_PER_BLOCK)?;
        self.pool.defer(&deferred, &self.ledger.reader())?;
        if executed.block().entries.is_empty() && !allow_empty {
            self.ledger.forget(&executed.id());
            return Ok(Input::NothingToPropose { view });
        }
        Ok(Input::ProposalBuilt {
            view,
            header: executed.header().clone(),
            refs: refs::encode(executed.block()),
            body: executed.body().clone(),
        })
    }

    fn check(&self, header: &BlockHeader, refs: Bytes) -> Result<(), LedgerError> {
        let block = header.id();
        let entries = match self.assemble(header, refs) {
            Ok(entries) => entries,
            Err(missing) => {
                self.answer(Input::ProposalMissing { block, missing });
                return Ok(());
            }
        };
        let checked = match self.ledger.check(header, &entries) {
            Ok(executed) => {
                self.answer(Input::ProposalAssembled { block, body: executed.body().clone() });
                true
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

    /// The proposal's batches from the pool; or the places of those that are not there, none if the list is not one.
    fn assemble(&self, header: &BlockHeader, refs: Bytes) -> Result<Vec<ProposedEntry>, Vec<u32>> {
        let refs = refs::decode(refs, header.entry_count).map_err(|_| Vec::new())?;
        let (mut entries, mut missing) = (Vec::new(), Vec::new());
        for (index, entry) in (0u32..).zip(refs) {
            match self.pool.get(&entry.batch) {
                Some(batch) => entries.push(ProposedEntry { batch, rejection: entry.rejection }),
                None => missing.push(index),
            }
        }
        if !missing.is_empty() {
            return Err(missing);
        }
        // Its proposer may have signed refs that are not this block's; others may have the right ones.
        let is_its_list =
            roots::of_entries(&entries.iter().map(proposed).collect::<Vec<_>>()) == header.entries_root;
        if is_its_list { Ok(entries) } else { Err(Vec::new()) }
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

    fn answer(&self, input: Input) {
        // A stopped driver needs no answer.
        let _ = self.answers.send(input.into());
    }
}

/// The entry as its proposer says.
fn proposed(entry: &ProposedEntry) -> Entry {
    match &entry.rejection {
        Some(rejection) => Entry::Rejection(rejection.clone()),
        None => Entry::Batch(Batch::clone(&entry.batch)),
    }
}
