//! Clients of a network in trouble: they submit without end, bring every list to its decision at whichever node answers, and
//! remember what they were told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ledger_types::proto::client as proto;
use ledger_types::signature::Curve;
use parking_lot::Mutex;

use crate::client::{Client, Outcome};
use crate::load::Load;
use crate::random::Random;
use crate::testnet::{PATIENCE, Testnet};

/// Clients that submit at the same time.
const CLIENTS: usize = 4;
/// Batches that one client has in flight.
const BATCHES_PER_LIST: usize = 3;
/// How long a node may take to decide before another one is asked, seconds.
const DECISION_SECONDS: u64 = 2;
/// What a client does after a refusal before it asks the next node: people do not hammer.
const AFTER_REFUSAL: Duration = Duration::from_millis(50);
/// Ids in one question for statuses.
const IDS_PER_QUESTION: usize = 500;

/// The clients, and what they know.
#[derive(Debug)]
pub struct Crowd {
    /// The nodes' names and interfaces.
    nodes: Vec<(String, Client)>,
    /// Nodes that clients do not reach.
    away: Mutex<BTreeSet<usize>>,
    /// What was ever answered as decided.
    answered: Mutex<BTreeMap<String, Outcome>>,
    is_over: AtomicBool,
}

/// What a crowd was told.
#[derive(Clone, Copy, Debug)]
pub struct Tally {
    /// Batches that were decided.
    pub decided: usize,
    /// Those of them that took effect.
    pub committed: usize,
}

impl Crowd {
    /// Clients of a network whose nodes all run. Nodes that are restarted must keep their addresses.
    pub fn of(network: &Testnet) -> Self {
        Self::at(
            (0..network.len()).map(|index| (network.name(index), network.client(index).clone())).collect(),
        )
    }

    /// Clients of these nodes.
    pub fn at(nodes: Vec<(String, Client)>) -> Self {
        let (away, answered) = (Mutex::default(), Mutex::default());
        Self { nodes, away, answered, is_over: AtomicBool::new(false) }
    }

    /// Submits as long as the trouble lasts.
    pub fn submit_during<T>(&self, random: &mut Random, trouble: impl FnOnce() -> T) -> T {
        std::thread::scope(|scope| {
            for number in 0..CLIENTS {
                let curve = if number % 2 == 0 { Curve::Ed25519 } else { Curve::Secp256k1 };
                let load = Load::new(curve, &format!("client{number}"), random.fork());
                let choices = random.fork();
                scope.spawn(move || self.submit_until_over(load, choices));
            }
            let _over = Over(&self.is_over);
            trouble()
        })
    }

    /// From now on nobody asks this node, or everybody may again.
    pub fn avoid(&self, node: usize, is_away: bool) {
        let mut away = self.away.lock();
        if is_away {
            away.insert(node)
        } else {
            away.remove(&node)
        };
    }

    /// A random node that clients reach.
    pub fn pick(&self, random: &mut Random) -> usize {
        let away = self.away.lock();
        let reachable: Vec<usize> = (0..self.nodes.len()).filter(|node| !away.contains(node)).collect();
        reachable[random.index(reachable.len())]
    }

    fn submit_until_over(&self, mut load: Load, mut random: Random) {
        while !self.is_over.load(Ordering::SeqCst) {
            let batches: Vec<_> = (0..BATCHES_PER_LIST).map(|_| load.next_batch()).collect();
            let ids: Vec<String> = batches.iter().map(|batch| batch.header_signature.clone()).collect();
            let deadline = Instant::now() + PATIENCE;
            let outcomes = loop {
                if let Some(outcomes) = decide(&self.nodes[self.pick(&mut random)].1, &batches, &ids) {
                    break outcomes;
                }
                assert!(Instant::now() < deadline, "these are not decided in {PATIENCE:?}: {ids:?}");
            };
            self.answered.lock().extend(ids.into_iter().zip(outcomes));
        }
    }

    /// Asserts that every node says of every batch what any of them answered.
    pub fn check(&self) -> Tally {
        let answered = self.answered.lock();
        let ids: Vec<String> = answered.keys().cloned().collect();
        for (name, node) in &self.nodes {
            for ids in ids.chunks(IDS_PER_QUESTION) {
                let outcomes = node.try_outcomes(ids, 0).unwrap_or_else(|error| panic!("{error}"));
                for (id, outcome) in ids.iter().zip(outcomes) {
                    // A rejected batch that is submitted again is tried again: the reason may be another one by now.
                    let is_same = match (&outcome, &answered[id]) {
                        (Outcome::Invalid { .. }, Outcome::Invalid { .. }) => true,
                        (now, then) => now == then,
                    };
                    assert!(is_same, "batch {id} at {name}: {outcome:?}, not {:?}", answered[id]);
                }
            }
        }
        let committed = answered.values().filter(|outcome| **outcome == Outcome::Committed).count();
        assert!(committed > 0, "the load committed nothing");
        Tally { decided: answered.len(), committed }
    }
}

/// What becomes of batches that one node is told; `None` when it does not know it: it may be down, cut off, or have lost
/// them.
fn decide(node: &Client, batches: &[proto::Batch], ids: &[String]) -> Option<Vec<Outcome>> {
    let answer = node.try_submit(batches).ok()?;
    assert!([202, 429, 503].contains(&answer.status), "{answer:?}");
    if answer.status != 202 {
        std::thread::sleep(AFTER_REFUSAL);
    }
    let outcomes = node.try_outcomes(ids, DECISION_SECONDS).ok()?;
    let is_decided = |outcome: &Outcome| matches!(outcome, Outcome::Committed | Outcome::Invalid { .. });
    outcomes.iter().all(is_decided).then_some(outcomes)
}

/// Ends the clients, also when the test fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}
