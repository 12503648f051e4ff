//! What a block costs the ledger: `cargo bench -p tests --bench execution [-- KEYS]`.
//!
//! Method. One ledger with so many intkey accounts (200,000 unless told), no network. Blocks of 2,000 changes of random
//! accounts in batches of 100 are built as a leader does, checked as a voter does, and committed; signatures are made and
//! not verified. CPU is that of the whole process, so what several threads do counts in full; wall is what a view waits
//! for.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark prints and fails by panicking")]

use std::sync::Arc;
use std::time::Instant;

use genesis::NetworkFile;
use ledger::execute::{Candidate, ProposedEntry, Slot};
use ledger::{GenesisBlock, Ledger, OpenOptions};
use ledger_types::signature::Curve;
use ledger_types::topology::NetKey;
use ledger_types::{Batch, PrivateKey, ValidatorId, Verified, VoteKey};
use tempfile::TempDir;
use tests::load::{inc, key, set};
use tests::measure::{CpuTimes, calibrate};
use tests::random::Random;
use txfamilies::{UnsignedTransaction, registry, sign_batch};

const BLOCK: usize = 2_000;
const BATCH: usize = 100;
const BLOCKS: usize = 20;

fn main() {
    let keys: usize = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(200_000);
    println!("calibration, this run");
    calibrate();
    println!("blocks of {BLOCK} changes of {keys} accounts, batches of {BATCH}, microseconds a transaction");
    let mut bench = Bench::new();
    let signer = key(Curve::Ed25519, "bench");
    for first in (0..keys).step_by(BLOCK) {
        let sets: Vec<_> = (first..first + BLOCK).map(|number| set(&number.to_string(), 1_000)).collect();
        bench.block(&batches(&signer, &sets));
    }
    bench.costs = [Cost::default(); 3];
    let mut random = Random::new(1);
    for block in 0..BLOCKS {
        let change = |number| inc(&random.index(keys).to_string(), 1).with_nonce(format!("{block}-{number}"));
        bench.block(&batches(&signer, &(0..BLOCK).map(change).collect::<Vec<_>>()));
    }
    for (what, cost) in ["build", "check", "commit"].into_iter().zip(bench.costs) {
        let per = |seconds: f64| seconds * 1e6 / (BLOCKS * BLOCK) as f64;
        println!("  {what:<7} {:>5.1} CPU  {:>5.1} wall", per(cost.cpu), per(cost.wall));
    }
}

fn batches(signer: &PrivateKey, transactions: &[UnsignedTransaction]) -> Vec<Arc<Verified<Batch>>> {
    let made = transactions.chunks(BATCH).map(|some| Batch::from_proto(sign_batch(signer, some)).unwrap());
    made.map(|batch| Arc::new(Verified::of_final_block(batch))).collect()
}

#[derive(Clone, Copy, Default)]
struct Cost {
    cpu: f64,
    wall: f64,
}

struct Bench {
    ledger: Ledger,
    slot: Slot,
    /// Of building, checking and committing.
    costs: [Cost; 3],
    _folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let admin = key(Curve::Ed25519, "admin").public_key();
        let network = NetworkFile::lone(VoteKey([1; 32]), NetKey([2; 32]), admin, 1).unwrap();
        let made = network.genesis().unwrap();
        let slot = Slot {
            network_id: made.lineage.current(),
            cfg_hash: made.cfg_hash,
            epoch: 0,
            view: 0,
            proposer: ValidatorId { cluster: 0, node: 0 },
            time_ms: 1,
        };
        let genesis = GenesisBlock {
            lineage: made.lineage,
            cfg_hash: made.cfg_hash,
            time_ms: made.time_ms,
            batches: made.batches,
        };
        let options = OpenOptions {
            directory: folder.path().to_owned(),
            map_bytes: 16 << 30,
            rebuild: false,
            check_bytes: 0,
            genesis,
            registry: Arc::new(registry()),
        };
        let ledger = Ledger::open(&options).unwrap();
        Self { ledger, slot, costs: [Cost::default(); 3], _folder: folder }
    }

    /// Builds a block, forgets it, checks it as if it were somebody else's, and commits it.
    fn block(&mut self, batches: &[Arc<Verified<Batch>>]) {
        let head = self.ledger.head();
        let slot = Slot { view: head.height + 1, time_ms: head.height + 2, ..self.slot.clone() };
        let candidate = |batch: &Arc<Verified<Batch>>| Candidate {
            batch: batch.clone(),
            waited_enough: true,
            since_height: head.height,
        };
        let candidates: Vec<Candidate> = batches.iter().map(candidate).collect();
        let (ledger, costs) = (&self.ledger, &mut self.costs);
        let (built, deferred) =
            measured(&mut costs[0], || ledger.build(&head.id, &slot, &candidates, usize::MAX).unwrap());
        assert!(deferred.is_empty() && built.block().rejections().next().is_none());
        let header = built.header().clone();
        self.ledger.forget(&built.id());
        let entries: Vec<ProposedEntry> =
            batches.iter().map(|batch| ProposedEntry { batch: batch.clone(), rejection: None }).collect();
        let checked = measured(&mut costs[1], || ledger.check(&header, &entries).unwrap());
        measured(&mut costs[2], || ledger.commit(&[checked]).unwrap());
    }
}

fn measured<T>(cost: &mut Cost, work: impl FnOnce() -> T) -> T {
    let cpu = || CpuTimes::of(std::process::id().cast_signed()).total();
    let (cpu_before, begun) = (cpu(), Instant::now());
    let done = work();
    cost.wall += begun.elapsed().as_secs_f64();
    cost.cpu += cpu() - cpu_before;
    done
}
