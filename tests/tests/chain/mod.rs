//! A chain in a temporary folder, without consensus: every block is built on the head and committed.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use genesis::NetworkFile;
use ledger::backup::{FileDigest, digest};
use ledger::execute::{Candidate, Slot};
use ledger::{GenesisBlock, Head, Ledger, LedgerError, OpenOptions, Reader};
use ledger_types::family::{ApplyError, Context, FamilyDescription, FamilyRegistry, TransactionFamily};
use ledger_types::proto::client as proto;
use ledger_types::signature::Curve;
use ledger_types::topology::NetKey;
use ledger_types::{Address, Batch, BatchId, Block, Rejection, Transaction, ValidatorId, Verified, VoteKey};
use tempfile::TempDir;
use tests::load::key;
use tests::node::copy_files;
use txfamilies::{Registry, UnsignedTransaction, intkey, registry};

const MAP_BYTES: usize = 1 << 30;
const TIME_MS: u64 = 1_700_000_000_000;

/// The one address of the probing family.
pub(crate) const PROBE_ADDRESS: &str =
    "f00d00aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

/// A transaction of a family that does what its payload says, good or bad.
pub(crate) fn probe(command: &str) -> UnsignedTransaction {
    UnsignedTransaction::new("probe", "1.0", &[PROBE_ADDRESS.parse().unwrap()], command.into())
}

struct Probe;

impl TransactionFamily for Probe {
    fn describe(&self) -> FamilyDescription {
        FamilyDescription {
            names: &["probe"],
            version: "1.0",
            namespaces: &["f00d00"],
            commands: &["panic", "delete"],
        }
    }

    fn apply(&self, transaction: &Transaction, context: &mut dyn Context) -> Result<(), ApplyError> {
        let address: Address = PROBE_ADDRESS.parse().unwrap();
        match &transaction.payload[..] {
            b"panic" => {
                context.set(address, Bytes::from_static(b"half done"))?;
                panic!("a family's bug");
            }
            b"delete" => Ok(context.delete(address)?),
            _ => Err(ApplyError::invalid("no such command")),
        }
    }
}

/// The families of the node, and the probing one.
struct WithProbe(Registry);

impl FamilyRegistry for WithProbe {
    fn find(&self, name: &str, version: &str) -> Option<&dyn TransactionFamily> {
        if (name, version) == ("probe", "1.0") { Some(&Probe) } else { self.0.find(name, version) }
    }

    fn describe_all(&self) -> Vec<FamilyDescription> {
        self.0.describe_all()
    }
}

/// A ledger that a test drives.
pub(crate) struct Chain {
    folder: TempDir,
    genesis: GenesisBlock,
    /// Open, but while files are exchanged.
    ledger: Option<Ledger>,
}

impl Chain {
    /// A chain of a network of one with its genesis block.
    pub(crate) fn new() -> Self {
        let admin = key(Curve::Ed25519, "admin").public_key();
        let network = NetworkFile::lone(VoteKey([1; 32]), NetKey([2; 32]), admin, TIME_MS).unwrap();
        let made = network.genesis().unwrap();
        let genesis = GenesisBlock {
            lineage: made.lineage,
            cfg_hash: made.cfg_hash,
            time_ms: made.time_ms,
            batches: made.batches,
        };
        let mut chain = Self { folder: TempDir::new().unwrap(), genesis, ledger: None };
        chain.ledger = Some(chain.try_open(false).unwrap());
        chain
    }

    /// Opens the files as they are.
    pub(crate) fn try_open(&mut self, rebuild: bool) -> Result<Ledger, LedgerError> {
        self.close();
        Ledger::open(&OpenOptions {
            directory: self.data(),
            map_bytes: MAP_BYTES,
            rebuild,
            check_bytes: u64::MAX,
            genesis: self.genesis.clone(),
            registry: Arc::new(WithProbe(registry())),
        })
    }

    /// Closes the files and opens them again.
    pub(crate) fn reopen(&mut self) {
        self.ledger = Some(self.try_open(false).unwrap());
    }

    /// The same, making state and receipts again from the blocks.
    pub(crate) fn rebuild(&mut self) {
        self.ledger = Some(self.try_open(true).unwrap());
    }

    /// Builds a block of these batches, in order, and commits it; missing dependencies are rejected.
    pub(crate) fn commit(&mut self, batches: &[proto::Batch]) {
        let deferred = self.build_and_commit(batches, true);
        assert!(deferred.is_empty());
    }

    /// The same with batches that came just now; those whose dependencies are missing are left out and returned.
    pub(crate) fn build_new(&mut self, batches: &[proto::Batch]) -> Vec<BatchId> {
        self.build_and_commit(batches, false)
    }

    fn build_and_commit(&mut self, batches: &[proto::Batch], waited_enough: bool) -> Vec<BatchId> {
        let head = self.head();
        let slot = Slot {
            network_id: self.genesis.lineage.current(),
            cfg_hash: self.genesis.cfg_hash,
            epoch: 0,
            view: head.height + 1,
            proposer: ValidatorId { cluster: 0, node: 0 },
            time_ms: TIME_MS + 1_000 * (head.height + 1),
        };
        let candidate = |batch: &proto::Batch| Candidate {
            batch: Arc::new(verified(batch)),
            waited_enough,
            since_height: self.ledger().head().height,
        };
        let candidates: Vec<Candidate> = batches.iter().map(candidate).collect();
        let ledger = self.ledger();
        let (executed, deferred) = ledger.build(&head.id, &slot, &candidates, usize::MAX).unwrap();
        ledger.commit(&[executed]).unwrap();
        ledger.sync().unwrap();
        deferred
    }

    /// Executes and commits a block of another chain.
    pub(crate) fn replay(&mut self, block: &Block) {
        let executed = self.ledger().replay(block).unwrap();
        self.ledger().commit(&[executed]).unwrap();
    }

    pub(crate) fn reader(&self) -> Reader {
        self.ledger().reader()
    }

    pub(crate) fn head(&self) -> Head {
        self.ledger().head()
    }

    pub(crate) fn is_committed(&self, batch: &proto::Batch) -> bool {
        self.reader().batch_place(&batch.header_signature.parse().unwrap()).unwrap().is_some()
    }

    pub(crate) fn rejection(&self, batch: &proto::Batch) -> Option<Rejection> {
        self.reader().rejection(&batch.header_signature.parse().unwrap()).unwrap()
    }

    pub(crate) fn state(&self, address: &str) -> Option<Bytes> {
        self.reader().state(&address.parse().unwrap(), self.head().height).unwrap()
    }

    /// The value of an intkey name that is alone at its address.
    pub(crate) fn value(&self, name: &str) -> Option<u32> {
        let map = self.state(&intkey::address(name).to_string())?;
        // A map of one text to one unsigned integer, in the shortest form.
        let item = map
            .strip_prefix(&[0xa1, 0x60 + u8::try_from(name.len()).unwrap()])?
            .strip_prefix(name.as_bytes())?;
        Some(match item {
            [small @ 0..=0x17] => u32::from(*small),
            [0x18, byte] => u32::from(*byte),
            [0x19, bytes @ ..] => u32::from(u16::from_be_bytes(bytes.try_into().unwrap())),
            [0x1a, bytes @ ..] => u32::from_be_bytes(bytes.try_into().unwrap()),
            other => panic!("not an unsigned integer: {other:?}"),
        })
    }

    /// The record digests of the three files that are equal on all nodes. Opens the chain anew.
    pub(crate) fn digests(&mut self) -> [FileDigest; 3] {
        self.close();
        let data = self.data();
        let digests = ["block-01.lmdb", "merkle-01.lmdb", "txn-receipts-01.lmdb"]
            .map(|name| digest(&data.join(name)).unwrap());
        self.reopen();
        digests
    }

    /// Copies the files as they are now. Opens the chain anew.
    pub(crate) fn copy(&mut self) -> TempDir {
        self.close();
        let copy = TempDir::new().unwrap();
        copy_files(&self.data(), copy.path());
        self.reopen();
        copy
    }

    /// Puts back some files of a copy, and keeps the present ones for [`Chain::restore_all`]. Leaves the chain closed.
    pub(crate) fn restore(&mut self, copy: &TempDir, files: &[&str]) {
        self.keep();
        for name in files {
            std::fs::copy(copy.path().join(name), self.data().join(name)).unwrap();
        }
    }

    /// Deletes some files, and keeps the present ones for [`Chain::restore_all`]. Leaves the chain closed.
    pub(crate) fn delete(&mut self, files: &[&str]) {
        self.keep();
        files.iter().for_each(|name| std::fs::remove_file(self.data().join(name)).unwrap());
    }

    /// Undoes the last [`Chain::restore`] or [`Chain::delete`] and all that came after it.
    pub(crate) fn restore_all(&mut self) {
        self.close();
        copy_files(&self.kept(), &self.data());
        self.reopen();
    }

    fn keep(&mut self) {
        self.close();
        copy_files(&self.data(), &self.kept());
    }

    fn close(&mut self) {
        self.ledger = None;
    }

    fn ledger(&self) -> &Ledger {
        self.ledger.as_ref().expect("the chain is closed")
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn kept(&self) -> PathBuf {
        self.folder.path().join("kept")
    }
}

fn verified(batch: &proto::Batch) -> Verified<Batch> {
    Batch::from_proto(batch.clone()).unwrap().verify().unwrap()
}
