use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::{Manifest, SetError, SetFile, digest_of_dump, moment};
use crate::backup::dump::{Encoding, write_dump};
use crate::backup::verify::{Files, check_presence};
use crate::store::{File, FileKind, FileLock, pages};

/// The set to make.
#[derive(Clone, Debug)]
pub struct NewSet<'a> {
    /// The data directory of a stopped node.
    pub data: &'a Path,
    /// The set's folder; it must not be there, or be empty.
    pub folder: &'a Path,
    /// Whether the dumps are compressed.
    pub compress: bool,
    /// The time, UTC, as RFC 3339 writes it.
    pub time: String,
}

/// Dumps the four files of a stopped node into a set. It is written as `FOLDER.tmp`, read back, synced and renamed.
/// `progress` is told which file is written and how many of its records are.
///
/// # Errors
/// When a node runs, a file is missing or does not belong to the others, the folder has something in it, or the disk
/// fails. No set is left then.
pub fn create_set(new: &NewSet<'_>, progress: &mut dyn FnMut(FileKind, u64)) -> Result<Manifest, SetError> {
    check_is_free(new.folder)?;
    let lock = FileLock::take(&new.data.join("node.lock"))?;
    check_presence(new.data)?;
    for kind in FileKind::ALL {
        // A damaged file makes no backup, and LMDB would follow a bad page anywhere.
        pages::check(&new.data.join(kind.file_name()), &mut |_| {})?;
    }
    let files = Files::open(lock, new.data, None)?;
    let head = moment::head_of(&files)?;
    let folder = Unfinished::begin(new.folder)?;
    let mut set = Vec::new();
    for kind in FileKind::ALL {
        let file = files.of(kind);
        let dump = format!("{}.dump{}", kind.file_name(), if new.compress { ".gz" } else { "" });
        let path = folder.0.join(&dump);
        write(file, &path, new.compress, &mut |records| progress(kind, records))?;
        // What the disk holds counts, not what was sent to it.
        let digest = digest_of_dump(&path, &mut |records| progress(kind, records))?;
        set.push(SetFile { kind, dump, digest });
    }
    let manifest = Manifest {
        time: new.time.clone(),
        network_id: files.lineage.current(),
        height: head.height,
        block_id: head.id,
        state_root: head.state_root,
        files: set,
    };
    folder.finish(&manifest, new.folder)?;
    Ok(manifest)
}

fn check_is_free(folder: &Path) -> Result<(), SetError> {
    let mut entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(SetError::io(folder, "reading"))?,
    };
    match entries.next() {
        None => Ok(()),
        Some(_) => Err(SetError::Exists { path: folder.to_owned(), advice: ": name a new folder" }),
    }
}

fn write(file: &File, path: &Path, compress: bool, progress: &mut dyn FnMut(u64)) -> Result<(), SetError> {
    let encoding = if compress { Encoding::Gzip } else { Encoding::Hex };
    let mut dump = fs::File::create_new(path).map_err(SetError::io(path, "making"))?;
    write_dump(file, encoding, &mut dump, &mut |records, _| progress(records))?;
    dump.sync_all().map_err(SetError::io(path, "syncing"))
}

/// The folder until it is a set, removed unless it becomes one.
struct Unfinished(PathBuf);

impl Unfinished {
    fn begin(folder: &Path) -> Result<Self, SetError> {
        let mut path = folder.as_os_str().to_owned();
        path.push(".tmp");
        let path = PathBuf::from(path);
        // A killed process may have left one.
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(SetError::io(&path, "removing")(error));
            }
            _ => {}
        }
        fs::create_dir_all(&path).map_err(SetError::io(&path, "making"))?;
        Ok(Self(path))
    }

    fn finish(self, manifest: &Manifest, folder: &Path) -> Result<(), SetError> {
        let path = Manifest::path(&self.0);
        let text = manifest.to_json()?;
        fs::File::create_new(&path)
            .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
            .map_err(SetError::io(&path, "writing"))?;
        sync_folder(&self.0)?;
        // Replaces an empty folder.
        fs::rename(&self.0, folder).map_err(SetError::io(folder, "naming the set"))?;
        sync_folder(folder.parent().unwrap_or(Path::new("")))
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // After it got its name there is none.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Makes the names in a folder durable.
pub(super) fn sync_folder(folder: &Path) -> Result<(), SetError> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    fs::File::open(folder).and_then(|opened| opened.sync_all()).map_err(SetError::io(folder, "syncing"))
}
