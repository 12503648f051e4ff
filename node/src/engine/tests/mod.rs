//! The engine's ends towards its peers, on real ledgers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod answers;
mod entries;
mod inbox;
mod intake;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use api::Metrics;
use consensus::{Duty, Role, Status};
use genesis::Genesis;
use ledger::{Ledger, Pool, Source};
use ledger_types::{Batch, Verified};
use parking_lot::Mutex;

use super::arriving::Arriving;
use super::driver::Event;
use super::executor::{Executor, Task};
use super::pulse::Fault;
use super::{EngineHandle, Shown, below_quorum};
use crate::clock::Clock;
use crate::testing;
use crate::verifiers::Verifiers;

/// A node without its driver: what the driver would hear comes out of `events`.
struct Bench {
    _directory: tempfile::TempDir,
    network: Genesis,
    ledger: Arc<Ledger>,
    pool: Arc<Pool>,
    arriving: Arc<Arriving>,
    verifiers: Arc<Verifiers>,
    sender: Sender<Event>,
    events: Receiver<Event>,
}

impl Bench {
    fn new(validators: u8) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let network = testing::network(validators);
        let ledger = testing::ledger(directory.path(), &network);
        let (sender, events) = channel();
        let verifiers = Arc::new(Verifiers::start().unwrap());
        Self {
            _directory: directory,
            network,
            ledger,
            pool: Arc::default(),
            arriving: Arc::default(),
            verifiers,
            sender,
            events,
        }
    }

    fn admit(&self, batches: &[Verified<Batch>]) {
        self.pool.admit(batches.to_vec(), Source::Client, &self.ledger.reader(), 0).unwrap();
    }

    /// Executes a task and returns what the driver would hear.
    fn execute(&self, task: Task) -> Vec<Event> {
        let (tasks, queue) = channel();
        tasks.send(task).unwrap();
        drop(tasks);
        let executor = Executor {
            ledger: self.ledger.clone(),
            pool: self.pool.clone(),
            committee: testing::committee(&self.ledger, &self.network),
            own: testing::validator(1),
            clock: Clock::start(),
            answers: self.sender.clone(),
            pipeline: Metrics::default().pipeline(),
            arriving: self.arriving.clone(),
            fault: Arc::new(Fault::none()),
        };
        executor.run(&queue);
        self.events.try_iter().collect()
    }

    fn handle(&self, heard: usize, is_quorum_heard: bool) -> EngineHandle {
        let status = Status {
            view: 1,
            leader: testing::validator(1),
            role: Role::Voter,
            final_view: 0,
            decided_height: 0,
            final_height: 0,
            undecided: 0,
            delta_ms: 1,
            duty: Duty::Votes,
            heard,
            is_quorum_heard,
            is_quorum_voting: is_quorum_heard,
            offenders: 0,
        };
        EngineHandle {
            inputs: self.sender.clone(),
            arriving: self.arriving.clone(),
            committee: testing::committee(&self.ledger, &self.network),
            going: Default::default(),
            shown: Arc::new(Mutex::new(Shown {
                status,
                evidence: Vec::new(),
                doubtful: Vec::new(),
                peers: Vec::new(),
            })),
            doubt: None,
            fault: Arc::new(Fault::none()),
        }
    }
}

/// Drops what must not wait, when the node stops, for a piece of verification.
fn stops(what: impl Send + 'static) {
    let (tell, stopped) = channel();
    std::thread::spawn(move || {
        drop(what);
        tell.send(())
    });
    stopped.recv_timeout(Duration::from_secs(20)).expect("it stops while a batch still waits");
}

#[test]
fn below_the_quorum_writes_wait_and_the_arithmetic_says_why() {
    let bench = Bench::new(4);
    assert_eq!(bench.handle(3, true).not_ready(), None);
    let two = "2 of 4 validators are heard and 3 must vote (the quorum): writes wait until another is back; reads go on";
    assert_eq!(bench.handle(2, false).not_ready().unwrap(), two);
    let one = bench.handle(1, false);
    assert!(one.not_ready().unwrap().contains("until 2 more are back"));
    assert_eq!(one.refusal(), None, "it still takes part");
    one.fault.set("a fault".to_owned());
    assert_eq!(one.not_ready().unwrap(), "a fault", "which says more");
    let enough = below_quorum(3, &testing::committee(&bench.ledger, &bench.network));
    assert!(enough.contains("until those of 1 clusters are enough each"), "{enough}");
}
