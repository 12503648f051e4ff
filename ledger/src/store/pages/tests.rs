use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ledger_types::NetworkId;
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng};
use tempfile::TempDir;

use super::{PageCount, Pages, check_seals};
use crate::store::{Durability, File, FileKind, FileOptions, StoreError, schema};

type Records = BTreeMap<Vec<u8>, Vec<u8>>;

fn random(seed: u8) -> TestRng {
    TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32])
}

fn open(path: &Path) -> File {
    let options = FileOptions { durability: Durability::UntilSync, map_bytes: 1 << 26, must_exist: false };
    File::open(path, options).unwrap()
}

/// A file with a history: puts, deletes and large values, many commits.
struct Sample {
    _folder: TempDir,
    path: PathBuf,
    records: Records,
}

impl Sample {
    fn new(seed: u8, commits: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sample.lmdb");
        let mut sample = Self { _folder: folder, path, records: Records::new() };
        let mut random = random(seed);
        for _ in 0..commits {
            sample.commit(&mut random);
        }
        sample
    }

    fn commit(&mut self, random: &mut TestRng) {
        let file = open(&self.path);
        let mut writer = file.write().unwrap();
        let mut below = |limit: u32| random.next_u32() % limit;
        for _ in 0..=below(60) {
            let key =
                [vec![1 + below(5) as u8], below(500).to_be_bytes().to_vec(), vec![7; below(40) as usize]];
            let key = key.concat();
            if below(3) == 0 {
                let found = self.records.range(key..).next().map(|(key, _)| key.clone());
                if let Some(key) = found {
                    writer.delete(&key).unwrap();
                    self.records.remove(&key);
                }
                continue;
            }
            let len = if below(20) == 0 { below(30_000) } else { below(200) };
            let value = vec![len as u8; len as usize];
            writer.put(&key, &value).unwrap();
            self.records.insert(key, value);
        }
        writer.commit().unwrap();
    }

    fn bytes(&self) -> Vec<u8> {
        std::fs::read(&self.path).unwrap()
    }
}

/// Walks an image, checks the seals, and returns what a reader without LMDB sees.
fn read(bytes: &Vec<u8>) -> Result<(PageCount, Records), StoreError> {
    let mut records = Records::new();
    let count = Pages::of("sample.lmdb", bytes, None)?.walk(&mut |page, key, stored| {
        let value = crate::store::seal::open(key, stored).ok_or_else(|| {
            StoreError::damaged("sample.lmdb", format!("{key:02x?}"), format!("page {page}"))
        })?;
        records.insert(key.to_vec(), value.to_vec());
        Ok(())
    })?;
    Ok((count, records))
}

#[test]
fn a_file_is_sound_after_every_commit_of_a_long_history() {
    for seed in 0..2 {
        let (mut sample, mut random) = (Sample::new(seed, 0), random(100 + seed));
        for _ in 0..40 {
            sample.commit(&mut random);
            let (count, records) = read(&sample.bytes()).unwrap();
            assert!(records == sample.records);
            assert_eq!(count.entries, records.len() as u64);
            assert_eq!(count.all, 2 + count.records + count.free_list + count.free);
        }
    }
}

#[test]
fn an_empty_file_is_sound() {
    let sample = Sample::new(0, 0);
    drop(open(&sample.path));
    let (count, records) = read(&sample.bytes()).unwrap();
    assert_eq!((count.all, count.entries, records.len()), (2, 0, 0));
}

#[test]
fn a_reader_sees_its_own_state_while_others_write() {
    let sample = Sample::new(3, 20);
    let (file, before) = (open(&sample.path), &sample.records);
    let view = file.read().unwrap();
    let (name, source) = super::open(&sample.path).unwrap();
    let pages = Pages::of(&name, &source, Some(20)).unwrap();
    let mut random = random(9);
    for round in 0..20u8 {
        let mut writer = file.write().unwrap();
        for key in before.keys().filter(|_| random.next_u32().is_multiple_of(3)) {
            writer.put(key, &[round; 100]).unwrap();
        }
        writer.commit().unwrap();
    }
    let mut seen = Records::new();
    let visit = &mut |_, key: &[u8], stored: &[u8]| {
        seen.insert(key.to_vec(), crate::store::seal::open(key, stored).unwrap().to_vec());
        Ok(())
    };
    assert_eq!(pages.walk(visit).unwrap().entries, before.len() as u64);
    assert!(seen == *before, "another state");
    drop(view);
    assert_eq!(file.check_pages(&|| true).unwrap().entries, before.len() as u64);
    assert!(file.check_pages(&|| false).unwrap_err().to_string().contains("checking"));
}

/// LMDB's own view of a file that the walk found sound.
fn read_by_lmdb(path: &Path) -> Records {
    let mut records = Records::new();
    let visit = |key: &[u8], value: &[u8]| {
        records.insert(key.to_vec(), value.to_vec());
        Ok::<_, StoreError>(())
    };
    open(path).read().unwrap().for_each(&[], visit).unwrap();
    records
}

#[test]
fn a_changed_byte_is_found_or_changes_nothing() {
    let sample = Sample::new(1, 40);
    let (bytes, copy) = (sample.bytes(), sample.path.with_extension("copy"));
    let mut random = random(77);
    let (mut found, mut dead) = (0, 0);
    for round in 0..1_500 {
        // Meta pages have few bytes that matter; they get every second turn.
        let end = if round % 2 == 0 { 152 } else { bytes.len() };
        let mut at = random.next_u32() as usize % end;
        if round % 4 == 0 {
            at += 4096;
        }
        let mut changed = bytes.clone();
        changed[at] ^= 1 + (random.next_u32() % 255) as u8;
        match read(&changed) {
            Err(_) => found += 1,
            Ok((_, records)) => {
                assert!(records == sample.records, "byte {at} is not seen");
                dead += 1;
                if dead % 10 == 0 {
                    std::fs::write(&copy, &changed).unwrap();
                    assert!(read_by_lmdb(&copy) == sample.records, "byte {at}: LMDB reads something else");
                }
            }
        }
    }
    assert!(found > 300 && dead > 30, "{found} found, {dead} dead");
}

#[test]
fn pages_that_are_swapped_zeroed_cut_or_older_are_found() {
    let mut sample = Sample::new(2, 30);
    let (older, older_records) = (sample.bytes(), sample.records.clone());
    sample.commit(&mut random(5));
    let (newer, size) = (sample.bytes(), 4096);
    assert!(read(&newer).unwrap().1 == sample.records);
    let is_sound = |bytes: Vec<u8>| read(&bytes).is_ok_and(|(_, records)| records == sample.records);
    let pages = newer.len() / size;
    let mut unseen = [0; 3];
    for page in 0..pages {
        let place = page * size..(page + 1) * size;
        let mut zeroed = newer.clone();
        zeroed[place.clone()].fill(0);
        let mut swapped = newer.clone();
        let other = (page + 7) % pages * size;
        swapped.copy_within(other..other + size, place.start);
        swapped[other..other + size].copy_from_slice(&newer[place.clone()]);
        let mut stale = newer.clone();
        if let Some(old) = older.get(place.clone()) {
            stale[place].copy_from_slice(old);
        }
        for (unseen, bytes) in unseen.iter_mut().zip([zeroed, swapped, stale]) {
            match read(&bytes) {
                Err(_) => {}
                Ok((_, records)) if records == sample.records => *unseen += 1,
                // A commit whose meta page was never written did not happen; LMDB keeps what was there before it.
                Ok((_, records)) => {
                    assert!(page < 2 && records == older_records, "page {page}: another state");
                }
            }
        }
    }
    let count = read(&newer).unwrap().0;
    assert!(unseen.iter().all(|unseen| *unseen <= count.all), "{unseen:?} of {count:?}");
    assert!(!is_sound(newer[..newer.len() / 2].to_vec()), "half of the file");
    assert!(!is_sound(Vec::new()) && !is_sound(vec![0; 8192]) && !is_sound(newer[..100].to_vec()));
}

#[test]
fn a_broken_seal_is_named_with_its_page() {
    let sample = Sample::new(4, 10);
    let file = open(&sample.path);
    let mut writer = file.write().unwrap();
    writer.put(schema::META, &schema::meta(FileKind::Block, NetworkId([7; 32]))).unwrap();
    writer.put_stored(&[9, 9], b"no seal").unwrap();
    writer.commit().unwrap();
    drop(file);
    let message = super::check(&sample.path, &mut |_| {}).unwrap_err().to_string();
    assert!(
        message.starts_with("sample.lmdb: record 0909 is damaged: its seal does not match (page "),
        "{message}"
    );
    assert!(check_seals("another format")(2, &[9, 9], b"no seal").is_ok());
}
