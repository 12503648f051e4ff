//! `dgt export`: from files and over REST, the same lines.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::ffi::OsStr;

use serde_json::Value;
use tests::node::Home;
use tests::stopped;

fn export(home: &Home, words: &[&dyn AsRef<OsStr>]) -> String {
    home.dgt([OsStr::new("export")].into_iter().chain(words.iter().map(AsRef::as_ref))).ok()
}

fn documents(lines: &str) -> Vec<Value> {
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

const ALL: [&str; 5] = ["blocks", "batches", "transactions", "state", "receipts"];

#[test]
fn files_and_rest_give_the_same_lines_in_the_shapes_of_rest() {
    let (home, head) = stopped::node();
    let (path, middle) = (home.path(), (head.height / 2).to_string());
    let ranges: [&[&str]; 2] = [&[], &["--from", "2", "--to", &middle]];
    let formats = ["jsonl", "csv"];
    let collect = |source: &[&dyn AsRef<OsStr>]| {
        let mut printed = Vec::new();
        for what in &ALL {
            for (range, format) in
                ranges.iter().flat_map(|range| formats.iter().map(move |format| (range, format)))
            {
                let mut words: Vec<&dyn AsRef<OsStr>> = vec![what, &"--format", format];
                words.extend(range.iter().map(|word| word as &dyn AsRef<OsStr>));
                words.extend(source);
                printed.push((format!("{what} {format} {range:?}"), export(&home, &words)));
            }
        }
        printed
    };
    let stopped = collect(&[&"--home", &path]);
    let node = home.start();
    assert_eq!(node.client().head(), head);
    let url = node.client().url().to_owned();
    let running = collect(&[&"--url", &url]);
    for ((name, files), (_, rest)) in stopped.iter().zip(&running) {
        assert!(files == rest, "{name} differs:\n{files}\n{rest}");
        assert!(files.lines().count() > 1, "{name}: {files}");
    }
    // Against the interface itself.
    let of = |what: &str| &stopped.iter().find(|(name, _)| *name == format!("{what} jsonl []")).unwrap().1;
    let listed = |path: &str| {
        let mut listed = node.client().get(path)["data"].as_array().unwrap().clone();
        listed.reverse();
        listed
    };
    let blocks = documents(of("blocks"));
    assert_eq!(blocks.len() as u64, head.height + 1);
    assert_eq!(blocks, listed("/blocks?limit=1000"));
    let ids = |items: &[Value]| {
        items.iter().map(|item| item["header_signature"].to_string()).collect::<BTreeSet<_>>()
    };
    for what in ["batches", "transactions"] {
        let (exported, listed) = (documents(of(what)), listed(&format!("/{what}?limit=1000")));
        assert_eq!(exported.len(), listed.len());
        assert_eq!(ids(&exported), ids(&listed), "{what}");
    }
    let mut state = listed("/state?limit=1000");
    state.reverse();
    assert_eq!(documents(of("state")), state);
    assert_eq!(documents(of("receipts")).len(), documents(of("transactions")).len());
    node.stop();
}

#[test]
fn a_file_appears_whole_and_wrong_ranges_are_named() {
    let (home, head) = stopped::node();
    let (path, file) = (home.path(), home.scratch("blocks.jsonl"));
    export(&home, &[&"blocks", &"--home", &path, &"-o", &file]);
    assert!(std::fs::read_to_string(&file).unwrap() == export(&home, &[&"blocks", &home.data()]));
    let beyond = (head.height + 1).to_string();
    for (words, said) in [
        (["--to", &beyond], format!("there is no block {beyond}; the newest is {}", head.height)),
        (["--from", &beyond], format!("--from {beyond} is behind --to {}", head.height)),
    ] {
        let all =
            [&["export", "blocks", "-o", "none", "--home", path.to_str().unwrap()][..], &words].concat();
        let error = home.dgt(all).failed(1);
        assert!(error.contains(&said), "{said} is not in {error}");
        assert!(!home.scratch("none").exists() && !home.scratch("none.tmp").exists());
    }
    let node = home.start();
    let said = home.dgt(["export", "state", "--home", path.to_str().unwrap()]).failed(1);
    assert!(said.contains(&format!("held by process {}", node.pid())), "{said}");
    node.stop();
}
