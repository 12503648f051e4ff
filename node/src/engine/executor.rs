//! The execution thread: builds this node's proposals and checks those of others.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};

use bytes::Bytes;
use consensus::{Committee, Input};
use ledger::execute::{Executed, ProposedEntry, Slot};
use ledger::{Ledger, LedgerError, Pool};
use ledger_types::{Block, BlockHeader, BlockId, ValidatorId};

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
        let Some(entries) = self.assemble(header, refs) else {
            self.answer(Input::ProposalMissing { block });
            return Ok(());
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

    /// The proposal's batches from the pool; `None` when one is not there or the list is not one.
    fn assemble(&self, header: &BlockHeader, refs: Bytes) -> Option<Vec<ProposedEntry>> {
        let refs = refs::decode(refs, header.entry_count).ok()?;
        let entry = |entry: refs::EntryRef| {
            let batch = self.pool.get(&entry.batch)?;
            Some(ProposedEntry { batch, rejection: entry.rejection })
        };
        refs.into_iter().map(entry).collect()
    }

    /// The stored body was checked before it was stored: its rejections stand.
    fn check_stored(&self, header: &BlockHeader, body: Bytes) -> Result<(), LedgerError> {
        let block = header.id();
        let executed: Result<Arc<Executed>, LedgerError> = match Block::decode(body) {
            Ok(stored) if stored.header == *header => self.ledger.replay(&stored),
            Ok(_) => Err(LedgerError::Check("the stored body has another header".to_owned())),
            Err(error) => Err(LedgerError::Check(error.to_string())),
        };
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
