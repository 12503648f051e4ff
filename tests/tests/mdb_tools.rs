//! The binary as mdb_dump, mdb_load, mdb_stat and mdb_copy, beside the stock tools.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tests::binary::{self, Ran, run};
use tests::lmdb::{self, FILES, MERKLE, RECEIPTS};
use tests::node::Home;
use tests::stopped;

type Word<'a> = &'a dyn AsRef<OsStr>;

fn ran(program: impl AsRef<OsStr>, words: &[Word<'_>]) -> Ran {
    run(Command::new(program).args(words.iter().map(AsRef::as_ref)))
}

/// The binary under a tool's name.
fn under_name(home: &Home, tool: &str) -> PathBuf {
    let link = home.scratch(tool);
    if !link.exists() {
        std::os::unix::fs::symlink(binary::dgt(), &link).unwrap();
    }
    link
}

fn lock_of(file: &Path) -> PathBuf {
    file.with_file_name(format!("{}-lock", file.file_name().unwrap().to_str().unwrap()))
}

#[test]
fn the_binary_under_a_tools_name_prints_what_the_tool_prints() {
    lmdb::require_tools();
    let (home, _) = stopped::node();
    for name in FILES {
        let file = home.file(name);
        for (tool, options) in [
            ("mdb_dump", &["-n"][..]),
            ("mdb_dump", &["-np"]),
            ("mdb_stat", &["-n"]),
            ("mdb_stat", &["-nr"]),
            ("mdb_stat", &["-nrr"]),
        ] {
            let words: Vec<Word<'_>> =
                options.iter().map(|word| word as Word<'_>).chain([&file as Word<'_>]).collect();
            // With -r the stock tool ends with 1 although nothing failed, so its exit code is not asked.
            let stock = ran(tool, &words).stdout;
            std::fs::remove_file(lock_of(&file)).unwrap();
            // The tool of Debian 12 leaves backslashes as they are with -p; later ones escape them, as we do.
            let comparable =
                |text: String| if *options == ["-np"] { text.replace(r"\\", r"\") } else { text };
            let ours = comparable(ran(under_name(&home, tool), &words).ok());
            assert!(ours == stock, "{tool} {options:?} {name}");
            let ours = ran(binary::dgt(), &[&[&"mdb" as Word<'_>, &&tool[4..]], &words[..]].concat()).ok();
            assert!(comparable(ours) == stock, "dgt mdb {tool} {options:?} {name}");
        }
        let environment = |text: String| {
            // This process's own place among the readers is counted in one and not in the other.
            text.lines().filter(|line| !line.contains("readers used")).map(str::to_owned).collect::<Vec<_>>()
        };
        let stock = ran("mdb_stat", &[&"-ne", &file]).ok();
        std::fs::remove_file(lock_of(&file)).unwrap();
        assert_eq!(
            environment(ran(under_name(&home, "mdb_stat"), &[&"-ne", &file]).ok()),
            environment(stock)
        );
        assert!(!lock_of(&file).exists(), "no lock file is left");
    }
}

#[test]
fn copies_are_those_of_the_tool() {
    lmdb::require_tools();
    let (home, _) = stopped::node();
    for name in FILES {
        let file = home.file(name);
        for options in ["-n", "-nc"] {
            let (theirs, ours) = (home.scratch("theirs"), home.scratch("ours"));
            // The stock tool takes one option a word.
            let words: &[Word<'_>] = if options == "-n" { &[&"-n"] } else { &[&"-n", &"-c"] };
            ran("mdb_copy", &[words, &[&file, &theirs]].concat()).ok();
            std::fs::remove_file(lock_of(&file)).unwrap();
            ran(under_name(&home, "mdb_copy"), &[&options, &file, &ours]).ok();
            let bytes = std::fs::read(&ours).unwrap();
            assert!(bytes == std::fs::read(&theirs).unwrap(), "mdb_copy {options} {name}");
            let said = ran(under_name(&home, "mdb_copy"), &[&options, &file, &ours]).failed(1);
            assert!(said.contains("ours") && said.contains("exists"), "{said}");
            let mut to_stdout = Command::new(under_name(&home, "mdb_copy"));
            let output = to_stdout.arg(options).arg(&file).output().unwrap();
            assert!(output.status.success() && output.stdout == bytes, "mdb_copy {options} {name} to a pipe");
            for path in [&theirs, &ours] {
                std::fs::remove_file(path).unwrap();
            }
        }
    }
}

#[test]
fn loading_merges_as_the_tool_does_but_all_or_nothing() {
    lmdb::require_tools();
    let (home, _) = stopped::node();
    let (tool, text) = (under_name(&home, "mdb_load"), home.scratch("text"));
    let part = |lines: &str| {
        format!("VERSION=3\nformat=bytevalue\ntype=btree\nmapsize=1048576\nHEADER=END\n{lines}DATA=END\n")
    };
    let first = part(" 01\n 01\n 03\n 03\n");
    let second = part(" 01\n aa\n 02\n aa\n");
    for options in [&[][..], &["-N"]] {
        let files = [home.scratch("theirs"), home.scratch("ours")];
        for (program, file) in [Path::new("mdb_load"), &tool].into_iter().zip(&files) {
            for dump in [&first, &second] {
                std::fs::write(&text, dump).unwrap();
                let options = options.iter().map(|word| word as Word<'_>);
                let words: Vec<Word<'_>> = [&"-n" as Word<'_>, &"-f", &text]
                    .into_iter()
                    .chain(options)
                    .chain([file as Word<'_>])
                    .collect();
                ran(program, &words).ok();
            }
        }
        let records = |file: &Path| lmdb::dump(file).split_once("HEADER=END").unwrap().1.to_owned();
        assert_eq!(records(&files[1]), records(&files[0]), "{options:?}");
        for file in files {
            lmdb::remove(&file);
        }
    }
    // From standard input, into a new file; then damaged, where the stock tool exits 0 with data missing.
    let whole = lmdb::dump(&home.file(MERKLE));
    let file = home.scratch("merged");
    std::fs::write(&text, &whole).unwrap();
    let mut load = Command::new(&tool);
    run(load.arg("-n").arg(&file).stdin(Stdio::from(std::fs::File::open(&text).unwrap()))).ok();
    assert!(lmdb::dump(&file) == whole);
    let _ = std::fs::remove_file(lock_of(&file));
    let more = whole.replace("HEADER=END\n", "HEADER=END\n 00\n ff\n 0000\n ee\n");
    for damaged in
        [more.replace('\n', "\r\n"), more.replace("DATA=END\n", ""), more[..more.len() / 2].to_owned()]
    {
        std::fs::write(&text, damaged).unwrap();
        let said = ran(&tool, &[&"-n", &"-f", &text, &file]).failed(1);
        assert!(said.contains("line "), "{said}");
        assert!(lmdb::dump(&file) == whole, "a part was loaded");
        let _ = std::fs::remove_file(lock_of(&file));
    }
}

#[test]
fn what_makes_no_sense_is_refused_by_name_and_a_running_node_by_its_process() {
    let (home, head) = stopped::node();
    let file = home.file(RECEIPTS);
    for (tool, words, said) in [
        ("mdb_dump", &["-a", "-n"][..], "-a is not taken"),
        ("mdb_dump", &["-n", "-s", "name"], "-s is not taken"),
        ("mdb_dump", &[], "-n must be given"),
        ("mdb_stat", &["-n", "-f"], "-f is not taken"),
        ("mdb_load", &["-n", "-T"], "-T is not taken"),
        ("mdb_load", &["-n", "-x"], "usage: mdb_load"),
        ("mdb_copy", &["-nv"], "-v is not taken"),
    ] {
        let words: Vec<Word<'_>> =
            words.iter().map(|word| word as Word<'_>).chain([&file as Word<'_>]).collect();
        let error = ran(under_name(&home, tool), &words).failed(1);
        assert!(error.contains(said), "{said} is not in {error}");
    }
    assert!(ran(under_name(&home, "mdb_dump"), &[&"-V"]).ok().starts_with("LMDB 0.9"));
    let node = home.start();
    assert_eq!(node.client().head(), head);
    for tool in ["mdb_dump", "mdb_stat", "mdb_copy", "mdb_load"] {
        let said = ran(under_name(&home, tool), &[&"-n", &file]).failed(1);
        assert!(said.contains(&format!("held by process {}", node.pid())), "{tool}: {said}");
    }
    node.stop();
}
