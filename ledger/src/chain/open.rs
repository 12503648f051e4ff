//! Opening a ledger: locks, files, genesis, and recovery of whatever a crash left behind (storage.md 3).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ledger_types::family::FamilyRegistry;
use ledger_types::{Batch, Block, ConfigHash, NetworkId, ValidatorId, Verified};
use parking_lot::{Mutex, RwLock};

use super::{Ledger, LedgerError};
use crate::execute::{Candidate, Executor, ParentView, Slot};
use crate::reader::{Committed, Head};
use crate::store::{ConsensusFile, Durability, File, FileKind, FileLock, FileOptions, StoreError, schema};

/// What the first block of a network is made of.
#[derive(Clone)]
pub struct GenesisBlock {
    /// The network.
    pub network_id: NetworkId,
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
        check_presence(directory, options)?;
        let network_id = options.genesis.network_id;
        let open = |kind| open_file(directory, kind, options.map_bytes);
        let (consensus, _) = ConsensusFile::new(open(FileKind::Consensus)?, network_id)?;
        let committed = Committed {
            block: open(FileKind::Block)?,
            receipts: open(FileKind::Receipts)?,
            merkle: open(FileKind::Merkle)?,
            head: RwLock::new(None),
            _lock: lock,
        };
        schema::check_meta(&committed.block, FileKind::Block, network_id)?;
        for (file, kind) in [(&committed.receipts, FileKind::Receipts), (&committed.merkle, FileKind::Merkle)]
        {
            if options.rebuild {
                clear(file)?;
            }
            schema::check_meta(file, kind, network_id)?;
        }
        let ledger = Self {
            committed: Arc::new(committed),
            consensus,
            executor: Executor::new(options.registry.clone()),
            executed: Mutex::new(BTreeMap::new()),
            writing: Mutex::new(()),
        };
        ledger.write_genesis(&options.genesis)?;
        ledger.recover()?;
        Ok(ledger)
    }

    /// Executes the genesis batches. Writes block 0 into an empty block file, else compares it.
    fn write_genesis(&self, genesis: &GenesisBlock) -> Result<(), LedgerError> {
        let slot = Slot {
            network_id: genesis.network_id,
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
        let executed = self.executor.build(&nothing, &slot, candidates, usize::MAX)?.executed;
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
        for height in behind..=blocks.height {
            self.replay_stored(height)?;
        }
        *head.write() = Some(blocks);
        Ok(())
    }

    fn head_at(&self, height: u64) -> Result<Head, LedgerError> {
        let block = self.stored(height)?;
        Ok(Head { height, id: block.id(), state_root: block.header.state_root })
    }

    fn stored(&self, height: u64) -> Result<Block, LedgerError> {
        let damaged = |reason: String| {
            StoreError::damaged(self.committed.block.name(), format!("block {height}"), reason)
        };
        let (id, body) = self.reader().stored_block(height)?.ok_or_else(|| damaged("missing".to_owned()))?;
        let block = Block::decode(body).map_err(|error| damaged(error.to_string()))?;
        if block.id() != id || block.header.height != height {
            return Err(damaged("its header does not give its id and height".to_owned()).into());
        }
        Ok(block)
    }

    fn replay_stored(&self, height: u64) -> Result<(), LedgerError> {
        let block = self.stored(height)?;
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

fn clear(file: &File) -> Result<(), StoreError> {
    let mut writer = file.write()?;
    writer.clear()?;
    writer.commit()
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
