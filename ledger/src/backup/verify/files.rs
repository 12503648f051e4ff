//! The four files, opened to be read.

use std::path::Path;
use std::sync::Arc;

use ledger_types::codec::Reader;
use ledger_types::{BlockHeader, Lineage, NetworkId};
use parking_lot::RwLock;

use crate::chain::{LedgerError, check_lineage};
use crate::reader::{Committed, Head};
use crate::store::{ConsensusFile, File, FileKind, FileLock, FileOptions, StoreError, lineage, schema};

/// The files of one data directory.
pub(in crate::backup) struct Files {
    pub(in crate::backup) lineage: Lineage,
    pub(in crate::backup) consensus: ConsensusFile,
    /// The others, readable up to the head of the blocks.
    pub(in crate::backup) committed: Arc<Committed>,
}

impl Files {
    /// Opens all four; without an expected network, the block file tells the network.
    pub(in crate::backup) fn open(
        lock: FileLock,
        directory: &Path,
        expected: Option<&Lineage>,
    ) -> Result<Self, LedgerError> {
        let opened = FileKind::ALL
            .into_iter()
            .map(|kind| open_file(&directory.join(kind.file_name())))
            .collect::<Result<Vec<_>, _>>()?;
        let lineage = network_of(&opened, expected)?;
        let [block, merkle, receipts, consensus] =
            opened.try_into().ok().expect("invariant: one opened file a kind");
        let (consensus, _) = ConsensusFile::new(consensus, lineage.current())?;
        let head = RwLock::new(Head::of(&block)?);
        let (recent, top) = Default::default();
        let committed = Arc::new(Committed { block, receipts, merkle, head, recent, top, _lock: lock });
        Ok(Self { lineage, consensus, committed })
    }

    /// One of the four.
    pub(in crate::backup) fn of(&self, kind: FileKind) -> &File {
        match kind {
            FileKind::Block => &self.committed.block,
            FileKind::Merkle => &self.committed.merkle,
            FileKind::Receipts => &self.committed.receipts,
            FileKind::Consensus => self.consensus.file(),
        }
    }
}

/// All four must be there.
pub(in crate::backup) fn check_presence(directory: &Path) -> Result<(), LedgerError> {
    let (there, missing): (Vec<FileKind>, Vec<FileKind>) =
        FileKind::ALL.into_iter().partition(|kind| directory.join(kind.file_name()).exists());
    let Some(missing) = missing.first() else { return Ok(()) };
    let (present, advice) = match there.first() {
        Some(kind) => (kind.file_name(), "the ledger is not complete"),
        None => ("any other file", "there is no ledger in this directory"),
    };
    Err(LedgerError::Missing { missing: missing.file_name(), present, advice })
}

fn open_file(path: &Path) -> Result<File, StoreError> {
    File::open(path, FileOptions::EXISTING)
}

/// Checks the meta record of each file, in the order of [`FileKind::ALL`].
fn network_of(files: &[File], expected: Option<&Lineage>) -> Result<Lineage, LedgerError> {
    for file in files {
        // An empty file would be taken for a new one, and written to.
        if file.read()?.is_empty()? {
            return Err(StoreError::damaged(file.name(), "meta", "the file has no records at all").into());
        }
    }
    let blocks = &files[0];
    let lineage = match (expected, lineage::read(blocks)?) {
        (Some(expected), _) => expected.clone(),
        (None, Some(stored)) => stored,
        (None, None) => network_of_first_block(blocks)?.into(),
    };
    check_lineage(blocks, &lineage)?;
    for (file, kind) in files.iter().zip(FileKind::ALL) {
        schema::check_meta(file, kind, lineage.current())?;
    }
    Ok(lineage)
}

fn network_of_first_block(file: &File) -> Result<NetworkId, StoreError> {
    let damaged = |reason: String| StoreError::damaged(file.name(), "block 0", reason);
    let record =
        file.read()?.get_copy(&schema::block_by_height(0))?.ok_or_else(|| damaged("missing".into()))?;
    let mut reader = Reader::new(record);
    let header =
        reader.array::<64>("block id").and_then(|_| reader.bytes("header")).and_then(BlockHeader::decode);
    header.map(|header| header.network_id).map_err(|error| damaged(error.to_string()))
}
