//! What strace recorded of a node, and whether everything was durable before anything came of it (storage.md 3).
//!
//! LMDB makes a commit durable in two steps: the pages are written and synced with `fdatasync`, then the meta page that
//! makes them valid is written through a descriptor opened with `O_DSYNC`, whose writes return when they are on the disk.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::Path;

use crate::lmdb::{BLOCK, CONSENSUS};

/// The system calls that matter: opening, writing and syncing files, and answering clients.
const CALLS: &str =
    "openat,write,pwrite64,writev,pwritev,pwritev2,fdatasync,fsync,msync,sync_file_range,sendto,sendmsg";

/// The synced transactions of one block before it is committed: the body with the NOTARIZE vote, the FINALIZE vote, the
/// FINALIZATION.
pub const COMMITS_PER_BLOCK: usize = 3;

/// The command line that records a program to a file.
pub fn strace(output: &Path) -> Vec<OsString> {
    let options = ["strace", "-f", "-y", "-x", "-s", "1000000", "-e", "signal=none", "-e"];
    let mut words: Vec<OsString> = options.map(OsString::from).to_vec();
    words.extend([format!("trace={CALLS}").into(), "-o".into(), output.into()]);
    words
}

/// One system call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Its name.
    pub name: String,
    /// What the descriptor that it names first is, as `-y` prints it; empty when it names none.
    pub target: String,
    /// Whether that descriptor's writes return only when they are on the disk.
    pub is_dsync: bool,
    /// Its arguments, as printed.
    pub arguments: String,
    /// The trace's line on which it begins.
    pub begin: usize,
    /// The line on which it has ended; never, when the trace does not say so.
    pub end: usize,
}

impl Call {
    fn is_write(&self) -> bool {
        self.name.contains("write") || self.name.starts_with("send")
    }

    fn is_sync(&self) -> bool {
        matches!(self.name.as_str(), "fdatasync" | "fsync" | "msync")
    }

    fn is_on(&self, file: &str) -> bool {
        self.target.ends_with(&format!("/{file}"))
    }

    fn is_on_socket(&self) -> bool {
        self.target.starts_with("socket:") || self.target.starts_with("TCP")
    }

    fn shows(&self, text: &str) -> bool {
        self.arguments.contains(text)
    }
}

/// Reads a trace into its calls, in the order in which they begin. A call that failed counts as never ended.
pub fn parse(trace: &str) -> Vec<Call> {
    let mut calls: Vec<Call> = Vec::new();
    let mut unfinished: BTreeMap<&str, usize> = BTreeMap::new();
    let mut dsync: BTreeSet<String> = BTreeSet::new();
    for (line_number, line) in trace.lines().enumerate() {
        let Some((process, event)) = line.split_once(' ') else { continue };
        let event = event.trim_start();
        if let Some(resumed) = event.strip_prefix("<... ") {
            let call = unfinished.remove(process).and_then(|index| calls.get_mut(index));
            if let Some(call) = call {
                finish(call, resumed, line_number, &mut dsync);
            }
            continue;
        }
        let Some((name, arguments)) = event.split_once('(') else { continue };
        if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            continue;
        }
        let (descriptor, target) = descriptor(arguments).unwrap_or_default();
        let mut call = Call {
            name: name.to_owned(),
            target,
            is_dsync: dsync.contains(&descriptor),
            arguments: arguments.to_owned(),
            begin: line_number,
            end: usize::MAX,
        };
        if event.ends_with("<unfinished ...>") {
            unfinished.insert(process, calls.len());
        } else {
            finish(&mut call, event, line_number, &mut dsync);
        }
        calls.push(call);
    }
    calls
}

/// Takes in the result of a call, which stands behind its last equals sign.
fn finish(call: &mut Call, event: &str, line_number: usize, dsync: &mut BTreeSet<String>) {
    let Some((_, result)) = event.rsplit_once(" = ") else { return };
    if result.starts_with('-') || result.starts_with('?') {
        return;
    }
    call.end = line_number;
    if call.name == "openat"
        && let Some((opened, _)) = descriptor(result)
    {
        match call.shows("O_DSYNC") || call.shows("O_SYNC") {
            true => dsync.insert(opened),
            false => dsync.remove(&opened),
        };
    }
}

/// A descriptor's number and what it is, from `9</tmp/file>...`.
fn descriptor(text: &str) -> Option<(String, String)> {
    let (number, rest) = text.split_once('<')?;
    let (target, _) = rest.split_once('>')?;
    number.bytes().all(|byte| byte.is_ascii_digit()).then(|| (number.to_owned(), target.to_owned()))
}

/// Checks one batch that was alone in its block: its votes and the decision were durable in the consensus file before
/// the block file was written, and before any client was answered COMMITTED.
///
/// # Errors
/// What came too early, or does not appear at all.
pub fn check_batch(calls: &[Call], batch_id: &str) -> Result<(), String> {
    let raw: String =
        batch_id.as_bytes().chunks(2).map(|hex| format!("\\x{}", String::from_utf8_lossy(hex))).collect();
    let first = |what: &str, found: &dyn Fn(&&Call) -> bool| {
        calls.iter().find(found).ok_or_else(|| format!("{what} does not appear"))
    };
    let body = first("the body in the consensus file", &|call| {
        call.is_write() && call.is_on(CONSENSUS) && call.shows(&raw)
    })?;
    let block = first("the block in the block file", &|call| {
        call.is_write() && call.is_on(BLOCK) && call.shows(&raw)
    })?;
    let answer = first("the answer COMMITTED", &|call| {
        call.is_write() && call.is_on_socket() && call.shows(batch_id) && call.shows("COMMITTED")
    })?;
    let commits = commits_since(calls, body.begin)?;
    for (effect, what) in [(block, "the block file is written"), (answer, "COMMITTED is answered")] {
        let durable = commits.iter().filter(|end| **end < effect.begin).count();
        if durable < COMMITS_PER_BLOCK {
            return Err(format!(
                "line {}: {what} after {durable} synced commits of the consensus file, not {COMMITS_PER_BLOCK}",
                effect.begin + 1
            ));
        }
    }
    if block.end > answer.begin {
        return Err(format!("line {}: COMMITTED is answered before the block is readable", answer.begin + 1));
    }
    Ok(())
}

/// The lines at which commits of the consensus file became durable, from a line on.
fn commits_since(calls: &[Call], line: usize) -> Result<Vec<usize>, String> {
    let mut commits = Vec::new();
    let (mut pages_written, mut synced) = (0, false);
    for call in calls.iter().filter(|call| call.begin >= line && call.is_on(CONSENSUS)) {
        if call.is_sync() {
            synced |= pages_written < call.begin && call.end != usize::MAX;
        } else if call.is_write() && !call.is_dsync {
            (pages_written, synced) = (call.end, false);
        } else if call.is_write() {
            if !synced {
                let line = call.begin + 1;
                return Err(format!("line {line}: a commit is made valid before its pages are synced"));
            }
            commits.push(call.end);
            synced = false;
        }
    }
    Ok(commits)
}

#[cfg(test)]
mod tests {
    use super::{check_batch, parse};

    const BATCH: &str = "0aff";

    /// One batch's way through a node, one call a line.
    fn lines() -> Vec<&'static str> {
        vec![
            r#"7  openat(AT_FDCWD</>, "/d/pbft_consensus-01.lmdb", O_RDWR|O_CREAT, 0600) = 5</d/pbft_consensus-01.lmdb>"#,
            r#"7  openat(AT_FDCWD</>, "/d/pbft_consensus-01.lmdb", O_WRONLY|O_DSYNC) = 6</d/pbft_consensus-01.lmdb>"#,
            r#"7  pwrite64(5</d/pbft_consensus-01.lmdb>, "\x01\x0a\xff", 3, 8192) = 3"#,
            r"7  fdatasync(5</d/pbft_consensus-01.lmdb>)     = 0",
            r#"7  pwrite64(6</d/pbft_consensus-01.lmdb>, "\x01", 1, 16) = 1"#,
            r#"7  pwrite64(5</d/pbft_consensus-01.lmdb>, "\x02", 1, 8192) = 1"#,
            r"7  fdatasync(5</d/pbft_consensus-01.lmdb> <unfinished ...>",
            r"7  <... fdatasync resumed>) = 0",
            r#"7  pwrite64(6</d/pbft_consensus-01.lmdb>, "\x02", 1, 16) = 1"#,
            r#"7  pwrite64(5</d/pbft_consensus-01.lmdb>, "\x03", 1, 8192) = 1"#,
            r"7  fdatasync(5</d/pbft_consensus-01.lmdb>) = 0",
            r#"7  pwrite64(6</d/pbft_consensus-01.lmdb>, "\x03", 1, 16) = 1"#,
            r#"8  pwrite64(9</d/block-01.lmdb>, "\x04\x0a\xff", 3, 8192) = 3"#,
            r#"9  writev(12<socket:[77]>, [{iov_base="\"0aff\": \"COMMITTED\"", iov_len=9}], 1) = 9"#,
        ]
    }

    fn check(lines: &[&str]) -> Result<(), String> {
        check_batch(&parse(&lines.join("\n")), BATCH)
    }

    fn moved(from: usize, to: usize) -> Vec<&'static str> {
        let mut lines = lines();
        let line = lines.remove(from);
        lines.insert(to, line);
        lines
    }

    #[test]
    fn a_trace_in_order_passes() {
        assert_eq!(check(&lines()), Ok(()));
    }

    #[test]
    fn an_effect_before_any_of_the_three_commits_is_found() {
        let early = |from, to| check(&moved(from, to)).unwrap_err();
        for to in [3, 5, 9, 11] {
            assert!(early(12, to).contains("the block file is written after"), "block file at {to}");
            assert!(early(13, to).contains("COMMITTED is answered after"), "answer at {to}");
        }
        assert!(early(13, 12).contains("before the block is readable"));
    }

    #[test]
    fn a_sync_that_is_missing_late_or_failed_is_found() {
        for sync in [3, 6, 10] {
            let mut without = lines();
            without.remove(sync);
            assert!(check(&without).unwrap_err().contains("before its pages are synced"), "line {sync}");
        }
        assert!(
            check(&moved(3, 4)).unwrap_err().contains("before its pages are synced"),
            "after the meta page"
        );
        assert!(check(&moved(3, 2)).unwrap_err().contains("before its pages are synced"), "before the pages");
        let mut failed = lines();
        failed[10] = r"7  fdatasync(5</d/pbft_consensus-01.lmdb>)  = -1 EIO (Input/output error)";
        assert!(check(&failed).unwrap_err().contains("before its pages are synced"));
    }

    #[test]
    fn a_meta_page_that_is_not_written_through_is_no_commit() {
        let mut lines = lines();
        lines[1] =
            r#"7  openat(AT_FDCWD</>, "/d/pbft_consensus-01.lmdb", O_WRONLY) = 6</d/pbft_consensus-01.lmdb>"#;
        assert!(check(&lines).unwrap_err().contains("after 0 synced commits"));
    }

    #[test]
    fn what_does_not_appear_is_named() {
        for (line, what) in [(2, "the body"), (12, "the block"), (13, "the answer")] {
            let mut without = lines();
            without.remove(line);
            assert!(check(&without).unwrap_err().starts_with(what), "{what}");
        }
    }
}
