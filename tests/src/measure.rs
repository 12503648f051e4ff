//! What the benchmarks measure with: the CPU time of processes, seen from outside, and what this machine can do at the moment.
#![allow(clippy::print_stdout, reason = "benchmarks print")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ledger::store::{Durability, File, FileOptions};
use ledger_types::PublicKey;
use ledger_types::hash::sha256;
use ledger_types::signature::Curve;

use crate::load::key;

/// The kernel counts CPU time in hundredths of a second.
const TICKS_PER_SECOND: f64 = 100.0;

/// Measures and prints what one core verifies, by the crates as they are (the ceiling that goals are shares of) and by the
/// node, and how fast the disk syncs. Figures of a run are read beside these, since the machine may be busy.
///
/// # Panics
/// When the disk cannot be written.
pub fn calibrate() {
    let message = [7; 300];
    for curve in [Curve::Ed25519, Curve::Secp256k1] {
        let key = key(curve, "calibration");
        let (public, signature) = (key.public_key(), key.sign(&message));
        let rate = |verify: &dyn Fn()| per_second(Duration::from_secs(2), verify);
        let ours = rate(&|| public.verify(&message, &signature).expect("a good signature"));
        let crates = match public {
            PublicKey::Ed25519(bytes) => rate(&|| {
                let key = ed25519_dalek::VerifyingKey::from_bytes(&bytes).expect("a key");
                let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
                key.verify_strict(&message, &signature).expect("a good signature");
            }),
            PublicKey::Secp256k1(bytes) => rate(&|| {
                let key = secp256k1::PublicKey::from_byte_array_compressed(bytes).expect("a key");
                let signature = secp256k1::ecdsa::Signature::from_compact(&signature.0).expect("a signature");
                let digest = secp256k1::Message::from_digest(sha256(&[&message]).0);
                secp256k1::ecdsa::verify(&signature, digest, &key).expect("a good signature");
            }),
        };
        println!("  {curve} verifications, one core {crates:>9.0} /s, as dgt does it {ours:.0} /s");
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let options = FileOptions { durability: Durability::EveryCommit, map_bytes: 16 << 30, must_exist: false };
    let file = File::open(&folder.path().join("calibration.lmdb"), options).expect("a new file");
    let mut number = 0u64;
    let rate = per_second(Duration::from_secs(3), || {
        number += 1;
        let mut writer = file.write().expect("a write");
        writer.put(&number.to_be_bytes(), &[1; 300]).expect("room");
        writer.commit().expect("a synced commit");
    });
    println!("  LMDB commits, synced {rate:>9.0} /s");
}

/// How often work is done in a second, by doing it for a while.
pub fn per_second(span: Duration, mut work: impl FnMut()) -> f64 {
    let start = Instant::now();
    let mut count = 0.0;
    while start.elapsed() < span {
        work();
        count += 1.0;
    }
    count / start.elapsed().as_secs_f64()
}

/// CPU seconds of a process, by the names of its threads; numbers at the end of a name do not count.
#[derive(Clone, Debug, Default)]
pub struct CpuTimes(BTreeMap<String, f64>);

impl CpuTimes {
    /// Of the threads that a process has now.
    ///
    /// # Panics
    /// When there is no such process.
    pub fn of(pid: i32) -> Self {
        let mut times = BTreeMap::new();
        for task in std::fs::read_dir(format!("/proc/{pid}/task")).expect("a running process") {
            let path = task.expect("a thread").path().join("stat");
            // A thread may end while one looks.
            let Ok(stat) = std::fs::read_to_string(path) else { continue };
            let (front, back) = stat.rsplit_once(')').expect("a name in brackets");
            let name = front.split_once('(').expect("a name in brackets").1;
            let name = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '-');
            let mut fields = back.split_whitespace().skip(11);
            let mut ticks = || fields.next().and_then(|text| text.parse::<f64>().ok()).expect("a number");
            *times.entry(name.to_owned()).or_default() += (ticks() + ticks()) / TICKS_PER_SECOND;
        }
        Self(times)
    }

    /// Of several processes together.
    pub fn of_all(pids: &[i32]) -> Self {
        let mut all = Self::default();
        for Self(times) in pids.iter().map(|pid| Self::of(*pid)) {
            times.into_iter().for_each(|(name, seconds)| *all.0.entry(name).or_default() += seconds);
        }
        all
    }

    /// What was used since an earlier look.
    #[must_use]
    pub fn since(mut self, before: &Self) -> Self {
        for (name, seconds) in &mut self.0 {
            *seconds -= before.0.get(name).copied().unwrap_or(0.0);
        }
        self
    }

    /// All threads, seconds.
    pub fn total(&self) -> f64 {
        self.0.values().sum()
    }

    /// Microseconds of each thread for each of so many transactions.
    pub fn table(&self, transactions: u64) -> String {
        let each = self.0.iter().map(|(name, seconds)| (name, seconds * 1e6 / transactions.max(1) as f64));
        let each = each.filter(|(_, us)| *us >= 0.5).map(|(name, us)| format!("{name} {us:.0}"));
        each.collect::<Vec<_>>().join(", ")
    }
}
