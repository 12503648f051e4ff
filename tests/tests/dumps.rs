//! `dgt dump` and `dgt load` beside the stock tools: equal bytes, and no damaged dump loaded by halves.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ledger::backup::{DumpError, DumpReader, Encoding, Replace, dump, load};
use tests::binary::{Ran, run};
use tests::lmdb::{self, BLOCK, FILES, MERKLE};
use tests::node::Home;
use tests::random::Random;
use tests::{packages, stopped};

fn dgt(home: &Home, words: &[&dyn AsRef<OsStr>]) -> Ran {
    home.dgt(words.iter().map(AsRef::as_ref))
}

#[test]
fn our_dumps_are_those_of_the_stock_tools_and_either_loads_the_others() {
    lmdb::require_tools();
    packages::require("gunzip", "gzip");
    let (home, head) = stopped::node();
    let digests = home.digests();
    for name in FILES {
        let file = home.file(name);
        let stock = lmdb::dump(&file);
        let ours = dgt(&home, &[&"dump", &file]).ok();
        assert!(ours == stock, "the dump of {name} differs from mdb_dump's");
        let (plain, packed) = (home.scratch("plain.dump"), home.scratch("packed.dump"));
        dgt(&home, &[&"dump", &file, &"-o", &plain]).ok();
        dgt(&home, &[&"dump", &file, &"--compress", &"-o", &packed]).ok();
        assert!(std::fs::read_to_string(&plain).unwrap() == stock, "{name} with -o");
        let unpacked =
            run(Command::new("gunzip").arg("-c").stdin(std::fs::File::open(&packed).unwrap())).ok();
        assert!(unpacked == stock, "{name} with --compress");
        // Theirs from ours, then ours from theirs, compressed and not.
        lmdb::load(&ours, &file);
        assert!(lmdb::dump(&file) == stock, "mdb_load of our dump of {name}");
        for dumped in [&plain, &packed] {
            dgt(&home, &[&"load", &"-f", dumped, &"--replace", &file]).ok();
            assert!(lmdb::dump(&file) == stock, "the file that dgt loaded for {name}");
        }
    }
    assert_eq!(home.digests(), digests);
    let node = home.start();
    assert_eq!(node.client().head(), head);
    node.stop();
}

#[test]
fn a_dump_is_loaded_from_standard_input_into_a_new_file() {
    let (home, _) = stopped::node();
    let (file, copy) = (home.file(MERKLE), home.scratch("copy.lmdb"));
    let text = home.scratch("text");
    dgt(&home, &[&"dump", &file, &"-o", &text]).ok();
    let mut command = home.command();
    command.arg("load").arg(&copy).stdin(Stdio::from(std::fs::File::open(&text).unwrap()));
    assert!(run(&mut command).ok().contains("records"));
    assert!(dgt(&home, &[&"dump", &copy]).ok() == std::fs::read_to_string(&text).unwrap());
}

/// A place to load dumps into, in this process.
struct Place {
    folder: tempfile::TempDir,
    /// What the file is to hold however loading ends.
    before: Option<String>,
}

impl Place {
    /// Loads a text. Whatever comes of it, the file holds all of it or what it held before, and nothing lies beside it.
    fn load(&self, text: &[u8]) -> Result<u64, DumpError> {
        let file = self.folder.path().join("file.lmdb");
        // After a refusal it is what it was, which was checked: making it anew each time would only take long.
        if let Some(before) = self.before.as_ref().filter(|_| !file.exists()) {
            load(DumpReader::new("before", before.as_bytes()).unwrap(), &file, Replace::No, &mut |_| {})
                .unwrap();
        }
        let loaded = DumpReader::new("the dump", text)
            .and_then(|reader| load(reader, &file, Replace::Yes, &mut |_| {}))
            .map(|loaded| loaded.records);
        let expected = match &loaded {
            Ok(_) => Some(String::from_utf8(text.to_vec()).unwrap().to_lowercase()),
            Err(_) => self.before.clone().map(|before| before.to_lowercase()),
        };
        assert_eq!(dumped(&file).map(|text| text.to_lowercase()), expected, "after {loaded:?}");
        let beside: Vec<_> = std::fs::read_dir(self.folder.path()).unwrap().collect();
        assert_eq!(beside.len(), usize::from(expected.is_some()), "{beside:?}");
        if loaded.is_ok() {
            std::fs::remove_file(&file).unwrap();
        }
        loaded
    }
}

fn dumped(file: &Path) -> Option<String> {
    let mut text = Vec::new();
    file.exists().then(|| dump(file, Encoding::Hex, &mut text, &mut |_, _| {}).unwrap())?;
    Some(String::from_utf8(text).unwrap())
}

/// A real dump of a few hundred lines, and two places: one without a file, one with another dump in it.
fn small_dump() -> (String, [Place; 2]) {
    let (home, _) = stopped::node();
    let all = dumped(&home.file(MERKLE)).unwrap();
    let (head, records) = all.split_once("HEADER=END\n").unwrap();
    let head = head.replace("mapsize=68719476736", "mapsize=1048576");
    // Longer values would only make it slow.
    let records: Vec<&str> = records.lines().filter(|line| line.starts_with(' ')).take(240).collect();
    let text = format!("{head}HEADER=END\n{}\nDATA=END\n", records.join("\n"));
    let before = format!("{head}HEADER=END\n 00\n 01\nDATA=END\n");
    let place = |before| Place { folder: tempfile::tempdir().unwrap(), before };
    (text, [place(None), place(Some(before))])
}

#[test]
fn a_dump_that_is_cut_anywhere_is_refused_and_leaves_all_as_it_was() {
    let (text, places) = small_dump();
    let mut random = Random::from_env();
    let lines = text.match_indices('\n').map(|(at, _)| at + 1);
    let bytes = (0..1_000).map(|_| random.index(text.len()));
    let mut refused = 0;
    for cut in lines.filter(|at| *at < text.len()).chain(bytes) {
        let place = &places[refused % 2];
        let error = place.load(&text.as_bytes()[..cut]).expect_err("a part of a dump was loaded");
        assert!(error.to_string().contains("line "), "{error}");
        refused += 1;
    }
    assert!(refused > 1_200, "only {refused} cuts");
    assert_eq!(places[0].load(text.as_bytes()).unwrap(), 120);
    assert_eq!(places[1].load(text.as_bytes()).unwrap(), 120);
}

/// The text with its lines changed.
fn with_lines(text: &str, change: impl FnOnce(&mut Vec<&str>)) -> String {
    let mut lines = text.lines().collect();
    change(&mut lines);
    lines.join("\n") + "\n"
}

#[test]
fn a_dump_that_was_changed_is_refused_by_its_line_or_loaded_exactly() {
    let (text, places) = small_dump();
    let head = text.lines().position(|line| line == "HEADER=END").unwrap() + 1;
    let last = text.lines().count() - 1;
    let upper = text[text.find("END\n").unwrap()..].to_uppercase();
    let upper = format!("{}{upper}", &text[..text.find("END\n").unwrap()]);
    let cases = BTreeMap::from([
        ("CRLF", (text.replace('\n', "\r\n"), "line 1: ends with CR LF")),
        (
            "records swapped",
            (
                with_lines(&text, |lines| {
                    lines.swap(head + 2, head + 4);
                    lines.swap(head + 3, head + 5);
                }),
                "the key is not greater",
            ),
        ),
        (
            "a record twice",
            (
                with_lines(&text, |lines| {
                    lines.insert(head, lines[head + 1]);
                    lines.insert(head, lines[head + 1]);
                }),
                "the key is not greater",
            ),
        ),
        ("a line gone", (with_lines(&text, |lines| _ = lines.remove(last - 1)), "a record's line begins")),
        (
            "a digit gone",
            (
                with_lines(&text, |lines| lines[head + 2] = &lines[head + 2][..lines[head + 2].len() - 1]),
                "an odd number of hexadecimal digits",
            ),
        ),
        ("no space", (with_lines(&text, |lines| lines[head] = &lines[head][1..]), "begins with a space")),
        ("another version", (text.replace("VERSION=3", "VERSION=2"), "line 1: not a dump")),
        ("for reading", (text.replace("bytevalue", "print"), "line 2: a dump made with -p")),
        ("a named database", (text.replace("type=btree", "database=x\ntype=btree"), "a named database")),
        ("duplicates", (text.replace("HEADER", "dupsort=1\nHEADER"), "dupsort=1: no file of dgt")),
        ("two dumps", (format!("{text}{text}"), "something follows DATA=END")),
        ("an empty file", (String::new(), "line 1: the dump ends here")),
    ]);
    for place in &places {
        for (name, (changed, words)) in &cases {
            assert_ne!(*changed, text, "{name}");
            let error = place.load(changed.as_bytes()).expect_err(name).to_string();
            assert!(error.contains(words) && error.contains("line "), "{name}: {words:?} is not in {error}");
        }
        assert_eq!(place.load(upper.as_bytes()).unwrap(), 120, "upper case");
    }
}

#[test]
fn the_command_says_what_is_wrong_and_changes_nothing() {
    let (home, head) = stopped::node();
    let (file, text) = (home.file(BLOCK), home.scratch("text"));
    dgt(&home, &[&"dump", &file, &"-o", &text]).ok();
    let whole = std::fs::read_to_string(&text).unwrap();
    let said = dgt(&home, &[&"load", &"-f", &text, &file]).failed(1);
    assert!(said.contains(BLOCK) && said.contains("--replace"), "{said}");
    let lines = whole.lines().count();
    for (number, cut) in [(1, 0), (lines / 2, lines / 2 - 1), (lines, lines - 1)] {
        let part: String = whole.lines().take(cut).map(|line| format!("{line}\n")).collect();
        std::fs::write(&text, part).unwrap();
        let said = dgt(&home, &[&"load", &"-f", &text, &"--replace", &file]).failed(1);
        assert!(said.contains(&format!("line {number}: the dump ends here")), "{said}");
        assert!(dgt(&home, &[&"dump", &file]).ok() == whole);
    }
    let packed = home.scratch("packed");
    dgt(&home, &[&"dump", &file, &"--compress", &"-o", &packed]).ok();
    let mut bytes = std::fs::read(&packed).unwrap();
    bytes.truncate(bytes.len() - 1);
    std::fs::write(&packed, bytes).unwrap();
    dgt(&home, &[&"load", &"-f", &packed, &"--replace", &file]).failed(1);
    let garbage = home.scratch("garbage");
    std::fs::write(&garbage, [0x5a; 8192]).unwrap();
    for file in [&garbage, &home.scratch("absent")] {
        dgt(&home, &[&"dump", file]).failed(1);
    }
    let mut names: Vec<PathBuf> =
        std::fs::read_dir(home.data()).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    let mut expected = FILES.map(|name| home.file(name));
    expected.sort();
    assert_eq!(names, expected);
    let node = home.start();
    assert_eq!(node.client().head(), head);
    for words in [&[&"dump" as &dyn AsRef<OsStr>, &file][..], &[&"load", &"-f", &text, &"--replace", &file]] {
        let said = dgt(&home, words).failed(1);
        assert!(said.contains(&format!("held by process {}", node.pid())), "{said}");
    }
    node.stop();
}
