//! A network under attack: a modest load goes on, and from outside one sees how long commits take and what the nodes hold.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use ledger_types::signature::Curve;
use tokio::runtime::Runtime;
use txfamilies::sign_batch;

use super::Acts;
use crate::client::Outcome;
use crate::lmdb::{self, BLOCK, MERKLE, RECEIPTS};
use crate::load::{key, set};
use crate::memory;
use crate::testnet::Testnet;

/// How often memory is looked at, and a refused batch is given again.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long each phase of a siege lasts unless `DGT_ATTACK_SECONDS` says otherwise.
const SECONDS: u64 = 2;

/// A network that stands, or does not.
pub struct Siege {
    network: Testnet,
    honest: Vec<usize>,
    runtime: Runtime,
    peace: Latency,
    memory: BTreeMap<usize, Held>,
    batches: u64,
}

/// How long commits took.
#[derive(Clone, Debug, Default)]
pub struct Latency {
    millis: Vec<u128>,
    /// How often a node refused a batch.
    pub refused: u64,
}

/// What a process holds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Held {
    /// Bytes of memory of no file.
    pub anonymous: u64,
    /// Open files and sockets.
    pub files: u64,
}

/// What an attack did.
#[derive(Debug)]
pub struct Outcomes {
    /// How often it acted.
    pub acts: u64,
    /// Commits meanwhile.
    pub latency: Latency,
    /// The most that any honest node held beyond what it held in peace.
    pub grown: Held,
}

impl Latency {
    fn of(&self, hundredths: usize) -> u128 {
        let mut sorted = self.millis.clone();
        sorted.sort_unstable();
        let last = sorted.len().saturating_sub(1);
        sorted.get((sorted.len() * hundredths / 100).min(last)).copied().unwrap_or(u128::MAX)
    }

    /// Half of the commits took no longer, milliseconds.
    pub fn p50(&self) -> u128 {
        self.of(50)
    }

    /// 99 of 100 commits took no longer, milliseconds.
    pub fn p99(&self) -> u128 {
        self.of(99)
    }

    /// How many commits there were.
    pub fn count(&self) -> usize {
        self.millis.len()
    }
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, p50, p99, refused) = (self.count(), self.p50(), self.p99(), self.refused);
        write!(f, "{count} commits, p50 {p50} ms, p99 {p99} ms, {refused} refused")
    }
}

impl Held {
    fn of(pid: i32) -> Self {
        let files = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("a node runs").count();
        Self { anonymous: memory::of(pid).anonymous, files: files as u64 }
    }

    fn most(self, other: Self) -> Self {
        let (anonymous, files) = (self.anonymous.max(other.anonymous), self.files.max(other.files));
        Self { anonymous, files }
    }

    fn beyond(self, base: Self) -> Self {
        let anonymous = self.anonymous.saturating_sub(base.anonymous);
        Self { anonymous, files: self.files.saturating_sub(base.files) }
    }
}

/// How long a phase lasts.
pub fn phase() -> Duration {
    let text = std::env::var("DGT_ATTACK_SECONDS").ok();
    Duration::from_secs(text.map_or(SECONDS, |text| text.parse().expect("DGT_ATTACK_SECONDS is a number")))
}

impl Siege {
    /// A network whose running nodes are the honest ones. They are measured in peace first, while `company` is there.
    pub fn of(network: Testnet, company: impl Future<Output = ()> + Send + 'static) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let honest = network.running();
        let (peace, memory) = (Latency::default(), BTreeMap::new());
        let mut siege = Self { network, honest, runtime, peace, memory, batches: 0 };
        let company = siege.runtime.spawn(company);
        // What is touched for the first time is no news later.
        siege.commit_for(Duration::from_secs(1));
        siege.peace = siege.commit_for(phase());
        siege.memory = siege.held();
        company.abort();
        siege
    }

    /// Commits in peace.
    pub fn peace(&self) -> &Latency {
        &self.peace
    }

    /// Attacks for a while. Whatever happens, commits go on and the nodes live.
    pub fn under<F: Future<Output = ()> + Send + 'static>(
        &mut self,
        time: Duration,
        attack: impl FnOnce(Acts) -> F,
    ) -> Outcomes {
        let acts = Acts::default();
        let attack = self.runtime.spawn(attack(acts.clone()));
        let (is_over, pids) = (AtomicBool::new(false), self.pids());
        let (latency, most) = std::thread::scope(|scope| {
            let watcher = scope.spawn(|| watch(&pids, &is_over));
            let latency = self.commit_for(time);
            is_over.store(true, Relaxed);
            (latency, watcher.join().expect("the watcher"))
        });
        attack.abort();
        let grown = most.iter().map(|(index, most)| most.beyond(self.memory[index]));
        Outcomes { acts: acts.count(), latency, grown: grown.fold(Held::default(), Held::most) }
    }

    /// Commits one batch after the other, each given to another honest node.
    fn commit_for(&mut self, time: Duration) -> Latency {
        let alice = key(Curve::Ed25519, "alice");
        let (begin, mut latency) = (Instant::now(), Latency::default());
        while begin.elapsed() < time || latency.millis.is_empty() {
            self.batches += 1;
            let batch = sign_batch(&alice, &[set(&format!("siege-{}", self.batches), 1)]);
            let to = usize::try_from(self.batches).expect("few batches") % self.honest.len();
            let client = self.network.client(self.honest[to]);
            let given = Instant::now();
            let deadline = given + crate::testnet::PATIENCE;
            loop {
                let answer = client.try_submit(std::slice::from_ref(&batch)).expect("a node answers");
                if answer.status == 202 {
                    break;
                }
                assert!(matches!(answer.status, 429 | 503) && Instant::now() < deadline, "{answer:?}");
                latency.refused += 1;
                std::thread::sleep(LOOK_EVERY);
            }
            assert_eq!(client.outcome(&batch.header_signature), Outcome::Committed, "{}", self.statuses());
            latency.millis.push(given.elapsed().as_millis());
        }
        latency
    }

    fn statuses(&self) -> String {
        self.honest.iter().map(|index| format!("{}\n", self.network.status(*index))).collect()
    }

    fn pids(&self) -> BTreeMap<usize, i32> {
        let pid = |index: &usize| {
            let path = self.network.home(*index).data().join("node.lock");
            let text = std::fs::read_to_string(path).expect("a running node's lock file");
            (*index, text.trim().parse().expect("a process id"))
        };
        self.honest.iter().map(pid).collect()
    }

    fn held(&self) -> BTreeMap<usize, Held> {
        self.pids().into_iter().map(|(index, pid)| (index, Held::of(pid))).collect()
    }

    /// Ends the siege: the honest nodes decide what still waits, come to the same chain, stop without a fault and have the
    /// same files, in which every block can be executed again. What they wrote to their logs.
    pub fn end(mut self) -> Vec<String> {
        let head = self.network.wait_same_head();
        assert!(head.height > 0, "{head:?}");
        let logs: Vec<String> = self.honest.iter().map(|index| self.network.stop(*index)).collect();
        for log in &logs {
            assert!(!log.contains("panicked"), "{log}");
        }
        lmdb::require_tools();
        let digests = |index: &usize| {
            [BLOCK, MERKLE, RECEIPTS].map(|name| lmdb::digest(&self.network.home(*index).file(name)))
        };
        let first = digests(&self.honest[0]);
        for index in &self.honest {
            assert_eq!(digests(index), first, "{} has other records", self.network.name(*index));
        }
        self.network.check_chain(self.honest[0]);
        logs
    }
}

/// The most that each process held at any look.
fn watch(pids: &BTreeMap<usize, i32>, is_over: &AtomicBool) -> BTreeMap<usize, Held> {
    let mut most: BTreeMap<usize, Held> = BTreeMap::new();
    while !is_over.load(Relaxed) {
        for (index, pid) in pids {
            let held = most.entry(*index).or_default();
            *held = held.most(Held::of(*pid));
        }
        std::thread::sleep(LOOK_EVERY);
    }
    most
}
