//! Random proposals and votes by random keys, with keys and threshold changing on the way, against a naive model.

use std::collections::{BTreeMap, BTreeSet};

use ledger_types::setting::{APPROVAL_THRESHOLD, AUTHORIZED_KEYS, PROPOSALS, address, value_of};
use proptest::prelude::*;
use txfamilies::MemoryContext;
use txfamilies::settings::{decode_candidates, proposal_id, propose, vote};

use crate::{apply, public};

const PEOPLE: u8 = 6;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Change {
    Free(u8),
    Keys(BTreeSet<u8>),
    Threshold(usize),
}

impl Change {
    fn key(&self) -> &'static str {
        match self {
            Self::Free(_) => "some.setting",
            Self::Keys(_) => AUTHORIZED_KEYS,
            Self::Threshold(_) => APPROVAL_THRESHOLD,
        }
    }

    fn value(&self) -> String {
        match self {
            Self::Free(value) => value.to_string(),
            Self::Keys(keys) => keys.iter().map(|key| public(*key)).collect::<Vec<_>>().join(","),
            Self::Threshold(threshold) => threshold.to_string(),
        }
    }
}

/// Who acts: mostly one of the keys authorized at the time, or else nothing but refusals would be tried.
#[derive(Clone, Copy, Debug)]
enum Actor {
    Authorized(usize),
    Anybody(u8),
}

impl Actor {
    fn key(self, model: &Model) -> u8 {
        match self {
            Self::Anybody(key) => key,
            Self::Authorized(index) => {
                let key = model.keys.iter().nth(index % model.keys.len());
                *key.expect("there is always an authorized key")
            }
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Propose(Actor, Change, u8),
    /// Of the proposals ever made, the one at this index from the newest.
    Vote(Actor, usize, bool),
}

/// A proposal with its nonce.
type Proposal = (Change, u8);

/// Settings as a person would keep them on paper.
#[derive(Clone, Debug, Default)]
struct Model {
    keys: BTreeSet<u8>,
    threshold: usize,
    free: Option<u8>,
    open: BTreeMap<Proposal, BTreeMap<u8, bool>>,
}

impl Model {
    fn allows(&self, change: &Change) -> bool {
        match change {
            Change::Free(_) => true,
            Change::Keys(keys) => !keys.is_empty() && keys.len() >= self.threshold,
            Change::Threshold(threshold) => (1..=self.keys.len()).contains(threshold),
        }
    }

    fn set(&mut self, change: Change) {
        match change {
            Change::Free(value) => self.free = Some(value),
            Change::Threshold(threshold) => self.threshold = threshold,
            Change::Keys(keys) => {
                for votes in self.open.values_mut() {
                    votes.retain(|key, _| keys.contains(key));
                }
                self.open.retain(|_, votes| keys.iter().any(|key| !votes.contains_key(key)));
                self.keys = keys;
            }
        }
    }

    fn propose(&mut self, by: u8, proposal: Proposal) -> bool {
        let open = self.threshold > 1;
        if !self.keys.contains(&by)
            || !self.allows(&proposal.0)
            || (open && self.open.contains_key(&proposal))
        {
            return false;
        }
        if open {
            self.open.insert(proposal, BTreeMap::from([(by, true)]));
        } else {
            self.set(proposal.0);
        }
        true
    }

    fn vote(&mut self, by: u8, proposal: &Proposal, accept: bool) -> bool {
        let Some(mut votes) = self.open.get(proposal).cloned() else { return false };
        if !self.keys.contains(&by) || votes.insert(by, accept).is_some() {
            return false;
        }
        let accepted = votes.values().filter(|accept| **accept).count();
        let rejected = votes.values().filter(|accept| !**accept).count();
        if accepted >= self.threshold {
            if !self.allows(&proposal.0) {
                return false;
            }
            self.open.remove(proposal);
            self.set(proposal.0.clone());
        } else if rejected >= self.threshold || self.keys.iter().all(|key| votes.contains_key(key)) {
            self.open.remove(proposal);
        } else {
            self.open.insert(proposal.clone(), votes);
        }
        true
    }
}

fn value(context: &MemoryContext, key: &str) -> Option<String> {
    value_of(key, context.state().get(&address(key))?)
}

/// The open proposals in state: ids, and who accepts and who rejects.
fn stored(context: &MemoryContext) -> BTreeMap<String, BTreeMap<String, bool>> {
    let value = value(context, PROPOSALS).unwrap_or_default();
    let candidates = decode_candidates(&value).expect("the ballot is readable").candidates;
    let votes = candidates.into_iter().map(|candidate| {
        let votes = candidate.votes.into_iter().map(|vote| (vote.public_key, vote.vote == 1));
        (candidate.proposal_id, votes.collect())
    });
    votes.collect()
}

fn expected(model: &Model) -> BTreeMap<String, BTreeMap<String, bool>> {
    let votes = model.open.iter().map(|((change, nonce), votes)| {
        let id = proposal_id(change.key(), &change.value(), &nonce.to_string());
        (id, votes.iter().map(|(key, accept)| (public(*key), *accept)).collect())
    });
    votes.collect()
}

fn actor() -> impl Strategy<Value = Actor> {
    prop_oneof![
        8 => (0..12usize).prop_map(Actor::Authorized),
        1 => (0..PEOPLE).prop_map(Actor::Anybody),
    ]
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        2 => (0..3u8).prop_map(Change::Free),
        3 => proptest::collection::btree_set(0..PEOPLE, 0..5).prop_map(Change::Keys),
        2 => (0..5usize).prop_map(Change::Threshold),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (actor(), change(), 0..2u8).prop_map(|(by, change, nonce)| Step::Propose(by, change, nonce)),
        5 => (actor(), 0..4usize, proptest::bool::weighted(0.6))
            .prop_map(|(by, back, accept)| Step::Vote(by, back, accept)),
    ]
}

/// A network's first settings, in state and in the model.
fn start(keys: BTreeSet<u8>, threshold: usize) -> (MemoryContext, Model) {
    let first = *keys.first().expect("at least one key");
    let mut context = MemoryContext::new(0);
    for change in [Change::Keys(keys.clone()), Change::Threshold(threshold)] {
        apply(&mut context, first, &propose(change.key(), &change.value(), "")).expect("first settings");
    }
    (context, Model { keys, threshold, ..Model::default() })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn voting_is_as_on_paper(
        keys in proptest::collection::btree_set(0..PEOPLE, 1..6),
        threshold in 1..5usize,
        steps in proptest::collection::vec(step(), 0..80),
    ) {
        let threshold = threshold.min(keys.len());
        let (mut context, mut model) = start(keys, threshold);
        let mut made = Vec::<Proposal>::new();
        for step in steps {
            let (result, allowed) = match &step {
                Step::Propose(actor, change, nonce) => {
                    let by = actor.key(&model);
                    made.push((change.clone(), *nonce));
                    let transaction = propose(change.key(), &change.value(), &nonce.to_string());
                    (apply(&mut context, by, &transaction), model.propose(by, (change.clone(), *nonce)))
                }
                Step::Vote(actor, back, accept) => {
                    let Some(proposal) = made.iter().rev().nth(*back) else { continue };
                    let (by, (change, nonce)) = (actor.key(&model), proposal);
                    let id = proposal_id(change.key(), &change.value(), &nonce.to_string());
                    let transaction = vote(change.key(), &id, *accept);
                    (apply(&mut context, by, &transaction), model.vote(by, proposal, *accept))
                }
            };
            prop_assert_eq!(result.is_ok(), allowed, "{:?}: {:?}", step, result);
            prop_assert_eq!(value(&context, "some.setting"), model.free.map(|value| value.to_string()));
            prop_assert_eq!(value(&context, AUTHORIZED_KEYS), Some(Change::Keys(model.keys.clone()).value()));
            prop_assert_eq!(value(&context, APPROVAL_THRESHOLD), Some(model.threshold.to_string()));
            prop_assert_eq!(stored(&context), expected(&model));
        }
    }
}
