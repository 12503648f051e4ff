//! What this machine can do at the moment: what every figure is read beside.

use std::fmt::{self, Display, Formatter};
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use ledger::store::{Durability, File, FileOptions};
use ledger_types::PublicKey;
use ledger_types::hash::sha256;
use ledger_types::signature::{Claim, Curve, verify_all};

use super::{Figures, Spread, per_second};
use crate::load::key;

/// How long each rate is measured.
const SPAN: Duration = Duration::from_secs(2);
/// Syncs that are timed one by one.
const SYNCS: usize = 300;

/// What was found.
#[derive(Clone, Debug)]
pub struct Calibration {
    curves: Vec<Verifying>,
    /// Commits of one record to an LMDB file, each synced, in a second.
    pub synced_commits: f64,
    /// Time of one `fdatasync` after a write of one page, median, milliseconds.
    pub fdatasync_ms: f64,
}

/// Verifications in a second.
#[derive(Clone, Copy, Debug)]
struct Verifying {
    curve: Curve,
    /// By the crates as they are, one core.
    one_core: f64,
    /// The same, on all cores at once.
    all_cores: f64,
    /// As the node does it with the signatures of a batch, one core.
    ours: f64,
}

/// Measures and prints.
///
/// # Panics
/// When the disk cannot be written.
pub fn calibrate() -> Calibration {
    let calibration = Calibration::measure();
    #[allow(clippy::print_stdout, reason = "benchmarks print")]
    {
        println!("{calibration}");
    }
    calibration
}

impl Calibration {
    /// Measures both curves and the disk that temporary folders lie on.
    ///
    /// # Panics
    /// When the disk cannot be written.
    pub fn measure() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        // What others left to be written would be timed else.
        rustix::fs::sync();
        Self {
            curves: [Curve::Ed25519, Curve::Secp256k1].map(Verifying::measure).into(),
            synced_commits: synced_commits(folder.path()),
            fdatasync_ms: fdatasync_ms(folder.path()),
        }
    }

    /// Verifications in a second on all cores at once.
    ///
    /// # Panics
    /// When the curve was not measured.
    pub fn verifications(&self, curve: Curve) -> f64 {
        self.curves.iter().find(|it| it.curve == curve).expect("a curve that was measured").all_cores
    }

    /// As figures, for files.
    pub fn figures(&self) -> Figures {
        let mut figures = Figures::from([
            ("synced_commits_per_second", self.synced_commits),
            ("fdatasync_ms", self.fdatasync_ms),
        ]);
        for Verifying { curve, one_core, all_cores, ours } in &self.curves {
            figures.add(format!("{curve}_verifications_one_core"), *one_core);
            figures.add(format!("{curve}_verifications_all_cores"), *all_cores);
            figures.add(format!("{curve}_verifications_by_dgt"), *ours);
        }
        figures
    }
}

impl Display for Calibration {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for Verifying { curve, one_core, all_cores, ours } in &self.curves {
            writeln!(
                f,
                "  {curve} verifications, one core {one_core:>9.0} /s, all at once {all_cores:.0} /s, one core as \
                 dgt does it {ours:.0} /s"
            )?;
        }
        let Self { synced_commits, fdatasync_ms, .. } = self;
        write!(f, "  LMDB commits, synced {synced_commits:>9.0} /s; one fdatasync {fdatasync_ms:.2} ms")
    }
}

impl Verifying {
    fn measure(curve: Curve) -> Self {
        let message = [7; 300];
        let key = key(curve, "calibration");
        let (public, signature) = (key.public_key(), key.sign(&message));
        // As in a batch.
        let claims = [Claim { key: &public, message: &message, signature }; 100];
        let ours = per_second(SPAN, || verify_all(claims).expect("good signatures")) * claims.len() as f64;
        let crates: &(dyn Fn() + Sync) = match &public {
            PublicKey::Ed25519(bytes) => &|| {
                let key = ed25519_dalek::VerifyingKey::from_bytes(bytes).expect("a key");
                let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
                key.verify_strict(&message, &signature).expect("a good signature");
            },
            PublicKey::Secp256k1(bytes) => &|| {
                let key = secp256k1::PublicKey::from_byte_array_compressed(*bytes).expect("a key");
                let signature = secp256k1::ecdsa::Signature::from_compact(&signature.0).expect("a signature");
                let digest = secp256k1::Message::from_digest(sha256(&[&message]).0);
                secp256k1::ecdsa::verify(&signature, digest, &key).expect("a good signature");
            },
        };
        Self { curve, ours, one_core: per_second(SPAN, crates), all_cores: on_all_cores(crates) }
    }
}

/// How often all cores together do in a second what each does by itself.
fn on_all_cores(work: &(dyn Fn() + Sync)) -> f64 {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        let cores: Vec<_> = (0..cores).map(|_| scope.spawn(|| per_second(SPAN, work))).collect();
        cores.into_iter().map(|core| core.join().expect("verifying does not panic")).sum()
    })
}

fn synced_commits(folder: &Path) -> f64 {
    let options = FileOptions { durability: Durability::EveryCommit, map_bytes: 16 << 30, must_exist: false };
    let file = File::open(&folder.join("calibration.lmdb"), options).expect("a new file");
    let mut number = 0u64;
    per_second(SPAN, || {
        number += 1;
        let mut writer = file.write().expect("a write");
        writer.put(&number.to_be_bytes(), &[1; 300]).expect("room");
        writer.commit().expect("a synced commit");
    })
}

fn fdatasync_ms(folder: &Path) -> f64 {
    let mut file = std::fs::File::create(folder.join("calibration")).expect("a new file");
    let mut sync = || {
        file.write_all(&[1; 4_096]).expect("room");
        let start = Instant::now();
        file.sync_data().expect("a sync");
        start.elapsed().as_secs_f64() * 1e3
    };
    Spread::of((0..SYNCS).map(|_| sync()).collect()).expect("invariant: there were syncs").median
}

/// Transactions in a second that no network can pass while each of its nodes, which share the cores of this machine,
/// verifies every signature: as many as one client's batch has, with one of its own.
pub fn ceiling(verifications: f64, nodes: usize, batch_size: u32) -> f64 {
    let signatures = 1.0 + 1.0 / f64::from(batch_size);
    verifications / signatures / nodes as f64
}

/// More than is committed in a second, however busy the machine was when the ceiling was measured: so much is signed ahead.
pub fn at_most(ceiling: f64, nodes: usize, batch_size: u32) -> f64 {
    /// Verifications in a second that two cores reach when nothing else runs.
    const QUIET: f64 = 40_000.0;
    /// The rest of the work has the same cores.
    const SHARE: f64 = 0.9;
    SHARE * ceiling.max(self::ceiling(QUIET, nodes, batch_size))
}

#[cfg(test)]
mod tests {
    use super::{at_most, ceiling};

    #[test]
    fn enough_is_signed_though_the_machine_was_busy() {
        assert_eq!(at_most(100.0, 4, 1), 4_500.0);
        assert_eq!(at_most(10_000.0, 4, 1), 9_000.0);
    }

    #[test]
    fn the_ceiling_is_what_all_nodes_verify() {
        assert_eq!(ceiling(40_000.0, 4, 1), 5_000.0);
        assert_eq!(ceiling(40_400.0, 4, 100), 10_000.0);
        assert_eq!(ceiling(40_400.0, 8, 100), 5_000.0);
    }
}
