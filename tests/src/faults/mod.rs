//! Faults of the disk under a real `dgt` process, and power losses.
//!
//! `shim.c` stands between the process and its disk: it fails the calls that [`Rule`]s name and records what reaches the
//! node's files ([`recording`]). [`disk`] says what a disk may hold after a power loss in the midst of such a recording,
//! and [`outcome`] whether a node can go on from there.

pub mod disk;
pub mod outcome;
pub mod recording;

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::binary::run;
use crate::node::Home;
use crate::{packages, workspace};

/// An operation on a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Opening it.
    Open,
    /// Reading it by `pread`.
    Read,
    /// Mapping it into memory.
    Map,
    /// Writing to it, on the way that a later sync makes durable.
    Write,
    /// Writing through a descriptor whose writes return when they are on the disk: how LMDB writes the page that makes a
    /// transaction valid.
    Through,
    /// `fdatasync` or `fsync`.
    Sync,
}

/// What happens instead of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The disk reports a failure (EIO).
    Broken,
    /// No room is left (ENOSPC).
    Full,
    /// The user's quota is used up (EDQUOT).
    OverQuota,
    /// Half of the bytes are written, as when the room ends in the midst of them.
    Short,
    /// The process is killed before the operation.
    Kill,
    /// The pages of the map cannot be read from a number on: the rule's `skip`.
    Unreadable,
}

/// A fault: an operation on a file fails.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    file: &'static str,
    operation: Operation,
    action: Action,
    skip: u32,
    count: u32,
}

impl Rule {
    /// Every such operation from now on.
    pub fn new(file: &'static str, operation: Operation, action: Action) -> Self {
        Self { file, operation, action, skip: 0, count: 0 }
    }

    /// The file that it is about.
    pub fn file(&self) -> &'static str {
        self.file
    }

    /// Lets so many operations pass first.
    #[must_use]
    pub fn after(self, skip: u32) -> Self {
        Self { skip, ..self }
    }

    /// The operation fails once only.
    #[must_use]
    pub fn once(self) -> Self {
        Self { count: 1, ..self }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operation = match self.operation {
            Operation::Open => "open",
            Operation::Read => "read",
            Operation::Map => "map",
            Operation::Write => "write",
            Operation::Through => "through",
            Operation::Sync => "sync",
        };
        let action = match self.action {
            Action::Broken => "EIO",
            Action::Full => "ENOSPC",
            Action::OverQuota => "EDQUOT",
            Action::Short => "SHORT",
            Action::Kill => "KILL",
            Action::Unreadable => "BUS",
        };
        write!(f, "{} {operation} {action} {} {}", self.file, self.skip, self.count)
    }
}

/// Faults of one node's disk, that come and go while it runs.
pub struct Faults {
    rules: PathBuf,
}

impl Faults {
    /// No faults yet.
    pub fn of(home: &Home) -> Self {
        let faults = Self { rules: home.scratch("fault-rules") };
        faults.set(&[]);
        faults
    }

    /// From now on these, and no others.
    pub fn set(&self, rules: &[Rule]) {
        let text: String = rules.iter().map(|rule| format!("{rule}\n")).collect();
        // Another inode each time: the shim sees by it that the rules changed.
        let new = self.rules.with_extension("new");
        std::fs::write(&new, text).expect("writing the rules");
        std::fs::rename(&new, &self.rules).expect("putting the rules in place");
    }

    /// The command line that runs a program with these faults.
    pub fn wrapper(&self) -> Vec<OsString> {
        wrapper("DGT_FAULT_RULES", &self.rules)
    }
}

/// The command line that records a program to a file.
pub fn recorder(log: &Path) -> Vec<OsString> {
    wrapper("DGT_FAULT_LOG", log)
}

fn wrapper(variable: &str, path: &Path) -> Vec<OsString> {
    let set = |name: &str, value: &Path| {
        let mut word = OsString::from(format!("{name}="));
        word.push(value);
        word
    };
    vec!["env".into(), set("LD_PRELOAD", shim()), set(variable, path)]
}

/// The shim, compiled once per test process.
fn shim() -> &'static Path {
    static SHIM: OnceLock<PathBuf> = OnceLock::new();
    SHIM.get_or_init(|| {
        packages::require("cc", "gcc");
        let _lock = workspace::lock("shim");
        let (library, new) = ("dgt-faults.so", "dgt-faults.new");
        let (library, new) = (workspace::cache_dir().join(library), workspace::cache_dir().join(new));
        let source = workspace::root().join("tests/src/faults/shim.c");
        let mut cc = Command::new("cc");
        cc.args(["-Wall", "-Wextra", "-Werror", "-O1", "-fPIC", "-shared", "-pthread", "-o"])
            .arg(&new)
            .arg(source);
        run(&mut cc).ok();
        // Renamed, since another process may run with the old one.
        std::fs::rename(&new, &library).expect("putting the shim in place");
        library
    })
}
