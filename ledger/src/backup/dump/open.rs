use std::fs::File;
use std::io::{BufRead, BufReader, stdin};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use super::{DumpError, DumpReader};

/// Bytes read at once.
const BUFFER_BYTES: usize = 1 << 20;
/// What gzip begins with; a dump begins with a letter.
const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];

/// Opens a dump, compressed or not; standard input without a file.
///
/// # Errors
/// When it cannot be read or does not begin as a dump.
pub fn open_dump(path: Option<&Path>) -> Result<DumpReader<Box<dyn BufRead>>, DumpError> {
    let name = path.map_or_else(|| "standard input".to_owned(), |path| path.display().to_string());
    let failed = |source| DumpError::Io { name: name.clone(), operation: "reading", source };
    let mut input: Box<dyn BufRead> = match path {
        None => Box::new(BufReader::with_capacity(BUFFER_BYTES, stdin())),
        Some(path) => Box::new(BufReader::with_capacity(BUFFER_BYTES, File::open(path).map_err(failed)?)),
    };
    if input.fill_buf().map_err(failed)?.starts_with(GZIP_MAGIC) {
        input = Box::new(BufReader::with_capacity(BUFFER_BYTES, MultiGzDecoder::new(input)));
    }
    DumpReader::new(name, input)
}
