//! Dumping and loading beside the stock tools, in one run: `cargo bench -p tests --bench custody [-- RECORDS]`.
//!
//! Method. A file of RECORDS records (a million; keys of 35 bytes, values of 100) is dumped and loaded by the stock tools
//! and by the release binary, in turn and three times over; of each the fastest run counts, by the shell's own clock.
//! The machine may be busy: read the ratios. The goals: dump at most 0.5 of the tool's CPU; load at most 0.5 of its wall
//! time and 0.8 of its CPU.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a benchmark prints and fails by panicking"
)]

use std::path::Path;
use std::process::Command;

use ledger::store::{Durability, File, FileOptions};
use ledger_types::hash::sha256;
use tests::binary::{self, run};
use tests::{lmdb, packages};

const ROUNDS: usize = 3;

fn main() {
    lmdb::require_tools();
    packages::require("bash", "bash");
    let records = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(1_000_000);
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let (file, theirs, ours) = (at("file.lmdb"), at("theirs"), at("ours"));
    fill(Path::new(&file), records);
    let dgt = binary::dgt().display();
    println!("{records} records, the fastest of {ROUNDS} runs");
    let dumps = [format!("mdb_dump -n {file} > {theirs}.dump"), format!("{dgt} dump {file} -o {ours}.dump")];
    compare("dump", &dumps, &[]);
    assert!(
        std::fs::read(format!("{theirs}.dump")).unwrap() == std::fs::read(format!("{ours}.dump")).unwrap()
    );
    let loads = [
        format!("mdb_load -n -f {theirs}.dump {theirs} 2> /dev/null"),
        format!("{dgt} load -f {theirs}.dump {ours}"),
    ];
    compare("load", &loads, &[&theirs, &ours]);
    assert!(lmdb::digest(Path::new(&ours)) == lmdb::digest(Path::new(&file)));
}

/// A file with keys in no order of their making, put in order.
fn fill(path: &Path, records: u32) {
    let mut keys: Vec<[u8; 35]> = (0..records)
        .map(|number| {
            let mut key = [0x1c; 35];
            key[3..].copy_from_slice(&sha256(&[&number.to_be_bytes()]).0);
            key
        })
        .collect();
    keys.sort_unstable();
    let options = FileOptions { durability: Durability::OnlySync, map_bytes: 16 << 30, must_exist: false };
    let file = File::open(path, options).unwrap();
    for keys in keys.chunks(100_000) {
        let mut writer = file.write().unwrap();
        for key in keys {
            let value: Vec<u8> = key.iter().cycle().take(100).copied().collect();
            writer.append_stored(key, &value).unwrap();
        }
        writer.commit().unwrap();
    }
    file.sync().unwrap();
}

/// Runs the stock tool's command and ours in turn, and prints what they took. What they make is removed before each run.
fn compare(what: &str, commands: &[String; 2], made: &[&str]) {
    let mut best = [[f64::INFINITY; 2]; 2];
    for _ in 0..ROUNDS {
        for path in made {
            let _ = std::fs::remove_file(path);
            let _ = std::fs::remove_file(format!("{path}-lock"));
        }
        for (command, best) in commands.iter().zip(&mut best) {
            for (taken, best) in times(command).into_iter().zip(best) {
                *best = taken.min(*best);
            }
        }
    }
    for (name, [wall, cpu]) in ["stock", "dgt"].into_iter().zip(best) {
        println!("  {what} {name:<6} {wall:>7.2} s wall {cpu:>7.2} s CPU");
    }
    let [theirs, ours] = best;
    println!("  {what} ratio  {:>7.2}        {:>7.2}", ours[0] / theirs[0], ours[1] / theirs[1]);
}

/// Seconds of wall time and CPU that a shell command takes.
fn times(command: &str) -> [f64; 2] {
    let script = format!("TIMEFORMAT='%R %U %S'; time {{ {command} ; }}");
    let ran = run(Command::new("bash").args(["-c", &script]));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let seconds: Vec<f64> =
        ran.stderr.lines().last().unwrap().split(' ').map(|part| part.parse().unwrap()).collect();
    [seconds[0], seconds[1] + seconds[2]]
}
