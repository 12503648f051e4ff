//! A small stopped ledger with every kind of record.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use ledger_types::family::FamilyRegistry;
use ledger_types::{Batch, BlockId, Verified};
use tempfile::TempDir;

use crate::backup::verify::{CertificateCheck, Finalized, Summary, VerifyOptions, verify};
use crate::chain::{Ledger, LedgerError};
use crate::recent::SLICES;
use crate::store::{Durability, File, FileKind, FileOptions};
use crate::testing::{commit, history, options};

/// The tag of finalizations in the test's consensus file.
pub(super) const FINALIZED: u8 = 0x20;
/// As large as the test ledgers' maps.
const MAP_BYTES: usize = 1 << 26;

/// The files of a stopped node.
pub(super) struct Sample {
    pub(super) folder: TempDir,
}

impl Sample {
    /// A ledger of six heights, with the finalizations of all but genesis.
    pub(super) fn new() -> Self {
        Self::of(&history())
    }

    /// The same, and above it empty blocks, with which the whole index of the others is written.
    pub(super) fn indexed() -> Self {
        let empty = std::iter::repeat_n(Vec::new(), SLICES as usize);
        Self::of(&history().into_iter().chain(empty).collect::<Vec<_>>())
    }

    /// The same, cut short.
    pub(super) fn of_heights(heights: usize) -> Self {
        Self::of(&history()[..heights - 1])
    }

    /// A ledger of these blocks above genesis.
    pub(super) fn of(history: &[Vec<Verified<Batch>>]) -> Self {
        let sample = Self { folder: tempfile::tempdir().unwrap() };
        let ledger = Ledger::open(&options(&sample.directory())).unwrap();
        for (height, batches) in (1u64..).zip(history) {
            let block = commit(&ledger, batches).id();
            ledger.consensus().write(&[finalization(height, height, block)]).unwrap();
        }
        ledger.consensus().write(&[(vec![0x06], Some(vec![5]))]).unwrap();
        sample
    }

    pub(super) fn directory(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    pub(super) fn path(&self, kind: FileKind) -> PathBuf {
        self.folder.path().join(kind.file_name())
    }

    pub(super) fn open(&self, kind: FileKind) -> File {
        let options =
            FileOptions { durability: Durability::UntilSync, map_bytes: MAP_BYTES, must_exist: true };
        File::open(&self.path(kind), options).unwrap()
    }

    /// Changes records behind the ledger's back; `None` deletes. They get new seals, so that what the records say is put
    /// to the test, but for votes: only their seals tell whether they were changed.
    pub(super) fn write(&self, kind: FileKind, key: &[u8], value: Option<&[u8]>) {
        let file = self.open(kind);
        let mut writer = file.write().unwrap();
        match value {
            Some(value) if kind == FileKind::Consensus => writer.put_stored(key, value).unwrap(),
            Some(value) => writer.put(key, value).unwrap(),
            None => _ = writer.delete(key).unwrap(),
        }
        writer.commit().unwrap();
    }

    pub(super) fn records(&self, kind: FileKind) -> Vec<(Vec<u8>, Vec<u8>)> {
        let file = self.open(kind);
        let mut records = Vec::new();
        let visit = |key: &[u8], value: &[u8]| {
            records.push((key.to_vec(), value.to_vec()));
            Ok::<_, crate::store::StoreError>(())
        };
        let view = file.read().unwrap();
        match kind {
            FileKind::Consensus => view.for_each_stored(&[], visit).unwrap(),
            _ => view.for_each(&[], visit).unwrap(),
        }
        records
    }

    /// The least that can be asked.
    pub(super) fn options(&self) -> VerifyOptions<'static> {
        VerifyOptions { directory: self.directory(), genesis: None, certificates: None, registry: None }
    }

    pub(super) fn verify(&self) -> Result<Summary, LedgerError> {
        self.verify_with(None)
    }

    pub(super) fn verify_with(
        &self,
        registry: Option<Arc<dyn FamilyRegistry>>,
    ) -> Result<Summary, LedgerError> {
        let genesis = options(&self.directory()).genesis;
        let options = VerifyOptions {
            genesis: Some(&genesis),
            certificates: Some(&Certificates),
            registry,
            ..self.options()
        };
        verify(&options, &mut |_, _, _| {})
    }
}

/// A record of the test's consensus file: key `0x20 || height`, value `height of the block || block id`.
pub(super) fn finalization(height: u64, block_height: u64, block: BlockId) -> (Vec<u8>, Option<Vec<u8>>) {
    let key = [&[FINALIZED][..], &height.to_be_bytes()].concat();
    (key, Some([&block_height.to_be_bytes()[..], &block.0].concat()))
}

/// Takes every finalization for true that has the right length.
pub(super) struct Certificates;

impl CertificateCheck for Certificates {
    fn check(&self, key: &[u8], record: Bytes) -> Result<Option<Finalized>, String> {
        let number =
            |bytes: &[u8]| bytes.try_into().map(u64::from_be_bytes).map_err(|_| "not a number".to_owned());
        if key[0] != FINALIZED {
            return Ok(None);
        }
        let block = record.get(8..).and_then(|id| id.try_into().ok()).ok_or("a forged certificate")?;
        let (height, block_height) = (number(&key[1..])?, number(&record[..8])?);
        Ok(Some(Finalized { height, block_height, block: BlockId(block) }))
    }
}
