//! `dgt backup`: sets of the four files, made, checked and brought back.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use ledger_types::signature::Curve;
use tests::binary::Ran;
use tests::lmdb::{self, BLOCK, FILES, MERKLE};
use tests::load::{key, set};
use tests::node::{Home, copy_files};
use tests::stopped;
use txfamilies::sign_batch;

fn backup(home: &Home, words: &[&dyn AsRef<OsStr>]) -> Ran {
    home.dgt([OsStr::new("backup")].into_iter().chain(words.iter().map(AsRef::as_ref)))
}

/// A set of a stopped node.
fn make(home: &Home, name: &str, more: &[&str]) -> PathBuf {
    let set = home.scratch(name);
    let mut words: Vec<&dyn AsRef<OsStr>> = vec![&"create", &set, &"--home"];
    let path = home.path();
    words.push(&path);
    words.extend(more.iter().map(|word| word as &dyn AsRef<OsStr>));
    backup(home, &words).ok();
    set
}

fn empty(home: &Home) {
    for name in FILES {
        std::fs::remove_file(home.file(name)).unwrap();
    }
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn sorted_files() -> Vec<String> {
    let mut files = FILES.map(str::to_owned).to_vec();
    files.sort();
    files
}

#[test]
fn a_set_brings_a_node_back_and_the_stock_tools_can_use_it_too() {
    lmdb::require_tools();
    let (home, head) = stopped::node();
    let digests = home.digests();
    for options in [&[][..], &["--compress"]] {
        let set = make(&home, "set", options);
        assert!(!home.scratch("set.tmp").exists());
        assert!(names(&set).iter().all(|name| name == "manifest.json" || name.contains(".lmdb.dump")));
        let said = backup(&home, &[&"verify", &set]).ok();
        assert!(digests.iter().all(|digest| said.contains(digest)), "{said}");
        let listed = backup(&home, &[&"list", &home.scratch("")]).ok();
        assert!(listed.contains(set.to_str().unwrap()), "{listed}");
        if options.is_empty() {
            for name in FILES {
                lmdb::load(
                    &std::fs::read_to_string(set.join(format!("{name}.dump"))).unwrap(),
                    &home.file(name),
                );
            }
            assert_eq!(home.digests(), digests, "by the stock tools");
        }
        empty(&home);
        let said = backup(&home, &[&"restore", &set, &"--home", &home.path()]).ok();
        assert!(said.contains("clean") && said.contains(&format!("head     {}", head.height)), "{said}");
        assert_eq!(home.digests(), digests);
        assert_eq!(names(&home.data()), sorted_files());
        std::fs::remove_dir_all(&set).unwrap();
    }
    let node = home.start();
    assert_eq!(node.client().head(), head);
    node.client().commit(&sign_batch(&key(Curve::Ed25519, "alice"), &[set("next", 1)]));
    node.stop();
}

#[test]
fn a_set_replaces_files_only_when_told_to_and_only_whole() {
    let (home, head) = stopped::node();
    let set = make(&home, "set", &[]);
    let said = backup(&home, &[&"create", &set, &"--home", &home.path()]).failed(1);
    assert!(said.contains("is there already"), "{said}");
    let old = home.digests();
    let node = home.start();
    stopped::fill(&node, "more");
    node.stop();
    let newer = home.digests();
    let said = backup(&home, &[&"restore", &set, &"--home", &home.path()]).failed(1);
    assert!(said.contains(BLOCK) && said.contains("--replace"), "{said}");
    assert_eq!(home.digests(), newer);
    // By its data directory, and without executing everything again.
    backup(&home, &[&"restore", &set, &home.data(), &"--replace", &"--no-verify"]).ok();
    assert_eq!(home.digests(), old);
    assert_eq!(names(&home.data()), sorted_files());
    let printed = home.dgt([OsStr::new("verify"), home.data().as_os_str()]).ok();
    assert!(printed.contains(&format!("head           {}", head.height)), "{printed}");
}

/// Does something to a copy of the set; every command must refuse it with these words, and the node stays as it was.
fn check_refused(home: &Home, set: &Path, change: impl FnOnce(&Path), words: &[&str]) {
    let changed = home.scratch("changed");
    std::fs::create_dir(&changed).unwrap();
    for name in names(set) {
        std::fs::copy(set.join(&name), changed.join(&name)).unwrap();
    }
    change(&changed);
    let before = home.digests();
    for said in [
        backup(home, &[&"verify", &changed]).failed(1),
        backup(home, &[&"restore", &changed, &"--home", &home.path(), &"--replace"]).failed(1),
    ] {
        assert!(words.iter().all(|word| said.contains(word)), "{words:?} not in {said}");
    }
    assert_eq!(home.digests(), before);
    assert_eq!(names(&home.data()), sorted_files());
    std::fs::remove_dir_all(&changed).unwrap();
}

#[test]
fn damaged_partial_mixed_and_foreign_sets_are_refused_by_name() {
    let (home, _) = stopped::node();
    let set = make(&home, "set", &[]);
    let node = home.start();
    stopped::fill(&node, "more");
    node.stop();
    let later = make(&home, "later", &[]);
    let dump = format!("{MERKLE}.dump");
    let edit = |name: &'static str, change: &'static dyn Fn(&str) -> String| {
        move |set: &Path| {
            let text = std::fs::read_to_string(set.join(name)).unwrap();
            std::fs::write(set.join(name), change(&text)).unwrap();
        }
    };
    for name in names(&set) {
        check_refused(&home, &set, |set| std::fs::remove_file(set.join(&name)).unwrap(), &[&name]);
    }
    let cut = |set: &Path| {
        let text = std::fs::read(set.join(&dump)).unwrap();
        std::fs::write(set.join(&dump), &text[..text.len() - 1]).unwrap();
    };
    check_refused(&home, &set, cut, &[&dump, "line "]);
    let flip = |set: &Path| {
        let mut text = std::fs::read(set.join(&dump)).unwrap();
        let at = text.len() - 20;
        text[at] = if text[at] == b'0' { b'1' } else { b'0' };
        std::fs::write(set.join(&dump), text).unwrap();
    };
    check_refused(&home, &set, flip, &[&dump, "the manifest says"]);
    let mix = |set: &Path| _ = std::fs::copy(later.join(&dump), set.join(&dump)).unwrap();
    check_refused(&home, &set, mix, &[&dump, "of another set"]);
    let unknown = edit("manifest.json", &|text| text.replace("dgt-backup-1", "dgt-backup-9"));
    check_refused(&home, &set, unknown, &["manifest.json", "dgt-backup-9"]);
    let outside = edit("manifest.json", &|text| text.replace("block-01.lmdb.dump", "../block-01.lmdb.dump"));
    check_refused(&home, &set, outside, &["manifest.json", "is no name of a dump"]);
    check_refused(&home, &set, edit("manifest.json", &|_| "{".to_owned()), &["manifest.json"]);

    let (other, _) = stopped::node();
    let before = other.digests();
    let said = backup(&other, &[&"restore", &set, &"--home", &other.path(), &"--replace"]).failed(1);
    assert!(said.contains("a set of network") && said.contains("this node belongs to"), "{said}");
    assert_eq!(other.digests(), before);
}

#[test]
fn files_that_do_not_belong_together_make_no_set() {
    let (home, _) = stopped::node();
    let older = home.scratch("older");
    copy_files(&home.data(), &older);
    let node = home.start();
    stopped::fill(&node, "more");
    let words: [&dyn AsRef<OsStr>; 4] = [&"create", &home.scratch("set"), &"--home", &home.path()];
    let said = backup(&home, &words).failed(1);
    assert!(said.contains(&format!("held by process {}", node.pid())), "{said}");
    node.stop();
    let newer = home.scratch("newer");
    copy_files(&home.data(), &newer);
    for name in [MERKLE, lmdb::RECEIPTS] {
        copy_files(&older, &home.data());
        std::fs::copy(newer.join(name), home.file(name)).unwrap();
        let said = backup(&home, &words).failed(1);
        assert!(said.contains(name) && said.contains("not of one moment"), "{said}");
    }
    for name in FILES {
        copy_files(&newer, &home.data());
        std::fs::remove_file(home.file(name)).unwrap();
        let said = backup(&home, &words).failed(1);
        assert!(said.contains(name) && said.contains("missing"), "{said}");
    }
    let (other, _) = stopped::node();
    copy_files(&newer, &home.data());
    std::fs::copy(other.file(MERKLE), home.file(MERKLE)).unwrap();
    let said = backup(&home, &words).failed(1);
    assert!(said.contains(MERKLE), "{said}");
    assert!(!home.scratch("set").exists() && !home.scratch("set.tmp").exists());
}

#[test]
fn what_a_killed_restore_leaves_is_no_ledger_and_is_cleared_by_the_next() {
    let (home, head) = stopped::node();
    let set = make(&home, "set", &[]);
    // As it is while the files are put in place: the block file goes first and comes last.
    let staging = home.data().join("restore.tmp");
    std::fs::create_dir(&staging).unwrap();
    std::fs::rename(home.file(BLOCK), staging.join(BLOCK)).unwrap();
    let refusal = home.refusal();
    assert!(refusal.contains(BLOCK) && refusal.contains("missing"), "{refusal}");
    backup(&home, &[&"restore", &set, &"--home", &home.path(), &"--replace"]).ok();
    assert_eq!(names(&home.data()), sorted_files());
    let node = home.start();
    assert_eq!(node.client().head(), head);
    node.stop();
}
