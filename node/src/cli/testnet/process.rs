//! The processes of nodes.

use std::fs::{File, OpenOptions};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use rustix::io::Errno;
use rustix::process::{Signal, kill_process};

use super::site::Member;
use crate::config::KEYS;

pub(in crate::cli) use rustix::process::Pid;

/// How often something that takes time is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The process that holds a lock file: the one whose id stands there, if it has that very file open. An id alone could be
/// a stranger's, since ids come again.
pub(in crate::cli) fn holder(lock: &Path) -> Option<Pid> {
    let pid = Pid::from_raw(std::fs::read_to_string(lock).ok()?.trim().parse().ok()?)?;
    let lock = lock.canonicalize().ok()?;
    let mut open = std::fs::read_dir(format!("/proc/{}/fd", pid.as_raw_nonzero())).ok()?;
    let has_lock =
        open.any(|file| file.and_then(|file| std::fs::read_link(file.path())).is_ok_and(|file| file == lock));
    has_lock.then_some(pid)
}

/// Sends a signal; a process that has just ended needs none.
pub(super) fn send(pid: Pid, signal: Signal) -> Result<()> {
    match kill_process(pid, signal) {
        Ok(()) | Err(Errno::SRCH) => Ok(()),
        Err(error) => Err(error).with_context(|| format!("a signal to process {}", pid.as_raw_nonzero())),
    }
}

/// Starts a node that lives on when this command and its terminal end.
pub(super) fn start(member: &Member) -> Result<Child> {
    use std::os::unix::process::CommandExt as _;

    let path = member.log_file();
    let log = || -> Result<File> {
        let open = OpenOptions::new().create(true).append(true).open(&path);
        open.with_context(|| format!("opening {}", path.display()))
    };
    let program = std::env::current_exe().context("the path of dgt")?;
    let mut command = Command::new(&program);
    command.arg("start").arg("--home").arg(member.home.path());
    command.current_dir(member.home.path());
    // Where a node listens and whom it knows stands in its own file; what is said about the log is for all.
    for key in KEYS.iter().filter(|key| !key.name.starts_with("log.")) {
        command.env_remove(key.variable());
    }
    command.env_remove("DGT_CONFIG").env_remove("DGT_HOME");
    command.stdin(Stdio::null()).stdout(log()?).stderr(log()?).process_group(0);
    command.spawn().with_context(|| format!("starting {}", program.display()))
}

/// Looks again and again until there is nothing left to wait for, or the time is over. Tells which.
pub(super) fn wait_until(deadline: Instant, mut is_over: impl FnMut() -> Result<bool>) -> Result<bool> {
    while !is_over()? {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(false);
        }
        std::thread::sleep(left.min(LOOK_EVERY));
    }
    Ok(true)
}
