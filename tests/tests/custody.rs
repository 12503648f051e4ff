//! A stopped node's files in an administrator's hands, with nothing but the distribution's LMDB tools.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::ffi::OsStr;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};

use ledger_types::signature::Curve;
use rustix::process::Signal;
use tests::client::HeadBlock;
use tests::lmdb::{self, BLOCK, CONSENSUS, FILES, MERKLE, RECEIPTS};
use tests::load::{dec, key, set};
use tests::node::{Home, Start, copy_files};
use txfamilies::sign_batch;

/// The key of the meta record, in a dump.
const META: &str = "00";

/// A stopped node with some blocks, one with a rejection, and its head.
fn stopped_node() -> (Home, HeadBlock) {
    lmdb::require_tools();
    let home = Home::new();
    let node = home.start();
    for number in 0..3 {
        let transactions: Vec<_> = (0..40).map(|index| set(&format!("{number}-{index}"), 1)).collect();
        node.client().commit(&sign_batch(&key(Curve::Secp256k1, "bob"), &transactions));
        node.client().decide(&sign_batch(&key(Curve::Ed25519, "alice"), &[dec("never", number)]));
    }
    let head = node.client().head();
    node.stop();
    (home, head)
}

fn check_goes_on(home: &Home, head: &HeadBlock, name: &str) {
    let node = home.start();
    assert_eq!(node.client().head(), *head);
    node.client().commit(&sign_batch(&key(Curve::Ed25519, "alice"), &[set(name, 1)]));
    assert_eq!(node.client().head().height, head.height + 1);
    node.stop();
}

#[test]
fn stock_tools_dump_and_load_every_file() {
    let (home, head) = stopped_node();
    let digests = home.digests();
    for (name, digest) in FILES.into_iter().zip(&digests) {
        let file = home.file(name);
        assert_eq!(lmdb::digest(&file), *digest, "`dgt digest` of {name}");
        let dumped = lmdb::dump(&file);
        lmdb::load(&dumped, &file);
        assert!(lmdb::dump(&file) == dumped, "the second dump of {name} differs");
    }
    assert_eq!(home.digests(), digests);
    let printed = home.dgt([OsStr::new("digest"), home.data().as_os_str()]).ok();
    assert!(digests.iter().all(|digest| printed.contains(digest)), "{printed}");
    check_goes_on(&home, &head, "next");
}

#[test]
fn a_sparse_copy_is_as_good_as_the_files() {
    let (home, head) = stopped_node();
    let copied = Home::new();
    std::fs::create_dir_all(copied.path().parent().unwrap()).unwrap();
    let mut cp = Command::new("cp");
    cp.args(["-a", "--sparse=always"]).arg(home.path()).arg(copied.path());
    tests::binary::run(&mut cp).ok();
    assert_eq!(copied.digests(), home.digests());
    check_goes_on(&copied, &head, "next");
}

fn lock_files(home: &Home) -> Vec<String> {
    let mut found = Vec::new();
    for folder in ["data", "keys", "etc"] {
        for entry in std::fs::read_dir(home.path().join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if name.contains("lock") && !FILES.contains(&name.as_str()) {
                found.push(name);
            }
        }
    }
    found.sort();
    found
}

#[test]
fn a_clean_stop_leaves_no_lock_files() {
    let home = Home::new();
    for signal in [Signal::TERM, Signal::INT] {
        let node = home.start();
        node.client().commit(&sign_batch(&key(Curve::Ed25519, "alice"), &[set(&format!("{signal:?}"), 1)]));
        assert!(lock_files(&home).len() >= 6, "a running node holds its files: {:?}", lock_files(&home));
        node.stop_by(signal);
        assert_eq!(lock_files(&home), Vec::<String>::new(), "{signal:?}");
        home.digests();
        assert_eq!(lock_files(&home), Vec::<String>::new(), "after `dgt digest`");
    }
    home.start().kill();
    assert!(!lock_files(&home).is_empty(), "a killed node cannot clean up");
    home.start().stop();
    assert_eq!(lock_files(&home), Vec::<String>::new(), "the next clean stop cleans up after it");
}

#[test]
fn a_second_process_is_refused_and_told_which_has_the_files() {
    let home = Home::new();
    let node = home.start();
    let words = format!("held by process {}", node.pid());
    for _ in 0..2 {
        let refusal = home.refusal();
        assert!(refusal.contains(&words) && refusal.contains(".lock"), "{refusal}");
    }
    // The data directory alone, by another command.
    let refusal = home.dgt([OsStr::new("digest"), home.data().as_os_str()]).failed(1);
    assert!(refusal.contains(&words) && refusal.contains("node.lock"), "{refusal}");
    node.client().commit(&sign_batch(&key(Curve::Ed25519, "alice"), &[set("still here", 1)]));
    node.stop();
}

#[test]
fn one_key_does_not_vote_from_two_folders() {
    let (home, other) = (Home::new(), Home::new());
    home.start().stop();
    let node = home.start();
    std::fs::create_dir_all(other.path()).unwrap();
    std::os::unix::fs::symlink(home.path().join("keys"), other.path().join("keys")).unwrap();
    let refusal = other.refusal();
    assert!(refusal.contains("vote.lock") && refusal.contains(&node.pid().to_string()), "{refusal}");
    node.stop();
}

fn copy(from: &Path, to: &Path) {
    std::fs::copy(from, to).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
}

/// Makes a change to a file of a stopped node; the node must refuse with these words, and start again without it.
fn check_refused(home: &Home, file: &str, change: impl FnOnce(&Path), words: &[&str]) {
    let kept = home.scratch("kept");
    copy_files(&home.data(), &kept);
    change(&home.file(file));
    let refusal = home.refusal();
    assert!(words.iter().all(|word| refusal.contains(word)), "{file}: {words:?} not in {refusal}");
    copy_files(&kept, &home.data());
}

#[test]
fn files_that_are_not_this_nodes_are_refused_by_name() {
    let (home, head) = stopped_node();
    let foreign =
        "VERSION=3\nformat=bytevalue\ntype=btree\nmapsize=1048576\nHEADER=END\n 6b\n 76\nDATA=END\n";
    let version = |value: &str| format!("{}{}{}", &value[..10], "000003e7", &value[18..]);
    let network = |value: &str| format!("{}{}", &value[..18], "ab".repeat(32));
    for name in FILES {
        let reload = |file: &Path, change: &dyn Fn(&str) -> String| {
            let changed = lmdb::with_value(&lmdb::dump(file), META, change);
            lmdb::load(&changed, file);
        };
        check_refused(&home, name, |file| lmdb::load(foreign, file), &[name, "not a file of dgt"]);
        check_refused(&home, name, |file| reload(file, &version), &[name, "format version 999 is not known"]);
        check_refused(&home, name, |file| reload(file, &network), &[name, "belongs to network abababab"]);
        check_refused(&home, name, lmdb::remove, &[name, "is missing"]);
        check_refused(&home, name, |file| std::fs::write(file, [0x5a; 8192]).unwrap(), &[name]);
    }
    let other = home.file(MERKLE);
    let words = [RECEIPTS, "holds state, not receipts"];
    check_refused(&home, RECEIPTS, |file| copy(&other, file), &words);
    check_goes_on(&home, &head, "unharmed");
}

#[test]
fn an_older_block_file_is_refused_until_a_rebuild() {
    let (home, old_head) = stopped_node();
    let older = home.scratch("older");
    copy_files(&home.data(), &older);
    check_goes_on(&home, &old_head, "one more");
    let newer = home.scratch("newer");
    copy_files(&home.data(), &newer);
    let words = ["ahead of the block file", "--rebuild"];
    check_refused(&home, BLOCK, |file| copy(&older.join(BLOCK), file), &words);
    for name in [MERKLE, RECEIPTS] {
        // Only one file is ahead of the blocks, and of the log.
        copy_files(&older, &home.data());
        copy(&newer.join(name), &home.file(name));
        let refusal = home.refusal();
        let height = format!("{name} is at height {}", old_head.height + 1);
        assert!(refusal.contains(&height) && refusal.contains("--rebuild"), "{refusal}");
        let node = Start::new(&home).arg("--rebuild").serve();
        assert_eq!(node.client().head(), old_head);
        node.stop();
        assert_eq!(&home.digests()[..3], &digests_of(&home, &older)[..3]);
    }
}

fn digests_of(home: &Home, folder: &Path) -> Vec<String> {
    let digest = |name| {
        let printed = home.dgt([OsStr::new("digest"), folder.join(name).as_os_str()]).ok();
        printed.split_whitespace().next().unwrap().to_owned()
    };
    FILES.map(digest).to_vec()
}

/// A stock tool that has a file open and does not end, because nobody reads what it prints.
fn stock_tool_on(file: &Path) -> std::process::Child {
    let mut tool = Command::new("mdb_dump").arg("-n").arg(file).stdout(Stdio::piped()).spawn().unwrap();
    let mut byte = [0];
    tool.stdout.as_mut().unwrap().read_exact(&mut byte).unwrap();
    assert!(tool.try_wait().unwrap().is_none(), "the dump fits into a pipe");
    tool
}

#[test]
fn a_stock_tool_that_has_a_file_is_waited_for_and_then_named() {
    let (home, head) = stopped_node();
    let mut tool = stock_tool_on(&home.file(BLOCK));
    let refusal = home.refusal();
    assert!(
        refusal.contains(BLOCK) && refusal.contains("is mdb_dump, mdb_load or mdb_stat running"),
        "{refusal}"
    );
    let mut starting = Start::new(&home).spawn();
    starting.await_warning("waiting for another LMDB version");
    tool.kill().unwrap();
    tool.wait().unwrap();
    let node = starting.serving().unwrap();
    assert_eq!(node.client().head(), head);
    node.stop();
    assert!(home.file(CONSENSUS).exists());
}
