//! Which batches of a block may be executed at the same time.
//!
//! Two batches must keep their order when one can see what the other does: when a declared output of one and a declared
//! input of the other have an address in common, when they have a transaction in common (by id or by content), or when
//! one has a transaction that the other depends on. A [`Context`](ledger_types::family::Context) shows a transaction
//! nothing beyond its inputs and takes nothing beyond its outputs, and rules are read from the parent's state, so there
//! is nothing else to see. Outputs that have addresses in common are kept in order, too: nearly always inputs are
//! declared with them, and so a single pass over the sorted prefixes is enough.

use std::collections::HashMap;

use ledger_types::{AddressPrefix, Batch, Hash, TransactionId};

/// Declarations for each transaction, on average, that are worth a plan: beyond, planning would cost more than it gains.
const DECLARED_PER_TRANSACTION: usize = 16;

/// The places of batches in their list, ascending. Batches of different groups cannot see each other.
pub(super) type Group = Vec<usize>;

/// Parts batches into groups; in whatever order.
pub(super) fn groups(batches: &[&Batch]) -> Vec<Group> {
    match is_worth_it(batches) {
        true => Declared::of(batches).groups(batches.len()),
        false => vec![(0..batches.len()).collect()],
    }
}

fn is_worth_it(batches: &[&Batch]) -> bool {
    let headers = || batches.iter().flat_map(|batch| batch.transactions.iter()).map(|one| &one.header);
    let declared = headers().map(|it| it.inputs.len() + it.outputs.len() + it.dependencies.len());
    declared.sum::<usize>() <= DECLARED_PER_TRANSACTION * headers().count()
}

/// An input or output of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Access {
    pub(super) prefix: AddressPrefix,
    pub(super) is_output: bool,
    pub(super) batch: usize,
}

/// What batches say of themselves, each with its place in their list.
#[derive(Default)]
pub(super) struct Declared {
    pub(super) accesses: Vec<Access>,
    pub(super) ids: Vec<(TransactionId, usize)>,
    pub(super) contents: Vec<(Hash, usize)>,
    pub(super) dependencies: Vec<(TransactionId, usize)>,
}

impl Declared {
    pub(super) fn of(batches: &[&Batch]) -> Self {
        let mut declared = Self::default();
        for (batch, transaction) in (0..)
            .zip(batches)
            .flat_map(|(place, batch)| batch.transactions.iter().map(move |one| (place, one)))
        {
            let header = &transaction.header;
            // A transaction with a prefix that is none is invalid before its family sees it, so what is left is enough.
            for (texts, is_output) in [(&header.inputs, false), (&header.outputs, true)] {
                let prefixes = texts.iter().filter_map(|text| text.parse().ok());
                declared.accesses.extend(prefixes.map(|prefix| Access { prefix, is_output, batch }));
            }
            declared.ids.push((transaction.id, batch));
            declared.contents.push((transaction.content_hash(), batch));
            // What is not an id is missing, whoever comes before.
            let dependencies = header.dependencies.iter().filter_map(|text| text.parse().ok());
            declared.dependencies.extend(dependencies.map(|id| (id, batch)));
        }
        declared
    }

    /// Parts so many batches into groups.
    pub(super) fn groups(mut self, batches: usize) -> Vec<Group> {
        let mut sets = Sets::new(batches);
        let mut at = HashMap::with_capacity(self.ids.len());
        self.ids.iter().for_each(|(id, batch)| sets.join(*batch, *at.entry(id).or_insert(*batch)));
        for (dependency, batch) in &self.dependencies {
            at.get(dependency).into_iter().for_each(|other| sets.join(*batch, *other));
        }
        let mut at = HashMap::with_capacity(self.contents.len());
        self.contents.iter().for_each(|(hash, batch)| sets.join(*batch, *at.entry(hash).or_insert(*batch)));
        self.accesses.sort_unstable();
        overlaps(&self.accesses, |a, b| sets.join(a, b));
        sets.groups()
    }
}

/// Gives pairs of batches such that all whose accesses overlap, at least one of the two being an output, are connected: no
/// more than two for each access, however they lie. The accesses ascend.
pub(super) fn overlaps(accesses: &[Access], mut join: impl FnMut(usize, usize)) {
    // Inputs above the place that is looked at, each of which covers the next.
    let mut inputs: Vec<&Access> = Vec::new();
    let mut output: Option<&Access> = None;
    for access in accesses {
        match output {
            Some(output) if output.prefix.covers_all_of(&access.prefix) => join(output.batch, access.batch),
            _ => {
                while inputs.pop_if(|input| !input.prefix.covers_all_of(&access.prefix)).is_some() {}
                if access.is_output {
                    inputs.iter().for_each(|input| join(input.batch, access.batch));
                    // They are connected now, and the widest of them meets whatever the others would.
                    inputs.truncate(1);
                    output = Some(access);
                } else {
                    inputs.push(access);
                }
            }
        }
    }
}

/// Disjoint sets of batches. A set is known by its first batch.
struct Sets(Vec<usize>);

impl Sets {
    fn new(batches: usize) -> Self {
        Self((0..batches).collect())
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.first(a), self.first(b));
        self.0[a.max(b)] = a.min(b);
    }

    fn first(&mut self, mut batch: usize) -> usize {
        while self.0[batch] != batch {
            let above = self.0[self.0[batch]];
            self.0[batch] = above;
            batch = above;
        }
        batch
    }

    fn groups(mut self) -> Vec<Group> {
        let mut groups = vec![Group::new(); self.0.len()];
        for batch in 0..self.0.len() {
            groups[self.first(batch)].push(batch);
        }
        groups.retain(|group| !group.is_empty());
        groups
    }
}
