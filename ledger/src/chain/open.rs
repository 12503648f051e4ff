//! Opening a ledger: locks, files, genesis, and recovery of whatever a crash left behind (storage.md 3).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ledger_types::family::FamilyRegistry;
use ledger_types::{Batch, ConfigHash, Lineage, ValidatorId, Verified};
use parking_lot::{Mutex, RwLock};

use super::{Ledger, LedgerError, birth, pages};
use crate::execute::{Candidate, Executor, ParentView, Slot};
use crate::reader::{Committed, Head, read_block};
use crate::recent::Recent;
use crate::state::Top;
use crate::store::{
    ConsensusFile, Durability, File, FileKind, FileLock, FileOptions, StoreError, lineage, schema,
};

/// What the first block of a network is made of.
#[derive(Clone)]
pub struct GenesisBlock {
    /// The network's ids: the first, which block 0 carries, and those after agreed rollbacks.
    pub lineage: Lineage,
    /// Its first committee.
    pub cfg_hash: ConfigHash,
    /// Its time, milliseconds since 1970.
    pub time_ms: u64,
    /// Its batches; every one must be valid.
    pub batches: Vec<Verified<Batch>>,
}

/// How to open a ledger.
pub struct OpenOptions {
    /// The directory of the four files; made when it is not there.
    pub directory: PathBuf,
    /// The size of each file's memory map, bytes.
    pub map_bytes: usize,
    /// Makes state and receipts again from the blocks.
    pub rebuild: bool,
    /// Files up to this size, and that of votes in any case, are checked before they are opened
    /// ([`crate::store::pages`]); larger ones by [`Ledger::check_large_files`]. Bytes.
    pub check_bytes: u64,
    /// The network's genesis.
    pub genesis: GenesisBlock,
    /// The transaction families.
    pub registry: Arc<dyn FamilyRegistry>,
}

impl Ledger {
    /// Opens the ledger of a data directory, or makes a new one; then finishes what a crash interrupted.
    ///
    /// # Errors
    /// When another process has it, a file is missing, foreign, damaged or of another network, or storage fails.
    pub fn open(options: &OpenOptions) -> Result<Self, LedgerError> {
        let directory = &options.directory;
        std::fs::create_dir_all(directory)
            .map_err(|source| LedgerError::Directory { path: directory.clone(), source })?;
        let lock = FileLock::take(&directory.join("node.lock"))?;
        birth::complete(directory, |making| {
            let lock = FileLock::take(&making.join("node.lock"))?;
            Self::open_files(making, lock, options)?.sync()?;
            Ok(())
        })?;
        check_presence(directory, options)?;
        Self::open_files(directory, lock, options)
    }

    fn open_files(directory: &Path, lock: FileLock, options: &OpenOptions) -> Result<Self, LedgerError> {
        if options.rebuild {
            remove_derived(directory)?;
        }
        pages::check_before_opening(directory, options.check_bytes)?;
        let network_id = options.genesis.lineage.current();
        let open = |kind| open_file(directory, kind, options.map_bytes);
        let block = open(FileKind::Block)?;
        lineage::begin(&block, &options.genesis.lineage)?;
        check_lineage(&block, &options.genesis.lineage)?;
        let (consensus, _) = ConsensusFile::new(open(FileKind::Consensus)?, network_id)?;
        let committed = Committed {
            block,
            receipts: open(FileKind::Receipts)?,
            merkle: open(FileKind::Merkle)?,
            head: RwLock::new(None),
            recent: Recent::default(),
            top: Top::default(),
            _lock: lock,
        };
        schema::check_meta(&committed.block, FileKind::Block, network_id)?;
        schema::check_meta(&committed.receipts, FileKind::Receipts, network_id)?;
        schema::check_meta(&committed.merkle, FileKind::Merkle, network_id)?;
        let ledger = Self {
            committed: Arc::new(committed),
            consensus,
            executor: Executor::new(options.registry.clone()),
            executed: Mutex::new(BTreeMap::new()),
            writing: Mutex::new(()),
        };
        ledger.write_genesis(&options.genesis)?;
        ledger.committed.recent.load(&ledger.committed.block)?;
        ledger.recover()?;
        Ok(ledger)
    }

    /// Executes the genesis batches. Writes block 0 into an empty block file, else compares it.
    fn write_genesis(&self, genesis: &GenesisBlock) -> Result<(), LedgerError> {
        let slot = Slot {
            network_id: genesis.lineage.first(),
            cfg_hash: genesis.cfg_hash,
            epoch: 0,
            view: 0,
            proposer: ValidatorId { cluster: 0, node: 0 },
            time_ms: genesis.time_ms,
        };
        let nothing = ParentView::new(self.reader(), None, Vec::new());
        let candidates = genesis.batches.iter().map(|batch| Candidate {
            batch: Arc::new(batch.clone()),
            waited_enough: true,
            since_height: 0,
        });
        let candidates: Vec<_> = candidates.collect();
        let executed = self.executor.build(&nothing, &slot, &candidates, usize::MAX)?.executed;
        if let Some(rejection) = executed.block().rejections().next() {
            return Err(LedgerError::Genesis(rejection.message.clone()));
        }
        if executed.block().entries.len() != genesis.batches.len() {
            return Err(LedgerError::Genesis("a batch stands twice, or the block is full".into()));
        }
        match self.reader().stored_block(0)? {
            None => self.write(&[Arc::new(executed)]),
            Some((found, _)) if found == executed.id() => Ok(()),
            Some((found, _)) => {
                let (found, expected) = (Box::new(found), Box::new(executed.id()));
                Err(LedgerError::OtherGenesis { found, expected })
            }
        }
    }

    /// Brings receipts and state to the height of the blocks by executing again.
    fn recover(&self) -> Result<(), LedgerError> {
        let Committed { block, receipts, merkle, head, .. } = &*self.committed;
        let blocks = Head::of(block)?.ok_or_else(|| {
            StoreError::damaged(block.name(), "head", "missing although the file has blocks")
        })?;
        let mut behind = blocks.height + 1;
        for (file, kind) in [(receipts, FileKind::Receipts), (merkle, FileKind::Merkle)] {
            match Head::of(file)? {
                Some(ahead) if ahead.height > blocks.height => {
                    let (height, blocks) = (ahead.height, blocks.height);
                    return Err(LedgerError::Ahead { file: kind.file_name(), height, blocks });
                }
                Some(head) if head != self.head_at(head.height)? => {
                    let reason = "differs from the block file at its height";
                    return Err(StoreError::damaged(file.name(), "head", reason).into());
                }
                Some(head) => behind = behind.min(head.height + 1),
                None => behind = 0,
            }
        }
        let replayed = blocks.height + 1 - behind;
        if replayed > 0 {
            tracing::info!(from = behind, to = blocks.height, "executing blocks again");
        }
        let oldest = self.reader().oldest_state()?;
        if replayed > 0 && oldest > 0 && behind <= oldest {
            return Err(LedgerError::TooFarBehind { height: behind, oldest });
        }
        for height in behind..=blocks.height {
            self.replay_stored(height)?;
        }
        *head.write() = Some(blocks);
        Ok(())
    }

    fn head_at(&self, height: u64) -> Result<Head, LedgerError> {
        let block = read_block(&self.committed.block, height)?;
        Ok(Head { height, id: block.id(), state_root: block.header.state_root })
    }

    fn replay_stored(&self, height: u64) -> Result<(), LedgerError> {
        let block = read_block(&self.committed.block, height)?;
        // State reads are pinned to the parent's height, so what a file already holds above it does no harm.
        *self.committed.head.write() = height.checked_sub(1).map(|below| self.head_at(below)).transpose()?;
        let parent = ParentView::new(self.reader(), height.checked_sub(1), Vec::new());
        let executed = self.executor.replay(&parent, &block)?;
        self.write_derived(&[Arc::new(executed)])
    }
}

fn open_file(directory: &Path, kind: FileKind, map_bytes: usize) -> Result<File, StoreError> {
    let durability = match kind {
        // The block file too: otherwise a power loss could leave receipts or state ahead of it.
        FileKind::Consensus | FileKind::Block => Durability::EveryCommit,
        FileKind::Merkle | FileKind::Receipts => Durability::UntilSync,
    };
    File::open(&directory.join(kind.file_name()), FileOptions { durability, map_bytes, must_exist: false })
}

/// Whether a block file has been through exactly the rollbacks that the network file tells of.
pub(crate) fn check_lineage(blocks: &File, expected: &Lineage) -> Result<(), LedgerError> {
    let stored = match lineage::read(blocks)? {
        Some(stored) => stored,
        // A new file takes the ids that it is given.
        None if blocks.read()?.is_empty()? => return Ok(()),
        None => expected.first().into(),
    };
    let next_of = |longer: &Lineage, shorter: &Lineage| longer.rollbacks()[shorter.rollbacks().len()];
    match (stored.is_begin_of(expected), expected.is_begin_of(&stored)) {
        (true, true) => Ok(()),
        (true, false) => Err(LedgerError::NotRolledBack { rollback: Box::new(next_of(expected, &stored).0) }),
        (false, true) => {
            let (rollback, network_id) = next_of(&stored, expected);
            Err(LedgerError::RolledBack { rollback: Box::new(rollback), network_id })
        }
        (false, false) => {
            let (found, expected) = (stored.current(), expected.current());
            Err(StoreError::OtherNetwork { file: blocks.name().to_owned(), found, expected }.into())
        }
    }
}

/// Removes what the blocks can make again; it may be damaged, so it is not even opened.
fn remove_derived(directory: &Path) -> Result<(), LedgerError> {
    for kind in [FileKind::Merkle, FileKind::Receipts] {
        let path = directory.join(kind.file_name());
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(LedgerError::Directory { path, source: error });
            }
            _ => {}
        }
    }
    Ok(())
}

/// Either none of the four files is there, or all are (state and receipts may be missing when they are made again).
fn check_presence(directory: &Path, options: &OpenOptions) -> Result<(), LedgerError> {
    let (there, missing): (Vec<FileKind>, Vec<FileKind>) =
        FileKind::ALL.into_iter().partition(|kind| directory.join(kind.file_name()).exists());
    let refuse = |missing: FileKind, present: &'static str, advice| {
        Err(LedgerError::Missing { missing: missing.file_name(), present, advice })
    };
    let Some(present) = there.first().map(|kind| kind.file_name()) else {
        return Ok(());
    };
    for kind in missing {
        match kind {
            FileKind::Merkle | FileKind::Receipts if options.rebuild => {}
            FileKind::Merkle | FileKind::Receipts => {
                return refuse(kind, present, "`dgt start --rebuild` makes it again from the blocks");
            }
            FileKind::Block => return refuse(kind, present, "restore it from a backup"),
            FileKind::Consensus => {
                let advice = "without it this node cannot know what it voted for; restore it from a backup";
                return refuse(kind, present, advice);
            }
        }
    }
    Ok(())
}
