use std::fs;
use std::path::{Path, PathBuf};

use ledger_types::NetworkId;

use super::create::sync_folder;
use super::{Manifest, SetError, check_set, moment};
use crate::backup::dump::{Replace, load, open_dump};
use crate::backup::verify::Files;
use crate::chain::LedgerError;
use crate::store::{FileKind, FileLock, StoreError, is_open_somewhere};

/// The folder in the data directory where files are until all of them are checked.
const STAGING: &str = "restore.tmp";

/// The set to restore.
#[derive(Clone, Copy, Debug)]
pub struct Restoring<'a> {
    /// The set.
    pub set: &'a Path,
    /// The data directory; made when it is not there.
    pub data: &'a Path,
    /// The network that the node belongs to, when that is known.
    pub network_id: Option<NetworkId>,
    /// Whether files that are there are replaced.
    pub replace: bool,
}

/// Files made from a set, beside those that they may replace. Dropping it removes them.
pub struct Staged {
    manifest: Manifest,
    data: PathBuf,
    // Held until the files are in place or gone.
    _lock: FileLock,
}

impl Restoring<'_> {
    /// Checks the set and makes the four files from it, in a folder of their own. `progress` is told which file is read
    /// or made, and how many of its records are.
    ///
    /// # Errors
    /// When the set is damaged or of another network, a node runs, files are there, or the disk fails. The data
    /// directory is then as it was.
    pub fn stage(&self, progress: &mut dyn FnMut(FileKind, u64)) -> Result<Staged, SetError> {
        let manifest = check_set(self.set, progress)?;
        if let Some(expected) = self.network_id.filter(|expected| *expected != manifest.network_id) {
            let (path, found) = (self.set.to_owned(), manifest.network_id);
            return Err(SetError::OtherNetwork { path, found, expected });
        }
        fs::create_dir_all(self.data).map_err(SetError::io(self.data, "making"))?;
        let lock = FileLock::take(&self.data.join("node.lock"))?;
        self.check_target()?;
        let staged = Staged { manifest, data: self.data.to_owned(), _lock: lock };
        staged.clear()?;
        let folder = staged.folder();
        fs::create_dir(&folder).map_err(SetError::io(&folder, "making"))?;
        for file in &staged.manifest.files {
            let dump = open_dump(Some(&self.set.join(&file.dump)))?;
            let target = folder.join(file.kind.file_name());
            load(dump, &target, Replace::No, &mut |records| progress(file.kind, records))?;
        }
        staged.check()?;
        Ok(staged)
    }

    fn check_target(&self) -> Result<(), SetError> {
        for path in FileKind::ALL.map(|kind| self.data.join(kind.file_name())) {
            if !path.exists() {
                continue;
            }
            if !self.replace {
                return Err(SetError::Exists { path, advice: "; --replace puts the set in its place" });
            }
            if is_open_somewhere(&path).map_err(SetError::io(&path, "looking for readers of"))? {
                return Err(crate::backup::DumpError::Open { path }.into());
            }
        }
        Ok(())
    }
}

impl Staged {
    /// What was restored.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The folder of the files, to look at them before they are put in place.
    pub fn folder(&self) -> PathBuf {
        self.data.join(STAGING)
    }

    /// Puts the files in place.
    ///
    /// # Errors
    /// When the disk fails. The block file comes last and goes first, so a node refuses to start on a part of a set.
    pub fn publish(self) -> Result<Manifest, SetError> {
        let old = self.data.join(FileKind::Block.file_name());
        match fs::remove_file(&old) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(SetError::io(&old, "removing")(error));
            }
            _ => sync_folder(&self.data)?,
        }
        for kind in [FileKind::Consensus, FileKind::Receipts, FileKind::Merkle, FileKind::Block] {
            let (from, to) = (self.folder().join(kind.file_name()), self.data.join(kind.file_name()));
            fs::rename(&from, &to).map_err(SetError::io(&to, "putting the new file in place"))?;
            // In this order on the disk, too.
            sync_folder(&self.data)?;
        }
        Ok(self.manifest.clone())
    }

    /// The files hold what the manifest says.
    fn check(&self) -> Result<(), SetError> {
        let lock = FileLock::take(&self.folder().join("node.lock"))?;
        let files = Files::open(lock, &self.folder(), None)?;
        let (found, expected) = (files.lineage.current(), self.manifest.network_id);
        if found != expected {
            let file = FileKind::Block.file_name().to_owned();
            return Err(LedgerError::Store(StoreError::OtherNetwork { file, found, expected }).into());
        }
        let head = moment::head_of(&files)?;
        if (head.height, head.id) != (self.manifest.height, self.manifest.block_id) {
            let (path, found) = (Manifest::path(&self.folder()), head.height);
            let reason = format!("says height {}, but the block file is at {found}", self.manifest.height);
            return Err(SetError::Manifest { path, reason });
        }
        Ok(())
    }

    fn clear(&self) -> Result<(), SetError> {
        let folder = self.folder();
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(SetError::io(&folder, "removing")(error))
            }
            _ => Ok(()),
        }
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        let _ = self.clear();
    }
}
