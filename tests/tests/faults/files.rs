//! Files that are there, but not as a node wants them.

use std::ffi::OsString;
use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use tests::binary;
use tests::faults::{Action, Faults, Operation, Rule};
use tests::lmdb::{BLOCK, CONSENSUS, FILES, MERKLE, RECEIPTS};
use tests::node::{Home, Start, copy_files};

use crate::batch;

#[test]
fn older_state_or_receipts_are_brought_up_by_executing_again() {
    let home = Home::new();
    let node = home.start();
    node.client().commit(&batch("first"));
    node.stop();
    let older = home.scratch("older");
    copy_files(&home.data(), &older);
    let node = home.start();
    node.client().commit(&batch("second"));
    let head = node.client().head();
    node.stop();
    let digests = home.digests();
    for name in [MERKLE, RECEIPTS] {
        std::fs::copy(older.join(name), home.file(name)).unwrap();
        let node = home.start();
        assert_eq!(node.client().head(), head);
        node.stop();
        assert_eq!(home.digests()[..3], digests[..3], "{name}");
    }
}

#[test]
fn stale_locks_are_no_obstacle() {
    let home = Home::new();
    let node = home.start();
    let first = batch("first");
    node.client().commit(&first);
    node.kill();
    // A lock file tells who had the lock; whether somebody has it is the system's business. Process 1 always lives.
    for lock in ["data/node.lock", "keys/vote.lock"] {
        assert!(home.path().join(lock).exists(), "{lock}");
        std::fs::write(home.path().join(lock), "1\n").unwrap();
    }
    for name in FILES {
        let table = home.file(&format!("{name}-lock"));
        assert!(table.exists(), "{}", table.display());
        std::fs::write(table, [0x5a; 8192]).unwrap();
    }
    let node = home.start();
    node.client().commit(&first);
    node.client().commit(&batch("second"));
    node.stop();
    for name in FILES {
        assert!(!home.file(&format!("{name}-lock")).exists(), "{name}");
    }
}

/// Whoever starts first and is killed at any step leaves nothing that the next start stumbles over.
#[test]
fn a_first_start_that_is_cut_short_is_begun_again() {
    let kill = |file, operation, skip| Rule::new(file, operation, Action::Kill).after(skip);
    let cuts = [
        kill(CONSENSUS, Operation::Open, 0),
        kill(CONSENSUS, Operation::Sync, 0),
        kill(BLOCK, Operation::Write, 0),
        kill(BLOCK, Operation::Through, 1),
        kill(RECEIPTS, Operation::Open, 0),
        kill(MERKLE, Operation::Write, 1),
        kill(MERKLE, Operation::Sync, 1),
        // The files are in their places and opened there for the first time.
        kill(BLOCK, Operation::Open, 2),
    ];
    let count = cuts.len();
    let mut killed = 0;
    for cut in cuts {
        let home = Home::new();
        let faults = Faults::of(&home);
        faults.set(&[cut]);
        killed += usize::from(Start::under(&home, &faults.wrapper()).spawn().serving().is_err());
        let node = home.start();
        node.client().commit(&batch("first"));
        node.stop();
        let mut names: Vec<String> = std::fs::read_dir(home.data())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        let mut expected = FILES;
        expected.sort_unstable();
        assert_eq!(names, expected, "{cut}");
    }
    assert_eq!(killed, count, "every start is cut short");
}

/// Who runs a node that may do only what its files allow: root may do everything.
struct Nobody {
    program: PathBuf,
}

impl Nobody {
    const ID: u32 = 65_534;

    fn new(home: &Home) -> Self {
        let program = home.scratch("dgt");
        std::fs::copy(binary::dgt(), &program).unwrap();
        let folder = program.parent().unwrap().to_owned();
        std::fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
        let nobody = Self { program };
        nobody.own(&folder);
        nobody
    }

    /// Gives a folder and all in it to nobody.
    fn own(&self, path: &Path) {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        chown(path, Some(Self::ID), Some(Self::ID)).unwrap();
        if path.is_dir() {
            std::fs::read_dir(path).unwrap().for_each(|entry| self.own(&entry.unwrap().path()));
        }
    }

    fn start(&self, home: &Home) -> Start {
        let become_nobody = match rustix::process::geteuid().is_root() {
            true => format!("setpriv --reuid={0} --regid={0} --clear-groups", Self::ID),
            false => String::new(),
        };
        // The first word behind is the program in the build folder, which nobody may not see.
        let script = format!("shift; exec {become_nobody} \"$0\" \"$@\"");
        let words = ["sh".into(), "-c".into(), OsString::from(script), self.program.clone().into_os_string()];
        Start::under(home, &words)
    }
}

#[test]
fn wrong_permissions_are_named_with_the_file() {
    let home = Home::new();
    let nobody = Nobody::new(&home);
    let node = nobody.start(&home).serve();
    node.client().commit(&batch("first"));
    let head = node.client().head();
    node.stop();
    let mut cases: Vec<(String, u32)> = Vec::new();
    for file in FILES {
        cases.extend([(format!("data/{file}"), 0o000), (format!("data/{file}"), 0o400)]);
    }
    cases.extend([("data".to_owned(), 0o500), ("data".to_owned(), 0o000)]);
    cases.extend(
        ["keys/vote.priv", "keys/vote-generation", "etc/network.toml"].map(|name| (name.to_owned(), 0o000)),
    );
    cases.push(("keys".to_owned(), 0o500));
    for (name, mode) in cases {
        let path = home.path().join(&name);
        let before = std::fs::metadata(&path).unwrap().permissions();
        std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let refusal = nobody.start(&home).refusal();
        std::fs::set_permissions(&path, before).unwrap();
        let last = Path::new(&name).file_name().unwrap().to_str().unwrap();
        let named = refusal.contains(last) && refusal.contains("ermission denied");
        assert!(named, "{name} {mode:o}: {refusal}");
    }
    let node = nobody.start(&home).serve();
    assert_eq!(node.client().head(), head);
    node.client().commit(&batch("second"));
    node.stop();
}
