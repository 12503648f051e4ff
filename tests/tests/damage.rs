//! Damaged files of a stopped node: what is damaged is named or dead space, and never served as truth.
//!
//! `DGT_FLIPS` says how many bytes of each file are changed (default 40), `DGT_SEED` repeats a run's choices.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, reason = "what a long run did must be seen")]

use std::path::PathBuf;
use std::sync::Arc;

use genesis::NetworkFile;
use ledger::backup::{Summary, VerifyOptions, digest, verify};
use ledger::reader::StateQuery;
use ledger::store::{StoreError, pages};
use ledger::{GenesisBlock, Ledger, LedgerError, OpenOptions};
use ledger_types::Address;
use ledger_types::signature::Curve;
use serde_json::Value;
use tests::lmdb::{BLOCK, CONSENSUS, FILES, MERKLE, RECEIPTS};
use tests::load::{dec, key, set};
use tests::node::{Home, Start, copy_files};
use tests::random::Random;
use txfamilies::sign_batch;

/// Bytes of a page.
const PAGE: usize = 4_096;

fn flips() -> usize {
    std::env::var("DGT_FLIPS").map_or(40, |text| text.parse().expect("DGT_FLIPS is a number"))
}

/// A stopped node, and copies of its files to do harm to.
struct Site {
    home: Home,
    genesis: GenesisBlock,
    /// The files as the node left them, in the order of [`FILES`].
    files: [Vec<u8>; 4],
    digests: [String; 4],
    truth: Vec<Vec<u8>>,
    directory: PathBuf,
}

impl Site {
    fn new() -> Self {
        let home = Home::new();
        let node = home.start();
        for number in 0..3 {
            let transactions: Vec<_> = (0..20).map(|index| set(&format!("{number}-{index}"), 1)).collect();
            node.client().commit(&sign_batch(&key(Curve::Secp256k1, "bob"), &transactions));
            node.client().decide(&sign_batch(&key(Curve::Ed25519, "alice"), &[dec("never", number)]));
        }
        // With so many blocks the whole index of those before is written.
        for number in 0..64 {
            node.client()
                .commit(&sign_batch(&key(Curve::Ed25519, "alice"), &[set(&format!("above-{number}"), 1)]));
        }
        node.stop();
        let text = std::fs::read_to_string(home.path().join("etc/network.toml")).unwrap();
        let made = NetworkFile::parse(&text).unwrap().genesis().unwrap();
        let genesis = GenesisBlock {
            lineage: made.lineage,
            cfg_hash: made.cfg_hash,
            time_ms: made.time_ms,
            batches: made.batches,
        };
        let files = FILES.map(|name| std::fs::read(home.file(name)).unwrap());
        let (directory, digests) = (home.scratch("harmed"), home.digests());
        std::fs::create_dir(&directory).unwrap();
        let mut site = Self { home, genesis, files, digests, truth: Vec::new(), directory };
        site.restore();
        site.truth = read_all(&site.open().unwrap()).unwrap();
        site
    }

    fn restore(&self) {
        for (name, bytes) in FILES.iter().zip(&self.files) {
            std::fs::write(self.directory.join(name), bytes).unwrap();
        }
    }

    fn verify(&self) -> Result<Summary, LedgerError> {
        let options = VerifyOptions {
            directory: self.directory.clone(),
            genesis: Some(&self.genesis),
            certificates: None,
            registry: None,
        };
        verify(&options, &mut |_, _, _| {})
    }

    fn open(&self) -> Result<Ledger, LedgerError> {
        Ledger::open(&OpenOptions {
            directory: self.directory.clone(),
            map_bytes: 64 << 20,
            rebuild: false,
            check_bytes: u64::MAX,
            genesis: self.genesis.clone(),
            registry: Arc::new(txfamilies::registry()),
        })
    }

    /// Puts these bytes in a file's place: they must be refused by the file's name, or hold the same records; and what a
    /// node would read from them must be the truth. Returns whether they were refused.
    fn check(&self, file: usize, bytes: &[u8], what: &str) -> bool {
        std::fs::write(self.directory.join(FILES[file]), bytes).unwrap();
        let verified = self.verify();
        match &verified {
            Err(error) => assert!(error.to_string().contains(FILES[file]), "{what}: {error}"),
            Ok(_) => {
                let found = digest(&self.directory.join(FILES[file])).unwrap().sha256.to_string();
                assert_eq!(found, self.digests[file], "{what}: other records pass");
            }
        }
        match self.open().map(|ledger| read_all(&ledger)) {
            Err(error) => {
                assert!(verified.is_err(), "{what}: clean, but not opened: {error}");
                assert!(error.to_string().contains(FILES[file]), "{what}: {error}");
            }
            Ok(Err(Unread::Votes)) => {
                assert_eq!(FILES[file], CONSENSUS, "{what}");
                assert!(verified.is_err(), "{what}: clean, but votes are damaged");
            }
            Ok(Err(Unread::Store(error))) => panic!("{what}: opened, but {error}"),
            Ok(Ok(found)) => assert!(found == self.truth, "{what}: something else is served"),
        }
        self.restore();
        verified.is_err()
    }
}

/// Why not everything could be read.
#[derive(Debug)]
enum Unread {
    Store(StoreError),
    /// Votes are known to be damaged: the node signs nothing.
    Votes,
}

impl From<StoreError> for Unread {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// All that a node serves from its files, and its votes.
fn read_all(ledger: &Ledger) -> Result<Vec<Vec<u8>>, Unread> {
    let (reader, mut found) = (ledger.reader(), Vec::new());
    let head = reader.head();
    found.push(format!("{head:?}").into_bytes());
    for height in 0..=head.height {
        let (id, body) = reader.block_record(height)?.expect("a block up to the head");
        assert_eq!(reader.height_of(&id)?, Some(height));
        found.push(body.to_vec());
        let block = reader.block(height)?.expect("a block up to the head");
        for batch in block.batches() {
            let stored = reader.batch(&batch.id)?;
            found.push(format!("{:?}", stored.map(|batch| batch.id)).into_bytes());
            for transaction in &batch.transactions {
                let receipt = reader.receipt(&transaction.id)?.map(|receipt| receipt.encode());
                found.push(receipt.unwrap_or_default());
                found.push(format!("{:?}", reader.transaction_place(&transaction.id)?).into_bytes());
            }
        }
        for rejection in block.rejections() {
            found.push(format!("{:?}", reader.rejection(&rejection.batch)?).into_bytes());
        }
        let query = StateQuery {
            prefix: "".parse().unwrap(),
            height,
            start: None,
            reverse: false,
            limit: usize::MAX,
        };
        for (address, value) in reader.state_range(&query)? {
            if height == head.height {
                assert_eq!(reader.proven_state(&address, height)?.as_ref(), Some(&value));
            }
            found.push([&address.0[..], &value].concat());
        }
        assert_eq!(reader.proven_state(&Address::ZERO, height)?, None);
    }
    let votes = ledger.consensus().records_below(0xff)?;
    if !votes.damaged.is_empty() {
        return Err(Unread::Votes);
    }
    found.extend(votes.sound.into_iter().flat_map(|(key, value)| [key, value.to_vec()]));
    Ok(found)
}

#[test]
fn a_changed_byte_is_named_or_in_dead_space() {
    let (site, mut random) = (Site::new(), Random::from_env());
    let mut all_named = 0;
    for (file, bytes) in site.files.iter().enumerate() {
        let mut named = 0;
        for _ in 0..flips() {
            let (at, change) = (random.index(bytes.len()), random.below(1..256) as u8);
            let mut changed = bytes.clone();
            changed[at] ^= change;
            named +=
                usize::from(site.check(file, &changed, &format!("{} byte {at} ^ {change}", FILES[file])));
        }
        let dead = flips() - named;
        eprintln!("{}: {} bytes; {named} named, {dead} dead space", FILES[file], bytes.len());
        all_named += named;
    }
    // Most of a small file is free pages and unused room.
    assert!(all_named > 0);
}

#[test]
fn lost_cut_and_exchanged_pages_are_named() {
    let (site, mut random) = (Site::new(), Random::from_env());
    for (file, bytes) in site.files.iter().enumerate() {
        let pages = bytes.len() / PAGE;
        let (mut zeroed, mut swapped) = (0, 0);
        for _ in 0..flips().div_ceil(8) {
            let place = |page: usize| page * PAGE..(page + 1) * PAGE;
            let (one, other) = (random.index(pages), random.index(pages));
            let mut changed = bytes.clone();
            changed[place(one)].fill(0);
            zeroed += usize::from(site.check(file, &changed, &format!("{} page {one} lost", FILES[file])));
            changed.copy_from_slice(bytes);
            changed[place(one)].copy_from_slice(&bytes[place(other)]);
            changed[place(other)].copy_from_slice(&bytes[place(one)]);
            let what = format!("{} pages {one} and {other} exchanged", FILES[file]);
            swapped += usize::from(site.check(file, &changed, &what));
        }
        eprintln!("{}: of {pages} pages, {zeroed} lost and {swapped} exchanged were named", FILES[file]);
        for len in [bytes.len() / 2, 2 * PAGE + 100, PAGE, 100] {
            assert!(site.check(file, &bytes[..len], &format!("{} cut to {len}", FILES[file])), "{len}");
        }
    }
}

#[test]
fn an_older_state_or_receipts_file_is_made_up_for() {
    let site = Site::new();
    let older = site.home.scratch("older");
    copy_files(&site.home.data(), &older);
    let node = site.home.start();
    node.client().commit(&sign_batch(&key(Curve::Ed25519, "alice"), &[set("later", 1)]));
    let head = node.client().head();
    node.stop();
    for name in [MERKLE, RECEIPTS] {
        copy_files(&site.home.data(), &site.directory);
        std::fs::copy(older.join(name), site.directory.join(name)).unwrap();
        let summary = site.verify().unwrap();
        let reached = if name == MERKLE { summary.state_height } else { summary.receipts_height };
        assert_eq!((summary.head.height, reached), (head.height, Some(head.height - 1)), "{name}");
        let ledger = site.open().unwrap();
        assert_eq!(ledger.head().id.to_string(), head.id);
    }
    copy_files(&site.home.data(), &site.directory);
    std::fs::copy(older.join(BLOCK), site.directory.join(BLOCK)).unwrap();
    assert!(matches!(site.verify(), Err(LedgerError::Ahead { .. })));
    assert!(matches!(site.open(), Err(LedgerError::Ahead { .. })));
}

/// A change of one byte that is refused with these words, or that no check minds.
fn find(site: &Site, file: usize, random: &mut Random, words: Option<&str>) -> Vec<u8> {
    loop {
        let mut changed = site.files[file].clone();
        let at = random.index(changed.len());
        changed[at] ^= random.below(1..256) as u8;
        let path = site.directory.join(FILES[file]);
        std::fs::write(&path, &changed).unwrap();
        let found = pages::check(&path, &mut |_| {}).map_err(|error| error.to_string());
        site.restore();
        match (found, words) {
            (Ok(_), None) => return changed,
            (Err(error), Some(words)) if error.contains(words) => return changed,
            _ => {}
        }
    }
}

/// What a node tells its clients.
fn answers(home: &Home) -> Vec<Value> {
    let node = home.start();
    let paths = ["/blocks?limit=100", "/batches?limit=100", "/transactions?limit=300", "/state?limit=300"];
    let mut answers: Vec<Value> = paths.iter().map(|path| node.client().get(path)["data"].clone()).collect();
    for address in answers[3].as_array().unwrap().clone() {
        let path = format!("/state/{}", address["address"].as_str().unwrap());
        answers.push(node.client().get(&path)["data"].clone());
    }
    node.stop();
    answers
}

#[test]
fn the_program_names_what_it_refuses_and_serves_the_rest_as_before() {
    let (site, mut random) = (Site::new(), Random::from_env());
    let home = &site.home;
    let before = answers(home);
    assert!(before.len() > 60, "{}", before.len());
    for (file, name) in FILES.iter().enumerate() {
        std::fs::write(home.file(name), find(&site, file, &mut random, Some(": page "))).unwrap();
        let words = [name, ": page ", " is damaged: "];
        let verified = home.dgt(["verify", "--home", home.path().to_str().unwrap()]).failed(1);
        let refusal = home.refusal();
        for word in words {
            assert!(verified.contains(word) && refusal.contains(word), "{name}: {verified}{refusal}");
        }
        std::fs::write(home.file(name), &site.files[file]).unwrap();
    }
    for (file, name) in FILES.iter().enumerate() {
        std::fs::write(home.file(name), find(&site, file, &mut random, None)).unwrap();
    }
    assert!(answers(home) == before, "dead space matters");
}

#[test]
fn damage_of_a_large_file_stops_the_node_by_name() {
    let (site, mut random) = (Site::new(), Random::from_env());
    let home = &site.home;
    std::fs::write(home.path().join("etc/dgt.toml"), "store.check_mib = 0\n").unwrap();
    home.start().stop();
    for (file, name) in FILES.iter().enumerate().filter(|(_, name)| [&MERKLE, &RECEIPTS].contains(name)) {
        std::fs::write(home.file(name), find(&site, file, &mut random, Some("its seal does not match")))
            .unwrap();
        // It may end before it serves, or after; it must say why.
        Start::new(home).spawn().await_warning(&format!("{name}: record "));
        std::fs::write(home.file(name), &site.files[file]).unwrap();
    }
    home.start().stop();
}
