use std::fs;
use std::io::BufRead;
use std::path::{Path, PathBuf};

use super::{DumpError, DumpReader};
use crate::store::{Durability, File, FileOptions, StoreError, Writer, is_open_somewhere};

/// Records put in one transaction, bytes: they are kept until it is committed, in case that the map must grow first.
const CHUNK_BYTES: usize = 8 << 20;
/// The map of a file whose dump does not say one, as LMDB has it.
const DEFAULT_MAP_BYTES: u64 = 1 << 20;
const PAGE_BYTES: u64 = 4096;

/// What to do with a file that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replace {
    /// Refuse.
    No,
    /// Put the dump in its place.
    Yes,
}

/// What was loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// Records of the dump.
    pub records: u64,
    /// The size of the file's map, bytes.
    pub map_bytes: u64,
    /// The size that the dump asks for, when that is not a multiple of the page size or too small for the records.
    pub asked_map_bytes: Option<u64>,
}

/// Makes a file from a dump. It is written beside the target as `TARGET.tmp`, checked, synced and renamed, so that the
/// target is either what it was or all of the dump. The caller sees to it that no node starts meanwhile. `progress` is
/// told the records done.
///
/// # Errors
/// When the dump is damaged, the target has something in it or is open, or a file cannot be written. The target is then
/// untouched, and `TARGET.tmp` is gone.
pub fn load<R: BufRead>(
    mut dump: DumpReader<R>,
    target: &Path,
    replace: Replace,
    progress: &mut dyn FnMut(u64),
) -> Result<Loaded, DumpError> {
    check_target(target, replace)?;
    let unfinished = Unfinished::of(target)?;
    let asked = dump.map_bytes().filter(|bytes| *bytes > 0);
    let mut map_bytes = page_multiple(asked.unwrap_or(DEFAULT_MAP_BYTES));
    let open = |map_bytes: u64| {
        let map_bytes = usize::try_from(map_bytes).unwrap_or(usize::MAX);
        let options = FileOptions { durability: Durability::OnlySync, map_bytes, must_exist: false };
        File::open(&unfinished.0, options)
    };
    let mut file = open(map_bytes)?;
    let mut chunk = Chunk::default();
    while chunk.fill(&mut dump)? {
        // A map is stored in the file and never shrinks, so it begins as the dump has it and grows when it must.
        while !chunk.append_to(&file)? {
            drop(file);
            map_bytes = map_bytes.saturating_mul(2);
            file = open(map_bytes)?;
        }
        progress(dump.records());
    }
    let (found, expected) = (file.read()?.len()?, dump.records());
    if found != expected {
        return Err(DumpError::Count { path: unfinished.0.clone(), expected, found });
    }
    file.sync()?;
    drop(file);
    unfinished.publish(target)?;
    Ok(Loaded { records: expected, map_bytes, asked_map_bytes: asked.filter(|asked| *asked != map_bytes) })
}

fn page_multiple(bytes: u64) -> u64 {
    bytes.div_ceil(PAGE_BYTES).saturating_mul(PAGE_BYTES)
}

fn check_target(target: &Path, replace: Replace) -> Result<(), DumpError> {
    let io = |operation| DumpError::io(target, operation);
    match fs::metadata(target) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(io("reading")(error)),
        Ok(found) if found.len() > 0 && replace == Replace::No => {
            return Err(DumpError::Exists { path: target.to_owned() });
        }
        Ok(_) => {}
    }
    match is_open_somewhere(target).map_err(io("looking for readers"))? {
        true => Err(DumpError::Open { path: target.to_owned() }),
        false => Ok(()),
    }
}

/// Records between the dump and the file.
#[derive(Default)]
struct Chunk {
    bytes: Vec<u8>,
    /// The lengths of each record's key and value.
    lens: Vec<(usize, usize)>,
}

impl Chunk {
    /// Takes the next records of a dump; `false` when there is none.
    fn fill<R: BufRead>(&mut self, dump: &mut DumpReader<R>) -> Result<bool, DumpError> {
        self.bytes.clear();
        self.lens.clear();
        while self.bytes.len() < CHUNK_BYTES {
            let Some((key, value)) = dump.next_record()? else { break };
            self.bytes.extend_from_slice(key);
            self.bytes.extend_from_slice(value);
            self.lens.push((key.len(), value.len()));
        }
        Ok(!self.lens.is_empty())
    }

    /// Appends them in one transaction; `false` when the map is too small, and nothing was written.
    fn append_to(&self, file: &File) -> Result<bool, StoreError> {
        let mut writer = file.write()?;
        match self.put_all(&mut writer).and_then(|()| writer.commit()) {
            Ok(()) => Ok(true),
            Err(StoreError::MapFull { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn put_all(&self, writer: &mut Writer<'_>) -> Result<(), StoreError> {
        let mut rest = self.bytes.as_slice();
        for (key_len, value_len) in &self.lens {
            let (key, behind) = rest.split_at(*key_len);
            let (value, behind) = behind.split_at(*value_len);
            writer.append_stored(key, value)?;
            rest = behind;
        }
        Ok(())
    }
}

/// The file beside the target, removed unless it is published.
struct Unfinished(PathBuf);

impl Unfinished {
    /// Makes room for it: a killed process may have left one.
    fn of(target: &Path) -> Result<Self, DumpError> {
        let mut path = target.as_os_str().to_owned();
        path.push(".tmp");
        let path = PathBuf::from(path);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(DumpError::io(&path, "removing")(error))
            }
            _ => Ok(Self(path)),
        }
    }

    fn publish(self, target: &Path) -> Result<(), DumpError> {
        fs::rename(&self.0, target).map_err(DumpError::io(target, "putting the new file in place"))?;
        sync_folder_of(target)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // After it was published there is none.
        let _ = fs::remove_file(&self.0);
    }
}

/// Makes the name of a file durable.
fn sync_folder_of(path: &Path) -> Result<(), DumpError> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(DumpError::io(folder, "syncing"))
}
