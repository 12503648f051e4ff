use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{DumpError, DumpReader, Encoding, Existing, Loaded, Replace, dump, load, merge};
use crate::store::{File, FileOptions};

const HEAD: &str = "VERSION=3\nformat=bytevalue\ntype=btree\nmapsize=1048576\nmaxreaders=126\ndb_pagesize=4096\nHEADER=END\n";

fn text(records: &str) -> String {
    format!("{HEAD}{records}DATA=END\n")
}

struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: TempDir::new().unwrap() }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("file.lmdb")
    }

    fn load(&self, text: &str, replace: Replace) -> Result<Loaded, DumpError> {
        load(DumpReader::new("the dump", text.as_bytes())?, &self.file(), replace, &mut |_| {})
    }

    fn merge(&self, text: &str, existing: Existing) -> Result<u64, DumpError> {
        merge(DumpReader::new("the dump", text.as_bytes())?, &self.file(), existing, &mut |_| {})
    }

    fn dumped(&self) -> String {
        dumped(&self.file(), Encoding::Hex)
    }

    /// What lies in the folder.
    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

fn dumped(path: &Path, encoding: Encoding) -> String {
    let mut text = Vec::new();
    dump(path, encoding, &mut text, &mut |_, _| {}).unwrap();
    String::from_utf8(text).unwrap()
}

#[test]
fn what_is_loaded_is_dumped_again() {
    for records in ["", " 00\n \n", " 00\n 6b\n 0001\n ff\n ff\n 5c41\n"] {
        let (place, text) = (Place::new(), text(records));
        let loaded = place.load(&text, Replace::No).unwrap();
        assert_eq!((loaded.records as usize, loaded.asked_map_bytes), (records.lines().count() / 2, None));
        assert_eq!(place.dumped(), text);
        assert_eq!(place.names(), ["file.lmdb"]);
    }
    let place = Place::new();
    place.load(&text(" 005C\n 6B0a\n"), Replace::No).unwrap();
    assert!(dumped(&place.file(), Encoding::Print).contains("HEADER=END\n \\00\\\\\n k\\0a\nDATA=END\n"));
}

#[test]
fn a_damaged_dump_is_refused_by_its_line_and_changes_nothing() {
    let long_key = format!(" {}\n \n", "00".repeat(512));
    let cases: &[(String, &str)] = &[
        (String::new(), "line 1: the dump ends here; VERSION=3"),
        ("VERSION=2\n".into(), "line 1: not a dump"),
        (text("").replace("bytevalue", "print"), "line 2: a dump made with -p"),
        (text("").replace("format=bytevalue\n", ""), "line 6: the head has no line format="),
        (text("").replace("type=btree", "type=hash"), "line 3: type=hash"),
        (text("").replace("type=btree", "duplicates=1"), "line 3: duplicates=1: no file"),
        (text("").replace("type=btree", "type=btree\ntype=btree"), "line 4: type= stands twice"),
        (text("").replace("1048576", "1M"), "line 4: mapsize=1M is no number"),
        (text("").replace("HEADER=END", "HEADER"), "line 7: the head of a dump has lines"),
        (format!("{HEAD} 00\n 00\n"), "line 10: the dump ends here"),
        (format!("{HEAD} 00\n 00\nDATA=END"), "line 10: the dump ends within this line"),
        (format!("{HEAD} 00\nDATA=END\n"), "line 9: a record's line begins with a space"),
        (text(" 00\n 0\n"), "line 9: an odd number"),
        (text(" 0g\n 00\n"), "line 8: not hexadecimal"),
        (text("00\n 00\n"), "line 8: a record's line begins with a space"),
        (text(" \n 00\n"), "line 8: a key has no bytes"),
        (text(" 00\n 00\n 00\n 01\n"), "line 10: the key is not greater"),
        (text(" 01\n 00\n 00\n 01\n"), "line 10: the key is not greater"),
        (text(&long_key), "line 8: longer than 1023"),
        (text("") + "\n", "line 9: something follows DATA=END"),
        (text(" 00\n 00\n").replace('\n', "\r\n"), "line 1: ends with CR LF"),
        (text(" 00\r\n 00\n"), "line 8: ends with CR LF"),
    ];
    for (damaged, words) in cases {
        for kept in [None, Some(text(" aa\n bb\n"))] {
            let place = Place::new();
            if let Some(kept) = &kept {
                place.load(kept, Replace::No).unwrap();
            }
            let before = place.names();
            let said = place.load(damaged, Replace::Yes).unwrap_err().to_string();
            assert!(said.starts_with("the dump: ") && said.contains(words), "{words:?} is not in {said:?}");
            place.merge(damaged, Existing::Overwrite).unwrap_err();
            assert_eq!(place.names(), before);
            if let Some(kept) = &kept {
                assert_eq!(place.dumped(), *kept);
            }
        }
    }
}

#[test]
fn a_map_that_is_too_small_grows_and_one_that_is_odd_is_rounded() {
    let value = "ab".repeat(3_000_000);
    let records: String = (0..4).map(|number| format!(" 0{number}\n {value}\n")).collect();
    let place = Place::new();
    let loaded = place.load(&text(&records), Replace::No).unwrap();
    assert_eq!((loaded.map_bytes, loaded.asked_map_bytes), (16 << 20, Some(1 << 20)));
    assert_eq!(place.dumped(), text(&records).replace("1048576", "16777216"));
    let odd = place.load(&text("").replace("1048576", "1048577"), Replace::Yes).unwrap();
    assert_eq!((odd.map_bytes, odd.asked_map_bytes), ((1 << 20) + 4096, Some((1 << 20) + 1)));
}

#[test]
fn a_file_with_something_in_it_is_replaced_only_when_told_to() {
    let (place, first, second) = (Place::new(), text(" 00\n 01\n"), text(" 00\n 02\n"));
    std::fs::write(place.file(), []).unwrap();
    place.load(&first, Replace::No).unwrap();
    assert!(matches!(place.load(&second, Replace::No), Err(DumpError::Exists { .. })));
    assert_eq!(place.dumped(), first);
    std::fs::write(place.folder.path().join("file.lmdb.tmp"), "of a killed process").unwrap();
    place.load(&second, Replace::Yes).unwrap();
    assert_eq!(place.dumped(), second);
    assert_eq!(place.names(), ["file.lmdb"]);
}

#[test]
fn a_merge_keeps_what_the_dump_does_not_have() {
    let place = Place::new();
    place.merge(&text(" 01\n 01\n 03\n 03\n"), Existing::Overwrite).unwrap();
    place.merge(&text(" 01\n aa\n 02\n aa\n"), Existing::Keep).unwrap();
    assert_eq!(place.dumped(), text(" 01\n 01\n 02\n aa\n 03\n 03\n"));
    place.merge(&text(" 01\n bb\n"), Existing::Overwrite).unwrap();
    assert_eq!(place.dumped(), text(" 01\n bb\n 02\n aa\n 03\n 03\n"));
    let full = text(&format!(" 05\n {}\n", "00".repeat(2 << 20)));
    assert!(matches!(place.merge(&full, Existing::Overwrite), Err(DumpError::Store(_))));
    let view = File::open(&place.file(), FileOptions::EXISTING).unwrap();
    assert_eq!(view.read().unwrap().len().unwrap(), 3);
}
