//! What must be true in every run. The oracle shares no code with the consensus crate: it has its own arithmetic, its
//! own reader of the wire, and its own memory of everything that honest nodes ever said.

mod arithmetic;
mod chain;
mod votes;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use consensus::Verifier;
use ledger_types::{BlockHeader, BlockId, ValidatorId, VoteKey};

pub(crate) use arithmetic::{Arithmetic, tolerated};

use self::votes::Past;
use self::wire::{Header, Place};

/// What the oracle has to know of a world.
pub(super) struct Terms {
    pub(super) shape: Vec<usize>,
    pub(super) places: Vec<ValidatorId>,
    pub(super) keys: Vec<VoteKey>,
    pub(super) verifier: Arc<dyn Verifier>,
    pub(super) genesis: BlockHeader,
    /// All nodes that lie at any time, a bit each.
    pub(super) liars: u64,
    /// Whether so many lie that forks are to be expected.
    pub(super) is_beyond: bool,
}

/// Watches a run.
pub(super) struct Oracle {
    arithmetic: Arithmetic,
    places: Vec<Place>,
    keys: Vec<VoteKey>,
    verifier: Arc<dyn Verifier>,
    network: [u8; 32],
    cfg_hash: [u8; 32],
    liars: u64,
    is_beyond: bool,
    pasts: Vec<Past>,
    /// Every block that anybody proposed.
    headers: BTreeMap<BlockId, Header>,
    /// Whose block honest nodes notarized in a view.
    leaders: BTreeMap<u64, Place>,
    /// The highest view that an honest node entered.
    entered: u64,
    /// Honest votes, a bit a node.
    notarized: BTreeMap<(u64, BlockId), u64>,
    finalized: BTreeMap<(u64, BlockId), u64>,
    nullified: BTreeMap<u64, Vec<(u64, u64)>>,
    /// The one chain, by height, as the first honest node committed it.
    chain: Vec<BlockId>,
    /// The committed head of every honest node.
    heads: Vec<usize>,
    /// By node, the heights whose bodies its vote store did not hold at their commit: they came in a RUN, and are
    /// asked for again after a loss of power.
    fetched: Vec<BTreeSet<usize>>,
    violation: Option<String>,
    /// Histories that only liars beyond the bounds can have split.
    forks: u64,
}

impl Oracle {
    /// An oracle that has seen nothing but genesis.
    pub(super) fn new(terms: Terms) -> Self {
        let Terms { shape, places, keys, verifier, genesis, liars, is_beyond } = terms;
        let (id, header) = (genesis.id(), &genesis);
        let header = Header { view: 0, height: 0, parent: header.parent, proposer: (0, 0) };
        Self {
            arithmetic: Arithmetic::new(&shape),
            places: places.iter().map(|place| (place.cluster, place.node)).collect(),
            keys,
            verifier,
            network: genesis.network_id.0,
            cfg_hash: genesis.cfg_hash.0,
            liars,
            is_beyond,
            pasts: places.iter().map(|_| Past::default()).collect(),
            headers: BTreeMap::from([(id, header)]),
            leaders: BTreeMap::new(),
            entered: 0,
            notarized: BTreeMap::new(),
            finalized: BTreeMap::new(),
            nullified: BTreeMap::new(),
            chain: vec![id],
            heads: vec![0; places.len()],
            fetched: vec![BTreeSet::new(); places.len()],
            violation: None,
            forks: 0,
        }
    }

    /// The first thing that must not have happened.
    pub(super) fn violation(&self) -> Option<&str> {
        self.violation.as_deref()
    }

    /// How many commits of honest nodes contradicted the chain; more than none only beyond the bounds.
    pub(super) fn forks(&self) -> u64 {
        self.forks
    }

    /// How many blocks honest nodes committed.
    pub(super) fn height(&self) -> u64 {
        self.chain.len() as u64 - 1
    }

    /// The highest view that an honest node entered.
    pub(super) fn entered(&self) -> u64 {
        self.entered
    }

    /// Something happened that must not. After a fork that only too many liars can make, nothing is demanded any more.
    pub(super) fn violate(&mut self, text: String) {
        if self.forks == 0 {
            self.violation.get_or_insert(text);
        }
    }

    fn name(&self, node: usize) -> String {
        let (cluster, node) = self.places[node];
        ValidatorId { cluster, node }.to_string()
    }
}
