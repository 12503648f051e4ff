//! The files of a node, as the distribution's LMDB tools see them.

use std::path::Path;
use std::process::Command;

use crate::binary::run;
use crate::packages;

/// Decided blocks.
pub const BLOCK: &str = "block-01.lmdb";
/// Authenticated state.
pub const MERKLE: &str = "merkle-01.lmdb";
/// Receipts and rejections.
pub const RECEIPTS: &str = "txn-receipts-01.lmdb";
/// Votes, undecided bodies and certificates.
pub const CONSENSUS: &str = "pbft_consensus-01.lmdb";
/// All four.
pub const FILES: [&str; 4] = [BLOCK, MERKLE, RECEIPTS, CONSENSUS];

/// Makes sure that the stock tools are there.
pub fn require_tools() {
    packages::require("mdb_dump", "lmdb-utils");
}

/// `mdb_dump -n FILE`.
pub fn dump(file: &Path) -> String {
    run(Command::new("mdb_dump").arg("-n").arg(file)).ok()
}

/// Makes a file anew from a dump: `mdb_load -n -f DUMP FILE`.
pub fn load(dump: &str, file: &Path) {
    remove(file);
    load_new(dump, file);
}

/// The same, where there is no file.
pub fn load_new(dump: &str, file: &Path) {
    let text = file.with_extension("dump");
    std::fs::write(&text, dump).expect("writing the dump");
    run(Command::new("mdb_load").arg("-n").arg("-f").arg(&text).arg(file)).ok();
    std::fs::remove_file(&text).expect("removing the dump");
    let _ = std::fs::remove_file(lock_of(file));
}

/// Removes a file and its lock file.
pub fn remove(file: &Path) {
    std::fs::remove_file(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let _ = std::fs::remove_file(lock_of(file));
}

/// The record digest as an administrator takes it.
pub fn digest(file: &Path) -> String {
    let pipe = r#"mdb_dump -n "$0" | sed '1,/HEADER=END/d' | sha256sum"#;
    let printed = run(Command::new("sh").args(["-c", pipe]).arg(file)).ok();
    let _ = std::fs::remove_file(lock_of(file));
    printed.split_whitespace().next().expect("a digest").to_owned()
}

/// A dump with one record's value replaced. Key and value are lower-case hex.
pub fn with_value(dump: &str, key: &str, replace: impl FnOnce(&str) -> String) -> String {
    let key = format!("\n {key}\n ");
    let start = dump.find(&key).unwrap_or_else(|| panic!("no record {key:?}")) + key.len();
    let end = start + dump[start..].find('\n').expect("invariant: a value ends with its line");
    format!("{}{}{}", &dump[..start], replace(&dump[start..end]), &dump[end..])
}

fn lock_of(file: &Path) -> std::path::PathBuf {
    let mut lock = file.as_os_str().to_owned();
    lock.push("-lock");
    lock.into()
}
