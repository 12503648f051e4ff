//! The four files, opened to be read.

use std::path::Path;

use ledger_types::codec::Reader;
use ledger_types::{BlockHeader, NetworkId};

use crate::chain::LedgerError;
use crate::store::{ConsensusFile, Durability, File, FileKind, FileOptions, StoreError, schema};

/// The files of one data directory.
pub(super) struct Files {
    pub(super) network_id: NetworkId,
    pub(super) block: File,
    pub(super) merkle: File,
    pub(super) receipts: File,
    pub(super) consensus: ConsensusFile,
}

impl Files {
    /// Opens all four; without an expected network, the first block tells the network.
    pub(super) fn open(directory: &Path, expected: Option<NetworkId>) -> Result<Self, LedgerError> {
        check_presence(directory)?;
        let opened = FileKind::ALL
            .into_iter()
            .map(|kind| open_file(&directory.join(kind.file_name())))
            .collect::<Result<Vec<_>, _>>()?;
        let network_id = network_of(&opened, expected)?;
        let [block, merkle, receipts, consensus] =
            opened.try_into().ok().expect("invariant: one opened file a kind");
        let (consensus, _) = ConsensusFile::new(consensus, network_id)?;
        Ok(Self { network_id, block, merkle, receipts, consensus })
    }
}

fn check_presence(directory: &Path) -> Result<(), LedgerError> {
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
    // LMDB keeps the map size that the file records when asked for less.
    File::open(path, FileOptions { durability: Durability::EveryCommit, map_bytes: 4096, must_exist: true })
}

/// Checks the meta record of each file, in the order of [`FileKind::ALL`].
fn network_of(files: &[File], expected: Option<NetworkId>) -> Result<NetworkId, StoreError> {
    for file in files {
        // An empty file would be taken for a new one, and written to.
        if file.read()?.is_empty()? {
            return Err(StoreError::damaged(file.name(), "meta", "the file has no records at all"));
        }
    }
    let network_id = expected.map_or_else(|| network_of_first_block(&files[0]), Ok)?;
    for (file, kind) in files.iter().zip(FileKind::ALL) {
        schema::check_meta(file, kind, network_id)?;
    }
    Ok(network_id)
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
