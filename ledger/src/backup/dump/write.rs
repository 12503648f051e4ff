use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::DumpError;
use super::text::{DATA_END, Encoding, HEADER_END};
use crate::store::{File, FileOptions, pages};

/// Text written at once.
const BUFFER_BYTES: usize = 256 << 10;

/// Writes all records of a file as `mdb_dump -n` does, byte for byte. `progress` is told the records done and all of
/// them. Nothing is written to the file but LMDB's lock file, which is removed again. Returns the number of records.
///
/// # Errors
/// When the file is missing, cannot be read, or the output fails.
pub fn dump(
    path: &Path,
    encoding: Encoding,
    out: &mut dyn Write,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<u64, DumpError> {
    // LMDB would follow a bad page anywhere.
    pages::check_structure(path)?;
    write_dump(&File::open(path, FileOptions::EXISTING)?, encoding, out, progress)
}

/// As [`dump`], for an open file.
pub(in crate::backup) fn write_dump(
    file: &File,
    encoding: Encoding,
    out: &mut dyn Write,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<u64, DumpError> {
    if encoding != Encoding::Gzip {
        return write_text(file, encoding, out, progress);
    }
    // Half of a dump is the regularity of hexadecimal: the fastest level finds it.
    let mut gzip = GzEncoder::new(out, Compression::fast());
    let records = write_text(file, encoding, &mut gzip, progress)?;
    gzip.finish().map_err(|source| failed(file, source))?;
    Ok(records)
}

fn failed(file: &File, source: std::io::Error) -> DumpError {
    DumpError::Io { name: format!("the dump of {}", file.name()), operation: "writing", source }
}

fn write_text(
    file: &File,
    encoding: Encoding,
    out: &mut dyn Write,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<u64, DumpError> {
    let view = file.read()?;
    let (stats, all) = (view.stats()?, view.len()?);
    let mut text = Vec::with_capacity(2 * BUFFER_BYTES);
    let head = format!(
        "VERSION=3\nformat={}\ntype=btree\nmapsize={}\nmaxreaders={}\ndb_pagesize={}\n{HEADER_END}\n",
        encoding.name(),
        stats.map_bytes,
        stats.max_readers,
        stats.page_bytes,
    );
    text.extend_from_slice(head.as_bytes());
    let mut done = 0;
    view.for_each_stored(&[], |key, value| {
        encoding.push_line(&mut text, key);
        encoding.push_line(&mut text, value);
        done += 1;
        if text.len() < BUFFER_BYTES {
            return Ok(());
        }
        progress(done, all);
        out.write_all(&text).map_err(|source| failed(file, source))?;
        text.clear();
        Ok::<_, DumpError>(())
    })?;
    text.extend_from_slice(format!("{DATA_END}\n").as_bytes());
    out.write_all(&text).and_then(|()| out.flush()).map_err(|source| failed(file, source))?;
    Ok(done)
}
