//! Batches executed before their turn, several at the same time. What comes out is what one after the other would give:
//! who could see whom stays in order, and the block takes the outcomes in the batches' order.
//!
//! The threads are the caller's own and those of a pool that does nothing else: on the shared one this would stand behind
//! signatures that are verified, while votes wait for the block.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ledger_types::Batch;
use parking_lot::Mutex;
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::batch::{Before, BlockScope};
use super::effects::{Effects, Outcome};
use super::plan::Group;
use super::view::{Branches, ParentView, Past};
use crate::store::StoreError;

/// How batches are executed ahead.
#[derive(Clone)]
pub(super) struct Ahead {
    /// Threads beside the caller's, if there are any.
    pub(super) helpers: Option<Arc<ThreadPool>>,
    /// Transactions below which the threads cost more than they gain.
    pub(super) least_transactions: usize,
    /// Parts batches into groups whose members cannot see those of others.
    pub(super) plan: fn(&[&Batch]) -> Vec<Group>,
    /// When not to plan.
    pub(super) pause: Arc<Pause>,
}

/// Lists of batches, mostly one a block, that are passed over after plans of a single group: one after the first, twice as
/// many after each further one. Where every batch meets another, as with an account that all of them use, those of the next
/// block mostly will, too.
pub(super) struct Pause {
    /// At most so many.
    most: u32,
    lists: Mutex<Lists>,
}

struct Lists {
    /// Still to be passed over.
    left: u32,
    /// After the next plan of a single group.
    next: u32,
}

impl Pause {
    pub(super) fn of_at_most(most: u32) -> Arc<Self> {
        Arc::new(Self { most, lists: Mutex::new(Lists { left: 0, next: most.min(1) }) })
    }

    /// Whether the list that comes now is planned.
    fn is_over(&self) -> bool {
        let left = &mut self.lists.lock().left;
        left.checked_sub(1).map(|less| *left = less).is_none()
    }

    /// Takes how many groups a plan had.
    fn take(&self, groups: usize) {
        let mut lists = self.lists.lock();
        *lists = match groups < 2 {
            true => Lists { left: lists.next, next: self.most.min(2 * lists.next) },
            false => Lists { left: 0, next: self.most.min(1) },
        };
    }
}

/// A plan costs some twentieth of execution: a longer pause would save little more, and hold back what can be parted.
pub(super) const LONGEST_PAUSE: u32 = 4;

/// Transactions that take about a millisecond; waking a thread takes some ten microseconds.
pub(super) const LEAST_TRANSACTIONS: usize = 50;

/// What groups are executed on.
pub(super) struct Ground<'a> {
    pub(super) scope: BlockScope<'a>,
    pub(super) parent: &'a ParentView,
    /// What the block's earlier batches did.
    pub(super) done: &'a Effects,
}

/// So many threads to execute on, the caller's included; none beside it when there is but one, or no more are to be had.
pub(super) fn helpers(threads: usize) -> Option<Arc<ThreadPool>> {
    let name = |index| format!("execute-{index}");
    let pool = ThreadPoolBuilder::new().num_threads(threads.checked_sub(1)?.max(1)).thread_name(name);
    (threads > 1).then(|| pool.build().ok().map(Arc::new)).flatten()
}

impl Ahead {
    /// The outcomes of the batches, in order, if each comes after those before it and nothing else. Empty when it is
    /// better to execute them when their turn comes.
    ///
    /// # Errors
    /// When this node's storage fails.
    pub(super) fn execute(
        &self,
        ground: &Ground<'_>,
        past: &Past<'_>,
        batches: &[&Batch],
    ) -> Result<VecDeque<Outcome>, StoreError> {
        let transactions = batches.iter().map(|batch| batch.transactions.len()).sum::<usize>();
        let Some(helpers) = &self.helpers else { return Ok(VecDeque::new()) };
        if batches.len() < 2 || transactions < self.least_transactions || !self.pause.is_over() {
            return Ok(VecDeque::new());
        }
        let mut groups = (self.plan)(batches);
        self.pause.take(groups.len());
        if groups.len() < 2 {
            return Ok(VecDeque::new());
        }
        // The largest first, so that none of the threads is left with one at the end.
        let weight =
            |group: &Group| group.iter().map(|place| batches[*place].transactions.len()).sum::<usize>();
        groups.sort_by_cached_key(|group| Reverse(weight(group)));
        let mut outcomes = ground.execute(past, batches, &groups, helpers)?;
        outcomes.sort_unstable_by_key(|(place, _)| *place);
        Ok(outcomes.into_iter().map(|(_, outcome)| outcome).collect())
    }
}

/// Outcomes and the places of their batches.
type Placed = Vec<(usize, Outcome)>;

impl Ground<'_> {
    fn execute(
        &self,
        past: &Past<'_>,
        batches: &[&Batch],
        groups: &[Group],
        helpers: &ThreadPool,
    ) -> Result<Placed, StoreError> {
        let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        let help = || {
            let outcomes = self.help(batches, groups, &next);
            done.lock().push(outcomes);
        };
        let mut outcomes = helpers.in_place_scope(|scope| {
            let count = helpers.current_num_threads().min(groups.len() - 1);
            (0..count).for_each(|_| scope.spawn(|_| help()));
            self.take_turns(past, batches, groups, &next)
        })?;
        for helped in done.into_inner() {
            let (placed, branches) = helped?;
            outcomes.extend(placed);
            past.adopt(branches);
        }
        Ok(outcomes)
    }

    /// Takes part in it on another thread.
    fn help(
        &self,
        batches: &[&Batch],
        groups: &[Group],
        next: &AtomicUsize,
    ) -> Result<(Placed, Branches), StoreError> {
        if next.load(Ordering::Relaxed) >= groups.len() {
            return Ok(Default::default());
        }
        let past = self.parent.open()?;
        let outcomes = self.take_turns(&past, batches, groups, next)?;
        Ok((outcomes, past.into_branches()))
    }

    /// Executes groups that nobody has taken yet, until there is none.
    fn take_turns(
        &self,
        past: &Past<'_>,
        batches: &[&Batch],
        groups: &[Group],
        next: &AtomicUsize,
    ) -> Result<Placed, StoreError> {
        let mut outcomes = Vec::new();
        while let Some(group) = groups.get(next.fetch_add(1, Ordering::Relaxed)) {
            let mut of_group = Effects::default();
            for (index, place) in group.iter().enumerate() {
                let before = Before { past, block: &[&of_group, self.done] };
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

#[cfg(test)]
mod tests {
    use super::Pause;

    /// Whether each of the next blocks is planned.
    fn planned(pause: &Pause, groups: usize, blocks: usize) -> String {
        let plan = |_| {
            let is_planned = pause.is_over();
            if is_planned {
                pause.take(groups);
            }
            if is_planned { 'p' } else { '.' }
        };
        (0..blocks).map(plan).collect()
    }

    #[test]
    fn plans_of_one_group_are_tried_less_and_less_until_one_has_two() {
        let pause = Pause::of_at_most(4);
        assert_eq!(planned(&pause, 2, 3), "ppp");
        assert_eq!(planned(&pause, 1, 19), "p.p..p....p....p...");
        assert_eq!(planned(&pause, 2, 4), ".ppp");
        assert_eq!(planned(&pause, 1, 5), "p.p..");
        assert_eq!(planned(&Pause::of_at_most(0), 1, 3), "ppp");
    }
}
