//! Batches executed before their turn, several at the same time. What comes out is what one after the other would give:
//! who could see whom stays in order, and the block takes the outcomes in the batches' order.
//!
//! The threads are the caller's own and some that live as long as this takes. A shared pool would do the same work, but
//! behind the signatures that are verified there, while votes wait for this block.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use ledger_types::Batch;

use super::batch::{Before, BlockScope};
use super::effects::{Effects, Outcome};
use super::plan::Group;
use super::view::ParentView;
use crate::store::StoreError;

/// How batches are executed ahead.
#[derive(Clone, Copy)]
pub(super) struct Ahead {
    /// Threads at most, the caller's included.
    pub(super) threads: usize,
    /// Transactions below which the threads cost more than they gain.
    pub(super) least_transactions: usize,
    /// Parts batches into groups whose members cannot see those of others.
    pub(super) plan: fn(&[&Batch]) -> Vec<Group>,
}

/// Transactions that take about a millisecond; starting a thread takes some 30 microseconds.
pub(super) const LEAST_TRANSACTIONS: usize = 50;

/// What groups are executed on.
pub(super) struct Ground<'a> {
    pub(super) scope: BlockScope<'a>,
    pub(super) parent: &'a ParentView,
    /// What the block's earlier batches did.
    pub(super) done: &'a Effects,
}

impl Ahead {
    /// The outcomes of the batches, in order, if each comes after those before it and nothing else. Empty when it is
    /// better to execute them when their turn comes.
    ///
    /// # Errors
    /// When this node's storage fails.
    pub(super) fn execute(
        self,
        ground: &Ground<'_>,
        batches: &[&Batch],
    ) -> Result<VecDeque<Outcome>, StoreError> {
        let transactions = batches.iter().map(|batch| batch.transactions.len()).sum::<usize>();
        if self.threads < 2 || batches.len() < 2 || transactions < self.least_transactions {
            return Ok(VecDeque::new());
        }
        let mut groups = (self.plan)(batches);
        if groups.len() < 2 {
            return Ok(VecDeque::new());
        }
        // The largest first, so that none of the threads is left with one at the end.
        let weight =
            |group: &Group| group.iter().map(|place| batches[*place].transactions.len()).sum::<usize>();
        groups.sort_by_cached_key(|group| Reverse(weight(group)));
        let mut outcomes = ground.execute(batches, &groups, self.threads.min(groups.len()))?;
        outcomes.sort_unstable_by_key(|(place, _)| *place);
        Ok(outcomes.into_iter().map(|(_, outcome)| outcome).collect())
    }
}

/// Outcomes and the places of their batches.
type Placed = Vec<(usize, Outcome)>;

impl Ground<'_> {
    fn execute(&self, batches: &[&Batch], groups: &[Group], threads: usize) -> Result<Placed, StoreError> {
        let next = AtomicUsize::new(0);
        let work = || self.take_turns(batches, groups, &next);
        thread::scope(|scope| {
            let begin = |_| thread::Builder::new().name("execute".into()).spawn_scoped(scope, work).ok();
            // Where no thread is to be had, the others do its part.
            let helpers: Vec<_> = (1..threads).filter_map(begin).collect();
            let mut outcomes = work();
            for helper in helpers {
                let others = helper.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                outcomes =
                    outcomes.and_then(|outcomes| Ok([outcomes, others?].into_iter().flatten().collect()));
            }
            outcomes
        })
    }

    /// Executes groups that nobody has taken yet, until there is none.
    fn take_turns(
        &self,
        batches: &[&Batch],
        groups: &[Group],
        next: &AtomicUsize,
    ) -> Result<Placed, StoreError> {
        let past = self.parent.open()?;
        let mut outcomes = Vec::new();
        while let Some(group) = groups.get(next.fetch_add(1, Ordering::Relaxed)) {
            let mut of_group = Effects::default();
            for (index, place) in group.iter().enumerate() {
                let before = Before { past: &past, block: &[&of_group, self.done] };
                let outcome = self.scope.execute(&before, batches[*place])?;
                if let Ok(effects) = &outcome
                    && index + 1 < group.len()
                {
                    of_group.add(batches[*place], effects.changes.clone());
                }
                outcomes.push((*place, outcome));
            }
        }
        Ok(outcomes)
    }
}
