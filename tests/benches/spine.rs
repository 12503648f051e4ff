//! What one node commits: `cargo bench -p tests --bench spine [-- load|state|large|pruned|calibration]`.
//!
//! Method. The release binary runs as a process of its own, durable as always, on a new folder; the load is signed
//! before the clock starts, posted over REST by a few threads, one list a request, in a closed window, and every batch's
//! COMMITTED is read back. Transactions are counted from the chain on disk afterwards. The calibration comes from the
//! same run, since the machine may be busy: read ratios, not absolute figures.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a benchmark prints and fails by panicking"
)]

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use ledger::state::{Top, tree};
use ledger::state_file::{self, StateView};
use ledger::store::{Durability, File, FileOptions, pages};
use ledger_types::hash::sha256;
use ledger_types::proto::client as proto;
use ledger_types::signature::Curve;
use ledger_types::{Address, BlockHeader};
use tests::client::Outcome;
use tests::load::{inc, key, set};
use tests::measure::{CpuTimes, calibrate, per_second};
use tests::node::Home;
use txfamilies::sign_batch;

/// Threads that post, each with one request in flight.
const POSTERS: usize = 16;
/// Transactions of one measurement.
const TRANSACTIONS: usize = 20_000;

fn main() {
    let only: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let wanted = |part: &str| only.is_empty() || only.iter().any(|word| word == part);
    println!("calibration, this run");
    calibrate();
    if wanted("load") {
        println!("one node, closed window of {POSTERS} requests, durable");
        for curve in [Curve::Ed25519, Curve::Secp256k1] {
            for batch_size in [1, 100] {
                load(curve, batch_size);
            }
        }
        alone();
    }
    if wanted("state") {
        println!("state puts with root, LMDB included, blocks of 1,000 updates of random keys; reads; pages");
        state(&[100_000, 1_000_000]);
    }
    if only.iter().any(|word| word == "large") {
        println!("the same with ten million keys");
        state(&[10_000_000]);
    }
    if wanted("pruned") {
        println!("state puts, versions above the newest 100 pruned");
        pruned();
    }
}

fn load(curve: Curve, batch_size: usize) {
    let transactions = if batch_size == 1 { TRANSACTIONS / 4 } else { TRANSACTIONS };
    let batches: Vec<proto::Batch> =
        (0..transactions / batch_size).map(|batch| signed(curve, batch, batch_size)).collect();
    let home = Home::new();
    let node = home.start();
    let before = CpuTimes::of(node.pid());
    let start = Instant::now();
    let share = batches.len().div_ceil(POSTERS);
    std::thread::scope(|scope| {
        for batches in batches.chunks(share) {
            let client = node.client().clone();
            scope.spawn(move || batches.iter().for_each(|batch| post_until_taken(&client, batch)));
        }
    });
    for ids in batches.chunks(500) {
        let ids: Vec<String> = ids.iter().map(|batch| batch.header_signature.clone()).collect();
        let outcomes = node.client().try_outcomes(&ids, 60).unwrap();
        assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Committed), "{outcomes:?}");
    }
    let seconds = start.elapsed().as_secs_f64();
    let cpu = CpuTimes::of(node.pid()).since(&before);
    node.stop();
    let (blocks, committed) = count(&home.file("block-01.lmdb"));
    assert_eq!(committed as usize, transactions, "counted from the chain");
    let per = |value: f64| value / transactions as f64;
    println!(
        "  {curve:<9} batches of {batch_size:<3} {:>7.0} tx/s  {:>5.0} us CPU/tx  {:>5.0} blocks/s  {:>6.0} B on disk/tx",
        transactions as f64 / seconds,
        per(cpu.total() * 1e6),
        blocks as f64 / seconds,
        per(disk_bytes(&home) as f64),
    );
    println!("            CPU by thread, us/tx: {}", cpu.table(transactions as u64));
}

fn signed(curve: Curve, batch: usize, size: usize) -> proto::Batch {
    let transactions: Vec<_> = (0..size)
        .map(|index| set(&format!("{batch}-{index}"), 1).with_nonce(format!("{batch}-{index}")))
        .collect();
    sign_batch(&key(curve, "load"), &transactions)
}

fn post_until_taken(client: &tests::client::Client, batch: &proto::Batch) {
    loop {
        match client.try_submit(std::slice::from_ref(batch)).unwrap().status {
            202 => return,
            // The pool is full: wait until this node has decided something.
            429 => _ = client.try_outcomes(&["0".repeat(128)], 1),
            status => panic!("status {status}"),
        }
    }
}

/// One client, one batch at a time.
fn alone() {
    let home = Home::new();
    let node = home.start();
    let key = key(Curve::Ed25519, "alone");
    node.client().commit(&sign_batch(&key, &[set("alone", 1)]));
    let mut times: Vec<Duration> = (0..300)
        .map(|number| {
            let batch = sign_batch(&key, &[inc("alone", 1).with_nonce(number.to_string())]);
            let start = Instant::now();
            node.client().commit(&batch);
            start.elapsed()
        })
        .collect();
    times.sort();
    let at = |share: usize| times[times.len() * share / 100].as_secs_f64() * 1e3;
    println!("  a lone transaction, POST to COMMITTED: p50 {:.1} ms, p99 {:.1} ms", at(50), at(99));
    node.stop();
}

/// Blocks and transactions on the chain of a stopped node, without block 0.
fn count(block_file: &Path) -> (u64, u64) {
    let file = open(block_file, Durability::EveryCommit);
    let (mut blocks, mut transactions) = (0, 0);
    file.read()
        .unwrap()
        .for_each(&[0x02], |_, record| {
            let body = Bytes::copy_from_slice(&record[64..]);
            let header = ledger_types::codec::Reader::new(body).bytes("header").unwrap();
            let header = BlockHeader::decode(header).unwrap();
            if header.height > 0 {
                transactions += u64::from(header.receipt_count);
                blocks += 1;
            }
            Ok::<_, ledger::store::StoreError>(())
        })
        .unwrap();
    drop(file);
    (blocks, transactions)
}

fn disk_bytes(home: &Home) -> u64 {
    tests::lmdb::FILES.iter().map(|name| std::fs::metadata(home.file(name)).unwrap().len()).sum()
}

fn open(path: &Path, durability: Durability) -> File {
    File::open(path, FileOptions { durability, map_bytes: 16 << 30, must_exist: false }).unwrap()
}

/// The check of a file's pages and seals.
fn check(path: &Path) {
    let (start, megabytes) = (Instant::now(), std::fs::metadata(path).unwrap().len() as f64 / 1e6);
    let found = pages::check(path, &mut |_| {}).unwrap();
    let rate = megabytes / start.elapsed().as_secs_f64();
    println!("  {} records, {megabytes:.0} MB of pages checked at {rate:.0} MB/s", found.entries);
}

const BLOCK: usize = 1_000;
const MEASURED_BLOCKS: usize = 100;
/// Measured one after the other, since a virtual machine gives now more, now less: the median counts.
const SPANS: usize = 7;

/// A state file that is written as the ledger writes it.
struct StateFile {
    file: File,
    top: Top,
    /// The next version.
    version: u64,
    /// How many versions are kept.
    keep: Option<NonZeroU64>,
}

impl StateFile {
    fn new(folder: &Path, keep: Option<NonZeroU64>) -> Self {
        let file = open(&folder.join("state.lmdb"), Durability::UntilSync);
        let mut writer = file.write().unwrap();
        // The meta record of a state file: without it, seals would not be checked.
        writer.put(&[0], b"dgt\0\x02\0\0\0\x02").unwrap();
        writer.commit().unwrap();
        Self { file, top: Top::default(), version: 0, keep }
    }

    fn address(number: usize) -> Address {
        let digest = sha256(&[&number.to_be_bytes()]);
        let mut bytes = [0x1c; 35];
        bytes[3..].copy_from_slice(&digest.0);
        Address(bytes)
    }

    fn put(&mut self, numbers: impl Iterator<Item = usize>, value: &[u8]) {
        let value = Bytes::copy_from_slice(value);
        let changes: BTreeMap<Address, Option<Bytes>> =
            numbers.map(|number| (Self::address(number), Some(value.clone()))).collect();
        let update = {
            let view = self.file.read().unwrap();
            tree::update(&StateView::with_top(&view, &self.top), self.version, &changes).unwrap()
        };
        let mut writer = self.file.write().unwrap();
        state_file::put(&mut writer, &changes, &update).unwrap();
        state_file::prune(&mut writer, self.version, self.keep).unwrap();
        writer.commit().unwrap();
        self.top.commit(&update);
        self.version += 1;
    }

    /// Updates of random keys: CPU and time per put, microseconds, and what the file grew by, bytes per put.
    fn measure(&mut self, blocks: usize, keys: usize) -> (f64, f64, f64) {
        let bytes = |file: &File| std::fs::metadata(file.path()).unwrap().len() as f64;
        let (cpu, size) = (CpuTimes::of(std::process::id().cast_signed()).total(), bytes(&self.file));
        let start = Instant::now();
        let first = self.version as usize;
        for block in first..first + blocks {
            // A stride that is coprime to the number of keys meets them in no order.
            self.put((0..BLOCK).map(|index| (block * BLOCK + index) * 7_919 % keys), &[2; 100]);
        }
        let puts = (blocks * BLOCK) as f64;
        let wall = start.elapsed().as_secs_f64();
        let cpu = CpuTimes::of(std::process::id().cast_signed()).total() - cpu;
        (cpu * 1e6 / puts, wall * 1e6 / puts, (bytes(&self.file) - size) / puts)
    }

    /// Reads of single values, each proven by the tree, as REST answers them.
    fn reads_per_second(&self, keys: usize) -> f64 {
        let mut number = 0;
        per_second(Duration::from_secs(2), || {
            number = (number + 7_919) % keys;
            let view = self.file.read().unwrap();
            let state = StateView::with_top(&view, &self.top);
            assert!(state.value(&Self::address(number), self.version - 1).unwrap().is_some());
        })
    }
}

/// Fills a state file, and measures at each of these numbers of keys.
fn state(sizes: &[usize]) {
    let folder = tempfile::tempdir().unwrap();
    let mut state = StateFile::new(folder.path(), None);
    let mut filled = 0;
    for size in sizes {
        while filled < *size {
            state.put(filled..filled + 10 * BLOCK, &[1; 100]);
            filled += 10 * BLOCK;
        }
        let mut spans: Vec<_> = (0..SPANS).map(|_| state.measure(MEASURED_BLOCKS, *size)).collect();
        spans.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (least, (cpu, wall, _), most) = (spans[0].0, spans[SPANS / 2], spans[SPANS - 1].0);
        let reads = state.reads_per_second(*size);
        println!(
            "  {size:>9} keys  {cpu:>5.1} us CPU/put ({least:.1} to {most:.1})  {wall:>5.1} us wall/put  {reads:>7.0} reads/s, one core"
        );
        check(state.file.path());
    }
}

/// The same with all but the newest 100 versions pruned, in the long run: a hundred thousand keys, each changed ten times.
fn pruned() {
    const KEYS: usize = 100_000;
    let folder = tempfile::tempdir().unwrap();
    let mut state = StateFile::new(folder.path(), NonZeroU64::new(100));
    state.put(0..KEYS, &[1; 100]);
    for blocks in [200, 400, 400] {
        let (cpu, wall, growth) = state.measure(blocks, KEYS);
        let megabytes = std::fs::metadata(state.file.path()).unwrap().len() as f64 / 1e6;
        println!(
            "  {:>9} blocks  {cpu:>5.1} us CPU/put  {wall:>5.1} us wall/put  {growth:>6.0} B growth/put  {megabytes:.0} MB",
            state.version
        );
    }
    check(state.file.path());
}
