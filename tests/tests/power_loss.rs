//! Power losses: a run of a real node is recorded call by call, and from the recording every disk is made that a power
//! loss at a sync could have left. From each of them a node goes on, and nothing that a client was told is missing.
//!
//! `DGT_POWER_LOSS=all` tries every sync with 20 choices of what was lost; `E,N` every E-th sync with N choices (default
//! `10,3`). `DGT_SEED` repeats the choices, though not the run: a failure keeps its files and says where.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, reason = "what a long run did must be seen")]

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Instant;

use ledger_types::BatchId;
use ledger_types::proto::client as proto;
use ledger_types::signature::Curve;
use tempfile::TempDir;
use tests::client::{Client, Outcome};
use tests::faults::disk::{Disk, Found, Kept};
use tests::faults::outcome::Network;
use tests::faults::recorder;
use tests::faults::recording::{self, Event, Place};
use tests::load::{Load, key, set};
use tests::node::{Home, Start};
use tests::random::Random;
use tests::workspace;
use txfamilies::sign_batch;

/// The run goes on until the chain has so many blocks.
const BLOCKS: u64 = 100;
/// Clients that submit at the same time, so that blocks overlap.
const CLIENTS: usize = 3;
/// Outcomes from which the binary itself is started.
const STARTS: usize = 4;

/// Every so-manieth sync is tried, with so many choices of what was lost.
struct Extent {
    every: usize,
    choices: usize,
}

impl Extent {
    fn from_env() -> Self {
        let text = std::env::var("DGT_POWER_LOSS").unwrap_or_else(|_| "10,3".to_owned());
        if text == "all" {
            return Self { every: 1, choices: 20 };
        }
        let numbers = text.split_once(',').and_then(|(e, n)| Some((e.parse().ok()?, n.parse().ok()?)));
        let (every, choices) =
            numbers.unwrap_or_else(|| panic!("DGT_POWER_LOSS={text}: neither `all` nor `E,N`"));
        Self { every, choices }
    }
}

/// A client's load until the chain is long enough; the batches that it was told to be committed.
fn submit(client: &Client, mut load: Load) -> BTreeSet<String> {
    let mut committed = BTreeSet::new();
    while client.head().height < BLOCKS {
        let batch: proto::Batch = load.next_batch();
        if client.decide(&batch) == Outcome::Committed {
            committed.insert(batch.header_signature);
        }
    }
    committed
}

/// Runs a node that has a past, and returns the disk before, what happened, and the home after.
fn recorded_run(random: &mut Random) -> (Disk, Vec<Event>, Home) {
    let home = Home::new();
    let node = home.start();
    node.client().commit(&sign_batch(&key(Curve::Ed25519, "alice"), &[set("past", 1)]));
    node.stop();
    let before = Disk::of(&home.path());
    let log = home.scratch("recording");
    let node = Start::under(&home, &recorder(&log)).serve();
    let told: BTreeSet<String> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let load = Load::new(Curve::Ed25519, &format!("client{number}"), random.fork());
                let client = node.client().clone();
                scope.spawn(move || submit(&client, load))
            })
            .collect();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    node.stop();
    let events = recording::read(&log);
    assert_eq!(told_until(&events), told, "the recording has every answer");
    (before, events, home)
}

fn told_until(events: &[Event]) -> BTreeSet<String> {
    let told = events.iter().filter_map(|event| match event {
        Event::Committed(ids) => Some(ids),
        _ => None,
    });
    told.flatten().cloned().collect()
}

/// A place in memory where there is one: what is synced here need not last.
fn scratch() -> TempDir {
    let memory = Path::new("/dev/shm");
    let within = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    TempDir::with_prefix_in("dgt-power-", within).unwrap()
}

fn write_found(found: &Found, home: &Path) {
    for (place, name) in Place::FILES {
        std::fs::write(home.join("data").join(name), &found.files[&place]).unwrap();
    }
    std::fs::write(home.join("keys/vote-generation"), &found.generation).unwrap();
}

/// A copy of a node's folder that a power loss left so.
fn home_with(found: &Found, from: &Home) -> Home {
    let home = Home::new();
    for folder in ["data", "keys", "etc"] {
        std::fs::create_dir_all(home.path().join(folder)).unwrap();
    }
    for folder in ["keys", "etc"] {
        for entry in std::fs::read_dir(from.path().join(folder)).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), home.path().join(folder).join(entry.file_name())).unwrap();
        }
    }
    write_found(found, &home.path());
    home
}

/// Keeps what a node could not go on from.
fn keep(found: &Found) -> PathBuf {
    let kept = workspace::cache_dir().join("power-loss-failed");
    std::fs::create_dir_all(kept.join("data")).unwrap();
    std::fs::create_dir_all(kept.join("keys")).unwrap();
    write_found(found, &kept);
    kept
}

/// The binary starts, answers what it answered, goes on, and what it leaves verifies with every block executed again.
fn check_start(home: &Home, told: &BTreeSet<String>) {
    let node = home.start();
    let ids: Vec<String> = told.iter().cloned().collect();
    let outcomes = if ids.is_empty() { Vec::new() } else { node.client().try_outcomes(&ids, 0).unwrap() };
    assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Committed), "{outcomes:?}");
    node.client().commit(&sign_batch(&key(Curve::Ed25519, "after"), &[set("after", 1)]));
    node.stop();
    home.dgt([OsStr::new("verify"), home.data().as_os_str()]).ok();
}

#[test]
fn nothing_told_is_lost_whatever_a_power_loss_takes() {
    let extent = Extent::from_env();
    let mut random = Random::from_env();
    let (mut disk, events, home) = recorded_run(&mut random);
    let network = Network::of(&home.path());
    let folder = scratch();
    for name in ["data", "keys"] {
        std::fs::create_dir(folder.path().join(name)).unwrap();
    }
    let syncs = events.iter().filter(|event| event.is_sync()).count();
    let started = Instant::now();
    let (mut sync, mut outcomes, mut lossy) = (0, 0, 0);
    let mut told: Vec<BatchId> = Vec::new();
    let first = random.index(extent.every);
    let starts: BTreeSet<usize> = (0..STARTS).map(|_| random.index(syncs / extent.every)).collect();
    for (position, event) in events.iter().enumerate() {
        if event.is_sync() {
            if sync % extent.every == first {
                for choice in 0..extent.choices {
                    let kept = Kept::choose(choice, &mut random);
                    let found = disk.after_loss_during(event, kept, &mut random);
                    write_found(&found, folder.path());
                    let checked = network.check(&folder.path().join("data"), &found.generation, &told);
                    if let Err(reason) = checked {
                        let kept_at = keep(&found);
                        panic!(
                            "power loss during sync {sync} of {syncs} (record {position}), choice {choice} \
                             ({kept:?}): {reason}; what was found is in {}",
                            kept_at.display()
                        );
                    }
                    outcomes += 1;
                    lossy += usize::from(found != disk.everything());
                    if choice + 1 == extent.choices && starts.contains(&(sync / extent.every)) {
                        check_start(&home_with(&found, &home), &told_until(&events[..position]));
                    }
                }
            }
            sync += 1;
        }
        if let Event::Committed(ids) = event {
            told.extend(ids.iter().map(|id| id.parse::<BatchId>().unwrap()));
        }
        disk.apply(event);
    }
    let after = Disk::of(&home.path());
    assert_eq!(disk.everything().files, after.everything().files, "the recording is the whole truth");
    eprintln!(
        "{} blocks, {} batches told as committed, {} writes, {syncs} syncs: {outcomes} outcomes, {lossy} with a loss, in {:.0} s",
        BLOCKS,
        told.len(),
        events.iter().filter(|event| matches!(event, Event::Write { .. })).count(),
        started.elapsed().as_secs_f64()
    );
}
