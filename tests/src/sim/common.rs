//! What all nodes of a world share: its time, its wire, its oracle.

use std::sync::Arc;

use bytes::Bytes;
use consensus::{Committee, Now, Verifier};
use ledger_types::topology::{Cluster, NetKey, Validator};
use ledger_types::{BlockHeader, BlockId, ConfigHash, Hash, NetworkId, Topology, ValidatorId};

use super::clock::WALL_START_MS;
use super::disk::Committed;
use super::mixing;
use super::network::{Fate, Network};
use super::oracle::{Oracle, Terms};
use super::queue::{Event, Queue};
use super::record::{Recorder, Verbosity};
use super::scenario::{Model, Scenario};
use crate::random::Random;

/// The first commit of a batch that was submitted after healing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress {
    pub(super) height: u64,
    pub(super) view: u64,
    pub(super) at_ms: u64,
}

pub(super) struct Common {
    pub(super) scenario: Scenario,
    pub(super) committee: Arc<Committee>,
    pub(super) verifier: Arc<dyn Verifier>,
    pub(super) genesis: Arc<Committed>,
    /// All validators, clusters first.
    pub(super) places: Vec<ValidatorId>,
    pub(super) now_ms: u64,
    pub(super) queue: Queue,
    pub(super) network: Network,
    pub(super) oracle: Oracle,
    pub(super) recorder: Recorder,
    /// The nodes that lie now, a bit each.
    pub(super) lying: u64,
    /// The first batch submitted after healing.
    pub(super) late_batch: Option<u64>,
    pub(super) progress: Option<Progress>,
}

impl Common {
    pub(super) fn new(scenario: Scenario, verbosity: Verbosity, random: &mut Random) -> Self {
        let topology = topology(&scenario);
        let header = genesis(&topology);
        let id = header.id();
        let places: Vec<ValidatorId> = topology.validators().map(|(place, _)| place).collect();
        let keys = topology.validators().map(|(_, validator)| validator.vote_key).collect();
        let committee = Arc::new(Committee::new(header.network_id, 0, topology, &id));
        let verifier = scenario.signatures.verifier();
        let oracle = Oracle::new(Terms {
            shape: scenario.shape.clone(),
            places: places.clone(),
            keys,
            verifier: Arc::clone(&verifier),
            genesis: header.clone(),
            liars: scenario.liars(),
            is_beyond: scenario.model == Model::Beyond,
        });
        Self {
            network: Network::new(scenario.network.clone(), scenario.heal_ms, random.fork()),
            recorder: Recorder::new(scenario.seed, verbosity),
            scenario,
            committee,
            verifier,
            genesis: Arc::new(Committed { id, header, body: Bytes::new() }),
            places,
            now_ms: 0,
            queue: Queue::default(),
            oracle,
            lying: 0,
            late_batch: None,
            progress: None,
        }
    }

    /// What a node's clocks show.
    pub(super) fn clocks(&self, node: usize) -> Now {
        let clock = &self.scenario.clocks[node];
        Now { monotonic_ms: clock.monotonic_ms(self.now_ms), wall_ms: clock.wall_ms(self.now_ms) }
    }

    /// The index of a validator.
    pub(super) fn index(&self, place: ValidatorId) -> Option<usize> {
        self.places.binary_search(&place).ok()
    }

    /// Plans an event some milliseconds from now.
    pub(super) fn plan_in(&mut self, delay_ms: u64, event: Event) {
        self.queue.plan(self.now_ms + delay_ms, event);
    }

    /// Puts a message on the wire.
    pub(super) fn transmit(&mut self, from: usize, to: usize, bytes: &Bytes) {
        // Liars conspire by ways of their own.
        if self.lying >> from & 1 == 1 && self.lying >> to & 1 == 1 {
            return self.plan_in(1, Event::Deliver { from, to, bytes: bytes.clone() });
        }
        for at_ms in self.arrivals(from, to).into_iter().flatten() {
            self.queue.plan(at_ms, Event::Deliver { from, to, bytes: bytes.clone() });
        }
    }

    /// Forwards a batch from one pool to another.
    pub(super) fn forward(&mut self, from: usize, to: usize, batch: u64) {
        for at_ms in self.arrivals(from, to).into_iter().flatten() {
            self.queue.plan(at_ms, Event::Batch { to, batch, is_forwarded: true });
        }
    }

    fn arrivals(&mut self, from: usize, to: usize) -> [Option<u64>; 2] {
        match self.network.fate(self.now_ms, from, to) {
            Fate::Arrives(at_ms) => {
                if at_ms > self.now_ms + 1_000 {
                    self.recorder.count("fault: delayed more than a second");
                }
                [Some(at_ms), None]
            }
            Fate::ArrivesTwice(first_ms, second_ms) => {
                self.recorder.count("fault: duplicated");
                [Some(first_ms), Some(second_ms)]
            }
            Fate::Lost => {
                self.recorder.count("fault: lost");
                [None, None]
            }
            Fate::Cut => {
                self.recorder.count("fault: cut off");
                [None, None]
            }
        }
    }
}

fn topology(scenario: &Scenario) -> Topology {
    let mut index = 0;
    let mut validator = || {
        let (vote_key, name) = (scenario.signatures.vote_key(index), format!("n{index}"));
        let net_key = NetKey(mixing::digest(index as u64, b"net key"));
        index += 1;
        Validator { name, vote_key, net_key, delegate: true }
    };
    let clusters = scenario.shape.iter().enumerate().map(|(cluster, size)| Cluster {
        name: format!("c{cluster}"),
        validators: (0..*size).map(|_| validator()).collect(),
    });
    Topology::new(clusters.collect()).expect("scenarios have sound shapes")
}

fn genesis(topology: &Topology) -> BlockHeader {
    BlockHeader {
        network_id: NetworkId([1; 32]),
        epoch: 0,
        view: 0,
        height: 0,
        parent: BlockId::ZERO,
        proposer: ValidatorId { cluster: 0, node: 0 },
        time_ms: WALL_START_MS,
        entry_count: 0,
        receipt_count: 0,
        entries_root: Hash::ZERO,
        state_root: Hash::ZERO,
        receipts_root: Hash::ZERO,
        cfg_hash: ConfigHash(topology.cfg_hash().0),
        next_cfg_hash: None,
    }
}
