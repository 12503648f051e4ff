//! No room: the node stops voting, says why, answers reads; with room a restart goes on.

use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use tests::binary::run;
use tests::faults::{Action, Operation, Rule};
use tests::lmdb::{BLOCK, CONSENSUS, FILES, MERKLE, RECEIPTS};
use tests::node::Home;

use crate::{Rig, batch, check_only_reads, check_told};

#[test]
fn a_full_disk_stops_writes_and_a_restart_with_room_goes_on() {
    let mut rig = Rig::new();
    let cases = [
        (CONSENSUS, Operation::Write, Action::Full, "No space left"),
        (CONSENSUS, Operation::Sync, Action::Full, "No space left"),
        (CONSENSUS, Operation::Write, Action::OverQuota, "quota"),
        (BLOCK, Operation::Write, Action::Full, "No space left"),
        (RECEIPTS, Operation::Write, Action::Full, "No space left"),
        (MERKLE, Operation::Write, Action::OverQuota, "quota"),
    ];
    for (number, (file, operation, action, words)) in cases.into_iter().enumerate() {
        let node = rig.start();
        rig.commit(&node, &format!("before {number}"));
        let rules = [Rule::new(file, operation, action)];
        let undecided = rig.break_under_batch(&node, &rules, &format!("amid {number}"));
        check_only_reads(node, &rig.told, &[file, words]);
        rig.check_recovered(&undecided, &format!("after {number}"));
    }
}

/// A file system of its own, gone with the test.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Over a folder; `None` where the system does not let us.
    fn over(folder: &Path) -> Option<Self> {
        std::fs::create_dir_all(folder).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=96m", "dgt-test"]).arg(folder);
        let mounted = run(&mut mount);
        if mounted.code != Some(0) {
            assert!(!rustix::process::geteuid().is_root() || is_refused(&mounted.stderr), "{mounted:?}");
            return None;
        }
        Some(Self(folder.to_owned()))
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }

    /// Leaves no byte.
    fn fill(&self) {
        let mut filler = File::create(self.filler()).unwrap();
        let full = loop {
            if let Err(error) = filler.write_all(&[0; 4096]) {
                break error;
            }
        };
        assert_eq!(full.kind(), ErrorKind::StorageFull);
    }

    fn make_room(&self) {
        std::fs::remove_file(self.filler()).unwrap();
    }
}

/// In a container without the right to mount, root is told so.
fn is_refused(words: &str) -> bool {
    words.contains("permission denied") || words.contains("must be superuser")
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[test]
#[allow(clippy::print_stderr, reason = "a test that could not run must be seen")]
fn a_disk_that_is_really_full_is_noticed_before_it_harms() {
    let home = Home::new();
    let Some(disk) = SmallDisk::over(&home.path()) else {
        eprintln!("SKIPPED: a small disk needs the right to mount");
        return;
    };
    let node = home.start();
    let first = batch("first");
    node.client().commit(&first);
    let told = [first.header_signature];
    disk.fill();
    // Refused at once, or accepted and not decided.
    let amid = batch("amid");
    let _ = node.client().try_submit(std::slice::from_ref(&amid));
    check_only_reads(node, &told, &["-01.lmdb", "bytes left"]);
    let refusal = home.refusal();
    // Its lock files want room, too.
    assert!(refusal.contains("bytes left") || refusal.contains("No space left"), "{refusal}");

    disk.make_room();
    let node = home.start();
    check_told(node.client(), &told);
    node.client().commit(&amid);
    node.stop();
    home.dgt(["verify".as_ref(), home.data().as_os_str()]).ok();
    assert!(FILES.iter().all(|file| home.file(file).exists()));
    drop(disk);
}
