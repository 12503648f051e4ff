use std::io::BufRead;
use std::path::Path;

use super::{DumpError, DumpReader, Replace, load};
use crate::store::{File, FileOptions, pages};

/// What becomes of a record whose key the dump has, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// It takes the dump's value.
    Overwrite,
    /// It keeps its value.
    Keep,
}

/// Puts a dump's records into a file beside those that are there, as `mdb_load` does, but all of them or none. A new file
/// is made as [`load`] does. Returns the number of records read.
///
/// # Errors
/// When the dump is damaged, the map is full, or a file fails; the file is then as it was.
pub fn merge<R: BufRead>(
    mut dump: DumpReader<R>,
    target: &Path,
    existing: Existing,
    progress: &mut dyn FnMut(u64),
) -> Result<u64, DumpError> {
    if std::fs::metadata(target).map_or(0, |found| found.len()) == 0 {
        return load(dump, target, Replace::No, progress).map(|loaded| loaded.records);
    }
    // LMDB would follow a bad page anywhere.
    pages::check_structure(target)?;
    let file = open(target, dump.map_bytes())?;
    let mut writer = file.write()?;
    while let Some((key, value)) = dump.next_record()? {
        match existing {
            Existing::Overwrite => writer.put_stored(key, value)?,
            Existing::Keep => writer.put_new_stored(key, value)?,
        }
        if dump.records().is_multiple_of(1 << 14) {
            progress(dump.records());
        }
    }
    writer.commit()?;
    Ok(dump.records())
}

/// Opens a file with its own map or the dump's, whichever is larger.
fn open(target: &Path, asked: Option<u64>) -> Result<File, DumpError> {
    let file = File::open(target, FileOptions::EXISTING)?;
    let asked = usize::try_from(asked.unwrap_or(0)).unwrap_or(usize::MAX) / 4096 * 4096;
    if asked <= file.map_bytes() {
        return Ok(file);
    }
    drop(file);
    Ok(File::open(target, FileOptions { map_bytes: asked, ..FileOptions::EXISTING })?)
}
